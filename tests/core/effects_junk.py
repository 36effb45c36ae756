"""The tests of the fields of junk rules; a part of the table of `test_effects.py`."""

from __future__ import annotations

from collections.abc import Mapping

from distill.core.config import Config
from tests.core.rejected_junk import REJECTED

RULES = "core/intake/test_junk_rules.py"
ONE_ROW = f"{RULES}::test_a_rule_fits_one_text_and_not_the_other"
_COMMON = {
    "kind": ONE_ROW,
    "fields": f"{RULES}::test_a_rule_reads_its_fields_of_its_sources",
    "sources": f"{RULES}::test_a_rule_reads_its_fields_of_its_sources",
    "action": f"{RULES}::test_the_first_rule_is_the_reason_and_every_rule_is_counted",
}
EFFECTS: Mapping[type[Config], Mapping[str, str]] = {
    rule: {name: _COMMON.get(name, ONE_ROW) for name in fields} for rule, fields in REJECTED.items()
}
