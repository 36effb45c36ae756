"""Step that makes records from the user's files."""

from __future__ import annotations

from pathlib import Path

from distill.core.steps import Step
from distill.core.view import TOKENIZER_FILE
from distill.pipeline.experiment import RECORDS, Experiment
from teachers.embedded import local_folder


def records_step(experiment: Experiment) -> Step:
    """From the user's files to clean records and `audit.json`."""
    from distill.core.intake.prepare import prepare
    from distill.core.intake.sources import data_files

    project, tokenizers = experiment.project, _known_tokenizers(experiment)
    files = [path for paths in data_files(project, Path()).values() for path in paths]
    return Step(
        name="audit",
        artifact=RECORDS,
        body=lambda folder: prepare(project, folder, tokenizers=tokenizers),
        config={
            "task": project.task.as_json(),
            "data": project.data.model_dump(mode="json", exclude={"root"}),
            "views": {name: view.as_json() for name, view in project.views.items()},
            "seed": project.seed,
        },
        files=(*files, *sorted(set((tokenizers or {}).values()))),
        publish=("audit.json", "quarantine.jsonl"),
    )


def _known_tokenizers(experiment: Experiment) -> dict[str, Path] | None:
    """The lead teacher's tokenizer for every view, where it lies in a folder already."""
    config = experiment.settings.teachers[experiment.first_teacher.name]
    source = config.finished or config.checkpoint
    folder = local_folder(source) if source else None
    path = folder / TOKENIZER_FILE if folder else None
    return {name: path for name in experiment.project.views} if path and path.is_file() else None
