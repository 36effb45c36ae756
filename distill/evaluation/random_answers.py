"""What chance is worth: answers drawn by the class shares of training rows, with those shares as probabilities.

Nothing is drawn: the tally holds what a row's answer is expected to add, so the figures are those of many draws, and an
interval is over the rows alone. A mean is exact so; F1 is the ratio of expected counts, which many rows come close to.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields

import numpy as np

from distill.evaluation.calibrated_predictions import CalibratedPredictions, Model
from distill.evaluation.metrics import FloatArray, RowTally, expected_tally, prior_logits
from distill.evaluation.scored import Scored

RANDOM = "random"
MODEL = Model(RANDOM, "baseline", "", "", control=True)


@dataclass(frozen=True)
class Drawn(Scored):
    """Answers that are drawn by class shares (C,), the same for every row; as `Scored` else."""

    shares: FloatArray = field(default_factory=lambda: np.zeros(0))

    def count(self) -> RowTally:
        """What each row is expected to add."""
        return expected_tally(self.shares, self.logits, self.target, self.space.objective)

    def confused(self) -> FloatArray:
        """How many rows are expected for each pair, (C, C); drawn labels that do not exclude each other are apart."""
        objective = self.space.objective
        gold = objective.gold_decisions(np.asarray(self.target, np.float64)).astype(np.float64)
        missed = gold * (1 - self.shares) if objective.several else gold
        return np.asarray(missed.T @ ((1 - gold) * self.shares))


def random_predictions(like: CalibratedPredictions, priors: FloatArray) -> CalibratedPredictions:
    """Answers by chance on the rows of another model. No temperature is fitted.

    Args: like: predictions whose rows to take. priors: (C,) share of training rows with each label.
    """

    def drawn(scored: Scored) -> Scored:
        logits = np.tile(prior_logits(priors, scored.space.objective), (len(scored), 1))
        rows = {one.name: getattr(scored, one.name) for one in fields(scored) if one.init}
        return Drawn(**{**rows, "name": RANDOM, "logits": logits}, shares=np.asarray(priors, np.float64))

    tests = {test: drawn(scored) for test, scored in like.tests.items()}
    return CalibratedPredictions(like.measured_valid and drawn(like.measured_valid), 1.0, None, tests)
