"""The lines of a text, in the form in which texts are compared."""

from __future__ import annotations

from collections.abc import Iterator

from distill.core.intake.compared_text import compared


def lines_of(text: str) -> Iterator[str]:
    """The lines that are not empty."""
    for line in text.splitlines():
        if words := line.split():
            yield compared(" ".join(words))
