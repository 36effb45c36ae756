"""Which steps a change of the project redoes: the whole plan with bodies that write what they read, and no model."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from distill.core import manifest
from distill.core.files import sha256_json, write_json
from distill.core.run_folder import AUDIT, CHOICE, RECORDS
from distill.core.steps import Step, Steps, fingerprint_of
from distill.pipeline.experiment import Experiment
from distill.pipeline.plan import asking, bundles, learning
from distill.pipeline.settings import resolve_settings
from tests.pipeline.seeds_project import write_project

# From a checkpoint: an encoder of random weights has a vocabulary of its own, which is learnt from the pool too.
SETS = [f"teachers.{name}.{key}" for name in ("new", "old") for key in ("checkpoint=base", "fresh=null")]

# Steps that read the card, by what they make; the document teacher, its labels and its predictions are not among them.
CONTROL = {"train tfidf", "predict tfidf@card"}
CARD_TEACHER = {"teach new@card", "predict new@card"}
TWIN = {"train small-gold", "predict small-gold@card"}
STUDENT = {
    *("train small", "train small-gold-steps", "predict small@card", "predict small-gold-steps@card"),
    *("export small.onnx", "predict small@card.onnx"),
}
FIGURES = {"evaluate", "bundle small"}
TIMES = {"bench", "bundle small"}

CHANGES = {
    "a shorter card": (
        ["views.card.max_tokens=12"],
        {"records", "audit", "predict new@document>card", "choose labels", "ask gold-only twins"}
        | CARD_TEACHER
        | CONTROL
        | TWIN
        | STUDENT
        | FIGURES
        | TIMES,
    ),
    "a longer document": (
        ["views.document.max_tokens=30"],
        {"audit", "teach new@document", "predict new@document", "predict new@document>card", "export new.onnx"}
        | {"teach old@document", "predict old@document"}
        | {"choose labels", "ask gold-only twins", "label new"}
        | TWIN
        | STUDENT
        | FIGURES
        | TIMES,
    ),
    "another limit of a gate": (["gates.int8_flips=0.5", "gates.leak=3", "gates.retention_card=0.9"], set()),
    "an order of the labels": (["task.ordered=true"], FIGURES),
    "an option at its default": (["students.small.training.patience=4", "views.card.separator=' | '"], set()),
    "a view that nothing reads": (["views.other={left: [page.title], max_tokens: 8}"], {"audit"}),
    "another temperature of the loss": (["students.small.temperature=3"], STUDENT | FIGURES | TIMES),
    "another engine and place of labels": (["labelling={engine: ray, workers: 2, store: 's3://labels'}"], set()),
    "smaller shards": (["teachers.new.labelling.shard_rows=512"], {"label new"} | STUDENT | FIGURES | TIMES),
    "a selection of pool rows": (["select.rows=20"], {"select pool rows"} | STUDENT | FIGURES | TIMES),
    "a teacher that is cross-fitted": (
        ["teachers.new.cross_fit=2"],
        {"deal 2 folds", "teach new-fold1@document", "teach new-fold2@document", "label new"}
        | STUDENT
        | FIGURES
        | TIMES,
    ),
    "more requests": (["bench.requests=9"], TIMES),
    "a licence": (["bundle.license=MIT"], {"bundle small"}),
    "real golden records": (["bundle.golden=test"], {"bundle small"}),
    "no texts in the report": (["report.texts=false"], {"records", "bundle small"}),
    "a price of an hour, a tracker": (["report.price_per_hour=0.5", "report.trackers=[tensorboard]"], set()),
    "other shares to send on": (["fall_through.shares=[0.1]", "fall_through.by=probability"], FIGURES),
    "a limit of what is sent on": (["fall_through.most=0.1", "fall_through.latency_ms=5"], set()),
    "more resamples": (["quality.replicates=200"], {"choose labels", "ask gold-only twins"} | FIGURES),
    "another target": (
        ["export=[onnx, onnx-int8]"],
        {"export small.onnx-int8", "predict small@card.onnx-int8"} | FIGURES | TIMES,
    ),
    "another student": (
        ["students.second={preset: 4L, layers: 1}"],
        {"train second", "train second-gold", "train second-gold-steps", "predict second@card"}
        | {"predict second-gold@card", "predict second-gold-steps@card", "export second.onnx"}
        | {"predict second@card.onnx", "bundle second", "ask gold-only twins"}
        | FIGURES
        | TIMES,
    ),
}
# Sums over threads are added in another order, so every fit counts its threads.
CHANGES["another number of threads"] = (
    ["threads=2"],
    (CHANGES["a shorter card"][1] | CHANGES["a longer document"][1]) - {"records", "audit"},
)
POOL = {"records", "audit", "label new"} | STUDENT | FIGURES | TIMES
TEST = {"records", "audit", "evaluate", "bench", "bundle small", "predict new@document>card"} | {
    f"predict {name}"
    for name in (
        *("new@document", "new@card", "old@document", "small@card"),
        *("small-gold@card", "small-gold-steps@card", "small@card.onnx", "tfidf@card"),
    )
}


@pytest.fixture
def run(tmp_path):
    """`run(*sets)` carries out the whole plan and returns the names of the steps that were not skipped."""
    project = write_project(tmp_path)

    def carry_out(*sets: str) -> set[str]:
        experiment = Experiment(resolve_settings(project, tmp_path / "run", sets=[*SETS, *sets]))
        steps = Steps(experiment.run.path, {}, {})
        for part in (asking, learning, bundles):
            for stage in part(experiment):
                steps.run(_without_a_model(experiment, stage.step))
        return {stage["name"] for stage in steps.stages if stage["status"] == "done"}

    carry_out.folder = tmp_path
    return carry_out


def _without_a_model(experiment: Experiment, step: Step) -> Step:
    """The step with a body that writes what it reads, so that what comes out changes when, and only when, that does."""
    if step.artifact in (RECORDS, AUDIT) or step.artifact.startswith("folds/"):
        return step
    root = experiment.run.path

    def body(folder: Path) -> None:
        inputs = {str(read): manifest.digest(root / read.artifact, read.files) for read in step.reads}
        inputs |= {str(path): manifest.sha256(path) for path in step.files}
        content = fingerprint_of(step, inputs)
        if step.artifact == CHOICE:
            shares = experiment.candidates["document"]
            taken = {"teachers": shares, "temperatures": dict.fromkeys(shares, 1.0), "start": next(iter(shares))}
            write_json(folder / "choice.json", {"asked": experiment.project.labels, "taken": "document", **taken})
        if step.name.startswith("predict "):
            models = [digest for name, digest in inputs.items() if not name.startswith(RECORDS)]
            for split in experiment.predicted_splits:
                rows = manifest.digest(root / RECORDS, [f"{split}.parquet"])
                (folder / f"{split}.parquet").write_text(sha256_json([models, step.config, rows]))
        else:
            write_json(folder / "config.json", {"num_hidden_layers": 12, "made": content})
            write_json(folder / "training_history.json", {"steps": content})

    return replace(step, body=body, manifest=manifest.MANIFEST)


def _append(folder: Path, file: str) -> None:
    """One more row of another text at the end of a file."""
    path = folder / file
    last = json.loads(path.read_text("utf-8").splitlines()[-1])
    last["id"], last["product"]["title"] = "one-more", "ещё одна дрель"
    path.write_text(path.read_text("utf-8") + json.dumps(last, ensure_ascii=False) + "\n", "utf-8")


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_redoes_what_reads_it_and_nothing_else(run, change):
    run()
    assert run() == set()
    sets, redone = CHANGES[change]
    assert run(*sets) == redone


def test_more_pool_rows_are_labelled_and_learnt_from_and_no_teacher_is_trained_again(run):
    run("data.pool.urls.rows=null")
    _append(run.folder, "pool.jsonl")
    assert run("data.pool.urls.rows=null") == POOL


def test_more_test_rows_are_predicted_and_nothing_is_trained_or_chosen_again(run):
    run()
    _append(run.folder, "test.jsonl")
    assert run() == TEST
