"""A linear support vector machine whose margins are made probabilities."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from distill.core.errors import UserError
from distill.models.classical.base import Arrays, Examples, Fitted
from distill.models.classical.linear import Alone, Linear

_FOLDS = 5


class LinearSvm(Linear):
    """scikit-learn's `LinearSVC` behind `CalibratedClassifierCV`, with `inverse_penalty` as its C.

    A class has p = 1 / (1 + exp(a·f + b)) of its margin f = w·x + c, with a and b fitted on margins of rows that the
    machine has not seen; of more than two classes, divided by their sum. That is linear again, with weights −a·w and
    intercept −(a·c + b), and kept so.

    Source: Platt 1999, "Probabilistic Outputs for Support Vector Machines"; several classes as in Zadrozny & Elkan
        2002, "Transforming Classifier Scores into Accurate Multiclass Probability Estimates".
    """

    name = "svm"

    def among(self, examples: Examples) -> Alone:
        """One distribution over the classes. Raises: UserError for a class of a single row."""
        from sklearn.calibration import CalibratedClassifierCV
        from sklearn.svm import LinearSVC

        machine = LinearSVC(C=self.options.inverse_penalty, random_state=self.seed, max_iter=5000)
        model = CalibratedClassifierCV(machine, method="sigmoid", cv=_folds(examples, self.seed), ensemble=False)
        model.fit(examples.features, examples.classes, sample_weight=examples.shares)
        (pair,) = model.calibrated_classifiers_
        slopes = np.array([one.a_ for one in pair.calibrators])
        offsets = np.array([one.b_ for one in pair.calibrators])
        weights = -slopes[:, None] * pair.estimator.coef_
        intercepts = -(slopes * pair.estimator.intercept_ + offsets)
        if len(slopes) == 1:  # of two classes the second one's; the first has the rest
            weights, intercepts = np.concatenate([-weights, weights]), np.concatenate([-intercepts, intercepts])
        return Alone(weights, intercepts, model.classes_, together=True)

    @staticmethod
    def restored(arrays: Arrays, *, several: bool) -> Fitted:
        """The linear form."""
        return Alone(arrays["weights"], arrays["intercepts"], arrays["classes"], together=not several)


def _folds(examples: Examples, seed: int) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Examples to fit and to calibrate on, five times, with all that comes from one row on one side.

    Raises: UserError for a class with a single row.
    """
    from sklearn.model_selection import StratifiedKFold

    rows = np.unique(examples.rows)
    shares = np.ones(len(examples.rows)) if examples.shares is None else examples.shares
    order = np.lexsort((-shares, examples.rows))  # of each row the class with the largest share first
    leading = examples.classes[order[np.searchsorted(examples.rows[order], rows)]]
    least = int(np.unique(leading, return_counts=True)[1].min())
    if least < 2:
        raise UserError(
            "a class with a single training row cannot be calibrated",
            where="model: svm",
            found="1 row",
            do="give it more rows, leave it out, or take model: logistic",
        )
    dealt = StratifiedKFold(min(_FOLDS, least), shuffle=True, random_state=seed).split(rows, leading)
    of_rows = [np.isin(examples.rows, rows[held]) for _, held in dealt]
    return [(np.flatnonzero(~held), np.flatnonzero(held)) for held in of_rows]
