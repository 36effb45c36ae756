"""The five questions of whoever decides: what is lost, where, is it noise, what is gained, what is left to decide.

Every answer is made of figures of the report, with their intervals, and names the sections that hold its evidence.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from distill.core.files import Json
from distill.evaluation.direction import gain, unit
from distill.evaluation.entries import Comparison, LatencyRow
from distill.evaluation.holm import is_shown
from distill.report import formats, verdict
from distill.report.choices_left import choices_left
from distill.report.contents import Report, comparisons_of, dig, metric_figure, positive_label, timed_teacher
from distill.report.money import per_million
from distill.report.names import metric_name, teacher_of
from distill.report.table_model import ModelRow, model_rows

NOT_MEASURED = "Not measured."


@dataclass(frozen=True)
class Answer:
    """One answer.

    Attributes: sentences: none where nothing was measured. evidence: names of sections of the page. choices: whether
        each sentence is one of several choices.
    """

    question: str
    sentences: tuple[str, ...]
    evidence: tuple[str, ...]
    choices: bool = False

    @property
    def text(self) -> str:
        """The sentences as one paragraph."""
        return " ".join(self.sentences) or NOT_MEASURED


def answers(report: Report) -> list[Answer]:
    """The five answers; none before a model was measured."""
    row = verdict.headline_model(report)
    if row is None:
        return []
    case = _Case(report, row)
    asked = {
        "What do we lose?": (_lost(case), ("quality", "gap", "comparisons")),
        "Where?": (_where(case), ("classes", "slices", "disagreements")),
        "Is it noise?": (_noise(case), ("comparisons", "twins", "seeds")),
        "What do we gain?": (_gained(case), ("latency", "trade-off")),
    }
    found = [Answer(question, tuple(told), evidence) for question, (told, evidence) in asked.items()]
    left = tuple(choices_left(report, row))
    return [*found, Answer("What is to be decided?", left, ("gates", "points", "fall-through"), choices=True)]


@dataclass(frozen=True)
class _Case:
    """A report and the model that it is about."""

    report: Report
    row: ModelRow

    @property
    def metric(self) -> str:
        """What models are compared by."""
        return str(self.report.get("metric") or "f1_macro")

    def teacher(self, view: str) -> ModelRow | None:
        """The teacher of a view; None where there is none, or it is the model itself."""
        name = teacher_of(view, self.report)
        found = (row for row in model_rows(self.report) if row.name == name and row.name != self.row.name)
        return next(found, None)

    def timed(self) -> ModelRow | None:
        """The teacher that speed-ups are over; None where none was timed, or it is the model itself."""
        first = timed_teacher(self.report)
        own = (row for row in model_rows(self.report) if first and row.name == first.model != self.row.name)
        return next(own, None)

    def apart(self, a: str, b: str) -> Comparison | None:
        """The paired difference a − b in the metric, however the report has it."""
        for one in comparisons_of(self.report):
            if one.metric == self.metric and (one.a, one.b) == (a, b):
                return one
            if one.metric == self.metric and (one.a, one.b) == (b, a):
                return Comparison.from_json({**one.as_json(), **_turned(one)})
        return None

    def told(self, apart: Comparison) -> str:
        """A difference with its interval: `−25.00 (−27.4…−22.6) points`."""
        scale, decimals, counted = unit(self.metric)
        return f"{formats.signed_interval(apart.difference, apart.interval, scale, decimals + 1)} {counted}"


def _turned(one: Comparison) -> Json:
    """The same difference the other way round."""
    ends = {"difference": one.difference, "low": one.high, "high": one.low}
    return {name: None if value is None else -value for name, value in ends.items()}


def _lost(case: _Case) -> Iterator[str]:
    """The figure beside the teacher's, and which part of the gap is the view's and which the model's."""
    row, teacher, card = case.row, case.teacher("document"), case.teacher("card")
    name = metric_name(case.metric, positive_label(case.report))
    own = formats.metric_interval(case.metric, metric_figure(case.report, row.quality), decimals=1)
    if teacher is None:
        yield f"{row.name} has {name} {own}; no document teacher was measured to hold it against."
        return
    its = formats.metric_interval(case.metric, metric_figure(case.report, teacher.quality), decimals=1)
    apart = case.apart(row.model.student, teacher.name)
    paired = f": {case.told(apart)} for {row.model.student}, on the same rows" if apart else ""
    yield f"{row.name} has {name} {own} where {teacher.name} has {its}{paired}."
    if card is None:
        return
    view, depth = case.apart(card.name, teacher.name), case.apart(row.model.student, card.name)
    if view and depth:
        parts = f"{case.told(view)}, the smaller model for {case.told(depth)}"
        yield f"Reading {row.model.view}s alone accounts for {parts}."


