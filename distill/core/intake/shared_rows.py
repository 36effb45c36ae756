"""What the audit says of rows that were dropped, or stayed, although another split has their card or their key."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from distill.core.files import Json
from distill.core.intake.ledger import EXAMPLES, Ledger
from distill.core.intake.overlaps import Overlap
from distill.core.intake.separation import KEY_IN_VALID, SHARED_CARDS
from distill.core.project import Project

REASONS = (*SHARED_CARDS, KEY_IN_VALID)
_MUCH = 0.2  # of a source's rows


def card_overlaps(ledger: Ledger) -> dict[str, Json]:
    """Source to the rows that were dropped for their card: `{"rows", "share", "by_reason", "examples"}`.

    The share is that of the rows that were read; sources without such rows are left out.
    """
    found = {}
    for source, account in ledger.accounts.items():
        reasons = {reason: count for reason in SHARED_CARDS if (count := account.dropped[reason])}
        examples = [name for reason in reasons for name in account.examples.get(reason, [])]
        rows = sum(reasons.values())
        if rows:
            share = rows / account.read
            found[source] = {"rows": rows, "share": share, "by_reason": reasons, "examples": examples[:EXAMPLES]}
    return found


def shared_warnings(project: Project, found: Mapping[str, Any], shared: Sequence[Overlap]) -> Iterator[str]:
    """Warnings of `audit.json`. Args: found: what it holds so far."""
    yield from _dropped_cards(found)
    for overlap in shared:
        if project.data.on_card_leak == "keep" and not overlap.b.startswith("test.") and overlap.masks["card"].any():
            rows = int(overlap.masks["card"].sum())
            yield f"{overlap.a}: {rows} rows read on cards as rows of {overlap.b} (data.on_card_leak: keep)"
        if (overlap.a, overlap.b) == ("valid", "train"):
            yield from _known_keys(overlap)


def _dropped_cards(found: Mapping[str, Any]) -> Iterator[str]:
    """Sources that lost a fifth of their rows or more, and how they keep them."""
    for source, lost in found.get("card_overlaps", {}).items():
        if lost["share"] >= _MUCH:
            counts = found["rows"]["by_source"][source]
            left = ", ".join(f"{split} {rows}" for split, rows in counts["kept_in"].items()) or "nothing"
            half = ", over half of them" if lost["share"] > 1 / 2 else ""
            dropped = f"{lost['rows']} of {counts['read']} rows ({lost['share']:.0%}) are dropped{half}"
            why = "as they read on cards as rows of validation or of a test"
            yield f"{source}: {dropped}, {why}; left: {left}. data.on_card_leak: keep keeps them"


def _known_keys(overlap: Overlap) -> Iterator[str]:
    """Keys of validation that training knows: what is chosen there favours models that know them."""
    for kind, mask in overlap.masks.items():
        if kind.startswith("key:") and mask.any():
            name, rows = kind.removeprefix("key:"), int(mask.sum())
            share = f"{rows} of {len(mask)} validation rows ({rows / len(mask):.0%})"
            yield f"{share} share {name} with training rows; data.on_valid_key: drop takes those out of training"
