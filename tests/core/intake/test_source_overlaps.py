"""What named sources share, counted in the sources themselves, so that a duplicate pool is seen as one."""

import numpy as np
import pytest

from distill.core.files import read_json
from distill.core.intake import source_overlaps
from distill.core.intake.source_overlaps import SourceOverlaps, contained
from distill.core.records import Record
from distill.report.overlap_table import overlap_sheet
from tests.core.record_fixtures import project, row, rows, run, write, write_all

POOL = rows("п", 10, 300, labelled=False)
POOLS = {"urls": "pool.jsonl", "other": "other.jsonl"}


def overlaps(out):
    """By (kind, one, other) the rows both ways."""
    found = read_json(out / "overlaps.json")
    return {(one["kind"], *one["between"]): tuple(one["rows"]) for one in found["shared"]}


@pytest.fixture(scope="module")
def two_pools(tmp_path_factory):
    """A second pool with seven rows of the first one, one of them twice, one card under another body and junk."""
    root = write_all(tmp_path_factory.mktemp("pools"), pool=POOL)
    renamed = [{**one, "id": f"н{one['id']}"} for one in POOL[:7]]
    card = row("карточка", 307, page={"body": "другой текст"})
    junk = row("мусор", 308, page={"body": "404"})
    of_test = row("из теста", 201)
    write(root / "other.jsonl", [*renamed, {**renamed[0], "id": "ещё раз"}, card, junk, of_test])
    return run(root, pool=POOLS, junk={"patterns": ["404"]})


def test_rows_are_counted_both_ways_in_the_sources_themselves(two_pools):
    out, audit = two_pools
    found = overlaps(out)
    assert found["text", "pool.urls", "pool.other"] == found["document", "pool.urls", "pool.other"] == (7, 8)
    assert found["card", "pool.urls", "pool.other"] == (8, 9)
    assert found["key:page.id", "pool.urls", "pool.other"] == (8, 9)
    assert found["text", "test.seen", "pool.other"] == (1, 1)
    assert read_json(out / "overlaps.json")["rows"]["pool.other"] == 10  # without the junk
    assert not any(pair[1:] == ("train", "pool.urls") for pair in found)
    assert audit["pool_overlaps"]["pool.other"] == {"pool.urls": 8, "test": 1}


def test_the_table_shows_both_shares(two_pools):
    sheet = overlap_sheet({"source_overlaps": read_json(two_pools[0] / "overlaps.json")})
    cells = [[column.cell(one) for column in sheet.columns] for one in sheet.rows]
    assert ["text, document", "pool.urls", "pool.other", "7", "70.00", "8", "80.00"] in cells
    assert not overlap_sheet({}).rows


def test_ways_that_come_to_the_same_rows_stand_together():
    def entry(kind, *rows):
        return {"kind": kind, "between": ["train", "valid"], "rows": list(rows), "share": [0.5, 0.1]}

    shared = [entry("text", 2, 3), entry("document", 2, 3), entry("card", 4, 3)]
    sheet = overlap_sheet({"source_overlaps": {"shared": shared}})
    assert [(sheet.columns[0].cell(one), sheet.columns[3].cell(one)) for one in sheet.rows] == [
        ("text, document", "2"),
        ("card", "4"),
    ]


@pytest.mark.parametrize(
    ("limit", "held"),
    [(0.9, [("card", 0.9)]), (0.91, []), (0.8, [("text", 0.8)])],
)
def test_a_source_that_an_earlier_one_holds_is_a_warning(two_pools, tmp_path, limit, held):
    found = [one for one in contained(read_json(two_pools[0] / "overlaps.json"), limit) if one["in"] != "test.seen"]
    assert [(one["kind"], one["share"]) for one in found] == held
    write(write_all(tmp_path, pool=POOL) / "other.jsonl", POOL[:8] + rows("д", 2, 500, labelled=False))
    _, audit = run(tmp_path, pool=POOLS, contained=limit)
    told = [warning for warning in audit["warnings"] if "if they are meant to differ" in warning]
    assert ("contained" in audit, len(told)) == (limit <= 0.8, limit <= 0.8)


def test_views_count_where_the_records_depend_on_them(tmp_path):
    root = write_all(tmp_path, pool=[*POOL, row("из теста", 201)])
    kinds = {kind for kind, *_ in overlaps(run(root, on_card_leak="keep")[0])}
    assert kinds == {"text", "document", "key:product.id", "key:page.id"}


def test_identical_pools_are_named_as_such(tmp_path):
    write(write_all(tmp_path, pool=POOL) / "other.jsonl", POOL[::-1])
    _, audit = run(tmp_path, pool=POOLS)
    assert audit["warnings"][0] == (
        "pool.other holds the same texts as pool.urls (10 rows, 100% of pool.other): if they are meant to differ, "
        "they do not"
    )


def test_many_rows_are_compared_piece_by_piece_and_empty_texts_never(tmp_path, monkeypatch):
    monkeypatch.setattr(source_overlaps, "_PIECE", 7)
    rng = np.random.default_rng(3)
    numbers = {"pool.a": rng.integers(0, 60, 200).tolist(), "pool.b": rng.integers(30, 90, 100).tolist(), "pool.c": []}
    keys = SourceOverlaps(project())
    for source, own in numbers.items():
        check = keys.watch(source)
        for number in own:
            text = "" if number % 10 == 0 else f"текст {number}"
            check(Record("", {"product.title": text, "page.title": "", "page.body": ""}, keys={"product.id": text}))
    keys.write(tmp_path)
    plain = {source: [one for one in own if one % 10] for source, own in numbers.items()}
    there = [
        sum(one in plain[other] for one in plain[own]) for own, other in (("pool.a", "pool.b"), ("pool.b", "pool.a"))
    ]
    found = overlaps(tmp_path)
    assert {kind: rows for (kind, *_), rows in found.items() if kind != "text"} == dict.fromkeys(
        ("document", "card", "key:product.id"), tuple(there)
    )
    assert {pair[1:] for pair in found} == {("pool.a", "pool.b")}
