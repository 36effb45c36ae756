"""Reports of two versions of `distill`, and plain fine-tunings next to them."""

from __future__ import annotations

from pathlib import Path

from distill.core.files import write_json
from distill.core.sealed import write_sealed

LABELS = ["business", "sport"]
TWIN, OTHER = "3L-gold@card", "3L-gold-steps@card"


def figure(value, spread=0.02):
    return {"value": value, "low": value - spread, "high": value + spread}


def model(name, role, f1, **more):
    quality = {"accuracy": figure(f1 + 0.01), "f1_macro": figure(f1), "log_loss": figure(1 - f1)}
    return {"name": name, "role": role, "view": name.partition("@")[2], "quality": quality, **more}


def apart(a, b, difference, spread=0.005):
    ends = {"low": difference - spread, "high": difference + spread, "p_value": 0.01}
    return {"a": a, "b": b, "metric": "f1_macro", "difference": difference, **ends}


def old_report(student=0.55, twin=0.72):
    """One twin, found by its name; steps are in the model folders only."""
    models = [
        model("base@document", "teacher", 0.56),
        model("base@card", "teacher", 0.55),
        model("3L@card", "student", student),
        model(TWIN, "baseline", twin),
    ]
    classes = {"train": {"business": 60, "sport": 40}, "valid": {"business": 5, "sport": 5}}
    return {
        "task": {"labels": LABELS, "rows": {"train": 100, "valid": 10, "test.a": 30, "test.b": 10}},
        "models": models,
        "comparisons": [apart("3L@card", TWIN, student - twin), apart("3L@card", "base@card", student - 0.55)],
        "gates": [{"name": "retention.card 3L@card", "required": 0.95, "measured": 1.0, "passed": True}],
        "audit": {
            "balance": {
                "classes": {**classes, "test.a": {"business": 10, "sport": 20}, "test.b": {"business": 5, "sport": 5}}
            }
        },
    }


def new_report(student=0.75, over=0.02, passed=True):
    """Two twins, the better one named; steps and reasons in the report."""
    found = old_report(student, student - 0.05)
    found["models"][0], found["models"][1] = model("base@document", "teacher", 0.8), model("base@card", "teacher", 0.78)
    ends = {"twin": OTHER, "difference": over, "low": over - 0.01, "high": over + 0.01}
    found["models"][2] = model("3L@card", "student", student, over_gold=ends)
    found["models"].append(model(OTHER, "baseline", student - over))
    fit = {"step": 80, "ended": "converged", "reason": "no better for 5 evaluations", "epochs": 9}
    return {
        **found,
        "metric": "f1_macro",
        "twins": {"3L@card": {"best": OTHER, "other": [TWIN]}},
        "training_history": [{"model": "base@card", "steps": 100, **fit}, {"model": "3L@card", "steps": 240, **fit}],
        "gates": [{"name": "over_gold 3L@card", "required": -0.01, "measured": over - 0.01, "passed": passed}],
        "choice": {"labels": "document"},
    }


def write_run(folder: Path, name: str, report=None, exit_code=0, end=()) -> Path:
    """A run folder as `benchmarks.quality` finds it."""
    run = folder / "runs" / name
    run.mkdir(parents=True)
    if report is not None:
        write_sealed(run / "report.json", report)
    write_json(run.with_name(f"{name}.outcome.json"), {"exit": exit_code, "end": list(end)})
    return run


def write_steps(run: Path, artifact: str, steps: int) -> None:
    """The history of a fit as the model folders of the earlier version have it."""
    history = [{"step": steps // 2}, {"step": steps}]
    write_json(run / artifact / "quality.json", {"step": steps // 2, "history": history})


def write_plain(grid: Path, rate: float, epochs: int, valid: float, test: float) -> None:
    """A finished plain fine-tuning of ten steps an epoch."""
    recipe = {"rate": rate, "epochs": epochs, "seed": 1, "max_steps": None}
    figures = {
        part: {"accuracy": f1 + 0.01, "f1_macro": f1, "log_loss": 1 - f1, "log_loss_raw": 1.1 - f1}
        for part, f1 in (("valid", valid), ("test", test))
    }
    how = {"rows": 100, "steps": 10 * epochs, "seconds": 1.0, "device": "cpu", "precision": "fp32", "temperature": 1.1}
    write_json(grid / f"rate{rate:g}-epochs{epochs}.json", {"made_from": {"recipe": recipe}, **how, **figures})
