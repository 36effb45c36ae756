"""What of a run goes into a student's bundle, and what the finished bundle is held against."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distill.core import manifest
from distill.core.errors import GateFailed
from distill.core.files import Json, sha256
from distill.core.predictions import read_predictions
from distill.core.publishing import NOT_STATED
from distill.core.record_store import read_records
from distill.core.records import Record
from distill.core.run_folder import EVALUATION, EVALUATION_FILE, LATENCY, RECORDS, RunFolder
from distill.evaluation.calibrated_predictions import Model, read_calibrated
from distill.pipeline.experiment import Experiment
from distill.pipeline.lineage import finished, lineage
from distill.pipeline.models import ModelSpec
from distill.pipeline.published_project import published_project
from export.artifact import Artifact, Contents, named
from export.bundle import bundle, clear
from export.drift_reference import Reference
from export.proof import Proof, Stored, prove
from export.targets.base import Target

_RECORDS, _TEST_CARDS = 200, 100  # of the test rows, evenly spread


def hand_off(
    experiment: Experiment, spec: ModelSpec, exports: Mapping[str, str], upstream: Sequence[str], folder: Path
) -> None:
    """Step body: a student's bundle, from its exports, evaluation and latency, then the proof of it.

    Args: exports: target name to export artifact. upstream: artifacts named in the lineage, with their digests.
    Raises: GateFailed, after the folder is cleared, when the bundle does not give the answers that the run measured.
    """
    try:
        contents = _contents(experiment, spec, exports, upstream)
        bundle(contents, folder)
        held = {name: one.target.name for name, one in named(contents.artifacts).items()}
        prove(folder, _proof(experiment, spec, held), experiment.project.threads)
    except GateFailed:
        clear(folder)
        raise


def _contents(experiment: Experiment, spec: ModelSpec, exports: Mapping[str, str], upstream: Sequence[str]) -> Contents:
    run, target_of = experiment.run, experiment.settings.target
    evaluation = manifest.read_whole(run / EVALUATION, EVALUATION_FILE)
    models = {one["name"]: one for one in evaluation["models"]}
    sent_on = {one["model"]: one for one in evaluation.get("fall_through", ())}
    rows = manifest.read_whole(run / LATENCY, "latency.json")["rows"]
    names = {target: f"{spec.label}.{target}" for target in exports}
    artifacts = [
        _artifact(target_of(target), run / export, models[names[target]], sent_on.get(names[target], {}))
        for target, export in exports.items()
    ]
    latency = [row for row in rows if row["model"] in names.values() or row["role"] == "teacher"]
    bundle_config = experiment.project.bundle
    return Contents(
        name=spec.name,
        model_folder=run / spec.artifact,
        artifacts=artifacts,
        space=experiment.space,
        lineage=lineage(experiment, spec, upstream),
        latency=latency,
        real_records=_test_cards(experiment, spec) if bundle_config.golden == "test" else (),
        seed=experiment.project.seed,
        reference=_reference(experiment, names),
        license=bundle_config.license or NOT_STATED,
        project=published_project(experiment.settings),
        finished=finished(run.path, upstream),
    )


def _test_cards(experiment: Experiment, spec: ModelSpec) -> list[Json]:
    """Test rows as the student reads them, evenly spread, `{"id", "record"}`."""
    fields = experiment.project.views[spec.view].fields
    return [
        {"id": f"{test}/{record.id}", "record": {path: record.fields[path] for path in fields}}
        for test, record in _sample(experiment, _TEST_CARDS)
    ]


def _reference(experiment: Experiment, names: Mapping[str, str]) -> Reference:
    """Validation rows with the logits of each file; rows of the first test where nothing was held out to choose on.

    Args: names: target to the file's name in the report.
    """
    split = "valid" if experiment.has_validation else next(iter(experiment.tests))
    records = read_records(experiment.run / RECORDS, split)
    keys = {path: [record.keys.get(path) or record.id for record in records] for path in experiment.project.data.keys}
    logits = {target: _logits(experiment, name, split, records) for target, name in names.items()}
    return Reference(split, [record.fields for record in records], keys, logits)


def _logits(experiment: Experiment, model: str, split: str, records: Sequence[Record]) -> NDArray[np.float32]:
    """The stored logits of a model for records of a split, float32 (N, K)."""
    found = read_predictions(experiment.run / RunFolder.predicted(model) / f"{split}.parquet")
    rows = dict(zip(found.ids, found.logits, strict=True))
    return np.stack([rows[record.id] for record in records])


def _proof(experiment: Experiment, spec: ModelSpec, held: Mapping[str, str]) -> Proof:
    """What the run stored of a student's files, read by none of the code that fills the bundle.

    Args: held: name of an artifact in the bundle to its target.
    """
    records = list(_sample(experiment, _RECORDS))
    ids = [record.id for _, record in records]
    stored = {name: _stored(experiment, f"{spec.label}.{target}", records) for name, target in held.items()}
    weights = sha256(experiment.run / spec.artifact / "model.safetensors")
    fields = [dict(record.fields) for _, record in records]
    return Proof(ids, fields, stored, experiment.space, weights, experiment.project.provider)


def _sample(experiment: Experiment, most: int) -> Iterator[tuple[str, Record]]:
    """Test rows with the name of their split, evenly spread over all of them."""
    rows = [(test, record) for test in experiment.tests for record in read_records(experiment.run / RECORDS, test)]
    count = min(most, len(rows))
    return (rows[index * len(rows) // count] for index in range(count))


def _stored(experiment: Experiment, model: str, records: Sequence[tuple[str, Record]]) -> Stored:
    """The predictions of a file on these rows, its temperature and operating points found anew on validation."""
    folder, quality = experiment.run.predictions, experiment.project.quality
    measured = read_calibrated(Model(model, "artifact", "", ""), experiment.tests, folder, experiment.space, quality)
    places = {test: [place for place, one in enumerate(records) if one[0] == test] for test in experiment.tests}
    rows = np.empty((len(records), len(experiment.space.outputs)), np.float32)
    for test, chosen in places.items():
        if chosen:
            rows[chosen] = _logits(experiment, model, test, [records[place][1] for place in chosen])
    return Stored(rows, measured.temperature, measured.thresholds or {}, measured.class_thresholds or {})


def _artifact(target: Target, folder: Path, model: Mapping[str, Any], sent_on: Mapping[str, Any]) -> Artifact:
    return Artifact(
        target=target,
        folder=folder,
        temperature=model["temperature"],
        operating_points=model["thresholds"] or {},
        quality={"test": model["quality"]} | {f"test.{name}": block for name, block in model["tests"].items()},
        class_thresholds=model.get("class_thresholds") or {},
        fall_through=sent_on,
    )
