"""Soft labels made elsewhere: every accepted form of a row, and every refused one by file and row."""

from __future__ import annotations

import json
import re

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from distill.core.errors import UserError
from distill.core.label_space import LabelSpace
from distill.core.objectives.objective import objective
from distill.core.progress import reporting
from distill.core.record_store import write_records
from distill.core.records import Record
from distill.core.soft_labels import read_soft_labels
from teachers.config import LabellingConfig
from teachers.import_labels import import_labels
from tests.training.toy import Watch

SPACE = LabelSpace(("мимо", "рядом", "точно"))
CONFIG = LabellingConfig(shard_rows=3)
IDS = ["т0", "т1", "т2", "т3", "п0", "п1", "п2"]
LOGITS = np.arange(21, dtype=np.float32).reshape(7, 3) / 7 - 1.5


@pytest.fixture
def records(tmp_path):
    """Four training rows, the second without text, and a pool of three; valid needs no labels."""
    folder = tmp_path / "records"
    texts = {"т1": ""}
    for split, names in (("train", IDS[:4]), ("pool.urls", IDS[4:]), ("valid", ["в0"])):
        rows = [Record(name, {"page.title": texts.get(name, "дрель")}) for name in names]
        write_records(folder / f"{split}.parquet", rows)
    return folder


class Many:
    """Rows enough for a rule of 99%, and random logits for them."""

    rows = 300

    def __init__(self, folder):
        self.folder, self.random = folder, np.random.default_rng(3)
        self.names = [f"{number}" for number in range(self.rows)]
        write_records(folder / "many" / "train.parquet", [Record(name, {"page.title": "дрель"}) for name in self.names])

    def logits(self, classes):
        return 3 * self.random.normal(size=(self.rows, classes))

    def brought_in(self, numbers, kind="single"):
        file = jsonl(
            self.folder, [{"id": i, "logits": row.tolist()} for i, row in zip(self.names, numbers, strict=True)]
        )
        space = LabelSpace(tuple(f"c{number}" for number in range(numbers.shape[1])), objective(kind, numbers.shape[1]))
        import_labels(LabellingConfig(), file, space, self.folder / "many", self.folder / "store")
        return read_soft_labels(self.folder / "store")


@pytest.fixture
def many(tmp_path):
    return Many(tmp_path)


def listed() -> list[dict]:
    return [{"id": name, "logits": logits.tolist()} for name, logits in zip(IDS, LOGITS, strict=True)]


def named() -> list[dict]:
    """The same logits by label, in another order of labels and rows."""
    pairs = [dict(zip(SPACE.labels, row["logits"], strict=True)) for row in listed()]
    rows = [{"id": name, "logits": dict(reversed(pair.items()))} for name, pair in zip(IDS, pairs, strict=True)]
    return rows[::-1]


def jsonl(folder, rows):
    path = folder / "labels.jsonl"
    path.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows), encoding="utf-8")
    return path


def tsv(folder, rows):
    """Logits as JSON text; a cell with quotes in it is quoted."""
    lines = ["id\tlogits"]
    for row in rows:
        cell = json.dumps(row["logits"], ensure_ascii=False).replace('"', '""')
        lines.append(f'{row["id"]}\t"{cell}"')
    path = folder / "labels.tsv"
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def parquet(folder, rows):
    path = folder / "labels.parquet"
    pq.write_table(pa.Table.from_pylist(rows), path)
    return path


def brought_in(file, records, tmp_path, config=CONFIG, **options):
    import_labels(config, file, SPACE, records, tmp_path / "store", **options)
    return read_soft_labels(tmp_path / "store")


@pytest.mark.parametrize("rows", [listed(), named()], ids=["list", "dict"])
@pytest.mark.parametrize("write", [jsonl, tsv, parquet])
def test_logits_reach_their_rows_in_the_order_of_the_records(tmp_path, records, write, rows):
    found = brought_in(write(tmp_path, rows), records, tmp_path)
    assert (found.ids, found.sources) == (IDS, ["train"] * 4 + ["pool.urls"] * 3)
    np.testing.assert_array_equal(found.logits, LOGITS)
    assert found.status == ["ok", "empty", *["ok"] * 5]
    assert len(list((tmp_path / "store").glob("shard-*"))) == 3
    card = (tmp_path / "store" / "CARD.md").read_text()
    assert "Finished: 7 rows." in card and "empty 1, ok 6" in card and "`labels." in card


