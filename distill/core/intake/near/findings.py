"""What `audit.json` says of near duplicates: those of the pool, and those of splits that models are judged on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from distill.core.files import Json
from distill.core.intake.ledger import Ledger
from distill.core.intake.overlaps import Overlap
from distill.core.record_store import records_between


def near_findings(ledger: Ledger, shared: Sequence[Overlap], records: Path) -> Json:
    """`{"near_duplicates": …, "near_leaks": …}`, each where there are any.

    near_duplicates: pool source to `rows`, their `share` of those that were compared, `clusters`, the `largest`, and
    `examples` of `{"id", "like", "jaccard"}`. near_leaks: `{"between", "examples"}` of splits that share near cards.
    """
    pools = {source: account.near for source, account in ledger.accounts.items() if account.near.get("rows")}
    leaks = [
        {"between": [overlap.a, overlap.b], "examples": _named(overlap, records)} for overlap in shared if overlap.alike
    ]
    return {**({"near_duplicates": pools} if pools else {}), **({"near_leaks": leaks} if leaks else {})}


def _named(overlap: Overlap, records: Path) -> list[Json]:
    def name(split: str, row: int) -> str:
        return records_between(records, split, row, row + 1)[0].id

    return [
        {"id": name(overlap.a, one.row), "like": name(overlap.b, one.like), "jaccard": one.jaccard}
        for one in overlap.alike
    ]
