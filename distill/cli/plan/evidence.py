"""Steps that measure: predictions, quality, latency."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from distill.cli.plan.layout import EVALUATION, KINDS, LATENCY, RECORDS, Layout, Trained, exported, predictions
from distill.core.model_folder import layer_count, parameter_count
from distill.core.steps import Step
from distill.core.view import TOKENIZER_FILE, View
from distill.report.answers import Model

if TYPE_CHECKING:
    from benchmarks.subjects import Subject


def predict_step(layout: Layout, model: Trained, *, foreign: bool = False) -> Step:
    """A model's answers on validation and test, through its own view or, for the lead teacher, through the card."""
    folder, threads = layout.run / model.artifact, layout.project.threads
    view_name = "card" if foreign else model.view
    name, config = layout.foreign if foreign else model.label, layout.project.views[view_name]

    def body(out: Path) -> None:
        from distill.inference.predict import predict
        from distill.inference.torch_runner import TorchRunner
        from distill.training.precision import device

        view = View(view_name, config, folder / TOKENIZER_FILE) if foreign else View.load(folder)
        predict(
            lambda: TorchRunner(folder, threads=threads, device=device()),
            view,
            layout.run / RECORDS,
            layout.labelled,
            out,
        )

    return Step(
        name=f"predict {name}",
        artifact=predictions(name),
        body=body,
        config={"view": config.as_json(), "splits": layout.labelled},
        upstream=(RECORDS, model.artifact),
    )


def predict_exported_step(layout: Layout, model: Trained, target: str) -> Step:
    """An exported file's answers on validation and test."""
    name, source, threads = f"{model.label}.{target}", exported(model, target), layout.project.threads
    # As served: dynamic int8 scales its activations per run, so a record must not share one with others.
    max_rows = 1 if layout.settings.targets[target].precision == "int8" else 64

    def body(out: Path) -> None:
        from distill.inference.onnx_runner import OnnxRunner
        from distill.inference.predict import predict

        def open_runner() -> OnnxRunner:
            return OnnxRunner(layout.run / source / "model.onnx", threads=threads)

        view = View.load(layout.run / model.artifact)
        predict(open_runner, view, layout.run / RECORDS, layout.labelled, out, max_rows=max_rows)

    return Step(
        name=f"predict {name}",
        artifact=predictions(name),
        body=body,
        config={"splits": layout.labelled},
        upstream=(RECORDS, model.artifact, source),
    )


def evaluate_step(layout: Layout) -> Step:
    """Every quality figure, from the prediction files."""
    project = layout.project

    def body(folder: Path) -> None:
        from distill.core.files import write_json
        from distill.core.record_store import class_shares
        from distill.report.evaluation import evaluate

        models, answers = report_rows(layout), layout.run / "predictions"
        references, priors = layout.references, class_shares(layout.run / RECORDS)
        settings, seed = project.quality, project.seed
        result = evaluate(models, layout.tests, references, answers, layout.space, settings, seed, priors)
        write_json(folder / "evaluation.json", result)

    part = {"quality": project.quality.as_json(), "task": project.task.as_json()}
    return Step(
        name="evaluate",
        artifact=EVALUATION,
        body=body,
        config={**part, "seed": project.seed, "tests": layout.tests},
        upstream=(RECORDS, *map(predictions, predicted(layout))),
        version=3,
    )


def predicted(layout: Layout) -> list[str]:
    """Names of everything that has a prediction file."""
    names = [model.label for model in layout.trained] + [layout.foreign]
    return names + [f"{model.label}.{target}" for model, target in layout.shipped()]


def bench_step(layout: Layout) -> Step:
    """Latency of the teacher and of every file that may be served."""
    config, threads = layout.settings.bench, layout.project.threads

    def body(folder: Path) -> None:
        from benchmarks.latency import measure
        from distill.core.progress import progress
        from distill.core.record_store import read_records

        rows = [record.fields for test in layout.tests for record in read_records(layout.run / RECORDS, test)]
        by_view, subjects, out = (
            {view: rows for view in layout.project.views},
            _subjects(layout),
            folder / "latency.json",
        )
        with progress("measuring latency", len(subjects) * config.processes) as advance:
            measure(subjects, by_view, config, threads, out, on_progress=lambda done, total, name: advance(done))

    teachers = [model.artifact for model in layout.timed if model.role == "teacher"]
    files = [exported(model, target) for model, target in layout.exports()]
    return Step(
        name="bench",
        artifact=LATENCY,
        body=body,
        config={"bench": config.as_json(), "threads": threads},
        upstream=(RECORDS, *teachers, *files),
    )


def report_rows(layout: Layout) -> list[Model]:
    """Every row of the report's table, with the models that each is compared with."""
    references = layout.references
    students = layout.settings.students
    twin_of = {layout.twin(name, kind).label: layout.student(name).label for name in students for kind in KINDS}
    models = [
        replace(_row(layout, model, model.label, model.role, _rivals(layout, model)), twin_of=twin_of.get(model.label))
        for model in layout.trained
    ]
    if len(layout.voters) > 1:
        members = tuple((m.label, layout.settings.teachers[m.name].weight) for m in layout.voters)
        models.append(Model(references.document, "teacher", "ensemble", "document", members=members))
    models.append(_row(layout, layout.lead, layout.foreign, "teacher", (), view="card"))
    shipped = layout.shipped()
    artifacts = [_row(layout, m, f"{m.label}.{target}", "artifact", (m.label,)) for m, target in shipped]
    return models + [replace(row, made_from=row.rivals[0]) for row in artifacts]


def _rivals(layout: Layout, model: Trained) -> tuple[str, ...]:
    references = layout.references
    teachers = tuple(name for name in (references.card, references.document) if name is not None)
    if model.role == "student":
        return (*(layout.twin(model.name, kind).label for kind in KINDS), *teachers)
    if model.role == "baseline":
        return teachers[:1]
    compared = model.label == references.card or not layout.settings.students
    return (layout.lead.label,) if compared and model.label != layout.lead.label else ()


def _row(
    layout: Layout, model: Trained, name: str, role: str, rivals: tuple[str, ...], view: str | None = None
) -> Model:
    folder = layout.run / model.artifact
    return Model(name, role, model.preset, view or model.view, layer_count(folder), parameter_count(folder), rivals)


def _subjects(layout: Layout) -> list[Subject]:
    """What is timed: teachers in PyTorch, and every exported file."""
    from benchmarks.subjects import Subject

    teachers = [model for model in layout.timed if model.role == "teacher"]
    subjects = [Subject(m.label, m.view, "pytorch", "fp32", layout.run / m.artifact, None, m.role) for m in teachers]
    for model, target in layout.exports():
        file, precision = layout.run / exported(model, target) / "model.onnx", layout.settings.targets[target].precision
        name, folder = f"{model.label}.{target}", layout.run / model.artifact
        subjects.append(Subject(name, model.view, "onnxruntime", precision, folder, file, model.role))
    return subjects
