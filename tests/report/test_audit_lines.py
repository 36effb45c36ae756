"""What `distill audit` says: every finding under its word, long lists by their ends."""

from __future__ import annotations

from distill.report.audit_lines import audit_lines

AUDIT = {
    "rows": {
        "read": 30,
        "kept": 26,
        "dropped": {"pattern": 1, "duplicate": 3},
        "by_source": {"train": {"kept_in": {"train": 18, "valid": 2}}, "test.a": {"kept_in": {"test.a": 6}}},
    },
    "balance": {"classes": {"train": {"да": 8, "нет": 10}}, "slices": {"train": {f"s{i}": i + 1 for i in range(9)}}},
    "tokens": {
        "card": {"train": {"q50": 20, "q95": 40, "max": 70}, "test.a": {"q50": 25, "q95": 30, "max": 31}, "v": {}}
    },
    "unread_share": {"card": 0.125},
    "leaks": [
        {"kind": "document", "between": ["test.a", "train"], "rows": 2, "share": 1 / 3, "gate": True},
        {"kind": "side", "between": ["test.a", "train"], "rows": 1, "share": 1 / 6, "gate": False},
    ],
    "leak_examples": {"test.a": ["э1", "э2"]},
}


def test_every_finding_has_its_line():
    assert audit_lines(AUDIT, {"card": 48}) == [
        "rows      read 30 = kept 26 + dropped 4",
        "          kept: train 18, valid 2, test.a 6",
        "          dropped:      3 duplicate",
        "          dropped:      1 pattern",
        "classes   train: да 8, нет 10",
        "slices    train: 9, from 1 (s0) to 9 rows (s8)",
        "lengths   card: in each split half of the rows have up to 25 tokens, 95% up to 40, all up to 70; "
        "max_tokens 48, 12.5% of the tokens are never read",
        "leaks     test.a and train, same document: 2 rows (33.3%); counts for the leak gate",
        "          test.a and train, same side: 1 row (16.7%); does not count for the leak gate",
        "          leaked rows of test.a: э1, э2",
    ]


def test_lengths_in_words_and_signs_are_called_so():
    """Where no tokenizer is known yet; a budget of tokens that is set by them would cut."""
    (line,) = [one for one in audit_lines({**AUDIT, "tokenizer": {"card": "words"}}, {"card": 48}) if "lengths" in one]
    assert "up to 25 words and signs, 95% up to 40" in line and "12.5% of the words and signs are never read" in line
    assert line.endswith("an encoder makes more tokens of them")


def test_splits_that_share_nothing_are_said_to():
    assert audit_lines({**AUDIT, "leaks": [], "leak_examples": {}}, {})[-1] == (
        "leaks     no two splits have anything in common"
    )
