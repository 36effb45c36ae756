"""Why a student is no better than training on gold alone, from what the run measured, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from distill.report import formats
from distill.report.controls import student_of
from distill.report.table_model import Report, dig, entries, metric_figure
from distill.report.training import undertrained


@dataclass(frozen=True)
class Cause:
    """What was measured and what to do about it. Args: of_teacher: the teacher is the cause, not the student."""

    found: str
    do: str
    of_teacher: bool = True

    def __str__(self) -> str:
        return f"{self.found}: {self.do}"


def explained(report: Report, model: Mapping[str, Any]) -> str:
    """What the difference between a model and its better gold-only twin says: the size, then the causes.

    Args: model: with `over_gold`.
    """
    apart = dig(model, "over_gold")
    gap, pair = formats.number(apart.get("difference")), formats.bounds(apart)
    if gap is None or pair is None:
        return "the difference to training on gold alone is not defined on these rows"
    around = f"({formats.signed_range(pair, 100, 1)})"
    if gap >= 0:
        return f"the difference to training on gold alone is {100 * gap:+.1f} points {around}: give more test rows"
    causes = list(_causes(report, model))
    whose = "the teacher is the cause: " if any(cause.of_teacher for cause in causes) else ""
    size = f"training on gold alone is {-100 * gap:.1f} points better {_turned(pair)}"
    return f"{size}: {whose}{'; '.join(map(str, causes))}"


def _causes(report: Report, model: Mapping[str, Any]) -> Iterator[Cause]:
    models = {str(one.get("name")): one for one in entries(report, "models")}
    name = str(model.get("name"))
    student = student_of(name, list(models.values()))
    apart = dig(model, "over_gold")
    if student != name and (formats.number(dig(models.get(student), "over_gold").get("difference")) or 0.0) >= 0:
        yield Cause(f"{student} in PyTorch is not under its twin", "keep more of it in fp32", of_teacher=False)
        return
    found = [*_of_teachers(report, models, str(apart.get("twin")))]
    found += [
        Cause(f"{student} was stopped while it still learned ({reason})", "train the student longer", of_teacher=False)
        for reason in undertrained(report, student)
    ]
    yield from found or [Cause("no teacher is under the twin", "give a larger pool", of_teacher=False)]


def _of_teachers(report: Report, models: Mapping[str, Any], twin: str) -> Iterator[Cause]:
    for teacher in labellers(report):
        if teacher in (dig(report, "choice").get("imported") or []):
            found = f"the labels of {teacher} were made elsewhere and lead the student astray"
            yield Cause(found, "check that file: the order of the classes, the ids, the model that made it")
            continue
        for reason in undertrained(report, teacher):
            yield Cause(f"{teacher} was stopped while it still learned ({reason})", "train the teacher longer")
        yield from _better_on_cards(report, models, teacher)
        figures = [metric_figure(report, dig(models.get(name), "quality")) for name in (teacher, twin)]
        own, other = (formats.number(figure) for figure in figures)
        if own is not None and other is not None and own < other:
            gap = f"{teacher} is {100 * (other - own):.1f} points under the twin"
            yield Cause(f"{gap}, worse than training the student on gold", "take a larger encoder or train it longer")


def _better_on_cards(report: Report, models: Mapping[str, Any], teacher: str) -> Iterator[Cause]:
    """The teacher's own preset trained on cards, where it is better on validation than what gave the labels."""
    card = f"{teacher.removesuffix('@document')}@card"
    if not teacher.endswith("@document") or card not in models:
        return
    losses = [formats.number(dig(models.get(name), "valid").get("log_loss")) for name in (card, teacher)]
    own, other = losses
    if own is not None and other is not None and own < other:
        against = f"log loss {own:.3f} against {other:.3f} on validation"
        yield Cause(f"{card} is better than {teacher} ({against}), but the labels came from documents", "labels: card")


def labellers(report: Report) -> list[str]:
    """The teachers that the labels came from; where no choice was written, every teacher of documents."""
    chosen = list(dig(report, "choice", "teachers"))
    teachers = [str(model.get("name")) for model in entries(report, "models") if model.get("role") == "teacher"]
    return chosen or [name for name in teachers if name.endswith("@document")]


def _turned(pair: tuple[float, float]) -> str:
    """The interval of a − b as one of b − a, in points."""
    low, high = -100 * pair[1], -100 * pair[0]
    return f"({low:.1f}–{high:.1f})" if low > 0 else f"({formats.signed_range((low, high), 1, 1)})"
