"""Figures of a finished run for experiment trackers: which there are, and what a tracker is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from distill.core.files import Json
from distill.core.progress import note
from distill.core.siblings import sibling
from distill.report import formats
from distill.report.contents import Report, dig, entries, latency_of, models_of

_QUALITY = ("accuracy", "f1_macro", "f1_weighted", "log_loss", "ece")
_LATENCY = ("p50_ms", "p95_ms", "p99_ms", "throughput_per_s", "speedup_vs_teacher", "speedup_vs_best_teacher")
_CURVES = ("log_loss", "accuracy", "f1_macro")


@dataclass(frozen=True)
class Tracked:
    """One figure. Attributes: name: `quality/f1_macro/8L_trunc@card`. step: of training; 0 for what comes once."""

    name: str
    value: float
    step: int = 0


class Tracker(ABC):
    """A place for the figures. Attributes: name: in `report.trackers`."""

    name: ClassVar[str]

    @abstractmethod
    def require(self) -> None:
        """Check that its library is here. Raises: MissingExtra."""

    @abstractmethod
    def write(self, run: Path, figures: Sequence[Tracked], config: Json) -> str:
        """Keep the figures of a run, once however often it is told the same; returns where.

        Args: config: the project of the run, resolved.
        """


def trackers(names: Sequence[str]) -> list[Tracker]:
    """The trackers of these names, ready. Raises: UserError for an unknown name, MissingExtra for a missing library."""
    from distill.report import trackers as package

    found = [sibling(package, Tracker, name, "tracker", "report.trackers")() for name in names]
    for tracker in found:
        tracker.require()
    return found


def track(asked: Sequence[Tracker], run: Path, report: Report, config: Json) -> None:
    """Give the figures of a finished run to its trackers; one that fails is told, for the run itself is whole."""
    figures = list(figures_of(report))
    for tracker in asked if figures else ():
        try:
            note(f"{tracker.name}: {tracker.write(run, figures, config)}")
        except Exception as error:  # a server of someone else, which may fail in any way
            note(f"the figures did not reach {tracker.name}: {error}")


def figures_of(report: Report) -> Iterator[Tracked]:
    """Quality and latency at batch 1 of every model, gates that failed, and validation over the steps of each fit."""
    for model in models_of(report):
        for name in _QUALITY:
            yield from _known(f"quality/{name}/{model.name}", dig(model.quality).get(name))
    for row in (row for row in latency_of(report) if row.single):
        for name in _LATENCY:
            yield from _known(f"latency/{name}/{row.model}", getattr(row, name))
    if gates := entries(report, "gates"):
        yield Tracked("gates/failed", float(sum(gate.get("passed") is False for gate in gates)))
    for fit in entries(report, "training_history"):
        seed = f"/seed {fit['seed']}" if "seed" in fit else ""
        for one in entries(fit, "history"):
            for name in _CURVES:
                yield from _known(f"training/{name}/{fit.get('model')}{seed}", one.get(name), one.get("step"))


def _known(name: str, figure: object, step: object = 0) -> Iterator[Tracked]:
    value = formats.number(figure)
    if value is not None and isinstance(step, int):
        yield Tracked(name, value, step)
