"""What records and audit depend on: the parts of the config, and the rows of other files."""

from typing import Any

import pytest

from distill.core.config import merge, parse
from distill.core.errors import UserError
from distill.core.intake.audit import audit, audit_config
from distill.core.intake.prepare import prepare, records_config
from distill.core.project import Project
from distill.core.record_store import read_records
from tests.core.record_fixtures import PROJECT, prepare_and_audit, project, row, rows, write_all

NEIGHBOURS = {"data": {"pool": {"urls": {"files": "pool.jsonl", "pairing": "neighbours"}}}}
SIDE = {"data": {"pool_exclude": "side"}}
SWAP = {"fields": [["product.title", "page.title"]]}
TWO_FIELDS = {"views": {"card": {"right": ["page.title", "page.body"]}}}


def changed(*changes: dict[str, Any]) -> Project:
    values = PROJECT
    for change in changes:
        values = merge(values, change)
    return parse(Project, values, "test")


def with_pool(plan: Project, **sources: Any) -> Project:
    """The project with these pool sources alone."""
    values = plan.model_dump()
    return parse(Project, {**values, "data": {**values["data"], "pool": sources}}, "test")


def view(**values: Any) -> dict[str, Any]:
    return {"views": {"card": values}}


@pytest.mark.parametrize(
    "change",
    [
        view(separator=" / "),
        view(windows=None),
        {"data": {"on_valid_key": "keep"}},
        {"views": {"document": {"max_tokens": 64, "budgets": {"page.body": 8}}}},
        {"views": {"short": {"left": ["page.title"], "max_tokens": 8}}},
        {"gates": {"leak": None, "int8_flips": 0.5}},
        {"task": {"ordered": True, "positive": None}},
        {"data": {"root": "elsewhere"}},
        {"quality": {"replicates": 200}},
        {"training_seed": 7},
    ],
    ids=str,
)
@pytest.mark.parametrize("base", [{}, SIDE, NEIGHBOURS], ids=["pair", "side", "neighbours"])
def test_what_leaves_the_records_alone(base, change):
    assert records_config(changed(base, change)) == records_config(changed(base))


@pytest.mark.parametrize(
    ("base", "change"),
    [
        ({}, {"seed": 2}),
        ({}, {"task": {"labels": ["рядом", "мимо", "точно"]}}),
        ({}, {"task": {"kind": "multi"}}),
        ({}, {"data": {"slice": None}}),
        ({}, {"data": {"junk": {"min_chars": 9}}}),
        ({}, {"data": {"junk": {"rules": {"short": {"kind": "length", "min_chars": 9}}}}}),
        ({}, {"views": {"card": {"right": ["page.title", "page.url"]}}}),
        ({}, view(max_tokens=32)),
        ({}, view(budgets={"page.title": 4})),
        ({}, view(windows={"stride": 2})),
        ({}, {"data": {"on_card_leak": "keep"}}),
        ({}, {"data": {"on_valid_key": "drop"}}),
        ({}, {"views": {"document": {"separator": " "}}}),
        (SIDE, TWO_FIELDS),
        ({**SIDE, **TWO_FIELDS}, view(separator=" ")),
        (NEIGHBOURS, TWO_FIELDS),
        ({}, NEIGHBOURS),
        ({}, {"task": {"swap": SWAP}}),
        ({"task": {"swap": SWAP}}, {"task": {"swap": {"labels": [["мимо", "точно"]]}}}),
    ],
    ids=str,
)
def test_what_changes_the_records(base, change):
    assert records_config(changed(base, change)) != records_config(changed(base))


@pytest.mark.parametrize("change", [view(max_tokens=32), view(budgets={"page.title": 4}), view(windows={"stride": 2})])
@pytest.mark.parametrize("on_card_leak", ["fail", "keep"])
def test_lengths_leave_the_records_alone_where_no_row_is_dropped_for_its_card(change, on_card_leak):
    kept = {"data": {"on_card_leak": on_card_leak}}
    assert records_config(changed(kept, change)) == records_config(changed(kept))


def test_without_a_pool_and_leaks_that_are_dropped_no_view_is_compared():
    assert records_config(with_pool(changed({"data": {"on_card_leak": "keep"}})))["pool"] == {}


@pytest.mark.parametrize(
    ("change", "same"),
    [
        (view(max_tokens=32), False),
        (view(separator=" / "), False),
        (view(windows={"pool": "max"}), False),
        ({"views": {"short": {"left": ["page.title"], "max_tokens": 8}}}, False),
        ({"seed": 2}, False),
        ({"gates": {"leak": 4}}, True),
        ({"task": {"ordered": True}}, True),
        ({"data": {"junk": {"min_chars": 9}}}, True),
        ({"data": {"contained": 0.5}}, False),
    ],
    ids=str,
)
def test_what_changes_the_audit(change, same):
    assert (audit_config(changed(change)) == audit_config(changed())) is same


