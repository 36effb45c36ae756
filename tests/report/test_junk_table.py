"""The table of junk rules says of each rule and source what it fits and what it cost."""

from distill.report.junk_table import junk_sheet

COUNTS = {"rows": 2000, "hits": 30, "share": 0.015, "dropped": 25}
LONG = {"id": "п1", "text": "купить дрель " * 20}
FOUND = {**COUNTS, "examples": [LONG, {"id": "п2"}]}
RULES = {
    "menus": {
        "kind": "boilerplate",
        "action": "drop",
        "sources": {"pool.a": FOUND},
    },
    "trial": {"kind": "regex", "action": "count", "sources": {"train": {**COUNTS, "dropped": 0, "examples": []}}},
}


def test_a_row_for_each_rule_and_source():
    sheet = junk_sheet({"audit": {"junk_rules": RULES}})
    cells = [[sheet.section(row), *(column.cell(row) for column in sheet.columns)] for row in sheet.rows]
    assert cells[0][:6] == ["menus (boilerplate)", "pool.a", "2\u202f000", "30", "1.50", "25"]
    assert cells[0][6].startswith("п1: купить дрель") and cells[0][6].endswith("…; п2") and len(cells[0][6]) < 80
    assert cells[1] == ["trial (regex, counts only)", "train", "2\u202f000", "30", "1.50", "0", ""]


def test_no_rules_no_rows():
    assert not junk_sheet({"audit": {}}).rows and not junk_sheet({}).rows
