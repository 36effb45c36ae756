"""What knowing nothing but the class shares is worth: the majority answer, with the class priors as probabilities."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from distill.evaluation.calibrated_predictions import CalibratedPredictions, Model
from distill.evaluation.metrics import FloatArray, prior_logits
from distill.evaluation.scored import Scored

MAJORITY = "majority"
MODEL = Model(MAJORITY, "baseline", "", "", control=True)


def majority_predictions(like: CalibratedPredictions, priors: FloatArray) -> CalibratedPredictions:
    """The class priors as every row's probabilities, on the rows of another model.

    Its labels are the majority answer: the most frequent class (first of equals), or in multi-label every label that at
    least half of the rows have. No temperature is fitted.

    Args: like: predictions whose rows to take. priors: (C,) share of training rows with each label.
    Raises: ValueError when there is not one share for each class.
    """
    space = next(iter(like.tests.values())).space
    if np.shape(priors) != (len(space),):
        raise ValueError(f"expected {len(space)} class shares, got {np.shape(priors)}")
    logits = prior_logits(priors, space.objective)

    def predicted(scored: Scored) -> Scored:
        return replace(scored, name=MAJORITY, logits=np.tile(logits, (len(scored), 1)))

    tests = {test: predicted(scored) for test, scored in like.tests.items()}
    return CalibratedPredictions(like.measured_valid and predicted(like.measured_valid), 1.0, None, tests)