@pytest.mark.parametrize("write", [jsonl, parquet])
def test_ids_are_read_as_those_of_records(tmp_path, write):
    """Tables with a gap in a column of whole numbers hold floats."""
    names = [str(number) for number in range(len(IDS))]
    write_records(tmp_path / "numbered" / "train.parquet", [Record(name, {"page.title": "дрель"}) for name in names])
    rows = [{**row, "id": float(name)} for row, name in zip(listed(), names, strict=True)]
    found = brought_in(write(tmp_path, rows), tmp_path / "numbered", tmp_path)
    assert found.ids == names
    np.testing.assert_array_equal(found.logits, LOGITS)


def test_half_precision_follows_the_config(tmp_path, records):
    config = LabellingConfig(half=True)
    found = brought_in(jsonl(tmp_path, listed()), records, tmp_path, config)
    np.testing.assert_array_equal(found.logits, LOGITS.astype(np.float16))


def test_logits_that_are_no_finite_numbers_are_kept_out_of_training(tmp_path, records):
    rows = listed()
    rows[2]["logits"] = [float("nan"), 0, 1]
    rows[3]["logits"] = [1e300, 0, 1]
    with np.errstate(over="ignore"):
        found = brought_in(jsonl(tmp_path, rows), records, tmp_path)
    assert found.status[2:4] == ["nonfinite", "nonfinite"]


@pytest.mark.parametrize(
    ("logits", "shown"),
    [
        ([1.0, 2.0], "[1.0, 2.0]"),
        ([1, 2, 3, 4], "[1, 2, 3, 4]"),
        ([[1, 2, 3]], "[[1, 2, 3]]"),
        ([1, "много", 3], "много"),
        ("1 2 3", "1 2 3"),
        (None, ""),
        (5, "5"),
        ({"мимо": 1, "рядом": 2}, "{'мимо': 1, 'рядом': 2}"),
        ({"мимо": 1, "рядом": 2, "точно": 3, "близко": 4}, "близко"),
        ({"мимо": 1, "рядом": 2, "about_pr": 3}, "about_pr"),
    ],
    ids=str,
)
def test_wrong_logits_are_named_by_row_and_value(tmp_path, records, logits, shown):
    rows = listed()
    rows[2]["logits"] = logits
    with pytest.raises(UserError, match=r"(wrong logits|other classes)[\s\S]*labels\.jsonl, row 3\n") as caught:
        brought_in(jsonl(tmp_path, rows), records, tmp_path)
    assert shown in str(caught.value) and "мимо, рядом, точно" in str(caught.value)
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize("name", [None, "", ...], ids=["null", "empty", "absent"])
def test_a_row_without_id_is_named(tmp_path, records, name):
    rows = [{"id": name, **row} if name is ... else {**row, "id": name} for row in listed()[:1]]
    if name is ...:
        del rows[0]["id"]
    with pytest.raises(UserError, match=r"without id[\s\S]*labels\.jsonl, row 1\n"):
        brought_in(jsonl(tmp_path, [*rows, *listed()[1:]]), records, tmp_path)


def test_a_broken_row_is_named(tmp_path, records):
    path = jsonl(tmp_path, listed())
    path.write_text(path.read_text(encoding="utf-8") + '\n{"id": "п3", "log', encoding="utf-8")
    with pytest.raises(UserError, match=r"labels\.jsonl, row 8\n[\s\S]*broken_json"):
        brought_in(path, records, tmp_path)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([*listed(), listed()[4]], r"a duplicate id[\s\S]*row 8\n[\s\S]*п0"),
        (
            listed()[:5],
            r"leaves out rows[\s\S]*2 of 7 rows without logits \(train 0 of 4, pool.urls 2 of 3\), first: п1, п2",
        ),
        ([*listed(), {"id": "в0", "logits": [1, 2, 3]}], r"not in train or the pool[\s\S]*1 ids, for example в0"),
    ],
    ids=["twice", "missing", "stranger"],
)
def test_ids_have_to_be_those_of_the_project(tmp_path, records, rows, message):
    with pytest.raises(UserError, match=message):
        brought_in(jsonl(tmp_path, rows), records, tmp_path)
    assert not (tmp_path / "store").exists()


