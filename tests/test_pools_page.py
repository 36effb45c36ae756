"""docs/pools.md names every kind of junk rule with its settings, and its example is one."""

import re
from pathlib import Path

from distill.core.config import parse, parse_yaml
from distill.core.intake.config import Junk
from distill.core.intake.junk_rules.registry import known_rules
from distill.core.intake.junk_rules.rule import JunkRule

PAGE = (Path(__file__).resolve().parents[1] / "docs" / "pools.md").read_text(encoding="utf-8")
JUNK = PAGE.partition("## Junk")[2].partition("\n## ")[0]
ROWS = dict(re.findall(r"^\| `(\w+)` \|[^|]*\| ([^|]*) \|$", JUNK, re.MULTILINE))


def test_the_table_has_every_kind_with_its_settings_and_their_defaults():
    own = {
        kind: {name: field.default for name, field in rule.model_fields.items() if name not in JunkRule.model_fields}
        for kind, rule in known_rules().items()
    }
    named = {kind: re.findall(r"`(\w+)`(?: (?!or )([\w.]+(?:,\d+)*))?", settings) for kind, settings in ROWS.items()}
    assert {kind: [name for name, _ in found] for kind, found in named.items()} == {
        kind: list(defaults) for kind, defaults in own.items()
    }
    for kind, found in named.items():
        for name, value in found:
            default = own[kind][name]
            plain = value.replace(",", "")
            assert (plain == default or float(plain) == default) if value else not isinstance(default, str | int), name


def test_the_example_is_a_section_of_a_project():
    example = re.findall(r"```yaml\n(data:\n  junk:.*?)```", PAGE, re.DOTALL)[0]
    junk = parse(Junk, parse_yaml(example, "docs/pools.md")["data"]["junk"], "docs/pools.md")
    assert [rule.kind for rule in junk.rules.values()] == ["boilerplate", "language", "characters", "url", "regex"]
