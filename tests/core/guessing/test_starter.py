import csv
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tokenizers import Tokenizer, models, pre_tokenizers

from distill.core.config import parse, parse_yaml
from distill.core.errors import UserError
from distill.core.guessing.starter import first_record, guess, preview, starter_yaml
from distill.core.intake.prepare import prepare
from distill.core.label_space import label_name
from distill.core.project import Project
from distill.core.record_store import read_records
from distill.pipeline.first_look import init_project
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
    assert 144 <= found.views["document"].max_tokens <= 368  # no tokenizer is named: Russian counts 3.5 pieces a word
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
        ([{"id": 1, "label": i % 2, "text": "ёж"} for i in range(30)], r"text \(one value in nearly all rows\)"),
        (["{", "[1, 2]"], r"row 1, broken_json"),
        ([{f"к{i}": 1 for i in range(6000)}], "too many columns"),
        ([{"id": i, "text": f"ёж {i}"} for i in range(30)], "no column looks like a label"),
        ([{"id": i, "label": i % 2, "n": i / 7} for i in range(30)], "no column holds text"),
        ([{"id": i, "label": f"класс {i}", "text": f"ёж {i}"} for i in range(300)], "not the label of a classifier"),
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


def guessed(root, lines, test=None, **more):
    write(root / "train.jsonl", lines)
    write(root / "test.jsonl", test or lines)
    return guess(files(root, "train.jsonl", "test.jsonl"), root, **more)


def test_classes_by_the_hundred_are_a_classifiers_labels_however_the_file_is_sorted(tmp_path):
    lines = [{"id": i, "text": f"вопрос {i}", "intent": f"намерение {i // 20}"} for i in range(181 * 20)]
    starter = guessed(tmp_path, lines)
    assert starter.label == "intent" and len(parsed(starter).task.labels) == 181
    assert max(map(len, starter_yaml(starter).splitlines())) < 150
    assert '181 values of column "intent", from 20 (намерение 0) to 40' not in starter_yaml(starter)
    assert '181 values of column "intent", from 40' in starter_yaml(starter)


