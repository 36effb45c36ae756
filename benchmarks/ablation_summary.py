"""What came of one run of the ablation: its student's figures, the differences to the base run's, and hours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.quality_summary import METRICS, error_of, outcome_file
from distill.core.errors import UserError
from distill.core.files import Json, read_json
from distill.core.sealed import read_sealed
from distill.evaluation.across_runs import compare_runs

__all__ = ["Cell", "base_of", "cell_of", "kept_cells", "left_out", "outcome_file"]
DONE, FAILED, LEFT_OUT = "done", "failed", "left out"


class Cell(NamedTuple):
    """One ingredient on one data set. Attributes: sets: its overrides, filled in."""

    name: str
    words: str
    sets: Sequence[str]

    def as_json(self) -> Json:
        """What the result says of it whatever became of it."""
        return {"ingredient": self.name, "words": self.words, "sets": list(self.sets)}


def base_of(run: Path, students: Sequence[str]) -> Json:
    """The base run: `status`, `error`, `hours`, and of each student its model's name, quality and steps."""
    return _ended(run, students)


def cell_of(cell: Cell, run: Path, base_run: Path, base: Json) -> Json:
    """An ingredient's run: as the base, and of each student the differences to the base run's by metric."""
    found = _ended(run, list(base["students"]))
    if found["status"] == DONE:
        try:
            for student in found["students"].values():
                student["difference"] = differences(run, student["model"], base_run)
        except UserError as error:
            found |= {"status": FAILED, "error": error.brief, "students": {}}
    return {**cell.as_json(), **found}


def left_out(cell: Cell, missing: Sequence[str]) -> Json:
    """An ingredient that the project has no use for."""
    return {**cell.as_json(), "status": LEFT_OUT, "error": f"needs {', '.join(missing)}", "hours": 0.0, "students": {}}


def kept_cells(earlier: Mapping[str, Any] | None, found: Json) -> list[Json]:
    """The cells found, in the place of those that an earlier result has on an equal base; its others stay."""
    now = {cell["ingredient"]: cell for cell in found["cells"]}
    if earlier is None or earlier["base"]["students"] != found["base"]["students"]:
        return list(now.values())
    return list(({cell["ingredient"]: cell for cell in earlier["cells"]} | now).values())


def _ended(run: Path, students: Sequence[str]) -> Json:
    """How a run ended and what its students came to; a run without figures of all of them has failed."""
    outcome = read_json(outcome_file(run)) if outcome_file(run).is_file() else {"exit": None, "end": []}
    report = read_sealed(run / "report.json") if (run / "report.json").is_file() else {}
    models = {str(model["name"]).partition("@")[0]: model for model in report.get("models", [])}
    known = [name for name in students if name in models and models[name]["role"] == "student"]
    ended = outcome["exit"] in (0, 3) and known == list(students)
    hours = sum(stage["seconds"] for stage in report.get("stages", [])) / 3600
    return {
        "status": DONE if ended else FAILED,
        "error": None if ended else error_of(outcome["end"]) or "not run to its end",
        "hours": round(hours, 4),
        "students": {name: _student(models[name], run) for name in known} if ended else {},
    }


def _student(model: Mapping[str, Any], run: Path) -> Json:
    quality = {metric: model["quality"][metric] for metric in METRICS}
    return {"model": model["name"], "quality": quality, "steps": _steps(run, model["name"])}


def _steps(run: Path, model: str) -> int:
    """Optimiser steps of its fit; of several seeds the most."""
    reports = [read_sealed(path) for path in sorted([*run.glob("report.json"), *run.glob("seed-*/report.json")])]
    rows = [row for report in reports for row in report.get("training_history", [])]
    return max(row["steps"] for row in rows if row["model"] == model)


def differences(run: Path, model: str, base: Path) -> Json:
    """By metric, what a model of a run has over the base run's. Raises: UserError for other test rows or seeds."""
    found = compare_runs(base, run, [model])
    sides = [(side["test_rows"], side["seeds"]) for side in (found["old"], found["new"])]
    if sides[0] != sides[1] or found["rows"]["shared"] != sides[0][0]:
        told = " and ".join(f"{rows} test rows, seeds {seeds or 'one'}" for rows, seeds in sides)
        what = "the run has other test rows or seeds than the base run"
        raise UserError(what, where=str(run), found=f"{told}, {found['rows']['shared']} rows in both")
    kept = ("difference", "low", "high", "p_value")
    return {row["metric"]: {key: row[key] for key in kept} for row in found["comparisons"] if row["metric"] in METRICS}
