"""A file of records and its answers: every format both ways, and rows that cannot be read."""

import csv
import gzip
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from distill.core.errors import UserError
from export.batch import shards
from export.batch.predict import answers_file
from export.batch.store import Store
from export.checked_bundle import verify
from export.diff import diff
from export.diff_options import DiffOptions
from export.drift_file import drift_file
from export.runtime import load_bundle
from tests.export.batch.files import TITLES, answers, predict, write_source
from tests.export.tiny_bundle import LABELS, MULTI, RECORDS, copy_of, make_bundle, shared_bundle

FORMATS = ["jsonl", "ndjson", "jsonl.gz", "csv", "csv.gz", "tsv", "parquet"]


def expected(titles=TITLES, point=None):
    made = load_bundle(shared_bundle(), "int8").predict([{"page.title": title} for title in titles], point)
    return [{"id": f"r{i}", **answer} for i, answer in enumerate(made)]


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("point", [None, "f1"])
def test_answers_come_in_the_format_of_the_file_and_in_its_order(tmp_path, kind, point):
    source = write_source(tmp_path / f"in.{kind}")
    out = answers_file(source)
    found = predict(shared_bundle(), source, out, point, "int8")
    assert out.name == f"in.answers.{kind}" and (found.rows, found.rejects) == (3, 0)
    assert answers(out) == expected(point=point)


@pytest.mark.parametrize("kind", ["jsonl", "csv", "jsonl.gz", "parquet"])
def test_a_file_without_rows_is_named_by_whatever_reads_it(tmp_path, kind):
    source = tmp_path / f"in.{kind}"
    if kind == "parquet":
        pq.write_table(pa.table({"page.title": pa.array([], pa.string())}), source)
    else:
        source.write_bytes(gzip.compress(b"") if kind.endswith("gz") else b"")
    calls = [
        lambda: predict(shared_bundle(), source, tmp_path / "out.csv"),
        lambda: diff(shared_bundle(), shared_bundle(), source, DiffOptions()),
        lambda: drift_file(shared_bundle(), source),
    ]
    for call in calls:
        with pytest.raises(UserError, match=r"the file has no rows[\s\S]*leave it out, or write it again"):
            call()
    assert [path.name for path in tmp_path.iterdir()] == [source.name]


def test_answers_do_not_go_into_the_bundle(tmp_path):
    bundle = copy_of(shared_bundle(), tmp_path)
    source = write_source(tmp_path / "in.jsonl")
    for out in (bundle / "a.jsonl", bundle / "triton" / "a.jsonl"):
        with pytest.raises(UserError, match="a bundle holds its own files alone"):
            predict(bundle, source, out)
    assert verify(bundle)["passed"]


@pytest.mark.parametrize("kind", ["jsonl", "csv", "tsv.gz", "parquet"])
def test_answers_come_in_the_format_that_is_named(tmp_path, kind):
    out = tmp_path / f"out.{kind}"
    predict(shared_bundle(), write_source(tmp_path / "in.jsonl"), out, "f1", "int8")
    assert answers(out) == expected(point="f1")


def test_a_name_without_an_ending_takes_the_format_of_the_file(tmp_path):
    predict(shared_bundle(), write_source(tmp_path / "in.csv"), tmp_path / "out", None, "int8")
    (tmp_path / "out").rename(tmp_path / "out.csv")
    assert answers(tmp_path / "out.csv") == expected()


@pytest.mark.parametrize("kind", ["csv", "parquet", "jsonl"])
def test_several_labels_stay_a_list(tmp_path, kind):
    bundle, out = make_bundle(tmp_path, MULTI), tmp_path / f"out.{kind}"
    predict(bundle, write_source(tmp_path / "in.jsonl"), out)
    lists = [json.loads(one["label"]) if kind == "csv" else one["label"] for one in answers(out)]
    assert lists == [one["label"] for one in load_bundle(bundle).predict([{"page.title": title} for title in TITLES])]
    assert any(lists)


def test_names_with_the_signs_of_a_format_stay_one_cell(tmp_path):
    names = ["a\tb", 'c"d,e', "f\ng"]
    source = tmp_path / "in.jsonl"
    source.write_text("".join(json.dumps({"id": name, "page.title": "x"}) + "\n" for name in names), encoding="utf-8")
    for kind, read in (("csv", names), ("tsv", ["a b", 'c"d,e', "f g"])):
        predict(shared_bundle(), source, tmp_path / f"out.{kind}")
        with (tmp_path / f"out.{kind}").open(encoding="utf-8", newline="") as file:
            tabs = {"delimiter": "\t", "quoting": csv.QUOTE_NONE} if kind == "tsv" else {}
            assert [row["id"] for row in csv.DictReader(file, **tabs)] == read