def test_how_windows_are_pooled_leaves_the_audit_alone():
    mean, largest = (audit_config(changed(view(windows={"stride": 4, "pool": pool}))) for pool in ("mean", "max"))
    assert mean == largest


def made(root, plan):
    """File name to bytes of the records folder."""
    prepare(plan, root / "records")
    return {path.name: path.read_bytes() for path in (root / "records").iterdir()}


def test_what_views_say_of_lengths_changes_no_byte_of_the_records(tmp_path):
    write_all(tmp_path)
    root = {"data": {"root": str(tmp_path)}}
    other = changed(root, view(max_tokens=8, budgets={"page.title": 2}, windows={}, separator=" / "))
    assert made(tmp_path, changed(root)) == made(tmp_path, other)


@pytest.mark.parametrize("exclude", ["pair", "side"])
@pytest.mark.parametrize("held_out", [False, True])
def test_labelled_files_do_not_depend_on_the_pool(tmp_path, exclude, held_out):
    over = {"pool_exclude": exclude} | ({"valid": None, "split": {"valid": 0.3}} if held_out else {})
    before = made(write_all(tmp_path, train=rows("т", 60, 0)), project(root=str(tmp_path), **over))
    odd = [row("т3", 401), row("копия", 3), row("из теста", 200), "{", row("сторона", 5, page={"title": "x"})]
    write_all(tmp_path, train=rows("т", 60, 0), pool=[*odd, *rows("п", 30, 500, labelled=False)])
    after = made(tmp_path, project(root=str(tmp_path), **over))
    labelled = ("train.parquet", "valid.parquet", "test.seen.parquet")
    assert [before[name] for name in labelled] == [after[name] for name in labelled]
    assert before["pool.urls.parquet"] != after["pool.urls.parquet"] and before["ledger.json"] != after["ledger.json"]


def test_a_pool_source_depends_on_earlier_sources_only_and_on_their_equal_rows(tmp_path):
    plan = project(root=str(tmp_path))
    both = with_pool(plan, first="pool.jsonl", second={"files": "more.jsonl", "rows": 5})
    more = rows("м", 9, 400, labelled=False)
    write_all(tmp_path, more=more)
    before = made(tmp_path, both)
    alone = made(tmp_path, with_pool(plan, first="pool.jsonl"))
    assert alone["pool.first.parquet"] == before["pool.first.parquet"]
    write_all(tmp_path, pool=rows("п", 30, 300, labelled=False))
    assert made(tmp_path, both)["pool.second.parquet"] == before["pool.second.parquet"]
    write_all(tmp_path, pool=[*rows("п", 9, 300, labelled=False), *rows("копия", 5, 400, labelled=False)])
    prepare(both, tmp_path / "records")
    assert [record.id for record in read_records(tmp_path / "records", "pool.second")] == ["м5", "м6", "м7", "м8"]


def test_a_pair_keeps_its_sides_when_a_view_reads_the_right_one_alone(tmp_path):
    write_all(tmp_path, pool=rows("п", 30, 300, labelled=False))
    root = {"data": {"root": str(tmp_path)}}
    alone = {"views": {"page": {"left": ["page.title"], "max_tokens": 8}}}
    assert made(tmp_path, changed(NEIGHBOURS, root)) == made(tmp_path, changed(NEIGHBOURS, root, alone))


def test_a_view_newer_than_the_records_needs_its_columns_in_the_pool(tmp_path):
    bare = [{"id": f"п{i}", "product": {"title": f"Ёж {i}"}, "page": {"title": "Лес"}} for i in range(5)]
    root = {"data": {"root": str(write_all(tmp_path, pool=bare))}}
    found = prepare_and_audit(changed(root), tmp_path / "records")
    assert "pool.urls: some file has no column page.body" in found["warnings"]
    body = changed(root, {"views": {"body": {"left": ["page.body"], "max_tokens": 8}}})
    assert records_config(body) == records_config(changed(root))
    with pytest.raises(UserError, match=r"views\.body\.left[\s\S]*page\.body") as error:
        audit(body, tmp_path / "records", tmp_path / "audit")
    assert "pool.urls: pool.jsonl" in str(error.value)


def test_half_a_surrogate_pair_in_a_label_is_told_as_an_escape(tmp_path):
    line = '{"id": "ё", "метка": "\\ud83d", "product": {"title": "ёж"}}'
    found = prepare_and_audit(project(root=str(write_all(tmp_path, train=[*rows("т", 12, 0), line]))), tmp_path / "r")
    assert "\\ud83d" in found["rows"]["by_source"]["train"]["first_bad_row"]
