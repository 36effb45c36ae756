"""Two bundles on the rows of a file: what changes, where, which of it was right, and how that ends a command."""

import json
from dataclasses import replace

import numpy as np
import pytest
from typer.testing import CliRunner

from distill.cli.app import app
from distill.core.errors import UserError
from distill.core.label_space import LabelSpace
from export import record_rows
from export.batch import shards
from export.batch.inputs import surveyed
from export.diff import diff
from export.diff_options import DiffOptions
from export.runtime import load_bundle
from tests.export import tiny_bundle
from tests.export.labelled import labelled_rows, write_rows
from tests.export.tiny_bundle import LABELS, SINGLE_TEXT, make_bundle, shared_bundle

OPTIONS = DiffOptions(slice="segment", threads=1)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """`new`, a bundle of another model whose labels have another order, and `rows.jsonl` with a broken line."""
    folder = tmp_path_factory.mktemp("diff")
    turned = (LABELS[2], LABELS[0], LABELS[1])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tiny_bundle, "LABELS", turned)
        patch.setattr(tiny_bundle, "classifier", lambda made=tiny_bundle.classifier: made(seed=2))
        (folder / "new").mkdir()
        make_bundle(folder / "new", LabelSpace(turned, positive="about_pr")).rename(folder / "other")
    rows = labelled_rows(shared_bundle())
    for row in rows[:40]:
        del row["label"]
    with write_rows(folder / "rows.jsonl", rows).open("a") as file:
        file.write('{"secret": "word\n')
    return folder


@pytest.fixture(scope="module")
def rows(place):
    lines = (place / "rows.jsonl").read_text(encoding="utf-8").splitlines()[:-1]
    return list(map(json.loads, lines))


@pytest.fixture(scope="module")
def found(place):
    return diff(shared_bundle(), place / "other", place / "rows.jsonl", OPTIONS)


def test_answers_are_those_of_each_bundle(place, rows, found):
    old, new = (load_bundle(one, "fp32", 1) for one in (shared_bundle(), place / "other"))
    said = [model.predict(rows, "f1") for model in (old, new)]
    apart = [a["label"] != b["label"] for a, b in zip(*said, strict=True)]
    assert found["labels"]["rows"] == 240 and found["labels"]["changed"] == sum(apart) > 20
    point, decided = found["points"]["f1"], [[one["positive"] for one in side] for side in said]
    assert point["gained"] == sum(b and not a for a, b in zip(*decided, strict=True))
    assert point["lost"] == sum(a and not b for a, b in zip(*decided, strict=True))
    change = [
        abs(a["probabilities"][label] - b["probabilities"][label])
        for a, b in zip(*said, strict=True)
        for label in LABELS
    ]
    assert found["probability_change"]["mean"] == pytest.approx(np.mean(change), rel=1e-5)
    gold = [row.get("label") for row in rows]
    right = [sum(one["label"] == true for one, true in zip(side, gold, strict=True)) for side in said]
    told = found["labels"]["right"]
    assert (told["rows"], told["old_right"], told["new_right"]) == (200, *right)
    assert {name: one["labels"]["rows"] for name, one in found["slices"].items()} == {"audio": 120, "diy": 120}
    assert found["old"]["seal"] != found["new"]["seal"] and found["points"].keys() == {"f1", "recall@P>=0.9"}


def test_a_bundle_beside_itself_changes_nothing(place):
    same = diff(shared_bundle(), shared_bundle(), place / "rows.jsonl", DiffOptions(limit="0%", threads=1))
    assert same["labels"]["changed"] == 0 and same["exceeded"] == [] and same["examples"] == []
    assert same["probability_change"]["mean"] == 0 and same["labels"]["right"]["p_value"] == 1


def test_chunks_of_a_file_change_nothing(place, found, monkeypatch):
    monkeypatch.setattr(shards, "SHARD_ROWS", 50)
    again = diff(shared_bundle(), place / "other", place / "rows.jsonl", OPTIONS)
    assert again["labels"] == found["labels"] and again["slices"] == found["slices"]
    assert [one["line"] for one in again["examples"]] == [one["line"] for one in found["examples"]]


