"""A share is a number or percent."""

from __future__ import annotations

import pytest

from distill.core.shares import share_of


@pytest.mark.parametrize(
    ("text", "share"),
    [("0.3", 0.3), ("30%", 0.3), ("1", 1.0), (" 5 %", 0.05), ("-1", -1.0), ("250%", 2.5)]
    + [(text, None) for text in ("", "%", "half", "30%%", "30% of it", "0,3")],
)
def test_a_number_or_percent_is_a_share(text, share):
    assert share_of(text) == share
