"""Which teacher labels the pool, asked on validation before the pool is paid for."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distill.core.errors import UserError
from distill.core.files import Json, read_json, write_json
from distill.core.label_space import LabelSpace
from distill.core.predictions import Predictions, cluster_numbers, read_predictions
from distill.core.progress import note
from distill.evaluation.bootstrap import Bootstrap
from distill.evaluation.calibration import fit_temperature
from distill.evaluation.holm import LEVEL, corrected
from distill.evaluation.metrics import FloatArray, mixture, prior_logits
from distill.evaluation.mixing import FOLDS, Blend, blend
from distill.evaluation.over_seeds import METRICS, Seeded, comparison
from distill.evaluation.scored import Scored

DOCUMENT, CARD, MEAN, MIXTURE, AUTO = "document", "card", "mean", "mixture", "auto"
PRIORS = "priors"
CHOICE_FILE, TWINS_FILE = "choice.json", "twins.json"
_FIGURES = ("log_loss", "accuracy", "f1_macro")
_PAIRS = (
    *((DOCUMENT, CARD), (MEAN, DOCUMENT), (MEAN, CARD)),
    *((MIXTURE, DOCUMENT), (MIXTURE, CARD), (MIXTURE, MEAN)),
)


@dataclass(frozen=True)
class Candidate:
    """Labels that the students might learn from.

    Attributes: name: of the choice. members: weight by model name; of the candidate `mixture` they are fitted.
    """

    name: str
    members: Mapping[str, float]


@dataclass(frozen=True)
class Asking:
    """What a choice is made under.

    Attributes: asked: `auto` or a candidate's name. predictions: folder of the prediction folders. priors: class shares
        of the training gold, (C,). replicates, seed: of the bootstrap. calibrate: whether each model gets the
        temperature that validation gives it; without, it is 1.
    """

    asked: str
    predictions: Path
    space: LabelSpace
    priors: FloatArray
    replicates: int
    seed: int
    calibrate: bool = True


def choose(candidates: Sequence[Candidate], asking: Asking, folder: Path) -> None:
    """Step body: write `choice.json`: the candidates on validation, which is taken, and why.

    `auto` takes the lowest log loss, each model after its own temperature. The test rows have no say. Classes in which
    the document teacher is worse than the card teacher by an interval are named.

    The mixture's figures are out of fold (`mixing.blend`), and `auto` takes it only where its log loss is under the
    lowest of the others by the whole 95% interval of their paired difference, over resamples of clusters. It asks for
    the labels of all its members over the whole pool, so a gain that other validation rows might not show is not worth
    it, and equal candidates do not change places when a few rows are added.

    Raises: UserError for missing predictions, for under 30 clusters of validation rows, and for a model whose answers
        are not of the task's classes.
    """
    pool = _Validation(asking, list(dict.fromkeys(name for one in candidates for name in one.members)))
    scored = {one.name: pool.scored(one) for one in candidates}
    taken, why = _taken(asking, scored)
    chosen = next(one for one in candidates if one.name == taken)
    members, by_class = pool.weights(chosen)
    apart = [
        comparison(scored[a], scored[b], metric)
        for a, b in _PAIRS
        if a in scored and b in scored
        for metric in METRICS[: 4 if asking.space.positive else 3]
    ]
    worse = pool.worse_classes(scored[DOCUMENT], scored[CARD]) if {DOCUMENT, CARD} <= set(scored) else []
    found = {
        "asked": asking.asked,
        "taken": taken,
        "teachers": members,
        "class_weights": by_class,
        "temperatures": {name: pool.temperatures[name] for name in members},
        "start": min(members, key=lambda name: _log_loss(pool.alone(name))),
        "why": why,
        "imported": [],
        "rows": pool.rows,
        "candidates": pool.candidates(scored),
        "alone": pool.candidates({name: pool.alone(name) for name in pool.temperatures}),
        "mixture": next((pool.blend_figures(one) for one in candidates if one.name == MIXTURE), None),
        "differences": corrected(apart),
        "worse_classes": worse,
    }
    write_json(folder / CHOICE_FILE, found)
    listed = ", ".join(f"{name} × {weight:.2f}" if len(members) > 1 else name for name, weight in members.items())
    note(f"labels: {taken} ({listed}), {why}")
    for row in worse:
        note(f"'{row['class']}': the document teacher is {_points(row)} of F1 under the card teacher")


def take_imported(members: Mapping[str, float], imported: Sequence[str], asking: Asking, folder: Path) -> None:
    """Step body: write `choice.json` for labels made elsewhere, of which validation knows nothing: nothing is chosen.

    They are taken as they are; a teacher of this run that labels too has the temperature that validation gives it.

    Args: members: weight by name of the labelling teachers. imported: those of them whose labels were made elsewhere.
    """
    own = [name for name in members if name not in imported]
    pool = _Validation(asking, own) if own else None
    temperatures = {**dict.fromkeys(members, 1.0), **(pool.temperatures if pool else {})}
    start = min(own, key=lambda name: _log_loss(pool.alone(name))) if pool else None
    why = "made elsewhere, so there is nothing to choose"
    told = {"temperatures": temperatures, "start": start, "why": why, "imported": list(imported)}
    found = _unmeasured(asking.asked, DOCUMENT, members, **told)
    write_json(folder / CHOICE_FILE, found)
    note(f"labels: {', '.join(members)}, {found['why']}")


def take_unasked(
    asked: str, candidates: Mapping[str, Mapping[str, float]], imported: Sequence[str], folder: Path
) -> None:
    """Step body: write `choice.json` where there are no validation rows: the labels that are asked for, as they are.

    Args: asked: a candidate's name; of any other one the only candidate is taken. candidates: weight by model, by name.
        imported: the labelling teachers whose labels were made elsewhere.
    """
    taken = asked if asked in candidates else DOCUMENT
    members = candidates[taken]
    alone = next(iter(members)) if len(members) == 1 and not imported else None
    why = "there are no validation rows, so nothing is chosen on them"
    write_json(folder / CHOICE_FILE, _unmeasured(asked, taken, members, start=alone, why=why, imported=list(imported)))
    note(f"labels: {', '.join(members)}, {why}")


def _unmeasured(asked: str, taken: str, members: Mapping[str, float], **told: Any) -> Json:
    """The content of `choice.json` without any figure of validation. Args: told: what else it says."""
    nothing: Json = {"class_weights": None, "rows": 0, "mixture": None, "temperatures": dict.fromkeys(members, 1.0)}
    lists: Json = {name: [] for name in ("candidates", "alone", "differences", "worse_classes")}
    return {"asked": asked, "taken": taken, "teachers": dict(members), **nothing, **lists, **told}


def ask_twins(twins: Sequence[str], choice: Path, asking: Asking, folder: Path) -> None:
    """Step body: write `twins.json`: on validation, the labels that were taken against each gold-only twin.

    Args: twins: names of models. choice: the folder that `choose` filled.
    """
    taken = read_choice(choice)
    assert taken is not None
    pool = _Validation(asking, [*taken["teachers"], *twins])
    labels = pool.scored(Candidate(taken["taken"], taken["teachers"]))
    alone = [pool.alone(twin) for twin in twins]
    rows = corrected([comparison(labels, twin, metric) for twin in alone for metric in METRICS[:3]])
    write_json(folder / TWINS_FILE, {"labels": taken["taken"], "rows": pool.rows, "comparisons": rows})
    for row in rows:
        if row["metric"] == "log_loss" and row["low"] is not None and row["low"] > 0 and row["p_holm"] < LEVEL:
            by = f"{row['difference']:.3f} ({row['low']:.3f}–{row['high']:.3f}) in log loss"
            note(
                f"{row['b']}, trained on gold alone, is better than the labels on validation by {by}: "
                "distilling will hardly help"
            )


def read_choice(folder: Path) -> Json | None:
    """What `choose` wrote; None where there is nothing yet."""
    path = folder / CHOICE_FILE
    return dict(read_json(path)) if path.is_file() else None


class _Validation:
    """The validation answers of some models, each after its own temperature, with resamples that they share."""

    def __init__(self, asking: Asking, names: Sequence[str]) -> None:
        self._asking, self._objective = asking, asking.space.objective
        self._answers = {name: read_predictions(asking.predictions / name / "valid.parquet") for name in names}
        self._blends: dict[tuple[str, ...], Blend] = {}
        for name, one in self._answers.items():
            _require_classes(name, one, asking.space)
        self.temperatures = {
            name: fit_temperature(one.logits, one.target, self._objective) if asking.calibrate else 1.0
            for name, one in self._answers.items()
        }
        first = next(iter(self._answers.values()))
        self.rows, clusters = len(first.ids), cluster_numbers(first)
        self.bootstrap = Bootstrap(self.rows, clusters, asking.replicates, asking.seed)
        shares = (asking.priors, np.mean(first.target, axis=0, dtype=np.float64))
        constants = (np.tile(prior_logits(one, self._objective), (self.rows, 1)) for one in shares)
        self._priors = [self._of(PRIORS, first, logits) for logits in constants]

    def alone(self, name: str) -> Seeded:
        """One model's answers."""
        one = self._answers[name]
        return self._of(name, one, one.logits / self.temperatures[name])

    def scored(self, candidate: Candidate) -> Seeded:
        """A candidate's answers: the weighted mean of its members' probabilities; of a mixture those out of fold."""
        if candidate.name == MIXTURE:
            first = self._answers[next(iter(candidate.members))]
            return self._of(MIXTURE, first, self._blend(tuple(candidate.members)).logits)
        parts = [self._answers[name].logits / self.temperatures[name] for name in candidate.members]
        logits = mixture(parts, list(candidate.members.values()), self._objective)
        return self._of(candidate.name, self._answers[next(iter(candidate.members))], logits)

    def weights(self, candidate: Candidate) -> tuple[dict[str, float], dict[str, list[float]] | None]:
        """A candidate's members with their weights, and of a mixture with weights of each class those by member."""
        if candidate.name != MIXTURE:
            return dict(candidate.members), None
        names, found = list(candidate.members), self._blend(tuple(candidate.members))
        kept = [index for index in range(len(names)) if found.weights[index].any()]
        members = {names[index]: float(found.shares[index]) for index in kept}
        if not found.is_by_class:
            return members, None
        return members, {names[index]: found.weights[index].tolist() for index in kept}

    def blend_figures(self, candidate: Candidate) -> Json:
        """What one weight for each member and weights of each class came to out of fold, and which were taken."""
        found = self._blend(tuple(candidate.members))
        losses = {"plain": found.plain, "by_class": found.by_class}
        weights = dict(zip(candidate.members, found.shares.tolist(), strict=True))
        return {"folds": FOLDS, "log_loss": losses, "is_by_class": found.is_by_class, "weights": weights}

    def _blend(self, names: tuple[str, ...]) -> Blend:
        if names not in self._blends:
            parts = [self._objective.probabilities(self._answers[n].logits / self.temperatures[n]) for n in names]
            first = self._answers[names[0]]
            target = np.asarray(first.target, np.float64)
            keys = np.unique(first.clusters, return_inverse=True)[1]
            self._blends[names] = blend(np.stack(parts), target, keys, self._objective, self._asking.seed)
        return self._blends[names]

    def candidates(self, scored: Mapping[str, Seeded]) -> list[Json]:
        """Log loss, accuracy and macro F1 of each with intervals, and the log loss less that of the priors."""
        over = corrected([self._over_priors(one) for one in scored.values()])
        return [
            {"name": name, **{figure: one.metric(figure).mean() for figure in _FIGURES}, "over_priors": apart}
            for (name, one), apart in zip(scored.items(), over, strict=True)
        ]

    def _over_priors(self, one: Seeded) -> Json:
        """Log loss less that of the class shares, of training or of these rows: whichever are harder to beat.

        No single answer for all rows has a lower log loss than these rows' own shares. A temperature that is fitted on
        them comes close to it whatever the teacher knows, where training has other shares.
        """
        apart = [comparison(one, priors, "log_loss") for priors in self._priors]
        return max(apart, key=lambda found: math.inf if found["high"] is None else found["high"])

    def worse_classes(self, a: Seeded, b: Seeded) -> list[Json]:
        """The classes in which F1 of `a` is under that of `b`, by p-values corrected over all classes."""
        labels = self._asking.space.labels
        apart = [(a.f1(index) - b.f1(index)).mean_difference() for index in range(len(labels))]
        rows = [{"class": label, "a": a.name, "b": b.name, **one} for label, one in zip(labels, apart, strict=True)]
        return [
            row for row in corrected(rows) if row["p_holm"] is not None and row["p_holm"] < LEVEL and row["high"] < 0
        ]

    def _of(self, name: str, rows: Predictions, logits: NDArray[np.floating[Any]]) -> Seeded:
        scored = Scored(name, self._asking.space, rows.ids, logits, rows.target, None, cluster_numbers(rows))
        return Seeded([scored], self.bootstrap)