def test_a_part_of_a_file_is_in_memory_at_a_time(place, monkeypatch):
    """Of rows that somebody reads, at most a chunk is not yet handed on."""
    read, handed_on = 0, 0

    def counted(*how, reader=shards.read_rows):
        nonlocal read
        for row in reader(*how):
            read += 1
            assert read - handed_on <= 50
            yield row

    monkeypatch.setattr(shards, "read_rows", counted)
    monkeypatch.setattr(shards, "SHARD_ROWS", 50)
    left_out, model = record_rows.LeftOut(), load_bundle(shared_bundle(), "fp32", 1)
    for chunk in record_rows.read_chunks(surveyed(place / "rows.jsonl"), [model], ["segment"], left_out):
        handed_on += len(chunk)
    assert read == 241 and handed_on == 240 and left_out.count == 1


def test_a_slice_has_one_value_in_a_row(rows, tmp_path):
    file = write_rows(tmp_path / "in.jsonl", [{**row, "page": {"title": "дрель"}} for row in rows])
    with pytest.raises(UserError, match=r"no row can be compared[\s\S]*column 'page' needs one value") as caught:
        diff(shared_bundle(), shared_bundle(), file, DiffOptions(slice="page", threads=1))
    assert "дрель" not in str(caught.value)


def test_a_file_that_is_written_to_meanwhile_is_refused(rows, tmp_path, monkeypatch):
    file = write_rows(tmp_path / "in.jsonl", rows)

    def written_to(model, values, render=record_rows.rendered):
        with file.open("a") as more:
            more.write("\n")
        return render(model, values)

    monkeypatch.setattr(record_rows, "rendered", written_to)
    monkeypatch.setattr(shards, "SHARD_ROWS", 50)
    with pytest.raises(UserError, match=r"the file was changed while it was read[\s\S]*in\.jsonl"):
        diff(shared_bundle(), shared_bundle(), file, OPTIONS)


def test_examples_have_texts_only_where_they_may(place, found):
    assert len(found["examples"]) == 10 and all(one["texts"] for one in found["examples"])
    assert found["examples"][0]["id"] == f"r{found['examples'][0]['line'] - 1}"
    without = DiffOptions(texts=False, examples=5, threads=1)
    told = diff(shared_bundle(), place / "other", place / "rows.jsonl", without)
    assert (
        len(told["examples"]) == 5
        and "texts" not in json.dumps(told)
        and "дрель" not in json.dumps(told, ensure_ascii=False)
    )
    assert told["left_out"] == {"rows": 1, "first": [{"line": 241, "reason": "broken_json"}]}


def run(place, *options):
    command = ["diff", shared_bundle(), place / "other", place / "rows.jsonl", *options, "--threads", "1"]
    return CliRunner().invoke(app, list(map(str, command)), env={"COLUMNS": "80"})


def test_above_the_limit_the_command_ends_with_3_after_all_is_told(place, found):
    done = run(place, "--limit", "0.5%", "--format", "json")
    assert done.exception.exit_code == 3 and "of labels change, at most 0.5% may" in str(done.exception)
    told = json.loads(done.stdout)
    assert {one["what"] for one in told["exceeded"]} == {"labels", "f1", "recall@P>=0.9"} and told["limit"] == 0.005
    assert told["labels"] == found["labels"]
    fine = run(place, "--limit", "1.0", "--slice", "segment", "--no-texts")
    assert "дрель" not in fine.stdout and "дрель" in json.dumps(json.loads(done.stdout), ensure_ascii=False)
    assert fine.exit_code == 0 and fine.stdout.startswith("within the limit: ")
    tables = fine.stdout[: fine.stdout.index("\nold: ")]
    assert max(map(len, tables.splitlines())) <= 80 and "…" not in tables
    assert "The largest changes of a probability" in tables and tables.count("\n  old: ") == 10
    words = " ".join(fine.stdout.split())
    assert "Changed in each segment." in words and "(McNemar)" in words and "1 row is left out: line 241" in words


