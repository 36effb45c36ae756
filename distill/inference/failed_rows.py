"""Rows that a model gave no answer for: how many are too many."""

from __future__ import annotations

from distill.core.errors import GateFailed


def require_few(failed: int, rows: int, most: float, where: str, again: str) -> None:
    """Check that no larger share of all rows than `most` is without an answer.

    Args: where: the rows in messages. again: how they are asked once more. Raises: GateFailed naming both numbers.
    """
    if failed > most * rows:
        raise GateFailed(
            "too many records are without an answer",
            where=where,
            found=f"{failed} of {rows} (at most {most:.1%})",
            do=f"{again}, change the prompt or the label words, or allow more (max_failed); every answer is kept",
        )
