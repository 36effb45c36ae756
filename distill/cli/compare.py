"""The paired difference of any two models of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from distill.core.errors import UserError, unknown_name
from distill.core.files import read_json
from distill.core.project import Quality, Task
from distill.report.evaluation import compare_models


def compare(run: Path, a: str, b: str) -> list[dict[str, Any]]:
    """Comparisons a − b of accuracy, macro F1, log loss and the positive class's F1 over all test rows.

    Raises: UserError for a folder that is no run, and for a model that it does not have.
    """
    if not (run / "run.json").exists():
        raise UserError("no run here", where=str(run), do="give the folder of a run, for example runs/demo")
    predictions = run / "predictions"
    known = sorted(path.name for path in predictions.glob("*") if (path / "manifest.json").exists())
    for name in (a, b):
        if name not in known:
            raise unknown_name("model", name, known, str(predictions))
    config = read_json(run / "run.json")["config"]
    tests = sorted(path.stem for path in (predictions / a).glob("test.*.parquet"))
    space = Task.model_validate(config["task"]).space
    return compare_models(a, b, tests, predictions, space, Quality.model_validate(config["quality"]), config["seed"])
