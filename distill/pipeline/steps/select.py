"""The step that selects rows of the labelled pool."""

from __future__ import annotations

from pathlib import Path

from distill.core.run_folder import RECORDS, SELECTION, RunFolder
from distill.core.selection.config import Select
from distill.core.steps import Read, Step
from distill.core.work import reading
from distill.pipeline.experiment import Experiment


def select_step(experiment: Experiment, config: Select) -> Step:
    """By the labels that the run chose, whichever of its models label."""
    run, project = experiment.run, experiment.project
    labels = {RunFolder.labels(experiment.labelled(label).name): share for label, share in experiment.chosen.items()}

    def body(folder: Path) -> None:
        from distill.training.selecting import select

        stores = {run / store: share for store, share in labels.items()}
        select(config, experiment.space, run / RECORDS, stores, project.seed, folder)

    pools = [split for split in experiment.labelled_splits if split != "train"]
    rows = Read(RECORDS, tuple(f"{split}.parquet" for split in pools))
    return Step(
        name="select pool rows",
        artifact=SELECTION,
        body=body,
        config={
            "select": config.as_fingerprint(),
            "task": {"labels": list(experiment.space.labels), "kind": experiment.space.objective.name},
            "shares": [share.as_fingerprint() for share in labels.values()],
            "seed": project.seed,
        },
        reads=(rows, *map(Read, labels)),
        work=reading(*pools),
    )
