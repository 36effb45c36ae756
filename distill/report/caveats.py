"""What a reader of the figures has to know: classes without rows, bounds that were met, one seed only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from distill.core.files import Json
from distill.core.halves import FEWEST_CLUSTERS
from distill.evaluation.entries import Gate, ModelFigures
from distill.evaluation.gates import RETENTION
from distill.evaluation.majority import MAJORITY
from distill.report import formats
from distill.report.contents import (
    Report,
    dig,
    entries,
    gates_of,
    label_names,
    models_of,
    parity_of,
    positive_label,
    tests_of,
)
from distill.report.order_table import order_warnings
from distill.report.table_model import ModelRow

_SHOWN = 8


def caveats(report: Report, row: ModelRow) -> Iterator[str]:
    """The sentences, for the first ones of a report. Args: row: the model that the first sentence is about."""
    yield from absent_classes(report, row.quality)
    yield from _without_validation(report)
    yield from order_warnings(report)
    yield from shared_rows(report)
    yield from _without_retention(report)
    yield from bounded_temperatures(report)
    yield from _remarks(report)
    yield from _judged_where_chosen(report)
    yield from _taken_in_place(report)
    yield from _unreached_points(report, row)


def absent_classes(report: Report, quality: Json, where: str = "") -> list[str]:
    """That some classes have no row, and what macro F1 can reach at most; nothing where every class has rows.

    Args: quality: a block with `absent`. where: which rows; all test rows, and each test that lacks more, by default.
    """
    if where:
        return [_absent(report, quality, where)] if quality.get("absent") else []
    row = next((model for model in models_of(report) if dig(model.quality)), ModelFigures())
    tests = {test: dig(row.tests, test) for test in tests_of(report)}
    found = absent_classes(report, quality, "test row") if quality.get("absent") else []
    for test, block in tests.items():
        if block.get("absent") != quality.get("absent"):
            found += absent_classes(report, block, f"row of test “{test}”")
    return found


def _absent(report: Report, quality: Json, where: str) -> str:
    absent, every = quality["absent"], len(label_names(report))
    most = formats.percent((every - len(absent)) / every, 1)
    return f"No {where} has the label {listed(absent)}: it counts as 0 in macro F1, which is at most {most}% there."


def shared_rows(report: Report) -> Iterator[str]:
    """Rows that were left out for their card, and keys of validation that training knows."""
    lost = dig(report, "audit", "card_overlaps")
    if lost:
        named = ", ".join(f"{dig(one).get('rows')} of {source}" for source, one in lost.items())
        half = [source for source, one in lost.items() if (formats.number(dig(one).get("share")) or 0.0) > 1 / 2]
        more = f" That is over half of {listed(half)}; data.on_card_leak: keep keeps them." if half else ""
        yield f"Left out, as they read on cards as rows of validation or of a test: {named} rows.{more}"
    keys = {str(leak.get("kind")): leak for leak in entries(dig(report, "audit"), "leaks") if _of_valid(leak)}
    shares = [
        f"{kind.removeprefix('key:')} in {formats.percent(leak.get('share'), 0)}% of its rows"
        for kind, leak in keys.items()
        if kind.startswith("key:")
    ]
    if shares:
        what = "what is chosen on it may favour models that know them (data.on_valid_key: drop)"
        yield f"Validation shares keys with training: {', '.join(shares)}; {what}."


def _of_valid(leak: Json) -> bool:
    return leak.get("between") == ["valid", "train"]


def _without_validation(report: Report) -> Iterator[str]:
    """That nothing was chosen, and which gates had nothing to ask, for want of validation rows."""
    if (gates := report.get("unasked_gates")) is not None:
        unasked = f": the gates {' and '.join(gates)} were not asked" if gates else ""
        yield f"There were no validation rows, so nothing was chosen on any{unasked}."


def _without_retention(report: Report) -> Iterator[str]:
    """That students were not asked what they keep of a teacher on cards, for want of one."""
    students = [model for model in models_of(report) if model.judged and "card" not in (model.retention or {"card"})]
    off = {*(report.get("gates_off") or []), *(report.get("controls_off") or [])}
    asked = any(gate.metric == RETENTION for gate in gates_of(report))
    if students and not asked and not off & {"retention_card", "card_teacher"}:
        yield "What is kept of a teacher on cards was not measured: none was trained."


def bounded_temperatures(report: Report) -> list[str]:
    """The models whose temperature is the least or the greatest that is looked for."""
    named = [
        f"{model.name} ({formats.plain(model.temperature)})"
        for model in models_of(report)
        if model.at_bound and model.name != MAJORITY
    ]
    what = "their probabilities, log loss and ECE are not those of a calibrated model"
    return [f"Temperature at its bound: {listed(named)}; {what}."] if named else []


def _remarks(report: Report) -> Iterator[str]:
    """What the fits say of themselves: that something which was asked for could not be had here."""
    said: dict[str, list[str]] = {}
    for one in entries(report, "training_history"):
        for remark in one.get("remarks") or []:
            said.setdefault(str(remark), []).append(str(one.get("model")))
    for remark, models in said.items():
        yield f"{remark[:1].upper()}{remark[1:]}: {listed(list(dict.fromkeys(models)))}."


def _judged_where_chosen(report: Report) -> Iterator[str]:
    """The files that are judged on the rows that they were chosen on, for want of more."""
    found = [check for check in parity_of(report) if dig(check.chosen_on).get("apart") is False]
    if found:
        named = ", ".join(f"{check.file} ({formats.integer(check.rows)})" for check in found)
        few = f"validation has under {2 * FEWEST_CLUSTERS} clusters, too few to halve"
        yield f"Chosen and judged on the same validation rows: {named}; {few}."


def _taken_in_place(report: Report) -> Iterator[str]:
    """The files that are taken where another target's has failed its gates, with the figures."""
    for check in parity_of(report):
        for one in check.in_place_of or ():
            gates = [Gate.from_json(gate) for gate in one["failed"]]
            why = "; ".join(
                f"{gate.metric} {formats.plain(gate.measured)}, at most {formats.plain(gate.required)}"
                + (f" ({gate.why})" if gate.why else "")
                for gate in gates
            )
            yield f"{check.file} is taken in place of {one['target']}, which failed on validation: {why}."


def _unreached_points(report: Report, row: ModelRow) -> Iterator[str]:
    """The operating points that the model to take did not reach on validation."""
    missed = [name for name, point in row.points.items() if point is None]
    if missed:
        which = "any operating point" if len(missed) == len(row.points) else listed(missed)
        yield f"{row.name} did not reach {which} of “{positive_label(report)}” on validation: there is no threshold."


def listed(names: Sequence[Any], shown: int = _SHOWN) -> str:
    """Names in one line; of many the first ones and how many more there are."""
    texts = [str(name) for name in names[:shown]]
    return ", ".join(texts) if len(names) <= shown else f"{', '.join(texts)} and {len(names) - shown} more"
