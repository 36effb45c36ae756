"""Why a student is no better than training on gold alone, from what the run measured, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from distill.evaluation.direction import gain, sign, unit
from distill.evaluation.entries import ModelFigures
from distill.report import formats
from distill.report.contents import Report, dig, metric_figure, models_of
from distill.report.training import undertrained

ByName = Mapping[str, ModelFigures]


@dataclass(frozen=True)
class Cause:
    """What was measured and what to do about it. Args: of_teacher: the teacher is the cause, not the student."""

    found: str
    do: str
    of_teacher: bool = True

    def __str__(self) -> str:
        return f"{self.found}: {self.do}"


def explained(report: Report, model: ModelFigures) -> str:
    """What the difference between a model and its better gold-only twin says: the size, then the causes.

    Args: model: with `over_gold`.
    """
    apart = gain(dig(model.over_gold))
    factor, decimals, counted = unit(apart.get("metric"))
    gap, pair = formats.number(apart.get("difference")), formats.bounds(apart)
    if gap is None or pair is None:
        return "the difference to training on gold alone is not defined on these rows"
    around = f"({formats.signed_range(pair, factor, decimals)})"
    if gap >= 0:
        size = f"{factor * gap:+.{decimals}f} {counted} {around}"
        return f"the difference to training on gold alone is {size}: give more test rows"
    causes = list(_causes(report, model))
    whose = "the teacher is the cause: " if any(cause.of_teacher for cause in causes) else ""
    size = f"training on gold alone is {-factor * gap:.{decimals}f} {counted} better {_turned(pair, factor, decimals)}"
    return f"{size}: {whose}{'; '.join(map(str, causes))}"


def _causes(report: Report, model: ModelFigures) -> Iterator[Cause]:
    models = {one.name: one for one in models_of(report)}
    student, own = model.student, models.get(model.student)
    sound = own is not None and (formats.number(gain(dig(own.over_gold)).get("difference")) or 0.0) >= 0
    if sound and student != model.name:
        yield Cause(f"{student} in PyTorch is not under its twin", "keep more of it in fp32", of_teacher=False)
        return
    found = [*_of_teachers(report, models, models.get(str(dig(model.over_gold).get("twin"))))]
    found += [
        Cause(f"{student} was stopped while it still learned ({reason})", "train the student longer", of_teacher=False)
        for reason in undertrained(report, student)
    ]
    yield from found or [_left_over(model)]


def _left_over(model: ModelFigures) -> Cause:
    """What is left where neither a teacher nor the length of a fit is the cause."""
    pair = formats.bounds(gain(dig(model.over_gold)))
    if pair is not None and pair[1] >= 0:
        return Cause("the difference is not shown", "give more test rows", of_teacher=False)
    do = "give a pool of rows like those that are judged, and more of them (distill scale says whether more help)"
    return Cause("no teacher is under the twin", do, of_teacher=False)


def _of_teachers(report: Report, models: ByName, twin: ModelFigures | None) -> Iterator[Cause]:
    for teacher in labellers(report):
        if teacher in (dig(report, "choice").get("imported") or []):
            found = f"the labels of {teacher} were made elsewhere and lead the student astray"
            yield Cause(found, "check that file: the order of the classes, the ids, the model that made it")
            continue
        for reason in undertrained(report, teacher):
            yield Cause(f"{teacher} was stopped while it still learned ({reason})", "train the teacher longer")
        yield from _better_on_cards(models, teacher, labellers(report))
        own, other = (_metric_of(report, one) for one in (models.get(teacher), twin))
        if own is not None and other is not None and own < other:
            factor, decimals, counted = unit(report.get("metric"))
            gap = f"{teacher} is {factor * (other - own):.{decimals}f} {counted} under the twin"
            yield Cause(f"{gap}, worse than training the student on gold", "take a larger encoder or train it longer")


def _metric_of(report: Report, model: ModelFigures | None) -> float | None:
    """The figure that models are compared by, turned round where less is better."""
    value = None if model is None else formats.number(metric_figure(report, dig(model.quality)))
    return None if value is None else sign(str(report.get("metric"))) * value


def _better_on_cards(models: ByName, teacher: str, labelling: Sequence[str]) -> Iterator[Cause]:
    """The teacher's own preset trained on cards, where it is better on validation than what gave the labels alone."""
    left_out = [model for name, model in models.items() if name not in labelling]
    for card in (model for model in left_out if model.recipe_of == teacher and teacher in models):
        own, other = (formats.number(dig(one.valid).get("log_loss")) for one in (card, models[teacher]))
        if own is not None and other is not None and own < other:
            against = f"log loss {own:.3f} against {other:.3f} on validation"
            found = f"{card.name} is better than {teacher} ({against}), but the labels came from documents"
            yield Cause(found, "labels: card")


def labellers(report: Report) -> list[str]:
    """The teachers that the labels came from; where no choice was written, every teacher of documents."""
    chosen = list(dig(report, "choice", "teachers"))
    return chosen or [model.name for model in models_of(report) if model.is_teacher and model.view == "document"]


def _turned(pair: tuple[float, float], factor: float, decimals: int) -> str:
    """The interval of a − b as one of b − a, in points or nats."""
    low, high = -factor * pair[1], -factor * pair[0]
    plain = f"({low:.{decimals}f}–{high:.{decimals}f})"
    return plain if low > 0 else f"({formats.signed_range((low, high), 1, decimals)})"
