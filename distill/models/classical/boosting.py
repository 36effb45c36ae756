"""Gradient boosted trees, kept as the arrays of their nodes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distill.core.activations import sigmoid
from distill.evaluation.metrics import FloatArray
from distill.models.classical.base import WORTH, Arrays, Classical, Examples, Fitted
from distill.models.classical.linear import LEAST

_NODES = {
    "feature_idx": np.int64,
    "num_threshold": np.float64,
    "left": np.int64,
    "right": np.int64,
    "value": np.float64,
}


@dataclass
class Trees:
    """T trees with M nodes in all, whose values are summed for each of K scores.

    Attributes: classes_: int64 (R,). nodes: by name, (M,): feature, threshold, child for values up to it, child for
        those above, value of a leaf; a leaf is its own child. roots: int64 (T,). scores: int64 (T,), the score that a
        tree adds to. base: float64 (K,), the scores before any tree. several: whether each score is of a label by
        itself; else the scores are of R classes, or one of the second of two.
    """

    classes_: NDArray[np.int64]
    nodes: dict[str, NDArray[Any]]
    roots: NDArray[np.int64]
    scores: NDArray[np.int64]
    base: FloatArray
    several: bool = False

    def predict_proba(self, features: Any) -> FloatArray:
        """Probabilities (N, R) of dense features (N, F)."""
        raw = self.raw(np.asarray(features, np.float64))
        if self.several:
            return sigmoid(raw)
        if raw.shape[1] == 1:
            second = sigmoid(raw[:, 0])
            return np.stack([1 - second, second], axis=1)
        odds = np.exp(raw - raw.max(axis=1, keepdims=True))
        return np.asarray(odds / odds.sum(axis=1, keepdims=True))

    def raw(self, features: FloatArray) -> FloatArray:
        """Scores (N, K): all trees are walked together, one level at a time."""
        at = np.tile(self.roots, (len(features), 1))
        row = np.arange(len(features))[:, None]
        while True:
            below = features[row, self.nodes["feature_idx"][at]] <= self.nodes["num_threshold"][at]
            further = np.where(below, self.nodes["left"][at], self.nodes["right"][at])
            if (further == at).all():
                break
            at = further
        found = np.tile(self.base, (len(features), 1))
        for score in range(len(self.base)):
            found[:, score] += self.nodes["value"][at[:, self.scores == score]].sum(axis=1)
        return found


class Boosting(Classical):
    """scikit-learn's `HistGradientBoostingClassifier` with `trees` rounds; its nodes are read once it is fitted.

    Where they lie is no promise of scikit-learn's, so answers from the kept nodes are compared with its own at every
    fit.
    """

    name = "boosting"
    dense = True

    def among(self, examples: Examples) -> Trees:
        """One distribution over the classes."""
        from sklearn.ensemble import HistGradientBoostingClassifier

        model = HistGradientBoostingClassifier(
            max_iter=self.options.trees, early_stopping=False, random_state=self.seed
        )
        model.fit(examples.features, examples.classes, sample_weight=examples.shares)
        found = _read(model)
        some = examples.features[:200]
        if not np.allclose(found.predict_proba(some), model.predict_proba(some), atol=1e-6):
            raise RuntimeError("this version of scikit-learn keeps its trees otherwise than they are read here")
        return found

    def each(self, features: Any, targets: FloatArray) -> Trees:
        """As of the base; a label that all rows have, or none, by its share alone, without a tree."""
        parts: list[Trees] = []
        for shares in targets.T:
            if shares.max() <= WORTH or shares.min() >= 1 - WORTH:
                share = float(np.clip(shares.mean(), LEAST, 1 - LEAST))
                parts.append(_join([], np.array([np.log(share / (1 - share))]), np.arange(2)))
            else:
                parts.append(self.among(Examples.of(features, np.stack([1 - shares, shares], axis=1))))
        starts = np.cumsum([0, *(len(part.nodes["value"]) for part in parts)])[:-1]
        moved = {name: np.concatenate([part.nodes[name] for part in parts]) for name in _NODES}
        for name in ("left", "right"):
            moved[name] = np.concatenate([p.nodes[name] + start for p, start in zip(parts, starts, strict=True)])
        return Trees(
            classes_=np.arange(len(parts)),
            nodes=moved,
            roots=np.concatenate([part.roots + start for part, start in zip(parts, starts, strict=True)]),
            scores=np.concatenate([np.full(len(part.roots), label) for label, part in enumerate(parts)]),
            base=np.concatenate([part.base for part in parts]),
            several=True,
        )

    @staticmethod
    def arrays(fitted: Any) -> Arrays:
        """Nodes, roots, scores, base and classes."""
        own = {"classes": fitted.classes_, "roots": fitted.roots, "scores": fitted.scores, "base": fitted.base}
        return {**fitted.nodes, **own}

    @staticmethod
    def restored(arrays: Arrays, *, several: bool) -> Fitted:
        """The trees."""
        nodes = {name: arrays[name] for name in _NODES}
        return Trees(arrays["classes"], nodes, arrays["roots"], arrays["scores"], arrays["base"], several)


def _read(model: Any) -> Trees:
    """The nodes of a fitted model."""
    trees = [(score, tree.nodes) for round_ in model._predictors for score, tree in enumerate(round_)]
    return _join(trees, np.ravel(model._baseline_prediction).astype(np.float64), model.classes_)


def _join(trees: list[tuple[int, NDArray[Any]]], base: FloatArray, classes: NDArray[np.int64]) -> Trees:
    """One table of the nodes of all trees. Args: trees: the score that each adds to, and its nodes."""
    starts = np.cumsum([0, *(len(nodes) for _, nodes in trees)])[:-1].astype(np.int64)
    parts: dict[str, list[NDArray[Any]]] = {name: [] for name in _NODES}
    for start, (_, nodes) in zip(starts, trees, strict=False):
        own, leaf = np.arange(len(nodes)), nodes["is_leaf"].astype(bool)
        for name in _NODES:
            values = nodes[name].astype(_NODES[name])
            parts[name].append(np.where(leaf, own, values) + start if name in ("left", "right") else values)
    table = {name: np.concatenate([np.empty(0, kind), *parts[name]]) for name, kind in _NODES.items()}
    return Trees(classes, table, starts[: len(trees)], np.array([score for score, _ in trees], np.int64), base)
