"""The step that asks what a smaller vocabulary changes of the test rows, when nothing depends on it any more."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from distill.core.files import read_json, write_json
from distill.core.run_folder import RECORDS, VOCABULARIES
from distill.core.steps import Read, Step
from distill.core.view import TOKENIZER_FILE, View
from distill.core.work import reading
from distill.pipeline.ancestry import views_read
from distill.pipeline.experiment import Experiment
from distill.pipeline.models import Start

VOCABULARIES_FILE = "vocabularies.json"


def vocabulary_steps(experiment: Experiment) -> Iterator[Step]:
    """One step, where a model starts from a trimmed vocabulary; else none."""
    fitted = [*experiment.taught, *experiment.trained]
    starts = [start for spec in fitted if (start := experiment.start(spec)) is not None]
    trimmed = {one.artifact: one for start in starts for one in start.chain if one.untrimmed is not None}
    if trimmed:
        yield _step(experiment, list(trimmed.values()))


def _step(experiment: Experiment, starts: list[Start]) -> Step:
    settings, run, tests = experiment.settings, experiment.run, experiment.tests
    read = {one.artifact: views_read(one.trimmed_for, settings) for one in starts if one.trimmed_for}

    def body(folder: Path) -> None:
        from distill.core.record_store import iter_records
        from distill.models.vocabulary.changed import changed_tokens
        from distill.models.vocabulary.trim import VOCABULARY_FILE

        found = []
        for one in starts:
            assert one.untrimmed is not None
            figures = read_json(run / one.artifact / VOCABULARY_FILE)
            places = [run / artifact / TOKENIZER_FILE for artifact in (one.untrimmed.artifact, one.artifact)]
            for view in read[one.artifact]:
                whole, trimmed = (View(view, experiment.project.views[view], place) for place in places)
                rows = (row.fields for test in tests for row in iter_records(run / RECORDS, test))
                changed = asdict(changed_tokens(whole, trimmed, rows))
                found.append({"start": one.trimmed_for, "view": view, **figures, "test": changed})
        write_json(folder / VOCABULARIES_FILE, {"vocabularies": found})

    artifacts = [name for one in starts if one.untrimmed for name in (one.untrimmed.artifact, one.artifact)]
    whole = [Read(artifact) for artifact in dict.fromkeys(artifacts)]
    views = experiment.project.views
    return Step(
        name="trimmed vocabularies",
        artifact=VOCABULARIES,
        body=body,
        config={artifact: [views[name].as_fingerprint() for name in names] for artifact, names in read.items()},
        reads=(Read(RECORDS, tuple(f"{test}.parquet" for test in tests)), *whole),
        work=reading(*tests),
    )
