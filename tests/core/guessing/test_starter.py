import csv
import json

import pytest

from distill.core.config import parse, parse_yaml
from distill.core.errors import UserError
from distill.core.guessing.starter import guess, preview, starter_yaml
from distill.core.intake.prepare import prepare
from distill.core.project import Project
from tests.core.record_fixtures import rows, write, write_all


def files(root, *names):
    return [root / name for name in names]


def parsed(starter):
    return parse(Project, parse_yaml(starter_yaml(starter), "init"), "init")


def nested(root):
    for name, count, start in (("train", 30, 0), ("valid", 9, 100), ("test_seen", 9, 200), ("urls", 9, 300)):
        lines = rows(name, count, start, labelled=name != "urls")
        for values in lines:
            if "метка" in values:
                values["label"] = values.pop("метка")
            values["page"]["body"] = "длинное описание товара " * 30 + str(values["id"])
        write(root / f"{name}.jsonl", lines)
    return files(root, "train.jsonl", "valid.jsonl", "test_seen.jsonl", "urls.jsonl")


def test_nested_files_round_trip_and_run(tmp_path):
    starter = guess(nested(tmp_path), tmp_path)
    found = parsed(starter)
    assert (found.data.id, found.data.label, found.data.slice) == ("id", "label", "segment")
    assert found.data.keys == ["product.id", "page.id"]
    assert (found.data.train, found.data.valid) == (["train.jsonl"], ["valid.jsonl"])
    assert found.data.test == {"seen": ["test_seen.jsonl"]} and found.data.pool["urls"].files == ["urls.jsonl"]
    assert found.task.labels == sorted(["мимо", "рядом", "точно"]) and found.task.positive is None
    assert found.views["document"].left == ["product.title"]
    assert found.views["document"].right == ["page.title", "page.body"]
    assert found.views["card"].right == ["page.title"] and found.views["card"].max_tokens == 32
    assert 144 <= found.views["document"].max_tokens <= 192
    (tmp_path / "records").mkdir()
    prepare(found, tmp_path / "records", base=tmp_path)


def test_file_names_become_names_that_are_one_folder_each(tmp_path):
    paths = nested(tmp_path)
    for name in ("URLS.jsonl", "pool--(новые).jsonl"):
        paths.append(tmp_path / name)
        paths[-1].write_bytes((tmp_path / "urls.jsonl").read_bytes())
    found = parsed(guess(paths, tmp_path))
    assert list(found.data.pool) == ["urls", "URLS_1", "новые"]


def test_every_guess_has_a_comment_and_the_preview_shows_both_views(tmp_path):
    starter = guess(nested(tmp_path), tmp_path)
    text = starter_yaml(starter)
    assert text.count("# ") >= 10 and text.count("(?)") >= 5 and "точно: 16" in text
    shown = preview(starter)
    assert "view document" in shown and "view card" in shown and "Дрель ударная №0" in shown


@pytest.mark.parametrize(
    ("left", "right"),
    [("text_a", "text_b"), ("title1", "title2"), ("question", "passage"), ("left_title", "right_title")],
)
def test_flat_tables_of_two_texts(tmp_path, left, right):
    for name, start in (("train", 0), ("test", 500)):
        with (tmp_path / f"{name}.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["id", left, right, "target"])
            writer.writerows([start + i, f"Ёлка номер {i}", f"ответ {i} про лес", int(i % 4 == 0)] for i in range(40))
    found = parsed(guess(files(tmp_path, "train.csv", "test.csv"), tmp_path))
    assert (found.views["card"].left, found.views["card"].right) == ([left], [right])
    assert found.data.label == "target" and found.task.labels == ["0", "1"] and found.task.positive == "1"
    assert found.data.valid is None and found.data.test == {"test": ["test.csv"]}


def test_single_texts_votes_and_cp1251(tmp_path):
    lines = [{"uid": f"u{i}", "text": f"отзыв номер {i} хороший", "votes": {"да": i % 3, "нет": 2}} for i in range(60)]
    for name in ("train", "test"):
        text = "\n".join(json.dumps(line, ensure_ascii=False) for line in lines)
        (tmp_path / f"{name}.jsonl").write_bytes(text.encode("cp1251"))
    found = parsed(guess(files(tmp_path, "train.jsonl", "test.jsonl"), tmp_path))
    assert found.data.encoding == "cp1251" and found.data.id == "uid" and found.data.label == "votes"
    assert found.task.labels == ["да", "нет"] and found.views["card"].right == []


def test_without_a_test_file_splits_are_made_by_keys(tmp_path):
    nested(tmp_path)
    found = parsed(guess(files(tmp_path, "train.jsonl", "urls.jsonl"), tmp_path))
    assert found.data.split.mode == "keys" and found.data.keys == ["product.id", "page.id"] and not found.data.test


def test_the_root_starts_from_the_project_files_folder(tmp_path):
    (tmp_path / "data").mkdir()
    starter = guess(nested(tmp_path / "data"), tmp_path)
    assert parsed(starter).data.root == "data"


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([{"id": 1, "label": "а", "text": "ёж"}] * 30, "no column is unique"),
        ([{"id": i, "text": f"ёж {i}"} for i in range(30)], "no column looks like a label"),
        ([{"id": i, "label": i % 2, "n": i / 7} for i in range(30)], "no column holds text"),
        ([{"id": i, "label": f"класс {i}", "text": f"ёж {i}"} for i in range(300)], "not the label of a classifier"),
        ([{"id": i, "label": i % 2, "text": f"ёж {i}"} for i in range(30)], "no test file"),
    ],
)
def test_what_cannot_be_guessed_is_said(tmp_path, lines, message):
    with pytest.raises(UserError, match=message):
        guess([write(tmp_path / "train.jsonl", lines)], tmp_path)


def test_a_missing_file_is_named(tmp_path):
    write_all(tmp_path)
    with pytest.raises(UserError, match="file not found"):
        guess(files(tmp_path, "train.jsonl", "нет.jsonl"), tmp_path)


def table(path, encoding, word="ДРЕЛЬ УДАРНАЯ"):
    lines = ["id;text;label", *(f"{path.stem}{i};{word} НОМЕР {i};{i % 2}" for i in range(40))]
    path.write_bytes("\n".join(lines).encode(encoding))
    return path


@pytest.mark.parametrize("encoding", ["cp1251", "koi8-r"])
def test_capitals_are_read_in_the_encoding_that_they_are_in(tmp_path, encoding):
    starter = guess([table(tmp_path / "train.csv", encoding), table(tmp_path / "test.csv", encoding)], tmp_path)
    assert parsed(starter).data.encoding == encoding and "ДРЕЛЬ УДАРНАЯ НОМЕР 0" in preview(starter)


def test_files_in_different_encodings_are_named(tmp_path):
    paths = [table(tmp_path / "train.csv", "utf-8"), table(tmp_path / "test.csv", "cp1251")]
    with pytest.raises(UserError, match=r"train\.csv reads as utf-8, test\.csv reads as cp1251"):
        guess(paths, tmp_path)
