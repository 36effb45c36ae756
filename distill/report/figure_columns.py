"""Columns of a figure: it with its interval, its difference to the named baseline, and which row is best."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from distill.core.files import Json
from distill.evaluation.holm import is_shown
from distill.report import formats
from distill.report.contents import Report, dig, models_of
from distill.report.table_model import Column, ModelRow

DELTA = "Δ"


@dataclass(frozen=True)
class Figures:
    """The quality figures of one table: on all test rows or on one test.

    Attributes: baseline: name of the model that the others are set beside; None: there is none. block: its quality.
    """

    baseline: str | None = None
    block: Json = field(default_factory=dict)

    @classmethod
    def of(cls, report: Report, test: str | None = None) -> Figures:
        """Those of a report. Args: test: name of a test; None: all test rows."""
        name = report.get("baseline")
        model = next((one for one in models_of(report) if one.name == name), None)
        if model is None:
            return cls()
        return cls(model.name, dig(model.quality) if test is None else dig(model.tests, test))

    @property
    def note(self) -> str:
        """How the differences to the baseline read; empty without one."""
        if self.baseline is None:
            return ""
        marks = "*: by its 95% interval, **: also after Holm’s correction over all such differences"
        return f"{DELTA}: difference to {self.baseline}; {marks}."

    def column(
        self,
        name: str,
        path: tuple[str, ...],
        group: str = "",
        alone: str = "",
        spare: int = 0,
        how: Shown | None = None,
    ) -> Column:
        """The column of one figure.

        Args: path: of the figure in a quality block. how: it is shown, by default in percent.
        """
        shown = how or PERCENT

        def cell(row: ModelRow) -> str:
            return self.text(row, path, shown)

        def figure(row: ModelRow) -> float | None:
            value = _value(row.quality, path)
            return None if value is None else round(value * shown.scale, shown.decimals)

        return Column(name, cell, group, alone, spare=spare, figure=figure, lower=shown.lower)

    def text(self, row: ModelRow, path: tuple[str, ...], shown: Shown) -> str:
        """A figure of a model with its interval and its difference to the baseline: `76.16 (74.9–77.4) Δ+2.16*`."""
        text = shown.text(row.quality, path)
        own, base = _value(row.quality, path), _value(self.block, path)
        if own is None or base is None or row.name == self.baseline:
            return text
        apart = dig(row.quality, "over_baseline", *path)
        known = formats.number(apart.get("difference"))
        by = own - base if known is None else known
        return f"{text} {DELTA}{formats.signed(by * shown.scale, shown.decimals)}{_mark(apart)}"


@dataclass(frozen=True)
class Shown:
    """How a figure is written. Attributes: lower: whether less is better. interval: whether its interval is shown."""

    scale: float = 100
    decimals: int = 2
    lower: bool = False
    interval: bool = True

    def text(self, block: Json, path: tuple[str, ...]) -> str:
        """The figure at a path of a quality block, with its interval where it has one and this is in percent."""
        value, pair = dig(block, *path[:-1]).get(path[-1]), dig(block, *path[:-1]).get(f"{path[-1]}_interval")
        if self.scale != 100:
            figure = formats.number(value)
            return formats.MISSING if figure is None else f"{figure * self.scale:.{self.decimals}f}"
        if not self.interval:
            return formats.percent(value, self.decimals)
        return formats.percent_interval(value, pair)


PERCENT, SHARE = Shown(), Shown(interval=False)
LOG_LOSS, PLACES = Shown(1, 4, lower=True), Shown(1, 3, lower=True)
ERROR = Shown(lower=True, interval=False)


def _value(block: Json, path: tuple[str, ...]) -> float | None:
    return formats.number(dig(block, *path[:-1]).get(path[-1]))


def _mark(apart: Json) -> str:
    """One star where the 95% interval of a difference leaves out 0, two where it is shown after the correction too."""
    ends = formats.bounds(apart)
    if ends is None or ends[0] <= 0 <= ends[1]:
        return ""
    return "**" if apart.get("p_holm") is not None and is_shown(apart) else "*"


def best_by(value: Callable[[Any], Any], decimals: int = 2) -> Callable[[Any], float | None]:
    """What a column compares its rows by, where it is no figure of the quality block, as it is shown."""

    def figure(row: Any) -> float | None:
        found = formats.number(value(row))
        return None if found is None else round(found, decimals)

    return figure