def test_each_file_has_answers_of_its_own(tmp_path):
    names = ["a.2024.jsonl", "a.2025.jsonl", "a.jsonl", "a.jsonl.gz", "a.csv", "a.ndjson", "a.tsv", "a.parquet"]
    assert len({answers_file(tmp_path / name) for name in names}) == len(names)
    assert answers_file(tmp_path / "a.2024.jsonl").name == "a.2024.answers.jsonl"


def test_rows_without_an_id_have_their_line(tmp_path):
    source = tmp_path / "in.jsonl"
    source.write_text("\n".join(json.dumps(record) for record in RECORDS), encoding="utf-8")
    predict(shared_bundle(), source, tmp_path / "out.jsonl")
    assert [one["id"] for one in answers(tmp_path / "out.jsonl")] == [1, 2, 3, 4, 5]
    (tmp_path / "in.csv").write_text("id,page.title\na,x\n,y\n", encoding="utf-8")
    predict(shared_bundle(), tmp_path / "in.csv", tmp_path / "out.jsonl")
    assert [one["id"] for one in answers(tmp_path / "out.jsonl")] == ["a", 3]


@pytest.mark.parametrize("encoding", ["cp1251", "utf-8"])
def test_text_files_are_read_as_the_bundles_project_says(tmp_path, encoding):
    """And those in UTF-8 as such, wherever the project's own come from."""
    bundle = make_bundle(tmp_path, project="data: {encoding: cp1251, quotes: double}\n")
    (tmp_path / "in.tsv").write_text('id\tpage.title\na\t"дрель\tBosch"\n', encoding=encoding)
    predict(bundle, tmp_path / "in.tsv", tmp_path / "out.jsonl")
    (said,) = answers(tmp_path / "out.jsonl")
    assert said == {"id": "a", **load_bundle(bundle).predict([{"page.title": "дрель Bosch"}])[0]}
    assert diff(bundle, bundle, tmp_path / "in.tsv", DiffOptions(threads=1))["left_out"]["rows"] == 0
    assert drift_file(bundle, tmp_path / "in.tsv", threads=1)["rows"] == 1


def test_rows_that_cannot_be_read_are_counted_and_kept_with_the_reason(tmp_path):
    source, out = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    bad = ['{"broken', '{"id": "s", "page.title": "\\ud800"}', '{"id": "t", "page.title": {"a": 1}}', "[1]"]
    good = [json.dumps({"id": f"r{i}", "page.title": title}) for i, title in enumerate(TITLES)]
    source.write_text("\n".join([good[0], bad[0], good[1], *bad[1:], good[2]]) + "\n", encoding="utf-8")
    found = predict(shared_bundle(), source, out, None, "int8")
    assert found.rows == 3 and answers(out) == expected() and found.rejects_file == tmp_path / "out.jsonl.rejects.jsonl"
    rejects = {one["line"]: one for one in map(json.loads, found.rejects_file.read_text(encoding="utf-8").splitlines())}
    assert sorted(rejects) == [2, 4, 5, 6] and rejects[2]["row"].strip() == bad[0]
    assert "broken_json" in rejects[2]["reason"] and "surrogate" in rejects[4]["reason"] and rejects[4]["id"] == "s"
    assert rejects[5]["reason"] == "column 'page.title' needs text, found dict"
    assert "a JSON object is needed" in rejects[6]["reason"]


def test_rejects_of_an_earlier_call_do_not_stay(tmp_path):
    source, out = write_source(tmp_path / "in.jsonl"), tmp_path / "out.jsonl"
    (tmp_path / "out.jsonl.rejects.jsonl").write_text("{}\n", encoding="utf-8")
    predict(shared_bundle(), source, out)
    assert not (tmp_path / "out.jsonl.rejects.jsonl").exists()


def test_rejects_of_answers_in_another_format_stay(tmp_path):
    source = write_source(tmp_path / "in.jsonl")
    with source.open("a", encoding="utf-8") as file:
        file.write("{broken\n")
    kept = predict(shared_bundle(), source).rejects_file
    assert not predict(shared_bundle(), write_source(tmp_path / "in.csv")).rejects
    assert len(kept.read_text(encoding="utf-8").splitlines()) == 1


