"""Of records with several labels: a threshold for each class, chosen on validation, and the figures at them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields

import numpy as np

from distill.core.files import Json
from distill.core.label_space import LabelSpace
from distill.core.objectives.objective import BoolArray
from distill.evaluation.metrics import FloatArray, RowTally, tally
from distill.evaluation.operating_points import choose
from distill.evaluation.over_seeds import Seeded
from distill.evaluation.scored import Scored

DEFAULT = 0.5


def best_thresholds(chances: FloatArray, gold: BoolArray, space: LabelSpace) -> dict[str, float] | None:
    """The threshold of each class with the best F1 of that class on validation rows; None where one label holds.

    A class that no validation row has keeps 0.5.

    Args: chances: probabilities (N, C) after the temperature. gold: (N, C).
    """
    if not space.objective.several:
        return None
    found = {label: choose(chances[:, index], gold[:, index], 0, 0)["f1"] for index, label in enumerate(space.labels)}
    return {label: DEFAULT if least is None else least for label, least in found.items()}


def at_thresholds(model: Seeded, thresholds: Sequence[dict[str, float]]) -> Json:
    """The figures where each class holds from its own threshold on, each seed at its own.

    Intervals are over test rows and seeds, for these thresholds: they are not chosen again on other validation rows.

    Args: thresholds: of each seed, by label.
    Returns: `accuracy` (all labels of a row are right), `f1_macro`, `f1_micro`, and beside them `default`, the same
        three at 0.5, each as `{"value", "low", "high"}`; `per_class` with `precision`, `recall` and `f1` of each.
    """
    names = ("accuracy", "f1_macro", "f1_micro")
    decided = [AtThresholds.of(one, own) for one, own in zip(model.scored, thresholds, strict=True)]
    at = Seeded(decided, model.bootstrap)
    return {
        **{name: at.metric(name).mean() for name in names},
        "default": {name: model.metric(name).mean() for name in names},
        "per_class": {
            label: {
                part: float(np.mean([getattr(total, part)[index] for total in at.totals]))
                for part in ("precision", "recall", "f1")
            }
            for index, label in enumerate(model.space.labels)
        },
    }


@dataclass(frozen=True)
class AtThresholds(Scored):
    """Predictions of which each class holds from its own probability on, (C,); as `Scored` else."""

    least: FloatArray = field(default_factory=lambda: np.zeros(0))

    @classmethod
    def of(cls, scored: Scored, thresholds: dict[str, float]) -> AtThresholds:
        """The same predictions, decided anew."""
        rows = {one.name: getattr(scored, one.name) for one in fields(scored) if one.init}
        return cls(**rows, least=np.array([thresholds[label] for label in scored.space.labels]))

    def count(self) -> RowTally:
        """What each row adds, decided at the thresholds."""
        objective = self.space.objective
        predicted = objective.probabilities(self.logits) >= self.least
        return tally(self.logits, self.target, objective, predicted)
