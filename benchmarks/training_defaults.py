"""How the defaults of training were chosen: one recipe fitted on the gold cards of a run, judged on validation.

`python -m benchmarks.training_defaults RUN ENCODER --set learning_rate=5e-5 --set head_rate=10 --out FILE` fits the
preset `base` on cards with these settings of `training`, and writes figures, steps and why it ended. Several such files
make the table: `python -m benchmarks.training_defaults --table FOLDER --name NAME`. A FILE that is there is kept.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from distill.core.config import merge, overrides, parse
from distill.core.errors import DistillError, UserError
from distill.core.files import read_json, write_json
from distill.core.model_folder import HISTORY_FILE
from distill.core.objectives.objective import Objective
from distill.core.predictions import Predictions, read_predictions
from distill.core.presets import resolve
from distill.core.project import Task, ViewConfig
from distill.core.record_store import splits
from distill.evaluation.calibration import fit_temperature
from distill.evaluation.metrics import tally
from distill.families.family import Lesson, Opening, open_model
from teachers.config import TeacherConfig

_RESULTS = Path(__file__).resolve().parent / "results"
Figures = dict[str, Any]
_ABOUT = {
    "kind": "training_defaults",
    "command": "python -m benchmarks.training_defaults RUN ENCODER --set FIELD=VALUE --out FILE",
}


def fit_once(run: Path, encoder: Path, settings: Mapping[str, Any], seed: int) -> Figures:
    """Fit the recipe on the run's gold cards; figures of validation and of test, steps, and why it ended.

    Raises: UserError when the run has no records. GateFailed when the fit collapses or diverges.
    """
    if not (run / "run.json").is_file():
        raise UserError("no run here", where=str(run), do="prepare it first: distill audit --config … --out RUN")
    config = read_json(run / "run.json")["config"]
    task = parse(Task, config["task"], "run.json", "task")
    recipe = resolve("teachers", TeacherConfig, "base", merge({"checkpoint": None}, settings), "--set")
    lesson = Lesson(
        title="fine-tuning on card",
        space=task.space,
        view="card",
        view_config=parse(ViewConfig, config["views"]["card"], "run.json", "views.card"),
        records=run / "records",
        source=encoder,
        seed=seed,
        threads=config["threads"],
    )
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as scratch:
        folder, predictions = Path(scratch) / "model", Path(scratch) / "predictions"
        folder.mkdir()
        predictions.mkdir()
        seconds = _fit(recipe, lesson, folder, predictions)
        history = read_json(folder / HISTORY_FILE)
        figures = _measured(predictions, task.space.objective)
    kept = {key: history[key] for key in ("step", "steps", "ended", "reason")}
    curve = [{key: one[key] for key in ("step", "epoch", "log_loss", "f1_macro")} for one in history["history"]]
    return {
        **kept,
        "seconds": round(seconds, 1),
        "whole_seconds": round(time.monotonic() - started, 1),
        **figures,
        "curve": curve,
    }


def _fit(recipe: TeacherConfig, lesson: Lesson, folder: Path, predictions: Path) -> float:
    """Fit, then predict validation and tests; returns the seconds of the fit."""
    from distill.inference.predict import predict
    from distill.training.device import device
    from teachers.teach import teach

    started = time.monotonic()
    teach(recipe, lesson, folder)
    seconds = time.monotonic() - started
    names = [name for name in splits(lesson.records) if name == "valid" or name.startswith("test.")]
    how = Opening(threads=lesson.threads, device=device())
    predict(lambda: open_model(folder, how), lesson.records, names, predictions)
    return seconds


def _measured(answers: Path, objective: Objective) -> dict[str, Figures]:
    """Figures of validation and of all tests together, at the temperature that suits validation."""
    valid = read_predictions(answers / "valid.parquet")
    tests = [read_predictions(path) for path in sorted(answers.glob("test.*.parquet"))]
    temperature = fit_temperature(valid.logits, valid.target, objective)
    return {"valid": _figures([valid], temperature, objective), "test": _figures(tests, temperature, objective)}


def _figures(parts: Sequence[Predictions], temperature: float, objective: Objective) -> Figures:
    logits, target = (np.concatenate([getattr(part, name) for part in parts]) for name in ("logits", "target"))
    total = tally(logits / temperature, target, objective).total()
    return {name: round(float(getattr(total, name)), 5) for name in ("accuracy", "f1_macro", "log_loss")}


def table(folder: Path) -> list[Figures]:
    """One row for each recipe: how far it is, on validation, behind the best recipe of each set.

    Args: folder: `SET/RECIPE.json`, as the command wrote them; `error` instead of figures for a fit that failed.
    """
    found = {path: read_json(path) for path in sorted(folder.glob("*/*.json"))}
    recipes = sorted({path.stem for path in found})
    sets = sorted({path.parent.name for path in found})
    return [
        _row(recipe, sets, {path: one for path, one in found.items() if path.parent.name in sets}) for recipe in recipes
    ]


def _row(recipe: str, sets: Sequence[str], found: Mapping[Path, Figures]) -> Figures:
    row: Figures = {"recipe": recipe, "sets": {}}
    for name in sets:
        own = {path.stem: one for path, one in found.items() if path.parent.name == name}
        good = {stem: one for stem, one in own.items() if "valid" in one}
        if recipe not in own:
            continue
        if recipe not in good:
            row["sets"][name] = {"error": own[recipe]["error"]}
            continue
        one, losses = own[recipe], [other["valid"]["log_loss"] for other in good.values()]
        f1s = [other["valid"]["f1_macro"] for other in good.values()]
        row["sets"][name] = {
            "steps": one["steps"],
            "ended": one["ended"],
            "log_loss": one["valid"]["log_loss"],
            "f1_macro": one["valid"]["f1_macro"],
            "log_loss_behind": round(one["valid"]["log_loss"] / min(losses) - 1, 4),
            "f1_macro_behind": round(max(f1s) - one["valid"]["f1_macro"], 4),
        }
    behind = [one for one in row["sets"].values() if "error" not in one]
    row["failed"] = len(row["sets"]) - len(behind)
    for key in ("log_loss_behind", "f1_macro_behind"):
        row[key] = round(float(np.mean([one[key] for one in behind])), 4) if behind else None
    return row


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns the exit code."""
    options = _parser().parse_args(arguments)
    try:
        if options.table:
            rows = table(options.table)
            write_json(options.results / f"{options.name}.json", {**_ABOUT, "title": options.title, "rows": rows})
            print(json.dumps({"rows": rows}))
            return 0
        if options.out.exists():
            return 0
        settings = {"training": overrides(options.set)}
        made_from = {"settings": settings, "seed": options.seed, "encoder": options.encoder.name}
        try:
            figures = fit_once(options.run, options.encoder, settings, options.seed)
        except DistillError as error:
            if isinstance(error, UserError):
                raise
            figures = {"error": str(error).splitlines()[0]}
        write_json(options.out, {"made_from": made_from, **figures})
    except DistillError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.training_defaults", description=__doc__)
    add = parser.add_argument
    add("run", type=Path, nargs="?", help="a run folder with records")
    add("encoder", type=Path, nargs="?", help="Hugging Face folder to start from")
    add("--set", action="append", default=[], help="a field of training: learning_rate=5e-5; repeats")
    add("--seed", type=int, default=1)
    add("--out", type=Path, help="file of the figures")
    add("--table", type=Path, help="folder with files SET/RECIPE.json: make the table instead")
    add("--name", default="training_defaults", help="of the table's file")
    add("--title", default="Recipes of training")
    add("--results", type=Path, default=_RESULTS, help="folder of the table's file")
    return parser


if __name__ == "__main__":
    sys.exit(main())
