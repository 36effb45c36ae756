"""The table of junk rules says of each rule and source what it fits and what it cost."""

from distill.report.junk_table import junk_sheet

COUNTS = {"rows": 2000, "hits": 30, "share": 0.015, "dropped": 25}
LONG = {"id": "п1", "text": "купить дрель " * 20}
FOUND = {**COUNTS, "examples": [LONG, {"id": "п2"}]}
NONE = {**COUNTS, "hits": 0, "share": 0.0, "dropped": 0}
RULES = {
    "menus": {"kind": "boilerplate", "action": "drop", "sources": {"train": NONE, "pool.a": FOUND}},
    "trial": {"kind": "regex", "action": "count", "sources": {"train": {**COUNTS, "dropped": 0, "examples": []}}},
    "idle": {"kind": "url", "action": "drop", **NONE, "sources": {"train": NONE}},
}


def test_a_row_for_each_rule_and_source_in_which_it_fits_any():
    sheet = junk_sheet({"audit": {"junk_rules": RULES}})
    cells = [[column.cell(row) for column in sheet.columns] for row in sheet.rows]
    assert cells[0][:7] == ["menus", "boilerplate", "pool.a", "2\u202f000", "30", "1.50", "25"]
    assert cells[0][7].startswith("п1: купить дрель") and cells[0][7].endswith("…; п2") and len(cells[0][7]) < 80
    assert cells[1] == ["trial", "regex, counts only", "train", "2\u202f000", "30", "1.50", "0", ""]
    assert cells[2] == ["idle", "url", "all", "2\u202f000", "0", "0.00", "0", ""]


def test_no_rules_no_rows():
    assert not junk_sheet({"audit": {}}).rows and not junk_sheet({}).rows
