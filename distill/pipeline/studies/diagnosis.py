"""`distill diagnose-selection`: the answers of kept checkpoints, then how validation and test rank all that ran."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from distill.core.files import sha256_json
from distill.core.lock import at_work
from distill.core.manifest import digest, require_whole
from distill.core.model_folder import all_evaluated
from distill.core.progress import Reporter, reporting
from distill.core.run_folder import PREDICTIONS, RECORDS, read_run
from distill.core.view import View
from distill.evaluation.selection import Kept, diagnose, shown_run, single_runs
from distill.report.finding import Finding
from distill.report.studies.ranking_table import ranking_sentences, ranking_sheet

_FOLDER = "diagnosis"


def diagnosed(runs: Sequence[Path], reporter: Reporter) -> Finding:
    """The diagnosis of finished runs; checkpoints that fits have kept are asked first, those of each fit once.

    Raises: as `diagnose`.
    """
    kept = dict[str, Kept]()
    with reporting(reporter):
        for folder in single_runs(runs):
            for place, splits in _fits(folder):
                if (made := digest(place)) not in kept:
                    kept[made] = _asked(folder, place, splits, runs)
    found = diagnose(runs, list(kept.values()))
    return Finding(found, [*ranking_sentences(found), *([ranking_sheet(found)] if found["models"] else [])])


def _fits(run: Path) -> Iterator[tuple[Path, list[str]]]:
    """The models of a run whose fit has kept checkpoints, each with the splits that it was asked on."""
    for place in sorted({path.parent for path in run.glob("*/*/evaluated")}):
        splits = sorted(path.stem for path in (run / PREDICTIONS / _label(place)).glob("*.parquet"))
        if len(splits) >= 2 and all_evaluated(place):
            require_whole(place)
            yield place, splits


def _asked(run: Path, place: Path, splits: Sequence[str], runs: Sequence[Path]) -> Kept:
    """The kept checkpoints of a model of a run, with their answers."""
    steps, label = all_evaluated(place), _label(place)
    made_of = [digest(place), *(digest(run / RECORDS, (f"{split}.parquet",)) for split in splits)]
    folder = run / _FOLDER / f"{label}-{sha256_json(made_of)[:12]}"
    with at_work(run):
        for step, weights in steps.items():
            _ask(run, weights, splits, folder / f"step-{step}")
    alone = len(runs) == 1 and run == runs[0]
    return Kept(label if alone else f"{shown_run(run, runs)}: {label}", folder, [f"step-{step}" for step in steps])


def _label(place: Path) -> str:
    return place.name if "@" in place.name else f"{place.name}@{View.load(place).name}"


def _ask(run: Path, weights: Path, splits: Sequence[str], folder: Path) -> None:
    from distill.families.family import Opening, open_model
    from distill.inference.predict import predict
    from distill.training.device import device

    how = Opening(threads=read_run(run)["config"].get("threads"), device=device())
    predict(lambda: open_model(weights, how), run / RECORDS, splits, folder)
