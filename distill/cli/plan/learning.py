"""Steps that make records, teachers, soft labels and students."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from distill.cli.plan.layout import GOLD_STEPS, RECORDS, Layout, Trained, checkpoint, labels
from distill.core.steps import Step
from distill.core.view import TOKENIZER_FILE, View
from teachers.embedded import local_folder

if TYPE_CHECKING:
    from students.train import Lesson


def records_step(layout: Layout) -> Step:
    """From the user's files to clean records and `audit.json`."""
    from distill.core.intake.prepare import prepare
    from distill.core.intake.sources import data_files

    project, tokenizers = layout.project, _known_tokenizers(layout)
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


def checkpoint_step(layout: Layout, name: str) -> Step:
    """The untouched encoder that a teacher starts from."""
    config, seed = layout.settings.teachers[name], layout.project.weights_seed

    def body(folder: Path) -> None:
        from teachers.checkpoint import prepare_checkpoint

        prepare_checkpoint(config, layout.run / RECORDS, seed, folder)

    local = local_folder(config.checkpoint) if config.checkpoint else None
    return Step(
        name=f"checkpoint {name}",
        artifact=checkpoint(name),
        body=body,
        config={
            "checkpoint": None if local else config.checkpoint,
            "fresh": config.architecture.as_json(),
            "seed": seed,
        },
        upstream=() if config.checkpoint else (RECORDS,),
        files=model_files(local),
    )


def teach_step(layout: Layout, name: str, *, on_card: bool = False) -> Step:
    """A fine-tuned teacher on its own view, or the same preset on cards."""
    config, project = layout.settings.teachers[name], layout.project
    seed = project.weights_seed
    view_name = "card" if on_card else config.view
    view = project.views[view_name]
    if on_card and view == project.views[config.view]:
        return _same_view_step(layout, name)

    def body(folder: Path) -> None:
        from teachers.teach import adopt_finished, teach

        if config.finished is not None:
            bound = View(view_name, view, Path(config.finished) / TOKENIZER_FILE)
            adopt_finished(config.finished, layout.space, bound, folder)
            return
        start = layout.run / checkpoint(name)
        bound = View(view_name, view, start / TOKENIZER_FILE)
        teach(config, layout.space, bound, layout.run / RECORDS, start, seed, project.threads, folder)

    recipe = {"training": config.training.as_json(), "seed": seed}
    slices = {"slices": config.slices} if config.slices else {}
    how = {"finished": True} if config.finished else {**recipe, **slices}
    return Step(
        name=f"teach {name}@{view_name}",
        artifact=f"teachers/{name}@card" if on_card else f"teachers/{name}",
        body=body,
        config={"view": view.as_json(), "task": project.task.as_json(), "threads": project.threads, **how},
        upstream=() if config.finished else (RECORDS, checkpoint(name)),
        files=model_files(Path(config.finished) if config.finished else None),
    )


def _same_view_step(layout: Layout, name: str) -> Step:
    """The teacher on cards where the card is its own view: the same training would give the same model, so a copy."""
    teacher, config = f"teachers/{name}", layout.project.views["card"]

    def body(folder: Path) -> None:
        from teachers.teach import copy_teacher

        copy_teacher(layout.run / teacher, View("card", config, layout.run / teacher / TOKENIZER_FILE), folder)

    return Step(
        name=f"teach {name}@card",
        artifact=f"teachers/{name}@card",
        body=body,
        config={"view": config.as_json()},
        upstream=(teacher,),
    )


def label_step(layout: Layout, teacher: Trained) -> Step:
    """A teacher's logits for train and pool rows, computed here or imported."""
    config, threads = layout.settings.teachers[teacher.name.partition("@")[0]], layout.project.threads
    records, file = layout.run / RECORDS, Path(config.labels) if config.labels else None

    def body(folder: Path) -> None:
        if file:
            from teachers.import_labels import import_labels

            import_labels(config.labelling, file, layout.space, records, folder)
        else:
            from teachers.label import label

            label(config.labelling, layout.run / teacher.artifact, records, threads, folder)

    return Step(
        name=f"label {teacher.name}",
        artifact=labels(teacher),
        body=body,
        config=config.labelling.as_json(),
        upstream=(RECORDS,) if file else (RECORDS, teacher.artifact),
        files=(file,) if file else (),
    )


def train_step(layout: Layout, name: str) -> Step:
    """A student, from the labels that were chosen."""
    config, start = layout.settings.students[name], layout.source(name)
    shares = {labels(layout.model(teacher)): share for teacher, share in layout.labellers.items()}

    def body(folder: Path) -> None:
        from students.train import train

        stores = {layout.run / store: share for store, share in shares.items()}
        train(config, _lesson(layout, name, start), stores, folder)

    part = {"student": config.as_json(), "shares": [[share.weight, share.temperature] for share in shares.values()]}
    return Step(
        name=f"train {name}",
        artifact=f"students/{name}",
        body=body,
        config={**_recipe(layout, name), **part},
        upstream=(RECORDS, start, *shares),
    )


def twin_step(layout: Layout, name: str, kind: str) -> Step:
    """A student's gold-only twin. Args: kind: `GOLD`, to its own convergence, or `GOLD_STEPS`, the student's steps."""
    config, twin, start = layout.settings.students[name], layout.twin(name, kind), layout.source(name)
    student = layout.student(name).artifact if kind == GOLD_STEPS else None

    def body(folder: Path) -> None:
        from students.train import train_twin

        train_twin(config, _lesson(layout, name, start), layout.run / student if student else None, folder)

    return Step(
        name=f"train {twin.name}",
        artifact=twin.artifact,
        body=body,
        config={**_recipe(layout, name), "student": config.as_json(), "kind": kind},
        upstream=(RECORDS, start, *([student] if student else [])),
    )


def _lesson(layout: Layout, student: str, start: str) -> Lesson:
    from students.train import Lesson

    config, project, source = layout.settings.students[student], layout.project, layout.run / start
    view = View(config.view, project.views[config.view], source / TOKENIZER_FILE)
    return Lesson(layout.space, view, layout.run / RECORDS, source, project.weights_seed, project.threads)


def _recipe(layout: Layout, student: str) -> dict[str, Any]:
    project = layout.project
    view = project.views[layout.settings.students[student].view].as_json()
    return {"view": view, "seed": project.weights_seed, "threads": project.threads}


def _known_tokenizers(layout: Layout) -> dict[str, Path] | None:
    """The lead teacher's tokenizer for every view, where it lies in a folder already."""
    config = layout.settings.teachers[layout.lead.name]
    source = config.finished or config.checkpoint
    folder = local_folder(source) if source else None
    path = folder / TOKENIZER_FILE if folder else None
    return {name: path for name in layout.project.views} if path and path.is_file() else None


def model_files(folder: Path | None) -> tuple[Path, ...]:
    """The files of a local model folder that its artifact depends on."""
    return tuple(sorted([*folder.glob("*.safetensors"), *folder.glob("*.json")])) if folder else ()
