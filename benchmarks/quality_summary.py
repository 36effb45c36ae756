"""What came of one data set: the models of a run's report, the grid next to them, and what is met of what is asked."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.datasets import data_set
from distill.core.files import read_json
from distill.core.sealed import read_sealed

Figures = dict[str, Any]
METRICS = ("accuracy", "f1_macro", "log_loss")
MAIN = "f1_macro"
TEACHER = "base"
MOST_BELOW, MOST_STEPS, SETS_TO_WIN = 0.01, 2.5, 3
_LEAST_CHANCE = 1e-6


def outcome_file(run: Path) -> Path:
    """Where exit code and last lines of a run are stored."""
    return run.with_name(f"{run.name}.outcome.json")


def summarise(dataset: str, run: Path, grid: Sequence[Figures] = ()) -> Figures:
    """One of the `sets` of a result. Args: grid: the plain fine-tunings, see `plain_rows`."""
    report = read_sealed(run / "report.json") if (run / "report.json").exists() else {}
    outcome = _optional(outcome_file(run)) or {"exit": None, "end": []}
    best = best_rows(grid)
    models = {model["name"]: model for model in report.get("models", [])}
    found = {
        "name": dataset,
        "title": data_set(dataset).title,
        "rows": report.get("task", {}).get("rows", {}),
        "exit": outcome["exit"],
        "error": error_of(outcome["end"]),
        "failed_gates": [gate["name"] for gate in report.get("gates", []) if not gate["passed"]],
        "majority": majority(report.get("audit", {})),
        "controls": {name: _quality(model) for name, model in models.items() if _is_control(model)},
        "teachers": {view: _quality(models.get(f"{TEACHER}@{view}")) for view in ("document", "card")},
        "students": [_student(model, report, models) for model in models.values() if model["role"] == "student"],
        "fits": _fits(report, run, best),
        "grid": list(grid),
        "grid_best": best,
        "choice": report.get("choice"),
    }
    return {**found, "checks": checks(found)}


def _is_control(model: Mapping[str, Any]) -> bool:
    """Whether it is one besides the majority answer, which the audit tells of runs that were never evaluated too."""
    return bool(model.get("control")) and model["name"] != "majority"


def error_of(lines: Sequence[str]) -> str | None:
    """The sentence that a run ended with, without the lines below it, which hold paths."""
    found = [line.removeprefix("error: ") for line in lines if line.startswith("error: ")]
    return found[-1] if found else None


def plain_rows(grid: Path) -> list[Figures]:
    """The plain fine-tunings in a folder that are finished, by rate and epochs."""
    found = [read_json(path) for path in sorted(grid.glob("*.json"))]
    rows = [{**row["made_from"]["recipe"], **row} for row in found]
    kept = ("rate", "epochs", "seed", "steps", "seconds", "device", "precision", "valid", "test")
    return sorted(({key: row[key] for key in kept} for row in rows), key=lambda row: (row["rate"], row["epochs"]))


def best_rows(rows: Sequence[Figures]) -> dict[str, Figures]:
    """The grid's best by macro F1 on validation, and by macro F1 on test, which is the stricter bound."""
    return {part: max(rows, key=lambda row: row[part][MAIN]) for part in ("valid", "test") if rows}


def majority(audit: Mapping[str, Any]) -> Figures | None:
    """Accuracy and macro F1 of the largest training class as every answer, log loss of the class shares; on all tests.

    None where nothing is audited.
    """
    classes = audit.get("balance", {}).get("classes")
    if not classes:
        return None
    train = classes["train"]
    tests = [counts for split, counts in classes.items() if split.startswith("test")]
    gold = {label: sum(counts[label] for counts in tests) for label in train}
    largest, rows, total = max(train, key=lambda label: train[label]), sum(gold.values()), sum(train.values())
    priors = {label: max(count / total, _LEAST_CHANCE) for label, count in train.items()}
    values = {
        "accuracy": gold[largest] / rows,
        "f1_macro": 2 * gold[largest] / (rows + gold[largest]) / len(gold),
        "log_loss": -sum(count * math.log(priors[label]) for label, count in gold.items()) / rows,
    }
    return {metric: {"value": value} for metric, value in values.items()}


def _quality(model: Mapping[str, Any] | None) -> Figures | None:
    return {metric: model["quality"][metric] for metric in METRICS} if model else None


def _student(model: Mapping[str, Any], report: Mapping[str, Any], models: Mapping[str, Any]) -> Figures:
    name = model["name"]
    # Reports without `twins` have one twin for each student.
    pair = report.get("twins", {}).get(name) or {"best": f"{_bare(name)}-gold@{model['view']}", "other": []}
    best, *others = ({"name": twin, "quality": _quality(models.get(twin))} for twin in (pair["best"], *pair["other"]))
    return {
        "name": name,
        "quality": _quality(model),
        "twin": best,
        "other_twins": others,
        "over_twin": _apart(report, name, best["name"]) | _over_gold(report, model),
        "over_card": _apart(report, name, f"{TEACHER}@card"),
    }


