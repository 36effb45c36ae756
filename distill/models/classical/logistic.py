"""Logistic regression."""

from __future__ import annotations

from typing import TYPE_CHECKING

from distill.models.classical.base import Arrays, Examples, Fitted
from distill.models.classical.linear import Alone, Linear

if TYPE_CHECKING:
    from sklearn.linear_model import LogisticRegression


class Logistic(Linear):
    """scikit-learn's, with `inverse_penalty` as its C."""

    name = "logistic"

    def among(self, examples: Examples) -> LogisticRegression:
        """One distribution over the classes."""
        from sklearn.linear_model import LogisticRegression

        model = LogisticRegression(C=self.options.inverse_penalty, max_iter=500)
        if examples.shares is None:
            model.fit(examples.features, examples.classes)
        else:
            model.fit(examples.features, examples.classes, sample_weight=examples.shares)
        return model

    @staticmethod
    def restored(arrays: Arrays, *, several: bool) -> Fitted:
        """scikit-learn's own class, whose answers are those of the fitted one to the last bit."""
        from sklearn.linear_model import LogisticRegression

        parts = arrays["weights"], arrays["intercepts"], arrays["classes"]
        if several:
            return Alone(*parts)
        model = LogisticRegression()
        model.coef_, model.intercept_, model.classes_ = parts
        found: Fitted = model
        return found
