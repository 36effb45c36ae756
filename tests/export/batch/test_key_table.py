"""The table by key says of each key what its rows say, whatever part it was dealt to."""

from __future__ import annotations

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from distill.core.errors import UserError
from export.batch import key_table, shards
from export.runtime import load_bundle
from tests.export.batch.files import answers, predict
from tests.export.tiny_bundle import MULTI, make_bundle, shared_bundle

KEYS = ["shop.example/a", " shop.example/a", "SHOP.example/b", 'c"d,e', "ключ", "7", "f"]
EMPTY = 4


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(shards, "SHARD_ROWS", 8)
    monkeypatch.setattr(key_table, "_PART_ROWS", 20)
    monkeypatch.setattr(key_table, "_BATCH_ROWS", 2)


def rows(kinds=9):
    """Rows of 7 keys; the last key always reads the same, keys of the others differ."""
    made = [
        {"page.url": KEYS[number % 7], "page.title": "same" if number % 7 == 6 else f"{'дрель ' * (number % kinds)}x"}
        for number in range(70)
    ]
    return [*made, *({"page.url": url, "page.title": "x"} for url in ("", None)), {"page.title": "x"}, {"page.url": ""}]


def written(path, made):
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in made), encoding="utf-8")
    return path


@pytest.mark.parametrize("point", [None, "f1"])
@pytest.mark.parametrize(("rule", "kind"), [("first", "jsonl"), ("mean", "csv"), ("mean", "parquet")])
def test_one_row_per_key_in_the_order_of_the_keys(tmp_path, rule, kind, point):
    source, out = written(tmp_path / "in.jsonl", rows()), tmp_path / f"out.{kind}"
    found = predict(shared_bundle(), source, out, point, key="page.url", conflicts=rule)
    model, keyed = load_bundle(shared_bundle(), verify=False), {}
    for row, answer in zip(rows(), model.predict(rows(), point), strict=True):
        if row.get("page.url"):
            keyed.setdefault(row["page.url"], []).append(answer)
    assert (found.table.keys, found.table.conflicts, found.without_key, found.rows) == (7, 6, EMPTY, 70)
    table = answers(out)
    assert [row["key"] for row in table] == KEYS
    for row in table:
        own = keyed[row["key"]]
        chances = own[0]["probabilities"]
        if rule == "mean":
            chances = {name: sum(one["probabilities"][name] for one in own) / len(own) for name in chances}
        assert row["probabilities"] == pytest.approx(chances, abs=1e-6)
        assert row["label"] == max(chances, key=chances.get) and int(row["rows"]) == len(own) == 10
        assert str(row["conflict"]) == str(row["key"] != "f")
        if point:
            assert row["positive"] == (chances["about_pr"] >= model.threshold("f1"))


def test_without_a_rule_conflicts_are_refused_and_the_rule_goes_on_from_the_finished_shards(tmp_path, monkeypatch):
    source, out = written(tmp_path / "in.jsonl", rows()), tmp_path / "out.jsonl"
    with pytest.raises(UserError, match=r"different answers[\s\S]*6 of 7 keys, first 'shop.example/a' in 10 rows"):
        predict(shared_bundle(), source, out, key="page.url")
    assert not out.exists()
    monkeypatch.setattr("export.batch.workers.answer_rows", None)  # nothing is left to answer
    found = predict(shared_bundle(), source, out, key="page.url", conflicts="first")
    assert found.table.keys == 7 and found.rows_per_s is None and not list(tmp_path.glob(".out*"))


def test_rows_that_agree_need_no_rule(tmp_path):
    source = written(tmp_path / "in.jsonl", rows(kinds=1))
    found = predict(shared_bundle(), source, None, "f1", key="page.url")
    assert found.out.name == "in.keys.jsonl" and (found.table.keys, found.table.conflicts) == (7, 0)
    assert {row["conflict"] for row in answers(found.out)} == {False}


@pytest.mark.parametrize("point", [None, "f1"])
def test_several_labels_are_those_of_the_mean(tmp_path, point):
    bundle, source = make_bundle(tmp_path, MULTI), written(tmp_path / "in.jsonl", rows())
    predict(bundle, source, tmp_path / "out.jsonl", point, key="page.url", conflicts="mean")
    table = answers(tmp_path / "out.jsonl")
    assert [row["key"] for row in table] == KEYS
    for row in table:
        assert row["label"] == [name for name, chance in row["probabilities"].items() if chance >= 0.5]


def test_a_key_is_one_text_and_another_value_is_a_reject(tmp_path):
    made = [{"page.url": url, "page.title": "x"} for url in (7, 7.0, "7", True, ["a"], {"b": 1}, "\ud800")]
    source = tmp_path / "in.jsonl"
    source.write_text("".join(json.dumps(row) + "\n" for row in made), encoding="utf-8")
    found = predict(shared_bundle(), source, tmp_path / "out.jsonl", key="page.url")
    assert {row["key"]: row["rows"] for row in answers(tmp_path / "out.jsonl")} == {"7": 3, "true": 1}
    reasons = [json.loads(line)["reason"] for line in found.rejects_file.read_text("utf-8").splitlines()]
    assert [reason.partition(",")[0] for reason in reasons[:2]] == ["column 'page.url' needs one value"] * 2
    assert "lone surrogate" in reasons[2]


def test_a_column_of_parquet_that_nothing_reads_may_have_any_type(tmp_path):
    times = pa.array([2**62, 1], pa.timestamp("ns"))
    table = pa.table({"page": [{"url": "a", "title": "x"}, {"url": "b", "title": "y"}], "seen": times})
    pq.write_table(table, tmp_path / "in.parquet")
    predict(shared_bundle(), tmp_path / "in.parquet", tmp_path / "out.csv", key="page.url")
    assert [row["key"] for row in answers(tmp_path / "out.csv")] == ["a", "b"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"key": "page.link"}, r"no row has the column of --key: page\.link[\s\S]*columns page\.url, page\.title"),
        ({"key": "none"}, r"every key is empty[\s\S]*--key none"),
        ({"key": "page.url", "conflicts": "last"}, r"unknown rule[\s\S]*--conflicts[\s\S]*error, first, mean"),
        ({"conflicts": "first"}, r"without --key[\s\S]*--conflicts"),
        ({"workers": 0}, r"at least one[\s\S]*--workers"),
    ],
)
def test_options_that_do_not_fit_are_named(tmp_path, options, message):
    source = written(tmp_path / "in.jsonl", [{"page.url": "a", "page.title": "x", "none": None}])
    with pytest.raises(UserError, match=message):
        predict(shared_bundle(), source, tmp_path / "out.jsonl", **options)
    assert not list(tmp_path.glob("*out*"))