def _over_gold(report: Mapping[str, Any], model: Mapping[str, Any]) -> Figures:
    """The report's own figure of its main metric, where it has one."""
    found = model.get("over_gold")
    return {report.get("metric", MAIN): {key: found[key] for key in ("difference", "low", "high")}} if found else {}


def _apart(report: Mapping[str, Any], a: str, b: str) -> Figures:
    """The difference a − b with its interval, by metric, as far as the report compares them."""
    found = {}
    for row in report.get("comparisons", []):
        if row["metric"] in METRICS and (row["a"], row["b"]) == (a, b):
            found[row["metric"]] = {key: row[key] for key in ("difference", "low", "high")}
    return found


def _fits(report: Mapping[str, Any], run: Path, best: Mapping[str, Figures]) -> list[Figures]:
    """Steps of every fit, why it ended, and its steps as a multiple of those of the grid's best on validation."""
    told = {row["model"]: row for row in report.get("training_history", [])}
    rows = [
        {"model": name, "steps": row["steps"], "kept": row["step"], "ended": row["ended"]} for name, row in told.items()
    ] or _old_fits(run)
    steps = best["valid"]["steps"] if best else None
    return [{**row, "ratio": row["steps"] / steps if steps else None} for row in rows]


def _old_fits(run: Path) -> list[Figures]:
    """Steps by the model folders, for reports that do not list them: the last step of the history."""
    found = []
    for path in sorted([*run.glob("teachers/*/quality.json"), *run.glob("students/*/quality.json")]):
        history = read_json(path)["history"]
        if history:
            name = path.parent.name
            view = "document" if path.parent.parent.name == "teachers" else "card"
            model = name if "@" in name else f"{name}@{view}"
            found.append({"model": model, "steps": history[-1]["step"], "kept": read_json(path)["step"], "ended": None})
    return found


def checks(found: Mapping[str, Any]) -> list[Figures]:
    """What is asked of a set, what was measured, and whether it is met, missed, or missed with a gate that names it."""
    rows = []
    card = found["teachers"]["card"]
    for part, best in found["grid_best"].items():
        if card:
            gap = card[MAIN]["value"] - best["test"][MAIN]
            rows.append(_check(f"card teacher − best of the grid ({part})", -MOST_BELOW, gap, gap >= -MOST_BELOW))
    for student in found["students"]:
        apart = student["over_twin"].get(MAIN)
        if apart:
            met = apart["difference"] >= -MOST_BELOW
            named = any("gold" in gate and _bare(student["name"]) in gate for gate in found["failed_gates"])
            rows.append(_check(f"{student['name']} − best twin", -MOST_BELOW, apart["difference"], met, named))
    steps = [row for row in found["fits"] if row["ratio"] is not None]
    if steps:
        most = max(steps, key=lambda row: row["ratio"])
        name = f"most steps ÷ the grid's best ({most['model']})"
        rows.append(_check(name, MOST_STEPS, most["ratio"], most["ratio"] <= MOST_STEPS))
    return rows


def unmet(sets: Iterable[Mapping[str, Any]]) -> list[str]:
    """One line for each thing asked that is not met."""
    return [
        f"{found['name']}: {row['name']}: asked {row['required']}, measured {row['measured']:.4f} ({row['outcome']})"
        for found in sets
        for row in found["checks"]
        if row["outcome"] != "met"
    ]


def won(sets: Iterable[Mapping[str, Any]]) -> str:
    """`4 of 5`: sets on which a student is above its best twin by an interval, of those with a student's figures."""
    measured = [found["students"] for found in sets if found["students"]]
    return f"{sum(any(_low(student) > 0 for student in students) for students in measured)} of {len(measured)}"


def _low(student: Mapping[str, Any]) -> float:
    apart = student["over_twin"].get(MAIN)
    return -math.inf if apart is None or apart["low"] is None else float(apart["low"])


def ratios(sets: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, float]]:
    """By set: card teacher ÷ best of the grid and student ÷ best twin in macro F1, and the most steps ÷ the grid's."""
    return {found["name"]: _ratios(found) for found in sets}


def _ratios(found: Mapping[str, Any]) -> dict[str, float]:
    rows = {}
    if found["grid_best"] and found["teachers"]["card"]:
        best = found["grid_best"]["valid"]["test"][MAIN]
        rows["card_teacher_to_grid"] = found["teachers"]["card"][MAIN]["value"] / best
        rows["steps_to_grid"] = max((row["ratio"] for row in found["fits"]), default=0.0)
    for student in found["students"]:
        if student["twin"]["quality"]:
            twin = student["twin"]["quality"][MAIN]["value"]
            rows[f"{student['name']}_to_twin"] = student["quality"][MAIN]["value"] / twin
    return {name: round(value, 4) for name, value in rows.items()}


def _check(name: str, required: float, measured: float, met: bool, named: bool = False) -> Figures:
    outcome = "met" if met else "named by a gate" if named else "missed"
    return {"name": name, "required": required, "measured": measured, "outcome": outcome}


def _bare(name: str) -> str:
    return name.partition("@")[0]


def _optional(path: Path) -> Any:
    return read_json(path) if path.is_file() else None
