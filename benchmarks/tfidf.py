"""What words alone reach: a TF-IDF linear model on the teacher's texts, next to the models of a run.

`python -m benchmarks.tfidf RUN` trains it on the training rows and writes its answers to `predictions/tfidf@document`,
from where `distill compare RUN base@document tfidf@document` takes them, and ends with one JSON line: accuracies of the
largest class, of words and of the teacher, and their differences with paired intervals.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distill.core.errors import DistillError, UserError
from distill.core.files import read_json, remove
from distill.core.label_space import LabelSpace
from distill.core.manifest import write_manifest
from distill.core.predictions import Predictions, write_predictions
from distill.core.project import Task
from distill.core.record_store import read_records, splits
from distill.core.records import Record
from distill.evaluation.compare import compare

NAME, MAJORITY = "tfidf@document", "majority@document"
_LEAST = 1e-6


def add_words(run: Path) -> None:
    """Write the answers of the largest class and of a linear model over word 1- and 2-grams for every labelled split.

    All fields of the document view count as one text. Scores are log-probabilities.

    Raises: UserError for a folder that is no run, or a multi-label task.
    """
    if not (run / "run.json").exists():
        raise UserError("no run here", where=str(run), do="give the folder of a run, for example runs/demo")
    config = read_json(run / "run.json")["config"]
    space, view = Task.model_validate(config["task"]).space, config["views"]["document"]
    if space.objective.activation != "softmax":
        raise UserError("words are scored for single-label tasks only", where=str(run), found=space.objective.name)
    train = read_records(run / "records", "train")
    known = [name for name in splits(run / "records") if name == "valid" or name.startswith("test.")]
    rows = {name: read_records(run / "records", name) for name in known}
    scores = _scores([*view["left"], *view["right"]], space, train, rows)
    largest = np.bincount(_gold(train), minlength=len(space)) / len(train)
    fixed = np.log(largest + _LEAST)
    _write(run / "predictions" / NAME, rows, scores)
    _write(
        run / "predictions" / MAJORITY, rows, {name: np.tile(fixed, (len(found), 1)) for name, found in rows.items()}
    )


def _scores(
    fields: Sequence[str], space: LabelSpace, train: Sequence[Record], rows: dict[str, list[Record]]
) -> dict[str, NDArray[np.float32]]:
    """Log-probabilities, float32 (N, C), of each split's rows."""
    from distill.families.tfidf import Tfidf, fit_words

    gold = np.eye(len(space))[_gold(train)]
    words = fit_words(_texts(fields, train), gold, Tfidf.Settings())
    return {name: words.logits(words.features(_texts(fields, records))) for name, records in rows.items()}


def _texts(fields: Sequence[str], records: Sequence[Record]) -> list[str]:
    return [" ".join(record.fields[path] for path in fields) for record in records]


def _gold(records: Sequence[Record]) -> NDArray[np.int64]:
    return np.array([int(np.argmax(record.target)) for record in records if record.target is not None])


def _write(folder: Path, rows: dict[str, list[Record]], scores: dict[str, NDArray[Any]]) -> None:
    """Replace a model's answers; the manifest comes last."""
    remove(folder)
    folder.mkdir(parents=True)
    for split, records in rows.items():
        answers = Predictions.of(records, scores[split].astype(np.float32))
        write_predictions(folder / f"{split}.parquet", answers)
    write_manifest(folder, {"step": f"predict {folder.name}", "inputs": {}})


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tfidf", description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("--teacher", default="base@document")
    options = parser.parse_args(arguments)
    try:
        add_words(options.run)
        pairs = [(NAME, MAJORITY), (options.teacher, MAJORITY), (options.teacher, NAME)]
        found = [row for a, b in pairs for row in compare(options.run, a, b) if row["metric"] == "accuracy"]
    except DistillError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    for row in found:
        points = [100 * row[key] for key in ("difference", "low", "high")]
        print(f"{row['a']} - {row['b']}: {points[0]:+.1f} points of accuracy ({points[1]:+.1f} to {points[2]:+.1f})")
    print(json.dumps({"comparisons": found}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
