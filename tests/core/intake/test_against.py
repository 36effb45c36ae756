"""Two versions of the records: what is gone, new, changed and moved, and what no label covers."""

from __future__ import annotations

import pytest

from distill.core.errors import UserError
from distill.core.intake.against import old_records
from distill.core.intake.audit import audit_config
from distill.core.intake.prepare import records_config
from distill.core.record_store import write_records
from distill.core.records import Record
from distill.report.against_table import against_sheet
from distill.report.page import page
from distill.report.tables import markdown
from tests.core.record_fixtures import prepare_and_audit, project, row, rows, write, write_all


@pytest.fixture
def versions(tmp_path):
    """Root of the new version; `old` beside it has the records of the old one."""
    old, new = tmp_path / "old", tmp_path / "new"
    old.mkdir()
    new.mkdir()
    prepare_and_audit(project(root=str(write_all(old))), old / "records")
    pool = [row(f"п{i}", 300 + i) for i in range(2, 8)]
    pool[0]["page"]["title"] = "Совсем другая страница"
    pool += [row("н1", 401), row("н2", 402, segment="маркетплейс")]
    return write_all(new, pool=pool, train=[*rows("т", 12, 0), row("п8", 308, "мимо")])


def compared(root, old="../old", **data):
    found = prepare_and_audit(project(root=str(root), against=old, **data), root / "records")
    return found, found["against"]


def test_every_row_of_both_versions_is_accounted_for(versions):
    audit, found = compared(versions)
    pool = found["sources"]["pool.urls"]
    assert {key: value for key, value in pool.items() if isinstance(value, int)} == {
        **{"old": 9, "new": 8, "same": 5, "changed": 1},
        **{"gone": 2, "added": 2, "moved_out": 1, "moved_in": 0},
    }
    assert pool["examples"] == {
        "gone": ["п0", "п1"],
        "changed": ["п2"],
        "moved_out": ["п8"],
        "added": ["н1", "н2"],
    }
    assert pool["slices"]["маркетплейс"]["added"] == 1 and sum(s["gone"] for s in pool["slices"].values()) == 2
    assert found["sources"]["train"]["moved_in"] == 1 and found["sources"]["train"]["same"] == 12
    for counts in found["sources"].values():
        assert counts["old"] == counts["same"] + counts["changed"] + counts["gone"] + counts["moved_out"]
        assert counts["new"] == counts["same"] + counts["changed"] + counts["added"] + counts["moved_in"]
    assert found["name"] == "old" and found["identical"] == []
    text = markdown(against_sheet({"audit": audit}))
    assert "| pool.urls | all | 9 | 8 | 5 | 1 | 2 | 2 | 1 | 0 |" in text and "| pool.urls | маркетплейс |" in text
    assert "Moved out" in page({"audit": audit})


def test_a_slice_of_the_pool_that_no_label_covers_is_named(versions):
    audit, _ = compared(versions)
    assert audit["uncovered_slices"] == {"pool.urls": {"маркетплейс": 1}}
    assert any("no training row is of the slice маркетплейс (1 rows)" in one for one in audit["warnings"])
    write(versions / "train.jsonl", [*rows("т", 12, 0), row("м1", 500, "точно", segment="маркетплейс")])
    assert "uncovered_slices" not in compared(versions)[0]


def test_pools_that_hold_the_same_texts_are_named(versions):
    write(versions / "again.jsonl", [row(f"другой{i}", 300 + i) for i in range(9)])
    write(versions / "pool.jsonl", [row("только", 999)])
    write(versions / "train.jsonl", rows("т", 12, 0))
    audit, found = compared(versions, pool={"urls": "pool.jsonl", "again": "again.jsonl"})
    assert found["identical"] == [["pool.urls", "pool.again"]]
    assert any("pool.again holds the same texts as pool.urls of old" in one for one in audit["warnings"])


def test_records_and_fingerprints_do_not_depend_on_what_they_are_compared_with(versions):
    plain, beside = project(root=str(versions)), project(root=str(versions), against="../old")
    assert records_config(plain) == records_config(beside)
    assert audit_config(plain) != audit_config(beside)
    assert "against" not in prepare_and_audit(plain, versions / "records")


def test_a_folder_of_records_does_too_and_one_without_any_is_named(versions):
    assert old_records(project(root=str(versions), against="../old/records")).name == "records"
    with pytest.raises(UserError, match=r"(?s)no records to compare with.*data.against.*older"):
        old_records(project(root=str(versions), against="../older"))


def test_records_of_other_fields_are_refused(tmp_path, versions):
    write_records(tmp_path / "other" / "train.parquet", [Record("a", {"review": "текст"})])
    with pytest.raises(UserError, match=r"(?s)other fields.*review there, product.title"):
        compared(versions, old="../other")
