"""Every sentence of the README that promises something is held by tests, which `readme_promises.yaml` names."""

import re
from pathlib import Path

import pytest

from distill.core.config import parse_yaml

TESTS = Path(__file__).resolve().parent
README = (TESTS.parent / "README.md").read_text(encoding="utf-8")
TABLE = parse_yaml((TESTS / "readme_promises.yaml").read_text(encoding="utf-8"), "readme_promises.yaml")
NEXT = re.compile(r"(?<=[.:!?])\s+(?=[A-Z`])(?![^`]*`(?:[^`]*`[^`]*`)*[^`]*$)")


def sentences(text: str) -> list[str]:
    """Sentences and table rows; code blocks, headings and generated tables are left out, links are their words."""
    text = re.sub(r"<!-- results.*?<!-- /results -->", "", text, flags=re.DOTALL)
    text = re.sub(r"```.*?```", "\n\n", text, flags=re.DOTALL)
    found = []
    for part in re.split(r"\n\s*\n", re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text)):
        if part.strip().startswith("|"):
            found += part.strip().splitlines()[2:]
        elif not part.strip().startswith("#"):
            found += NEXT.split(" ".join(part.split()))
    return [sentence for sentence in found if sentence]


def beginnings() -> list[str]:
    return [*TABLE["told"], *TABLE["promises"]]


@pytest.mark.parametrize("sentence", sentences(README))
def test_a_sentence_is_in_the_table_once(sentence):
    assert len([start for start in beginnings() if sentence.startswith(start)]) == 1, sentence


def test_the_table_holds_nothing_that_the_readme_no_longer_says():
    said = sentences(README)
    assert [start for start in beginnings() if not any(sentence.startswith(start) for sentence in said)] == []


@pytest.mark.parametrize("test", sorted({test for tests in TABLE["promises"].values() for test in tests}))
def test_the_tests_of_the_table_are_there(test):
    path, _, name = test.partition("::")
    assert re.search(rf"^def {name}\(", (TESTS / path).read_text(encoding="utf-8"), re.MULTILINE)


def test_sentences_end_outside_code_only():
    assert sentences("One. Two `a: B` is. Three:\n\n| h |\n|---|\n| Row. Cell |") == [
        "One.",
        "Two `a: B` is.",
        "Three:",
        "| Row. Cell |",
    ]
