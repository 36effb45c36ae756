"""Steps that make teachers and their soft labels."""

from __future__ import annotations

from pathlib import Path

from distill.core.steps import Step
from distill.core.view import TOKENIZER_FILE, View
from distill.pipeline.experiment import RECORDS, Experiment, Trained, checkpoint, labels
from teachers.embedded import local_folder


def checkpoint_step(experiment: Experiment, name: str) -> Step:
    """The untouched encoder that a teacher starts from."""
    config, seed = experiment.settings.teachers[name], experiment.project.weights_seed

    def body(folder: Path) -> None:
        from teachers.starting_encoder import prepare_checkpoint

        prepare_checkpoint(config, experiment.run / RECORDS, seed, folder)

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


def teach_step(experiment: Experiment, name: str, *, on_card: bool = False) -> Step:
    """A fine-tuned teacher on its own view, or the same preset on cards."""
    config, project = experiment.settings.teachers[name], experiment.project
    seed = project.weights_seed
    view_name = "card" if on_card else config.view
    view = project.views[view_name]
    if on_card and view == project.views[config.view]:
        return _same_view_step(experiment, name)

    def body(folder: Path) -> None:
        from teachers.teach import adopt_finished, teach

        if config.finished is not None:
            bound = View(view_name, view, Path(config.finished) / TOKENIZER_FILE)
            adopt_finished(config.finished, experiment.space, bound, folder)
            return
        start = experiment.run / checkpoint(name)
        bound = View(view_name, view, start / TOKENIZER_FILE)
        teach(config, experiment.space, bound, experiment.run / RECORDS, start, seed, project.threads, folder)

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
        version=2,
    )


def _same_view_step(experiment: Experiment, name: str) -> Step:
    """The teacher on cards where the card is its own view: the same training would give the same model, so a copy."""
    teacher, config = f"teachers/{name}", experiment.project.views["card"]

    def body(folder: Path) -> None:
        from teachers.teach import copy_teacher

        copy_teacher(experiment.run / teacher, View("card", config, experiment.run / teacher / TOKENIZER_FILE), folder)

    return Step(
        name=f"teach {name}@card",
        artifact=f"teachers/{name}@card",
        body=body,
        config={"view": config.as_json()},
        upstream=(teacher,),
    )


def label_step(experiment: Experiment, teacher: Trained) -> Step:
    """A teacher's logits for train and pool rows, computed here or imported."""
    config, threads = experiment.settings.teachers[teacher.name.partition("@")[0]], experiment.project.threads
    records, file = experiment.run / RECORDS, Path(config.labels) if config.labels else None

    def body(folder: Path) -> None:
        if file:
            from teachers.import_labels import import_labels

            import_labels(config.labelling, file, experiment.space, records, folder)
        else:
            from teachers.label import label

            label(config.labelling, experiment.run / teacher.artifact, records, threads, folder)

    return Step(
        name=f"label {teacher.name}",
        artifact=labels(teacher),
        body=body,
        config=config.labelling.as_json(),
        upstream=(RECORDS,) if file else (RECORDS, teacher.artifact),
        files=(file,) if file else (),
    )


def model_files(folder: Path | None) -> tuple[Path, ...]:
    """The files of a local model folder that its artifact depends on."""
    return tuple(sorted([*folder.glob("*.safetensors"), *folder.glob("*.json")])) if folder else ()
