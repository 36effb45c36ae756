"""A result of the quality benchmark in Markdown: one table over all sets, before → after, then each set by itself."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from benchmarks.quality_summary import MAIN, METRICS, MOST_BELOW, MOST_STEPS, SETS_TO_WIN, won
from distill.report import formats
from distill.report.table_model import Column, Sheet
from distill.report.tables import markdown

Figures = Mapping[str, Any]
_EMPTY: Figures = {
    "teachers": {},
    "students": [],
    "fits": [],
    "grid": [],
    "grid_best": {},
    "majority": None,
    "controls": {},
    "checks": [],
}


def markdown_overview(document: Figures) -> str:
    """One row for each student of each set: macro F1 of all that it is compared with, before → after."""
    before = {found["name"]: found for found in document["before"]}
    rows = [row for found in document["sets"] for row in _pairs(before.get(found["name"]), found)]
    columns = [
        Column("Data set", lambda row: row["after"]["title"], kind="text"),
        Column("Student", lambda row: row["student"], kind="name"),
        _arrow("Majority", lambda found, _: formats.percent((found["majority"] or {}).get(MAIN))),
        *(_arrow(name, _control(name)) for name in _controls([*document["sets"], *document["before"]])),
        _arrow("Document teacher", lambda found, _: _f1(found["teachers"].get("document"))),
        _arrow("Card teacher", lambda found, _: _f1(found["teachers"].get("card"))),
        _arrow("Best plain fine-tuning", lambda found, _: _f1(found["grid_best"].get("valid", {}).get("test"))),
        _arrow("Student", lambda _, student: _f1(student.get("quality"))),
        _arrow("Best twin", lambda _, student: _f1(student.get("twin", {}).get("quality"))),
        _arrow("Student − twin", lambda _, student: _apart(student.get("over_twin"), MAIN)),
        _arrow("Run", lambda found, _: _ending(found), kind="text"),
    ]
    return f"{_introduction(document)}\n\n{markdown(Sheet('', columns, rows))}"


def markdown_sets(document: Figures) -> str:
    """The main table: one row for each student of each set, as it is now."""
    columns = [
        Column("Data set", lambda row: row["after"]["title"], kind="text"),
        Column("Student", lambda row: row["student"], kind="name"),
        *(_shown(name) for name in _controls(document["sets"])),
        Column("Card teacher", lambda row: _f1(row["after"]["teachers"].get("card"))),
        Column("Plain fine-tuning", lambda row: _f1(row["after"]["grid_best"].get("valid", {}).get("test"))),
        Column("Student's macro F1", lambda row: _f1(row["is"].get("quality"))),
        Column("Student − twin", lambda row: _apart(row["is"].get("over_twin"), MAIN)),
    ]
    return markdown(Sheet("", columns, [row for found in document["sets"] for row in _pairs(None, found)]))


def markdown_short(document: Figures) -> str:
    """The table of the README: one row for each student, between the answers that cost nothing and the teachers."""
    columns = [
        Column("Data set", lambda row: row["after"]["title"], kind="text"),
        Column("Student", lambda row: row["student"], kind="name"),
        Column("Majority", lambda row: formats.percent((row["after"]["majority"] or {}).get(MAIN))),
        *(_shown(name) for name in _controls(document["sets"])),
        Column("Document teacher", lambda row: _f1(row["after"]["teachers"].get("document"))),
        Column("Card teacher", lambda row: _f1(row["after"]["teachers"].get("card"))),
        Column("Student's macro F1", lambda row: _f1(row["is"].get("quality"))),
        Column("Gold labels alone", lambda row: _f1(row["is"].get("twin", {}).get("quality"))),
        Column("Student − that", lambda row: _apart(row["is"].get("over_twin"), MAIN)),
        Column("Run", lambda row: _ending(row["after"]), kind="text"),
    ]
    rows = [row for found in document["sets"] for row in _pairs(None, found)]
    about = (
        f"{document['title']}. Macro F1 on all test rows in percent; differences in points with 95% intervals. Gold "
        "labels alone: the same student without a teacher, the better of two on validation."
    )
    if not all(found["students"] for found in document["sets"]):
        about += " A dash: not measured to the end yet."
    return f"{about}\n\n{markdown(Sheet('', columns, rows))}"


def markdown_quality(document: Figures) -> str:
    """The chapter of a result: the overview, what is asked and met, then every model and plain fine-tuning of a set."""
    versions = [("before", document["before"])] if document["before"] else []
    versions += [("after" if versions else "", document["sets"])]
    named = [(version, found) for version, sets in versions for found in sets]
    parts = [f"# {document['title']}", markdown_overview(document), "## What is asked", _checks(named)]
    for found in document["sets"]:
        own = [(version, other) for version, other in named if other["name"] == found["name"]]
        parts += [f"## {found['title']}", _models(own), *_grid(found)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _introduction(document: Figures) -> str:
    return (
        "Macro F1 on all test rows in percent, student − twin in points with its 95% interval. Plain fine-tuning: the "
        "same encoder on the gold cards (AdamW, 2 rates × 3 lengths, the best on validation). The twin has the "
        "student's start and view and learns from gold labels alone; the better of two on validation. A student is "
        f"above its best twin by an interval on {won(document['sets'])} sets (asked: {SETS_TO_WIN})."
    )


def _pairs(before: Figures | None, after: Figures) -> Iterator[dict[str, Any]]:
    """Rows of the overview: a set's students, each with itself in the earlier result; one row where a run has none."""
    earlier = {student["name"]: student for student in (before or _EMPTY)["students"]}
    students = {student["name"]: student for student in after["students"]}
    for name in list(students or earlier) or [formats.MISSING]:
        both = {"was": earlier.get(name, {}), "is": students.get(name, {})}
        yield {"student": name, "before": before, "after": after, **both}