def test_without_a_unique_column_ids_are_made_of_the_texts(tmp_path):
    lines = [{"doc_id": i // 2, "text": f"ёж номер {i}", "label": i % 3} for i in range(60)]
    found = parsed(guessed(tmp_path, lines, [{**line, "text": f"уж {line['text']}"} for line in lines]))
    assert found.data.id is None and found.task.labels == ["0", "1", "2"]
    (tmp_path / "records").mkdir()
    prepare(found, tmp_path / "records", base=tmp_path)


def test_an_id_that_repeats_beyond_the_sample_is_none(tmp_path, monkeypatch):
    monkeypatch.setattr("distill.core.guessing.guess.SAMPLE_ROWS", 20)
    lines = [{"id": i // 2, "text": f"ёж номер {i}", "label": i % 3} for i in range(640)]
    assert guessed(tmp_path, lines).id is None


def test_ids_that_each_file_counts_from_zero_name_no_row_and_those_of_equal_rows_do(tmp_path):
    parts = {"train": 40, "valid": 12, "test": 15, "pool": 60}
    for name, count in parts.items():
        lines = [{"id": i, "text": f"{name} ёж {i}", "label": i % 2} for i in range(count)]
        write(
            tmp_path / f"{name}.jsonl",
            [{"id": one["id"], "text": one["text"]} for one in lines if name == "pool"] or lines,
        )
    paths = files(tmp_path, *(f"{name}.jsonl" for name in parts))
    for order in (paths, paths[::-1]):
        starter = guess(order, tmp_path)
        said = "No column that is named like an id is unique over all files"
        assert starter.id is None and said in starter_yaml(starter)
    (tmp_path / "records").mkdir()
    prepare(parsed(starter), tmp_path / "records", base=tmp_path)
    assert len(read_records(tmp_path / "records", "pool.pool")) == 60
    both = [json.loads(line) for line in paths[0].read_text().splitlines()]
    write(paths[-1], [{"id": one["id"], "text": one["text"]} for one in both])
    assert guess([paths[0], paths[-1]], tmp_path).id == "id"


def test_a_column_of_objects_is_left_out_and_said(tmp_path):
    lines = [
        {"id": i, "name": f"дрель номер {i}", "label": i % 2}
        | ({"attributes": [{"name": "цвет", "value": "красный"}]} if i % 5 else {"attributes": ["синий"]})
        for i in range(60)
    ]
    starter = guessed(tmp_path, lines)
    assert starter.document == (["name"], []) and starter.left_out == {"attributes": "not every value is a text"}
    assert preview(starter).startswith("record 0")


@pytest.mark.parametrize("name", ["name", "sentences"])
def test_lists_of_texts_are_texts_and_no_keys(tmp_path, name):
    lines = [
        {name: f"дрель {i // 9}", "more_id": [f"к{i}"], "lang": [["ru"], ["en"]][i % 2], "label": i % 2}
        for i in range(60)
    ]
    for i, line in enumerate(lines):
        line["sentences"] = [f"Это дрель номер {i}.", "Она хороша."]
    starter = guess([write(tmp_path / "train.jsonl", lines)], tmp_path)
    assert starter.keys == [own for own in ["name"] if name == own] and "sentences" in starter.document[0]
    assert starter.id is None and starter.slice is None and preview(starter)


def test_a_first_record_that_cannot_be_read_says_why(tmp_path):
    lines = [{"id": i, "text": f"ёж {i}", "label": i % 2} for i in range(40)]
    found = parsed(guessed(tmp_path, lines))
    write(tmp_path / "train.jsonl", [line | {"text": {"ru": "ёж"}} for line in lines])
    with pytest.raises(UserError, match=r"(?s)train\.jsonl:1, wrong_type: column 'text' needs text, found dict"):
        first_record(found, tmp_path)


def test_columns_that_say_nothing_or_give_the_label_away_are_left_out_and_said(tmp_path):
    names = {0: "нет", 1: "возможно", 2: "да"}
    lines = [
        {
            "id": i,
            "label": i % 3,
            "label_text": names[i % 3],
            "split": "train",
            "fold": f"часть {i % 4}",
            "lang": "ru" if i % 9 else "en",
            "hash": f"{i:04d}ab12cd34",
            "brand": f"марка {i % 5}",
            "text": f"ёж номер {i}",
        }
        for i in range(90)
    ]
    starter = guessed(tmp_path, lines)
    assert starter.document == (["brand", "text"], []) and starter.slice == "lang"
    assert starter.left_out == {
        "label_text": "gives the label away",
        "split": "one value in nearly all rows",
        "fold": "names the part of the data",
        "lang": "names a group of records",
        "hash": "codes of digits",
    }
    assert "# Left out, gives the label away: label_text." in starter_yaml(starter)


@pytest.mark.parametrize(
    ("labels", "positive"),
    [
        (["ham", "ham", "spam", "spam"], "spam"),
        (["а", "а", "а", "б"], "б"),
        (["а", "а", "б", "б"], None),
        (["0", "1", "1", "1"], "1"),
        (["а", "б", "б", "в"], None),
    ],
)
def test_a_positive_class_is_proposed_where_one_is_plain(tmp_path, labels, positive):
    lines = [{"id": i, "text": f"ёж номер {i}", "label": labels[i % 4]} for i in range(80)]
    assert parsed(guessed(tmp_path, lines)).task.positive == positive


def test_lengths_are_those_of_the_tokenizer_and_longer_ones_are_said(tmp_path):
    by_letter = Tokenizer(models.WordLevel({"[UNK]": 0}, unk_token="[UNK]"))
    by_letter.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    by_letter.save(str(tmp_path / "tokenizer.json"))
    lines = [{"id": i, "title": f"ёж {i:02}", "text": "буква " * 150, "label": i % 2} for i in range(40)]
    lines = [{**line, "text": line["text"] + str(line["id"])} for line in lines]
    starter = guessed(tmp_path, lines, tokenizer=tmp_path / "tokenizer.json")
    assert starter.tokens == {"document": 5 + 901 + 1, "card": 5}
    found, text = parsed(starter), starter_yaml(starter)
    assert starter.document == (["title"], ["text"])  # each window of the text begins with the title
    assert found.views["document"].max_tokens == 512 and found.views["document"].windows is None
    # An input is 512 letters, as no special token is set; without a tokenizer no cut is claimed.
    assert "tokens: 906; read in windows of 512" in preview(starter)
    assert "right side 394 by max_tokens" in preview(starter)
    assert "cut:     not known before a model is chosen" in preview(guessed(tmp_path, lines))
    assert "# windows: {stride: 64, max: 4, pool: mean}" in text and "for about 2.0 times the inputs" in text
    short = guessed(
        tmp_path, [{**line, "text": line["title"]} for line in lines], tokenizer=tmp_path / "tokenizer.json"
    )
    assert "windows" not in starter_yaml(short)


def test_without_a_tokenizer_russian_gets_more_room_than_english(tmp_path):
    tokens = {}
    for language, word in (("ru", "слово"), ("en", "word")):
        lines = [{"id": i, "text": f"{word} " * 40 + str(i), "label": i % 2} for i in range(40)]
        tokens[language] = guessed(tmp_path, lines).tokens["card"]
    assert tokens["en"] >= 1.5 * 41 and tokens["ru"] >= 3 * 41


def test_a_file_without_the_views_columns_is_left_out(tmp_path):
    paths = nested(tmp_path)
    paths.append(write(tmp_path / "чужой.jsonl", [{"id": f"ч{i}", "title": f"ёж {i}"} for i in range(9)]))
    starter = guess(paths, tmp_path)
    assert list(parsed(starter).data.pool) == ["urls"]
    assert starter.without_text == {"чужой.jsonl": "views.document.left"}
    assert "# Left out, no column of views.document.left: чужой.jsonl." in starter_yaml(starter)


def test_pairs_without_a_pool_are_offered_one_that_is_made(tmp_path):
    paths = nested(tmp_path)
    assert "pairs:" not in starter_yaml(guess(paths, tmp_path))
    text = starter_yaml(guess(paths[:3], tmp_path))
    offered = text.replace("  # pool:\n  #   made:", "  pool:\n    made:")
    found = parse(Project, parse_yaml(offered, "init"), "init")
    assert not parse(Project, parse_yaml(text, "init"), "init").data.pool and list(found.data.pool) == ["made"]
    (tmp_path / "records").mkdir()
    prepare(found, tmp_path / "records", base=tmp_path)
    assert len(read_records(tmp_path / "records", "pool.made")) > 60


def test_without_keys_equal_texts_keep_together(tmp_path):
    lines = [{"id": i, "rank": "ab"[i % 2], "text": f"ёж номер {i // 2}", "label": i % 3} for i in range(60)]
    starter = guess([write(tmp_path / "train.jsonl", lines)], tmp_path)
    found = parsed(starter)
    assert found.data.keys == ["text"] and found.data.split.mode == "keys" and "equal texts" in starter_yaml(starter)


ODD = [
    "\x92кавычки\x94",
    "две\nстроки",
    "\u2028",
    "\ufeffчто-то",
    "{a: b}",
    "#",
    "да: нет",
    "'",
    '"',
    "\\",
    "😀",
    "\x85",
]


def test_whatever_names_and_labels_hold_is_read_back(tmp_path):
    odd = [*ODD, "\ud83d", "а\x00"]  # the last two no config can hold
    lines = [{"id": i, f"тек\x92ст\n{odd[1]}": f"ёж номер {i}", "label": odd[i % len(odd)]} for i in range(140)]
    write(tmp_path / "train.jsonl", [json.dumps(line) for line in lines])
    write(tmp_path / "test.jsonl", [json.dumps(line) for line in lines])
    starter = guess(files(tmp_path, "train.jsonl", "test.jsonl"), tmp_path)
    found = parsed(starter)
    assert set(found.task.labels) == {label_name(label) for label in ODD} - {""}
    assert preview(starter).startswith("record 0")


def test_init_leaves_no_file_that_it_cannot_read_back(tmp_path, monkeypatch):
    write(tmp_path / "train.jsonl", [{"id": i, "text": f"ёж номер {i}", "label": i % 2} for i in range(40)])
    monkeypatch.setattr("distill.core.guessing.starter.starter_yaml", lambda starter: "task: \x92")
    with pytest.raises(UserError, match="not valid YAML"):
        init_project([tmp_path / "train.jsonl"], tmp_path / "p.yaml", force=False)
    assert not (tmp_path / "p.yaml").exists()


def test_parquet_columns_of_any_type_are_looked_at(tmp_path):
    odd = pa.array([1] * 40, pa.int64()).cast(pa.timestamp("ns"))
    columns = {"id": list(range(40)), "text": [f"ёж номер {i}" for i in range(40)], "label": [i % 2 for i in range(40)]}
    for name in ("train", "test"):
        pq.write_table(pa.table({**columns, "updated": odd}), tmp_path / f"{name}.parquet")
    assert guess(files(tmp_path, "train.parquet", "test.parquet"), tmp_path).document == (["text"], [])


def test_a_broken_gzip_file_is_named(tmp_path):
    path = write(tmp_path / "train.jsonl.gz", [{"id": i, "text": f"ёж {i}", "label": i % 2} for i in range(40)])
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(UserError, match="broken gzip file"):
        guess([path], tmp_path)


def test_rows_without_gold_and_texts_that_are_no_unicode_end_no_guess(tmp_path):
    lines = [json.dumps({"id": i, "text": f"ёж \ud83d {i}", "label": i % 2}) for i in range(40)]
    assert guessed(tmp_path, lines).document == (["text"], [])
    with pytest.raises(UserError, match="no row has a label"):
        guessed(tmp_path, [{"id": i, "text": f"ёж {i}", "label": None} for i in range(40)])


def test_a_tsv_whose_cells_are_in_quotes_is_read_without_them(tmp_path):
    for name in ("train", "test"):
        lines = [f'{name}{i}\t"ёж ""{i}"" колючий"\t{i % 2}' for i in range(40)]
        (tmp_path / f"{name}.tsv").write_text("\n".join(["id\ttext\tlabel", *lines]), encoding="utf-8")
    starter = guess(files(tmp_path, "train.tsv", "test.tsv"), tmp_path)
    assert parsed(starter).data.quotes == "double" and 'ёж "0" колючий' in preview(starter)
    lines = [f"{i}\t{chr(34) if i % 3 else ''}ёж {i}, сказал он\t{i % 2}" for i in range(40)]
    (tmp_path / "train.tsv").write_text("\n".join(["id\ttext\tlabel", *lines]), encoding="utf-8")
    assert parsed(guess(files(tmp_path, "train.tsv"), tmp_path)).data.quotes == "auto"
