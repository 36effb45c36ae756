"""The loss of a training run: a weighted sum of terms, averaged over the rows of a batch.

A batch mixes rows with soft labels, rows with gold, and rows with both. Every row adds its own terms and the sum is
divided by the number of rows, so a row weighs the same whatever else is in its batch, and a batch without gold is no
special case.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from torch import Tensor

from distill.core.errors import UserError
from distill.core.objectives.objective import Objective
from distill.core.objectives.single_label import SINGLE
from distill.training.fit_objectives.aim import Aim
from distill.training.losses.by_source import weighted_sum
from distill.training.losses.gold import Gold
from distill.training.losses.term import Outputs, Term
from distill.training.objectives.row_losses import row_losses


@dataclass(frozen=True)
class DistillationLoss:
    """Σ over terms of  weight · (the term's sum over rows),  divided by the number of rows.

    Attributes: terms: summed in this order; gold labels alone by default. objective: what the outputs are trained by.
        sources: names of the splits that rows come from, of which a term may have weight and temperature of its own for
        each. aim: how outputs, gold and soft labels go together; None: as they are.
    """

    terms: Sequence[Term] = (Gold(),)
    objective: Objective = SINGLE
    sources: Sequence[str] = ()
    aim: Aim | None = None

    def __post_init__(self) -> None:
        """Check that the terms suit the objective. Raises: UserError."""
        for term in self.terms:
            if problem := term.problem_with(self.objective):
                raise UserError("a loss term does not suit the task", where=f"losses.{term.name()}", found=problem)

    def at(self, step: int) -> DistillationLoss:
        """The loss of the optimiser step after `step` steps, with numbers in place of ramps."""
        return replace(self, terms=tuple(term.at(step) for term in self.terms))

    def __call__(self, student: Outputs, teacher: Outputs, batch: Mapping[str, Tensor]) -> Tensor:
        """The loss () of a batch.

        `batch` holds `target`, float (B, C), `has_teacher` and `has_gold`, bool (B,), and where a term asks for it
        `source`, int (B,), the place of the row's split in `sources`. Rows without soft labels or gold may hold
        anything in their place, finite or not: they are not read.
        """
        student = replace(student, logits=student.logits.float())
        if self.aim is not None:
            teacher, batch = _as_read(self.aim, teacher, batch)
        loss = student.logits.new_zeros(())
        for term in self.terms:
            own = weighted_sum(term, student, teacher, batch, self.sources)
            if own is not None:
                loss = loss + own
        if not loss.requires_grad:
            # A batch with nothing to learn from still needs a graph for backward.
            loss = loss + student.logits.sum() * 0
        return loss / len(student.logits)


def _as_read(aim: Aim, teacher: Outputs, batch: Mapping[str, Tensor]) -> tuple[Outputs, Mapping[str, Tensor]]:
    """A teacher's logits and the gold of a batch as the outputs in training should be, with the weight of each row."""
    target = aim.gold(batch["target"])
    if aim.smoothing:
        target = row_losses(aim.head).smoothed(target, aim.smoothing)
    weight = aim.gold_weight(batch["target"])
    weighed = {} if weight is None else {"gold_weight": weight}
    return replace(teacher, logits=aim.taught(teacher.logits)), {**batch, "target": target, **weighed}
