"""Quality against the share of records that are sent on to the teacher: those that a model is least sure of.

A band for each share is chosen on one half of the validation clusters, without their labels. The other half says which
share is worth it, and the test rows are only measured. Each curve begins with the model alone (share 0) and ends with
the teacher alone (share 1). Beside each share stands sending as many rows at random: each row then counts as 1 − q of
the model's answer and q of the teacher's, q the share that was sent.

`decision` is the curve of the labels that are answered, with the band around them: accuracy and macro F1. `positive` is
that of the positive class at its operating point `f1`, with the band around the model's threshold: its F1, where each
model keeps its own threshold.
Source: Chow 1970, "On optimum recognition error and reject tradeoff", IEEE Transactions on Information Theory 16 (the
least sure first); the figures against the share are those of a risk-coverage curve, El-Yaniv & Wiener 2010, "On the
foundations of noise-free selective classification", JMLR 11.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from distill.core import sending
from distill.core.fall_through import FallThrough
from distill.core.files import Json
from distill.core.halves import choosing_half
from distill.core.sending import DECISION
from distill.evaluation.bootstrap import Bootstrap
from distill.evaluation.calibrated_predictions import ALL, CalibratedPredictions
from distill.evaluation.figure import SHARE, Figure
from distill.evaluation.influence import influence
from distill.evaluation.metrics import BoolArray, FloatArray, macro_f1
from distill.evaluation.operating_points import FIGURES, counts
from distill.evaluation.ratio import ratio
from distill.evaluation.scored import Scored

POSITIVE, POINT, CLASS_F1 = "positive", "f1", "class_f1"
BySeed = Sequence[CalibratedPredictions]
Sums = Callable[[FloatArray, FloatArray], FloatArray]
"""A figure of sums (..., M + 1), beside the sums (M + 1,) of the rows that they are drawn from."""


@dataclass(frozen=True)
class Sending:
    """What curves are made with. Attributes: bootstrap: over all test rows. seed: of the halves of validation."""

    settings: FallThrough
    bootstrap: Bootstrap
    seed: int

    @property
    def shares(self) -> list[float]:
        """Every share of a curve, its ends among them."""
        return [0.0, *self.settings.shares, 1.0]


@dataclass(frozen=True)
class _Curve:
    """One curve.

    Attributes: figures: each from sums of `columns` and, last, of whether a row was sent. columns: what each row adds,
        (N, M), the first column 1. sureness: of each row, (N,).
    """

    figures: Mapping[str, Sums]
    columns: Callable[[CalibratedPredictions, Scored], FloatArray]
    sureness: Callable[[CalibratedPredictions, Scored], FloatArray]


def fall_through(model: BySeed, teacher: BySeed, sending_on: Sending) -> Json:
    """The curves of one model. Args: model, teacher: in every seed, on the same rows.

    Returns: `by`, `chosen_on` (rows of one half of validation) and `judged_on` (of the other, 0 where there are too few
        clusters for halves: then the bands are chosen on all rows), `bands` by what is answered and share, and the
        curves `decision` and, where the task has a positive class and both reach their operating point, `positive`:
        rows with their `share`, `band`, the share `sent` and figures on test with intervals, their differences
        `over_model` and `over_random`, and the same figures on `valid`, the half that judges. The `over_random` of a
        whole curve is the mean over its shares: one figure, so that no share is picked for being far from random. All
        are means over seeds.
    """
    halves = [choosing_half(one.valid_clusters, sending_on.seed) for one in model]
    found: Json = {
        "by": sending_on.settings.by,
        "chosen_on": len(model[0].valid) if halves[0] is None else int(halves[0].sum()),
        "judged_on": 0 if halves[0] is None else int((~halves[0]).sum()),
        "bands": _bands(model, halves, sending_on),
    }
    curves = {DECISION: _decision(sending_on.settings.by)}
    if all(one.thresholds and one.thresholds[POINT] is not None for one in (*model, *teacher)):
        curves[POSITIVE] = _at_point()
    rows, over_random = {}, {}
    for name, curve in curves.items():
        rows[name], over_random[name] = _measured(curve, model, teacher, halves, sending_on)
    return {**found, "over_random": over_random, **rows}


def _bands(model: BySeed, halves: Sequence[BoolArray | None], sending_on: Sending) -> Json:
    """Band by share of each answer: the decision, and every operating point that all seeds have reached."""
    surenesses = {DECISION: [_decision(sending_on.settings.by).sureness(one, one.valid) for one in model]}
    for name in model[0].thresholds or {}:
        least = [(one.thresholds or {})[name] for one in model]
        if all(one is not None for one in least):
            surenesses[name] = [_around(one.valid, float(t or 0)) for one, t in zip(model, least, strict=True)]
    if all(one.class_thresholds for one in model):
        surenesses[CLASS_F1] = [_around_each(one.valid, one.class_thresholds or {}) for one in model]
    return {
        name: {sending.share_name(share): _mean_band(sure, halves, share) for share in sending_on.settings.shares}
        for name, sure in surenesses.items()
    }


def _mean_band(surenesses: Sequence[FloatArray], halves: Sequence[BoolArray | None], share: float) -> float:
    return float(np.mean([_band(sure, half, share) for sure, half in zip(surenesses, halves, strict=True)]))


def _band(sureness: FloatArray, half: BoolArray | None, share: float) -> float:
    return sending.band(sureness if half is None else sureness[half], share)


def _decision(by: str) -> _Curve:
    figures: dict[str, Sums] = {"accuracy": _accuracy, "f1_macro": _f1_macro}

    def sureness(_: CalibratedPredictions, rows: Scored) -> FloatArray:
        objective = rows.space.objective
        return sending.decision_sureness(objective.probabilities(rows.logits), several=objective.several, by=by)

    def columns(_: CalibratedPredictions, rows: Scored) -> FloatArray:
        return np.hstack([rows.tally.single[:, :2], rows.tally.by_class])

    return _Curve(figures, columns, sureness)


def _at_point() -> _Curve:
    def threshold(one: CalibratedPredictions) -> float:
        found = (one.thresholds or {})[POINT]
        assert found is not None
        return found

    def columns(one: CalibratedPredictions, rows: Scored) -> FloatArray:
        chances, actual = rows.positive()
        return counts(chances >= threshold(one), actual)[:, ::-1]  # the ones first

    figures: dict[str, Sums] = {"f1": lambda sums, _: FIGURES["f1"](sums[..., -2::-1])}
    return _Curve(figures, columns, lambda one, rows: _around(rows, threshold(one)))


def _around(rows: Scored, threshold: float) -> FloatArray:
    return sending.threshold_sureness(rows.positive()[0][:, None], [threshold])


def _around_each(rows: Scored, thresholds: Mapping[str, float]) -> FloatArray:
    chances = rows.space.objective.probabilities(rows.logits)
    return sending.threshold_sureness(chances, [thresholds[label] for label in rows.space.labels])


def _measured(
    curve: _Curve, model: BySeed, teacher: BySeed, halves: Sequence[BoolArray | None], sending_on: Sending
) -> tuple[list[Json], Json]:
    """The rows of one curve, and how far they are from random in the mean."""
    seeds = [_Seed(curve, *three, sending_on) for three in zip(model, teacher, halves, strict=True)]
    alone = [one.at(0) for one in seeds]
    ends = list(zip(alone, [one.at(-1) for one in seeds], strict=True))
    found, beside = list[Json](), list[dict[str, Figure]]()
    for place, share in enumerate(sending_on.shares):
        sums = [one.at(place) for one in seeds]
        figures = _figures(curve, sums, sending_on)
        row: Json = {
            "share": share,
            "band": None if share in (0, 1) else float(np.mean([one.bands[place] for one in seeds])),
            "sent": _figure(_sent, [one.only([0, -1]) for one in sums], sending_on).mean(),
            **{name: figure.mean() for name, figure in figures.items()},
        }
        if place:
            row["over_model"] = _told(_less(figures, _figures(curve, alone, sending_on)))
        if share not in (0, 1):
            random = [_random(*two, one.share) for two, one in zip(ends, sums, strict=True)]
            beside.append(_less(figures, _figures(curve, random, sending_on)))
            row["over_random"] = _told(beside[-1])
        if all(half is not None for half in halves):
            row["valid"] = _on_valid(curve, [one.judged(place) for one in seeds])
        found.append(row)
    return found, _told({name: _mean([one[name] for one in beside]) for name in curve.figures})


@dataclass(frozen=True)
class _Sums:
    """What test rows add at one share in one seed, the last column whether a row was sent.

    Attributes: rows: (N, M + 1). resampled: (R, M + 1).
    """

    rows: FloatArray
    resampled: FloatArray

    @property
    def share(self) -> float:
        """The share of the rows that was sent."""
        return float(self.rows[:, -1].mean())

    def only(self, columns: list[int]) -> _Sums:
        return _Sums(self.rows[:, columns], self.resampled[:, columns])


class _Seed:
    """One curve in one seed. Attributes: bands: of each share, its ends among them."""

    def __init__(
        self,
        curve: _Curve,
        model: CalibratedPredictions,
        teacher: CalibratedPredictions,
        half: BoolArray | None,
        sending_on: Sending,
    ) -> None:
        sure = curve.sureness(model, model.valid)
        self.bands = [-np.inf, *(_band(sure, half, share) for share in sending_on.settings.shares), np.inf]
        self._bootstrap, self._judging = sending_on.bootstrap, None if half is None else ~half
        self._test, self._valid = (
            (curve.sureness(model, own), curve.columns(model, own), curve.columns(teacher, other))
            for own, other in ((model.tests[ALL], teacher.tests[ALL]), (model.valid, teacher.valid))
        )

    def at(self, place: int) -> _Sums:
        """What test rows add at one of the shares."""
        rows = self._rows(self._test, place)
        return _Sums(rows, self._bootstrap.resample(rows))

    def judged(self, place: int) -> FloatArray:
        """The sums (M + 1,) over the half of validation that judges."""
        return np.asarray(self._rows(self._valid, place)[self._judging].sum(axis=0))

    def _rows(self, both: tuple[FloatArray, FloatArray, FloatArray], place: int) -> FloatArray:
        sureness, own, other = both
        sent = (sureness < self.bands[place])[:, None]
        return np.hstack([np.where(sent, other, own), sent])


def _random(model: _Sums, teacher: _Sums, share: float) -> _Sums:
    """Where this share of the rows is sent on at random."""
    rows, resampled = (
        (1 - share) * own + share * other
        for own, other in ((model.rows, teacher.rows), (model.resampled, teacher.resampled))
    )
    return _Sums(rows, resampled)


def _figures(curve: _Curve, sums: Sequence[_Sums], sending_on: Sending) -> dict[str, Figure]:
    return {name: _figure(figure, sums, sending_on) for name, figure in curve.figures.items()}


def _figure(figure: Sums, sums: Sequence[_Sums], sending_on: Sending) -> Figure:
    """One figure in every seed."""
    totals = [one.rows.sum(axis=0) for one in sums]
    values = np.array([float(figure(total, total)) for total in totals])
    resampled = np.stack([figure(one.resampled, total) for one, total in zip(sums, totals, strict=True)])
    moved = None
    if sending_on.bootstrap.several:
        moved = np.stack([_influence(figure, one.rows, total) for one, total in zip(sums, totals, strict=True)])
    return Figure(values, resampled, sending_on.bootstrap, moved, limits=SHARE)


def _influence(figure: Sums, rows: FloatArray, total: FloatArray) -> FloatArray:
    return influence(lambda sums: figure(sums, total), rows)


def _on_valid(curve: _Curve, sums: Sequence[FloatArray]) -> Json:
    figures = {name: float(np.mean([figure(one, one) for one in sums])) for name, figure in curve.figures.items()}
    return {"sent": float(np.mean([_sent(one, one) for one in sums])), **figures}


def _less(figures: Mapping[str, Figure], others: Mapping[str, Figure]) -> dict[str, Figure]:
    """The paired difference in each figure."""
    return {name: figure - others[name] for name, figure in figures.items()}


def _mean(differences: Sequence[Figure]) -> Figure:
    """The mean of several differences on the same resamples."""
    moved = [one.influence for one in differences if one.influence is not None]
    return replace(
        differences[0],
        values=np.mean([one.values for one in differences], axis=0),
        resampled=np.mean([one.resampled for one in differences], axis=0),
        influence=np.mean(moved, axis=0) if moved else None,
    )


def _told(differences: Mapping[str, Figure]) -> Json:
    found = {name: one.mean_difference() for name, one in differences.items()}
    return {name: {key: one[key] for key in ("difference", "low", "high")} for name, one in found.items()}


def _sent(sums: FloatArray, _: FloatArray) -> FloatArray:
    return ratio(sums[..., -1], sums[..., 0], np.nan)


def _accuracy(sums: FloatArray, _: FloatArray) -> FloatArray:
    return ratio(sums[..., 1], sums[..., 0], np.nan)


def _f1_macro(sums: FloatArray, total: FloatArray) -> FloatArray:
    true_positives, predicted, actual = np.split(sums[..., 2:-1], 3, axis=-1)
    return macro_f1(true_positives, predicted, actual, np.split(total[2:-1], 3)[2] > 0)