def _points(row: Mapping[str, Any]) -> str:
    """How far F1 is under, with its interval: `4.1 points (1.9–6.3)`."""
    return f"{-100 * row['difference']:.1f} points ({-100 * row['high']:.1f}–{-100 * row['low']:.1f})"


def _log_loss(scored: Seeded) -> float:
    return float(scored.totals[0].log_loss)


def _taken(asking: Asking, scored: Mapping[str, Seeded]) -> tuple[str, str]:
    """Name of the candidate that is taken, and why."""
    if asking.asked != AUTO:
        return asking.asked, "fixed by the config"
    losses = {name: _log_loss(one) for name, one in scored.items()}
    listed = ", ".join(f"{name} {loss:.4f}" for name, loss in losses.items())
    if len(losses) == 1:
        return next(iter(losses)), f"there is no other teacher (log loss on validation: {listed})"
    why = f"lowest log loss on validation: {listed}"
    best = min((name for name in losses if name != MIXTURE), key=lambda name: losses[name])
    if MIXTURE not in losses or losses[MIXTURE] >= losses[best]:
        return best, why
    apart = comparison(scored[MIXTURE], scored[best], "log_loss")
    span = f"{apart['difference']:+.4f} ({apart['low']:+.4f}…{apart['high']:+.4f})".replace("-", "−")
    if apart["high"] < 0:
        return MIXTURE, f"{why}; the mixture, out of fold, is {span} against {best}"
    return best, f"{why}; the mixture, out of fold, is {span} against {best}, which is no gain by an interval"


def _require_classes(name: str, answers: Predictions, space: LabelSpace) -> None:
    """Check that a model's answers are of the task's classes. Raises: UserError with both numbers."""
    found, expected = answers.logits.shape[1], len(space.outputs)
    if found != expected:
        raise UserError(
            "a teacher answers for other classes than the task's, so its labels cannot be mixed with others",
            where=name,
            found=f"{found} logits a row, {expected} expected: {', '.join(space.outputs)}",
            do="leave it out of teachers, or fit it again on this task",
        )