def test_rejects_do_not_take_the_place_of_the_records(tmp_path):
    source = write_source(tmp_path / "mails.csv.rejects.jsonl")
    before = source.read_bytes()
    with pytest.raises(UserError, match=r"the rejects would overwrite the records[\s\S]*--out"):
        predict(shared_bundle(), source, tmp_path / "mails.csv")
    assert [path.name for path in tmp_path.iterdir()] == [source.name] and source.read_bytes() == before


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        (
            '{"broken\n{"page.title": "\\ud800"}\n',
            {},
            r"no row of the file can be answered[\s\S]*line 1[\s\S]*broken_json",
        ),
        ("{}\n", {"point": "f9"}, "no operating point 'f9'"),
        ("{}\n", {"precision": "fp16"}, "no precision 'fp16'"),
        ("{}\n", {"provider": "npu"}, r"unknown provider[\s\S]*npu[\s\S]*auto, cpu, cuda, tensorrt"),
        ("{}\n", {"threads": 0}, r"at least one is needed[\s\S]*--threads"),
        ("{}\n", {"precision": "int8", "provider": "cuda"}, "must not run on cuda"),
        (None, {}, "file not found"),
        ('{"id": 1, "name": "Дрель"}\n', {}, r"no row has a field that the model reads: [\s\S]*columns id, name"),
        (
            'nothing\n{"id": 1, "name": "Дрель"}\n',
            {},
            r"no row has a field that the model reads: [\s\S]*columns id, name",
        ),
    ],
)
def test_what_cannot_be_answered_is_refused_and_leaves_no_file(tmp_path, content, options, message):
    source, out = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    if content is not None:
        source.write_text(content, encoding="utf-8")
    with pytest.raises(UserError, match=message):
        predict(shared_bundle(), source, out, **options)
    assert not list(tmp_path.glob("*out*"))


SPARSE = [{"id": number, "other": "x"} for number in range(5)] + [{"id": 5, "page": {"title": "дрель", "url": "u"}}]


def test_lines_of_json_may_have_a_column_late(tmp_path, monkeypatch):
    monkeypatch.setattr(shards, "SHARD_ROWS", 2)
    source, out = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_text("".join(json.dumps(row) + "\n" for row in SPARSE), encoding="utf-8")
    assert predict(shared_bundle(), source, out).rows == 6
    assert [row["id"] for row in answers(out)] == list(range(6))
    found = predict(shared_bundle(), source, out, key="page.url")
    assert (found.rows, found.without_key) == (1, 5) and [row["key"] for row in answers(out)] == ["u"]
    with pytest.raises(UserError, match=r"no row has the column of --key: page\.link[\s\S]*columns id, other"):
        predict(shared_bundle(), source, tmp_path / "no.jsonl", key="page.link")
    assert not list(tmp_path.glob("*no*"))


def test_a_column_of_parquet_may_have_its_first_value_late(tmp_path, monkeypatch):
    monkeypatch.setattr(shards, "SHARD_ROWS", 2)
    rows = [{"id": row["id"], "page": row.get("page")} for row in SPARSE]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "in.parquet")
    found = predict(shared_bundle(), tmp_path / "in.parquet", tmp_path / "out.jsonl", key="page.url")
    assert (found.rows, found.without_key) == (1, 5)


@pytest.mark.parametrize("kind", ["csv", "tsv.gz", "parquet"])
def test_a_file_whose_head_lacks_the_fields_is_refused_before_a_row_is_answered(tmp_path, monkeypatch, kind):
    monkeypatch.setattr(shards, "SHARD_ROWS", 2)
    monkeypatch.setattr(Store, "write", lambda *_: pytest.fail("a row was answered"))
    source = write_source(tmp_path / f"in.{kind}")
    with pytest.raises(UserError, match=r"no row has the column of --key: page\.url[\s\S]*columns id, page\.title"):
        predict(shared_bundle(), source, tmp_path / "out.jsonl", key="page.url")
    assert not list(tmp_path.glob("*out*"))


def test_the_input_is_not_overwritten_and_an_unknown_format_is_refused(tmp_path):
    source = write_source(tmp_path / "in.jsonl")
    with pytest.raises(UserError, match="overwrite"):
        predict(shared_bundle(), source, source)
    with pytest.raises(UserError, match=r"unknown file format[\s\S]*out\.xlsx[\s\S]*\.parquet"):
        predict(shared_bundle(), source, tmp_path / "out.xlsx")
    assert len(LABELS) == 3 and [path.name for path in tmp_path.iterdir()] == ["in.jsonl"]
