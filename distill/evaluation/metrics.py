"""Quality figures of one model, all of them functions of sums over rows.

A `RowTally` holds, per row, what the figures add up (correct, log loss, calibration gaps, true positives per class).
Summing its rows gives a `Tally`, which has the figures of a data set; weighting them gives the figures of a bootstrap
resample, by the same code.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from distill.core.objectives.objective import Objective
from distill.core.objectives.single_label import SINGLE
from distill.evaluation.ratio import ratio

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

ECE_BINS = 15
_BINS_FROM = 5
_CLASSES_FROM = _BINS_FROM + ECE_BINS


@dataclass(frozen=True)
class Tally:
    """Additive sums of one model on some rows, and the figures that follow from them.

    Every figure keeps the leading axes: () for a total, (R,) for R resamples. What would be 0/0 is 0 in precision,
    recall and F1, and NaN in the others (there are no rows). On resamples it is NaN in all: that a draw lacks the few
    rows of a class says nothing against a model.

    Args: columns: float64 (..., 5 + ECE_BINS + 3C): rows, correct rows, log loss, distances between the places of the
        predicted and the gold label and their squares, gaps per calibration bin (confidence minus correctness), then
        per class the true positives, the predicted and the actual (gold) rows.
        drawn_from: of resamples, the classes (C,) that the rows they are drawn from have as gold.
    """

    columns: FloatArray
    drawn_from: BoolArray | None = None

    @property
    def accuracy(self) -> FloatArray:
        """Share of rows whose predicted labels are the gold ones: top-1 accuracy, or subset accuracy in multi-label."""
        return ratio(self.columns[..., 1], self.columns[..., 0], np.nan)

    @property
    def log_loss(self) -> FloatArray:
        """Mean cross-entropy against the target, in nats; in multi-label the mean over classes too."""
        return ratio(self.columns[..., 2], self.columns[..., 0], np.nan)

    @property
    def ece(self) -> FloatArray:
        """Expected calibration error, Σ_b |B_b|/n · |acc(B_b) − conf(B_b)| over 15 equal-width bins ((b−1)/15, b/15].

        Source: Guo et al. 2017, "On Calibration of Modern Neural Networks", arXiv:1706.04599, equation 3. A bin's count
        cancels, so its summed gap is enough. Multi-label bins all N·C yes/no decisions by max(p, 1 − p).
        """
        gaps = np.abs(self.columns[..., _BINS_FROM:_CLASSES_FROM]).sum(axis=-1)
        return ratio(gaps, self.columns[..., 0], np.nan)

    @property
    def grade_distance(self) -> FloatArray:
        """Mean places between the predicted and the gold label; it means something where the labels are a scale."""
        return ratio(self.columns[..., 3], self.columns[..., 0], np.nan)

    @property
    def kappa_quadratic(self) -> FloatArray:
        """Weighted kappa of predicted and gold grades: 1 − Σ (p − g)² / its expectation were both independent.

        NaN where all rows have one grade, predicted and gold. It means something where the labels are a scale.
        Source: Cohen 1968, "Weighted kappa", Psychological Bulletin 70 (4), with weights (i − j)².
        """
        rows, squares = self.columns[..., 0], self.columns[..., 4]
        _, predicted, actual = self._per_class()
        grades = np.arange(predicted.shape[-1], dtype=np.float64)
        apart = (predicted + actual) @ grades**2 - 2 * (predicted @ grades) * ratio(actual @ grades, rows)
        return np.asarray(1 - ratio(squares, apart, np.nan))

    @property
    def absent(self) -> BoolArray:
        """Per class (..., C): whether no row has it as gold."""
        return np.asarray(self._per_class()[2] == 0)

    @property
    def class_accuracy(self) -> FloatArray:
        """Per class (..., C): share of rows where predicted and gold agree on whether they have it."""
        true_positives, predicted, actual = self._per_class()
        rows = self.columns[..., :1]
        return ratio(rows - predicted - actual + 2 * true_positives, np.broadcast_to(rows, actual.shape), np.nan)

    @property
    def precision(self) -> FloatArray:
        """Per class (..., C): true positives / predicted, 0 where the class was never predicted."""
        true_positives, predicted, _ = self._per_class()
        return ratio(true_positives, predicted, self._lacking)

    @property
    def recall(self) -> FloatArray:
        """Per class (..., C): true positives / actual, 0 where the class has no gold row."""
        true_positives, _, actual = self._per_class()
        return ratio(true_positives, actual, self._lacking)

    @property
    def f1(self) -> FloatArray:
        """Per class (..., C): 2·true positives / (predicted + actual), 0 where the class was neither."""
        found = f1_score(*self._per_class())
        return found if self.drawn_from is None else np.where(self.absent, np.nan, found)

    @property
    def f1_macro(self) -> FloatArray:
        """Mean F1 over all classes of the label space; on resamples as in `macro_f1`."""
        return macro_f1(*self._per_class(), self.drawn_from)

    @property
    def f1_weighted(self) -> FloatArray:
        """Mean F1 over classes, each weighted by its gold rows; NaN where there are none."""
        parts = self._per_class()
        return ratio((f1_score(*parts) * parts[2]).sum(axis=-1), parts[2].sum(axis=-1), np.nan)

    @property
    def f1_micro(self) -> FloatArray:
        """F1 of all yes and no decisions together; with one label per record it is the accuracy."""
        return f1_score(*(part.sum(axis=-1) for part in self._per_class()))

    def of_class(self, index: int) -> Tally:
        """The same sums with those of one class alone."""
        classes = (self.columns.shape[-1] - _CLASSES_FROM) // 3
        own = [_CLASSES_FROM + index + part * classes for part in range(3)]
        drawn_from = None if self.drawn_from is None else self.drawn_from[index : index + 1]
        return Tally(self.columns[..., [*range(_CLASSES_FROM), *own]], drawn_from)

    @property
    def _lacking(self) -> float:
        """What 0/0 is in a figure of one class."""
        return 0.0 if self.drawn_from is None else np.nan

    def _per_class(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        true_positives, predicted, actual = np.split(self.columns[..., _CLASSES_FROM:], 3, axis=-1)
        return true_positives, predicted, actual


@dataclass(frozen=True)
class RowTally:
    """What each row adds to a `Tally`: the sums of one model on some rows before they are added up.

    Most of it is whether a row counts for a class, which a bit says: kept as numbers it would take eight times the
    memory, in every model and seed of a run.

    Args: single: float64 (N, 5 + ECE_BINS), what is not by class. by_class: bool (N, 3C), or float64 where answers are
        drawn by their shares.
    """

    single: FloatArray
    by_class: BoolArray | FloatArray

    @property
    def columns(self) -> FloatArray:
        """Both side by side (N, 5 + ECE_BINS + 3C), as `Tally` has their sums; made at every call."""
        return np.hstack([self.single, self.by_class])

    def total(self) -> Tally:
        """The sum over rows."""
        return Tally(np.concatenate([self.single.sum(axis=0), self.by_class.sum(axis=0)]))

    def only(self, rows: BoolArray) -> RowTally:
        """The rows that the mask (N,) keeps."""
        return RowTally(self.single[rows], self.by_class[rows])

    def of_class(self, index: int) -> RowTally:
        """The same rows with what is by class of one class alone."""
        return RowTally(self.single, self.by_class[:, index :: self.by_class.shape[1] // 3])


def tally(
    logits: ArrayLike, target: ArrayLike, objective: Objective = SINGLE, decided: BoolArray | None = None
) -> RowTally:
    """What each record adds to the sums.

    Args: logits: (N, K), K = C unless the objective says otherwise. target: (N, C): one-hot, a vote distribution, or
        0/1 per class in multi-label. Log loss uses the distribution; the other figures use its decisions.
        objective: what is decided, and how the logits say it. decided: (N, C), the labels that are predicted, where
        they are not those of the objective.
    Raises: ValueError when the logits are not (N, K) or the target is not (N, C); the message shows both.
    """
    logits, target = _checked(logits, target, objective)
    predicted, gold = objective.decisions(logits) if decided is None else decided, objective.gold_decisions(target)
    correct = (predicted == gold).all(axis=1)
    places = np.arange(target.shape[1])
    apart = np.abs(predicted @ places - gold @ places)
    single = [np.ones(len(logits)), correct, objective.row_log_loss(logits, target), apart, apart**2]
    confidence = objective.confidence(objective.probabilities(logits))
    gaps = _calibration_gaps(confidence, objective.correct(predicted, gold))
    return RowTally(np.hstack([np.stack(single, axis=1), gaps]), np.hstack([predicted & gold, predicted, gold]))


def expected_tally(shares: ArrayLike, logits: ArrayLike, target: ArrayLike, objective: Objective = SINGLE) -> RowTally:
    """What each row is expected to add where answers are drawn: one class by its share, or each label by its own.

    An answer is stated with its share as probability.

    Args: shares: (C,), those of classes that exclude each other sum to 1. logits, target, objective: as in `tally`.
    """
    logits, target = _checked(logits, target, objective)
    p, gold = np.asarray(shares, np.float64), objective.gold_decisions(target).astype(np.float64)
    drawn = np.broadcast_to(p, gold.shape)
    if objective.several:
        correct = np.where(gold > 0, p, 1 - p).prod(axis=1)
        # Yes with p, said with p; no with 1 − p, said with 1 − p.
        said, right = np.hstack([drawn, 1 - drawn]), np.hstack([gold, 1 - gold])
    else:
        correct, said, right = gold @ p, drawn, gold
    places = np.arange(len(p))
    apart = np.abs(places - (gold @ places)[:, None])
    single = [np.ones(len(gold)), correct, objective.row_log_loss(logits, target), apart @ p, apart**2 @ p]
    bins = np.clip(np.ceil(said[0] * ECE_BINS).astype(np.int64) - 1, 0, ECE_BINS - 1)
    decisions = gold.shape[1] if objective.several else 1
    gaps = (said * (said - right) / decisions) @ np.eye(ECE_BINS)[bins]
    return RowTally(np.hstack([np.stack(single, axis=1), gaps]), np.hstack([drawn * gold, drawn, gold]))


def accuracy(logits: ArrayLike, target: ArrayLike, objective: Objective = SINGLE) -> float:
    """`Tally.accuracy` of all rows; arguments as in `tally`."""
    return float(tally(logits, target, objective).total().accuracy)


def log_loss(
    logits: ArrayLike, target: ArrayLike, objective: Objective = SINGLE, weights: ArrayLike | None = None
) -> float:
    """`Tally.log_loss` of all rows; arguments as in `tally`. Args: weights: (N,), how much each row counts."""
    losses = objective.row_log_loss(*_checked(logits, target, objective))
    return float(losses.mean() if weights is None else np.average(losses, weights=np.asarray(weights, np.float64)))


def ece(logits: ArrayLike, target: ArrayLike, objective: Objective = SINGLE) -> float:
    """`Tally.ece` of all rows; arguments as in `tally`."""
    return float(tally(logits, target, objective).total().ece)


def f1_macro(logits: ArrayLike, target: ArrayLike, objective: Objective = SINGLE) -> float:
    """`Tally.f1_macro` of all rows; arguments as in `tally`."""
    return float(tally(logits, target, objective).total().f1_macro)


def f1_score(true_positives: FloatArray, predicted: FloatArray, actual: FloatArray) -> FloatArray:
    """2·true positives / (predicted + actual), elementwise; 0 where both are 0."""
    return ratio(2 * true_positives, predicted + actual)


def macro_f1(
    true_positives: FloatArray, predicted: FloatArray, actual: FloatArray, drawn_from: BoolArray | None = None
) -> FloatArray:
    """Mean F1 over all C classes, those that no row has counting with 0.

    On a resample it is the mean over the classes that the draw has, times the share of the C classes that the rows it
    is drawn from have. Counting with 0 what a draw happens to lack would put intervals below the figure wherever
    classes are rare: simulated with 77 classes of shares 1/rank and 1,000 rows, 40 to 60 sets, they missed the truth in
    77% so, in 20% as here (classes of one or two rows vary less in resamples than they should); with 26 classes of
    shares 1/rank² and 900 rows in 87% and in 5%.

    Args: true_positives, predicted, actual: (..., C). drawn_from: as in `Tally`.
    """
    has = actual > 0
    whole = has if drawn_from is None else drawn_from
    found = np.where(has & whole, f1_score(true_positives, predicted, actual), 0.0).sum(axis=-1)
    return np.asarray(ratio(found, np.asarray((has & whole).sum(axis=-1), np.float64)) * whole.mean(axis=-1))


def mixture(logits: Sequence[ArrayLike], weights: ArrayLike, objective: Objective = SINGLE) -> FloatArray:
    """Several models' predictions as one: the logits (N, K) of the weighted mean of their probabilities.

    A single model's logits come back as they are, unless its classes have weights. Otherwise they are those of `mixed`.

    Args: logits: (N, K) of each of M models. weights: (M,), or (M, C).
    """
    shares = np.asarray(weights, np.float64)
    if len(logits) == 1 and shares.ndim == 1:
        return np.asarray(logits[0], np.float64)
    return objective.logits(mixed(np.stack([objective.probabilities(part) for part in logits]), shares, objective))


def mixed(chances: FloatArray, weights: FloatArray, objective: Objective = SINGLE) -> FloatArray:
    """The weighted mean (N, C) of several models' probabilities, p = Σ_m w_m p_m / Σ_m w_m.

    With weights of each class p_c = Σ_m w_mc p_mc, divided by its sum over classes, or where a record may have several
    labels by Σ_m w_mc.

    Args: chances: (M, N, C). weights: (M,) or (M, C).
    """
    if weights.ndim == 1:
        return np.asarray(np.einsum("m,mnc->nc", weights / weights.sum(), chances))
    mean = np.einsum("mc,mnc->nc", weights, chances)
    return np.asarray(mean / (weights.sum(axis=0) if objective.several else mean.sum(axis=1, keepdims=True)))


def prior_logits(priors: ArrayLike, objective: Objective = SINGLE) -> FloatArray:
    """Class shares (C,) as the logits (K,) of a model that knows nothing else.

    A class without training rows still gets a probability, so its log loss stays finite, at 13.8 nats.
    """
    return objective.logits(priors, 1e-6)


def _calibration_gaps(confidence: FloatArray, correct: BoolArray) -> FloatArray:
    """Confidence minus correctness by row and bin (N, ECE_BINS), the mean of a row's D decisions.

    Args: confidence, correct: (N, D).
    """
    rows, decisions_per_row = confidence.shape
    # Of logits that are not finite the first bin; their gap, and so the ECE, stays nan.
    bins = np.clip(np.ceil(np.nan_to_num(confidence) * ECE_BINS).astype(np.int64) - 1, 0, ECE_BINS - 1)
    cell = np.arange(rows)[:, None] * ECE_BINS + bins
    gap = (confidence - correct) / decisions_per_row
    sums: FloatArray = np.bincount(cell.ravel(), gap.ravel(), rows * ECE_BINS).astype(np.float64)
    return sums.reshape(rows, ECE_BINS)


def _checked(logits: ArrayLike, target: ArrayLike, objective: Objective) -> tuple[FloatArray, FloatArray]:
    left, right = np.asarray(logits, np.float64), np.asarray(target, np.float64)
    if right.ndim != 2 or left.shape != (len(right), objective.head_size(right.shape[1])):
        raise ValueError(f"logits and target must be (N, K) and (N, C), got {left.shape} and {right.shape}")
    return left, right
