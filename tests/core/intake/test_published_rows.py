"""What of the rows is told outside the records: how many each file had, and no text where none may leave."""

import json

import pytest

from distill.core.config import merge, parse
from distill.core.errors import UserError
from distill.core.intake.ledger import Ledger
from distill.core.project import Project
from tests.core.intake.test_prepare import BAD
from tests.core.record_fixtures import PROJECT, prepare_and_audit, row, rows, run, write, write_all

MARKER = "МАРКЕР"
MARKED = {
    "unknown_label": row("чужая", 903, MARKER),  # first, so that it is the one that the audit quotes
    **{reason: bad for reason, bad in BAD.items() if reason not in ("invalid_utf8", "unknown_label")},
    "broken_json": f'{{"id": "{MARKER}", "page": {{"title": "{MARKER}"',
    "duplicate_key": f'{{"id": "т9", "{MARKER}": 1, "{MARKER}": 2}}',
}


def marked(bad):
    """The row with the marker in its texts."""
    return (
        {**bad, "page": {**bad["page"], "title": f"{MARKER} {bad['page'].get('title', '')}"}}
        if (isinstance(bad, dict))
        else bad
    )


def withheld(root, **data):
    """Records and audit of a project that shows no texts."""
    values = merge(PROJECT, {"data": {"root": str(root), **data}, "report": {"texts": False}})
    return root / "records", prepare_and_audit(parse(Project, values, "test"), root / "records")


def test_rows_are_counted_by_file_where_a_source_has_several(tmp_path):
    folder = write_all(tmp_path)
    write(folder / "more.jsonl", [*rows("ещё", 3, 800), "{"])
    out, _ = run(folder, train=["train.jsonl", "more.jsonl"])
    account = Ledger.load(out).accounts["train"]
    (tmp_path / "one").mkdir()
    assert [account.of_file(name) for name in ("train.jsonl", "more.jsonl", "none.jsonl")] == [12, 4, None]
    assert Ledger.load(run(write_all(tmp_path / "one"))[0]).accounts["train"].of_file("train.jsonl") == 12


def test_no_text_of_a_bad_row_is_told_where_none_may_leave(tmp_path):
    bad = [marked(one) for one in MARKED.values()]
    out, audit = withheld(write_all(tmp_path, train=[*rows("т", 12, 0), *bad]))
    quarantine = (out / "quarantine.jsonl").read_text("utf-8")
    assert MARKER not in quarantine + json.dumps(audit, ensure_ascii=False) + (out / "ledger.json").read_text("utf-8")
    entries = [json.loads(line) for line in quarantine.splitlines()]
    assert {entry["reason"] for entry in entries} == set(MARKED) and all("raw" not in entry for entry in entries)
    assert audit["rows"]["by_source"]["train"]["first_bad_row"].endswith("not shown, as report.texts is false")
    (tmp_path / "told").mkdir()
    told, _ = run(write_all(tmp_path / "told", train=[*rows("т", 12, 0), *bad]))
    assert MARKER in (told / "quarantine.jsonl").read_text("utf-8") and MARKER in (told / "ledger.json").read_text()


def test_nor_where_the_first_bad_row_ends_the_run(tmp_path):
    folder = write_all(tmp_path, train=[*rows("т", 12, 0), MARKED["unknown_label"]])
    with pytest.raises(UserError, match="bad row: unknown_label") as caught:
        withheld(folder, on_bad_row="fail")
    assert MARKER not in str(caught.value)
