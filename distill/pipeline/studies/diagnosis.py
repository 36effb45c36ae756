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
    """The diagnosis of finished runs; checkpoints that fits have kept are asked first, each once.

    Raises: as `diagnose`.
    """
    with reporting(reporter):
        kept = [one for folder in single_runs(runs) for one in _asked(folder, runs)]
    found = diagnose(runs, kept)
    return Finding(found, [*ranking_sentences(found), *([ranking_sheet(found)] if found["models"] else [])])


def _asked(run: Path, runs: Sequence[Path]) -> Iterator[Kept]:
    """The kept checkpoints of each model of a run, with their answers on the splits that the model was asked on."""
    for place in sorted({path.parent for path in run.glob("*/*/evaluated")}):
        steps = all_evaluated(place)
        label = place.name if "@" in place.name else f"{place.name}@{View.load(place).name}"
        splits = sorted(path.stem for path in (run / PREDICTIONS / label).glob("*.parquet"))
        if len(splits) < 2 or not steps:
            continue
        require_whole(place)
        made_of = [digest(place, ()), *(digest(run / RECORDS, (f"{split}.parquet",)) for split in splits)]
        folder = run / _FOLDER / f"{label}-{sha256_json(made_of)[:12]}"
        with at_work(run):
            for step, weights in steps.items():
                _ask(run, weights, splits, folder / f"step-{step}")
        alone = len(runs) == 1 and run == runs[0]
        yield Kept(label if alone else f"{shown_run(run, runs)}: {label}", folder, [f"step-{step}" for step in steps])


def _ask(run: Path, weights: Path, splits: Sequence[str], folder: Path) -> None:
    from distill.families.family import Opening, open_model
    from distill.inference.predict import predict
    from distill.training.device import device

    how = Opening(threads=read_run(run)["config"].get("threads"), device=device())
    predict(lambda: open_model(weights, how), run / RECORDS, splits, folder)