def _where(case: _Case) -> Iterator[str]:
    """The class and the slice that lose most against the document teacher."""
    teacher = case.teacher("document")
    if teacher is None:
        return
    own, its = (dig(row.quality, "per_class") for row in (case.row, teacher))
    absent = dig(case.row.quality).get("absent") or []
    own = {label: figures for label, figures in own.items() if label not in absent}
    yield from _most_lost("class", "F1", "f1", own, its)
    own, its = (dig(row.quality, "slices") for row in (case.row, teacher))
    yield from _most_lost("slice", "accuracy", "accuracy", own, its)


def _most_lost(what: str, name: str, figure: str, own: Json, its: Json) -> Iterator[str]:
    """The part that loses most, and the one that loses least, where there are several; of gains the other way round."""
    lost = {}
    for part in own:
        value, other = (formats.number(dig(block, part).get(figure)) for block in (own, its))
        if value is not None and other is not None:
            lost[part] = 100 * (value - other)
    if len(lost) < 2:
        return
    worst, best = min(lost, key=lost.__getitem__), max(lost, key=lost.__getitem__)
    if round(lost[worst], 1) == round(lost[best], 1):
        yield f"Every {what} alike: {name} {formats.signed(lost[worst], 1)} points."
        return
    rows = formats.number(dig(own, worst).get("rows"))
    size = f" ({formats.integer(rows)} rows)" if rows else ""
    now, was = (_with_interval(dig(block, worst), figure) for block in (own, its))
    ends = ("loses most", "least") if lost[worst] < 0 else ("gains least", "most")
    yield (
        f"The {what} “{worst or 'no slice'}”{size} {ends[0]}: {name} {now} instead of {was}, "
        f"{formats.signed(lost[worst], 1)} points; {ends[1]} “{best or 'no slice'}”, {formats.signed(lost[best], 1)}."
    )


def _with_interval(block: Json, figure: str) -> str:
    return formats.percent_interval(block.get(figure), block.get(f"{figure}_interval"), decimals=1)


def _noise(case: _Case) -> Iterator[str]:
    """Whether the loss, and what distilling brought, are shown, and over how many seeds."""
    teacher, student = case.teacher("document"), case.row.model.student
    apart = case.apart(student, teacher.name) if teacher else None
    if teacher and apart and apart.difference is not None:
        corrected = "p" if apart.p_holm is None else "p after Holm’s correction"
        p = formats.p_value(apart.p_value if apart.p_holm is None else apart.p_holm)
        answer = f"The difference to {teacher.name} is not noise" if apart.shown else "It may be noise"
        yield f"{answer}: {case.told(apart)}, {corrected} {p}."
    yield from _over_gold(dig(case.row.model.over_gold))
    seeds = case.report.get("seeds") or []
    yield (
        f"Means of {len(seeds)} training seeds."
        if len(seeds) > 1
        else "One training seed: another one may be outside these intervals."
    )


def _over_gold(found: Json) -> Iterator[str]:
    apart = gain(found)
    if formats.number(apart.get("difference")) is None:
        return
    scale, decimals, counted = unit(found.get("metric"))
    figure = formats.signed_interval(apart["difference"], apart, scale, decimals + 1)
    up = formats.number(apart["difference"]) or 0.0
    shown = ("shown" if up > 0 else "shown to be a loss") if is_shown(apart) else "not shown after correction"
    yield f"What distilling brought over gold labels alone is {shown}: {figure} {counted}."


def _gained(case: _Case) -> Iterator[str]:
    """Milliseconds, the speed-up, and money where the report has a price."""
    row, timed = case.row, case.timed()
    p50 = formats.number(row.latency.p50_ms)
    if p50 is None:
        return
    latency, slow = row.latency, timed.latency if timed else LatencyRow()
    told = [
        f"{name} {formats.three_digits(own)} ms" + (f" instead of {formats.three_digits(its)}" if its else "")
        for name, own, its in (("p50", p50, slow.p50_ms), ("p99", latency.p99_ms, slow.p99_ms))
        if formats.number(own) is not None
    ]
    threads = f", {latency.threads} threads" if latency.threads else ""
    speed = formats.times_interval(latency.speedup_vs_teacher, [latency.speedup_low, latency.speedup_high])
    over = f": {speed} the speed of {timed.name} in PyTorch" if timed and speed != formats.MISSING else ""
    best = formats.times(latency.speedup_vs_best_teacher)
    fastest = f", {best} that of the fastest teacher’s file" if over and best != formats.MISSING else ""
    yield f"A record takes {', '.join(told)} at batch 1{threads}{over}{fastest}."
    yield from _money(case, timed)


def _money(case: _Case, timed: ModelRow | None) -> Iterator[str]:
    price = formats.number(case.report.get("price_per_hour"))
    own = per_million(price, case.row.latency)
    if own is None:
        return
    its = None if timed is None else per_million(price, timed.latency)
    instead = f" instead of {formats.three_digits(its)}" if its is not None else ""
    cost = f"{formats.three_digits(own)}{instead}"
    yield f"At {formats.plain(price)} an hour, a million records cost {cost}, in full batches."