def test_a_comment_is_short_markdown_that_texts_cannot_break(place, rows, tmp_path):
    planted = [{**row, "page.title": f"<b>|x| [a](http://evil) ```\n@team {row['page.title']}"} for row in rows]
    file = write_rows(tmp_path / "in.jsonl", planted)
    told = CliRunner().invoke(
        app, ["diff", str(shared_bundle()), str(place / "other"), str(file), "--format", "pr", "--slice", "segment"]
    )
    assert told.exit_code == 0 and len(told.stdout) < 6000
    lines = told.stdout.splitlines()
    assert lines[0].startswith("### ") and "labels change" in lines[0]
    assert [line for line in lines if line.startswith("<details>")] == [
        f"<details><summary>{title}</summary>"
        for title in ("By segment", "Changed labels", "5 examples", "What was compared")
    ]
    assert (
        lines.count("</details>") == 4 and "<b>" not in told.stdout and "[a](" not in told.stdout.replace("\\[a](", "")
    )
    tables = [line for line in lines if line.startswith("|")]
    assert all(line.endswith("|") for line in tables)


def other(**changes):
    return lambda rows: [{**row, **changes} for row in rows]


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        (None, {"slice": "shop floor"}, r"no row has the column: shop floor[\s\S]*columns id, product\.title"),
        (None, {"slice": "id"}, "more than 200 slices"),
        (None, {"label": "gold"}, "no row has the column: gold"),
        (
            other(label="about"),
            {"label": "label"},
            r"labels that the bundle does not have[\s\S]*240 rows \(line 1, 2, 3",
        ),
        (None, {"limit": "half"}, "a limit is a share of rows"),
        (None, {"format": "html"}, "unknown format"),
        (None, {"precision": "fp16"}, "no precision 'fp16'"),
        (None, {"examples": -1}, "a number from 0 on"),
        (lambda rows: [{"id": 1, "name": "x"}], {}, "no row has a field that the model reads"),
        (
            lambda rows: [{"page.title": {"a": 1}}],
            {},
            r"no row can be compared[\s\S]*line 1: column 'page.title' needs text",
        ),
    ],
)
def test_what_cannot_be_compared_is_named(place, rows, tmp_path, change, options, message):
    file = write_rows(tmp_path / "in.jsonl", change(rows)) if change else place / "rows.jsonl"
    with pytest.raises(UserError, match=message) as caught:
        diff(shared_bundle(), place / "other", file, DiffOptions(threads=1, **options))
    assert caught.value.exit_code == 2


def test_labels_of_another_kind_in_a_column_that_nobody_named_are_no_gold(place, rows, tmp_path):
    file = write_rows(tmp_path / "in.jsonl", other(label="yes")(rows))
    told = diff(shared_bundle(), place / "other", file, DiffOptions(threads=1))
    assert told["labels"]["right"] is None and told["unknown_labels"].startswith(
        "'yes': 240 rows (line 1, 2, 3, 4, 5 and"
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "multi"}, r"other kinds of answers[\s\S]*single and multi"),
        ({"positive": "ment_pr"}, r"other positive classes[\s\S]*about_pr and ment_pr"),
        ({"labels": ["not_about_pr", "spam", "about_pr"]}, r"other labels[\s\S]*only old: ment_pr; only new: spam"),
    ],
)
def test_bundles_of_other_tasks_are_named(place, monkeypatch, change, message):
    made = load_bundle(shared_bundle(), "fp32", 1)
    pair = [made, replace(made, after={**made.after, **change})]
    monkeypatch.setattr("export.diff.open_bundle", lambda *_: pair.pop(0))
    with pytest.raises(UserError, match=message):
        diff(shared_bundle(), shared_bundle(), place / "rows.jsonl", OPTIONS)


def test_each_bundle_reads_the_fields_of_its_own_view(rows, tmp_path):
    view = make_bundle(tmp_path, view=SINGLE_TEXT)
    file = write_rows(tmp_path / "in.jsonl", [{**row, "title": row["page.title"]} for row in rows])
    told = diff(shared_bundle(), view, file, OPTIONS)
    asked = (rows, [{"title": row["page.title"]} for row in rows])
    bundles = (load_bundle(one, "fp32", 1) for one in (shared_bundle(), view))
    old, new = (
        [one["probabilities"]["about_pr"] for one in b.predict(own)] for b, own in zip(bundles, asked, strict=True)
    )
    change = np.abs(np.subtract(old, new)).mean()
    assert told["probability_change"]["about_pr"] == pytest.approx(change, rel=1e-5) and change > 0.01