def _controls(sets: Iterable[Figures]) -> list[str]:
    """The controls that each of the sets with models has, in their order; results of older versions have none."""
    held = [list(found.get("controls", {})) for found in sets if found["students"]]
    return [name for name in (held[0] if held else []) if all(name in names for names in held)]


def _control(name: str) -> Any:
    """The cell of a control: (set, student) -> text."""
    return lambda found, _: _f1(found.get("controls", {}).get(name))


def _shown(name: str) -> Column:
    return Column(name, lambda row: _control(name)(row["after"], None))


def _arrow(name: str, cell: Any, kind: str = "number") -> Column:
    """A column of `before → after`. Args: cell: (set, student) -> text."""

    def both(row: Figures) -> str:
        now = cell(row["after"], row["is"])
        then = cell(row["before"], row["was"]) if row["before"] else formats.MISSING
        return now if then in (formats.MISSING, now) else f"{then} → {now}"

    return Column(name, both, kind=kind)


def _f1(quality: Figures | None) -> str:
    return formats.percent((quality or {}).get(MAIN))


def _apart(differences: Figures | None, metric: str) -> str:
    found = (differences or {}).get(metric)
    return formats.signed_interval(found["difference"], found, 100, 2) if found else formats.MISSING


def _ending(found: Figures) -> str:
    """How the run ended: passed, the gates that failed, or the error that stopped it."""
    if found["failed_gates"]:
        return "failed: " + ", ".join(found["failed_gates"])
    if found["exit"] in (0, None):
        return "passed" if found["exit"] == 0 else formats.MISSING
    return f"stopped: {found['error'] or 'exit ' + str(found['exit'])}"


def _checks(named: Sequence[tuple[str, Figures]]) -> str:
    rows = [(version, found, check) for version, found in named for check in found["checks"]]
    columns = [
        Column("Data set", lambda row: row[1]["name"], kind="name"),
        Column("Asked", lambda row: row[2]["name"], kind="text"),
        Column("At least, at most", lambda row: f"{row[2]['required']:g}".replace("-", "−")),
        Column("Measured", lambda row: f"{row[2]['measured']:.4f}".replace("-", "−")),
        Column("Outcome", lambda row: row[2]["outcome"], kind="text"),
    ]
    sentence = (
        f"Differences of macro F1 as shares (at least −{MOST_BELOW:g}), steps as a multiple of those of the best plain "
        f"fine-tuning on validation (at most {MOST_STEPS:g}). A miss that a failed gate names is no silent one."
    )
    return f"{sentence}\n\n{markdown(Sheet('', _versioned(named, columns), rows))}"


def _models(own: Sequence[tuple[str, Figures]]) -> str:
    """Every model of a set, with its steps."""
    rows = [(version, *row) for version, found in own for row in _model_rows(found)]
    columns = [
        Column("Model", lambda row: row[1], kind="name"),
        *(_figure(metric, lambda row: row[2] or {}) for metric in METRICS),
        Column("Steps", lambda row: formats.integer(row[3].get("steps"))),
        Column("Kept at", lambda row: formats.integer(row[3].get("kept"))),
        Column("÷ the grid's", lambda row: formats.times(row[3].get("ratio"))),
        Column("Ended", lambda row: row[3].get("ended") or formats.MISSING, kind="text"),
        Column("Macro F1 − card teacher", lambda row: _apart(row[4], MAIN)),
    ]
    return markdown(Sheet("", _versioned(own, columns), rows))


def _model_rows(found: Figures) -> Iterator[tuple[str, Figures | None, Figures, Figures]]:
    """Name, quality, fit, and difference to the card teacher."""
    fits = {row["model"]: row for row in found["fits"]}
    yield "majority", found["majority"], {}, {}
    for name, quality in found.get("controls", {}).items():
        yield name, quality, {}, {}
    for view, quality in found["teachers"].items():
        name = f"base@{view}"
        yield name, quality, fits.get(name, {}), {}
    for student in found["students"]:
        yield student["name"], student["quality"], fits.get(student["name"], {}), student["over_card"]
        for twin in (student["twin"], *student["other_twins"]):
            yield twin["name"], twin["quality"], fits.get(twin["name"], {}), {}


def _grid(found: Figures) -> list[str]:
    """The plain fine-tunings of a set, the best marked."""
    if not found["grid"]:
        return []
    names = {"valid": "validation", "test": "test"}
    best = found["grid_best"].items()
    columns = [
        Column("Plain fine-tuning: rate", lambda row: f"{row['rate']:g}"),
        Column("Epochs", lambda row: str(row["epochs"])),
        Column("Steps", lambda row: formats.integer(row["steps"])),
        Column("Macro F1 on validation", lambda row: _f1(row["valid"])),
        *(_figure(metric, lambda row: row["test"]) for metric in METRICS),
        Column("Best on", lambda row: ", ".join(names[part] for part, other in best if other == row), kind="text"),
    ]
    return [markdown(Sheet("", columns, found["grid"]))]


def _figure(metric: str, quality: Any) -> Column:
    name = {"accuracy": "Accuracy", "f1_macro": "Macro F1", "log_loss": "Log loss"}[metric]

    def cell(row: Any) -> str:
        figure = quality(row).get(metric)
        return formats.fixed(figure, 4) if metric == "log_loss" else formats.percent_interval(figure)

    return Column(name, cell)


def _versioned(named: Sequence[tuple[str, Figures]], columns: list[Column]) -> list[Column]:
    """The columns, after one that says before or after where there are both."""
    versions = {version for version, _ in named}
    return [*([Column("Version", lambda row: row[0], kind="text")] if len(versions) > 1 else []), *columns]