def test_an_id_that_is_half_a_character_is_a_stranger_too(tmp_path, records):
    path = jsonl(tmp_path, listed())
    path.write_text(path.read_text(encoding="utf-8") + '\n{"id": "\\ud800", "logits": [1, 2, 3]}', encoding="utf-8")
    with pytest.raises(UserError, match=r"not in train or the pool[\s\S]*1 ids"):
        brought_in(path, records, tmp_path)


def test_rows_that_are_left_out_are_counted_where_that_is_allowed(tmp_path, records):
    watch = Watch()
    with reporting(watch):
        found = brought_in(jsonl(tmp_path, listed()[1:5]), records, tmp_path, allow_missing=True)
    assert found.ids == IDS[1:5]
    assert watch.notes == [
        "labels.jsonl: 3 of 7 rows without logits (train 1 of 4, pool.urls 2 of 3), first: т0, п1, п2",
        "of 4 labelled rows 1 empty: no model learns from these",
    ]
    with pytest.raises(UserError, match="7 of 7 rows without logits"):
        brought_in(jsonl(tmp_path, [{"id": "чужой", "logits": [1, 2, 3]}]), records, tmp_path, allow_missing=True)


def test_logits_of_other_classes_are_named(tmp_path, records):
    rows = [{"id": name, "logits": {"да": 1, "нет": 2, "точно": 3}} for name in IDS]
    with pytest.raises(
        UserError, match=r"other classes than the task's[\s\S]*row 1\n[\s\S]*'да'[\s\S]*мимо, рядом, точно"
    ):
        brought_in(jsonl(tmp_path, rows), records, tmp_path)


def test_probabilities_under_the_name_of_logits_are_refused(tmp_path, records):
    rows = [{**row, "logits": [0.7, 0.2, 0.1]} for row in listed()]
    with pytest.raises(UserError, match=r"probabilities, not logits[\s\S]*log p, p at least 1e-6, is a logit"):
        brought_in(jsonl(tmp_path, rows), records, tmp_path)


@pytest.mark.parametrize(("classes", "digits"), [(3, 2), (5, 3), (20, 3), (151, 2), (151, 4), (10, 9)])
def test_rounded_probabilities_are_refused_whatever_a_single_row_says(many, classes, digits):
    logits = many.logits(classes)
    rows = np.exp(logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)).round(digits)
    rows[1], rows[2, 0] = 0.5, np.nan
    with pytest.raises(UserError, match="probabilities, not logits"):
        many.brought_in(rows)


def test_probabilities_of_several_labels_are_refused(many):
    with pytest.raises(UserError, match=r"every number is from 0 to 1[\s\S]*log\(p / \(1 - p\)\), p cut to 1e-6"):
        many.brought_in(1 / (1 + np.exp(-many.logits(4))), "multi")


@pytest.mark.parametrize("kind", ["single", "multi"])
@pytest.mark.parametrize("change", ["as they are", "above 0", "rounded", "within 2"])
def test_logits_that_only_look_a_little_like_probabilities_are_taken(many, kind, change):
    logits = many.logits(3)
    made = {
        "as they are": logits,
        "above 0": np.abs(logits),
        "rounded": logits.round(1),
        "within 2": 2 / (1 + np.exp(-logits)),
    }
    assert len(many.brought_in(made[change], kind).ids) == len(logits)


def test_small_logits_of_competing_classes_are_taken(many):
    """All from 0 to 1, and a sum near 1 by chance alone."""
    assert len(many.brought_in(many.random.random((many.rows, 2)))) == many.rows


def test_a_missing_file_is_named(tmp_path, records):
    with pytest.raises(UserError, match=re.escape("nowhere.jsonl")):
        brought_in(tmp_path / "nowhere.jsonl", records, tmp_path)


def test_numbers_as_ids_match_their_text(tmp_path):
    write_records(tmp_path / "records" / "train.parquet", [Record("7", {"page.title": "дрель"})])
    path = jsonl(tmp_path, [{"id": 7, "logits": [1, 2, 3]}])
    assert brought_in(path, tmp_path / "records", tmp_path).ids == ["7"]
