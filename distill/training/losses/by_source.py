"""Loss terms that weigh rows by where they come from: training rows with gold, each source of the pool."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from distill.training.losses.term import Outputs, Projections, Term
from distill.training.ramp import fixed

if TYPE_CHECKING:
    from torch import Tensor


def weighted_sum(
    term: Term, student: Outputs, teacher: Outputs, batch: Mapping[str, Tensor], sources: Sequence[str]
) -> Tensor | None:
    """The loss () of one term, times its weight, each row under the settings of its source; None where nothing counts.

    Formula: Σ over rows of  w(source) · l(row; T(source)),  with the term's own w and T where the source names none.

    Args: student, teacher, batch: as for `Term`. sources: names of the splits that `batch["source"]` (B,) counts from
        0 on; a term without settings by source reads neither.
    """
    if not term.sources:
        return fixed(term.weight) * term(student, teacher, batch) if term.weight else None
    total = None
    for part, rows in _parts(term, batch["source"], sources):
        if part.weight and rows.any():
            own = _Rows(rows, batch.get("owner"))
            found = fixed(part.weight) * part(own.of_outputs(student), own.of_outputs(teacher), own.of_batch(batch))
            total = found if total is None else total + found
    return total


def _parts(term: Term, source: Tensor, sources: Sequence[str]) -> Iterator[tuple[Term, Tensor]]:
    """The term under the settings of each source that it names, then under its own, with the rows (B,) of each."""
    rest = source >= 0
    for name in term.sources:
        if name in sources:
            rows = source == sources.index(name)
            rest = rest & ~rows
            yield term.for_source(name), rows
    yield term, rest


class _Rows:
    """Some rows of a batch with their windows. Args: rows: bool (B,). owner: (W,); None: a window each."""

    def __init__(self, rows: Tensor, owner: Tensor | None) -> None:
        self._rows, self._owner = rows, owner
        self._windows = rows if owner is None else rows[owner]

    def of_outputs(self, outputs: Outputs) -> Outputs:
        """What a model computes for these rows alone."""
        return replace(
            outputs,
            logits=self._chosen(outputs.logits),
            hidden_states=tuple(map(self._chosen, outputs.hidden_states)),
            attentions=tuple(map(self._chosen, outputs.attentions)),
            projections=tuple(map(self._of_layer, outputs.projections)),
            projected={term: tuple(map(self._chosen, states)) for term, states in outputs.projected.items()},
            viewed={view: tuple(map(self._chosen, states)) for view, states in outputs.viewed.items()},
        )

    def of_batch(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The batch of these rows alone, `owner` counted anew."""
        found = {name: self._chosen(values) for name, values in batch.items() if name != "owner"}
        if self._owner is not None:
            found["owner"] = (self._rows.cumsum(0) - 1)[self._owner[self._windows]]
        return found

    def _of_layer(self, layer: Projections) -> Projections:
        queries, keys, values, heads = layer
        return Projections(self._chosen(queries), self._chosen(keys), self._chosen(values), heads)

    def _chosen(self, values: Tensor) -> Tensor:
        # With as many windows as rows each row is its own window, so the two masks are one.
        mask = self._rows if len(values) == len(self._rows) else self._windows
        return values[mask]
