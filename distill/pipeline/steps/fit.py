"""Steps that make models: the checkpoint that one starts from, and the fit itself, whatever the family and the role."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from distill.core.files import Json, read_json
from distill.core.model_folder import HISTORY_FILE
from distill.core.paths import require_file
from distill.core.predictions import read_predictions
from distill.core.run_folder import ANSWERS, ENCODED, LAYERS, RECORDS, RunFolder
from distill.core.selection.config import Select
from distill.core.steps import Read, Step
from distill.core.view import TOKENIZER_FILE, View
from distill.core.work import Counts, Work, Workload, no_work, reading
from distill.evaluation.calibration import fit_temperature
from distill.families.family import Family, Lesson, family, fit
from distill.models.pretrained import vocabulary_files
from distill.pipeline.experiment import Experiment
from distill.pipeline.models import FOLD, PHASE, STUDENT, TEACHER, ModelSpec
from distill.pipeline.read_teachers import read_teacher, teacher_views
from distill.training.joining import Share
from distill.training.work import fit_work, in_all
from students.config import StudentConfig, TrainedEntry
from teachers.config import TeacherConfig
from teachers.embedded import local_folder

_VALID = "valid.parquet"


def checkpoint_step(experiment: Experiment, name: str) -> Step:
    """The untouched encoder that a teacher, or a student with a start of its own, begins with."""
    config, seed = experiment.settings.entry(name), experiment.project.weights_seed
    assert isinstance(config, TeacherConfig | TrainedEntry)

    def body(folder: Path) -> None:
        from teachers.starting_encoder import prepare_checkpoint

        prepare_checkpoint(config, experiment.run / RECORDS, seed, folder)

    local = local_folder(config.checkpoint) if config.checkpoint else None
    fresh = {"fresh": config.architecture.as_fingerprint(), "seed": seed}
    texts = tuple(f"{split}.parquet" for split in experiment.labelled_splits)
    return Step(
        name=f"checkpoint {name}",
        artifact=RunFolder.checkpoint(name),
        body=body,
        config={"checkpoint": None if local else config.checkpoint} if config.checkpoint else fresh,
        reads=() if config.checkpoint else (Read(RECORDS, texts),),
        files=local_files(local),
    )


def fit_step(experiment: Experiment, spec: ModelSpec) -> Step:
    """A model fitted as its family does it: on gold, or on soft labels too; a copy where it would equal another one."""
    if spec.copy_of is not None:
        return _copy_step(experiment, spec, experiment.models[spec.copy_of])
    own, project, sources = family(spec.family), experiment.project, Sources.of(experiment, spec)

    def body(folder: Path) -> None:
        fit(spec.family, _measured(experiment, spec.entry, spec.config), lesson_of(experiment, spec, sources), folder)

    views = {name: view.as_fingerprint() for name, view in teacher_views(experiment, spec).items()}
    recipe = {"threads": project.threads, "seed": project.weights_seed + spec.seed_offset} if own.learns else {}
    return Step(
        name=_name(spec),
        artifact=spec.artifact,
        body=body,
        config={
            **spec.config.fit_settings(),
            **recipe,
            "family": spec.family,
            "view": project.views[spec.view].as_fingerprint(),
            "task": _task(experiment, spec),
            "shares": [share.as_fingerprint() for share in sources.labels.values()],
            **({"teacher_views": views} if views else {}),
            **({"through": [_cut(experiment, name) for name in spec.through]} if spec.through else {}),
            **({"hub": hub} if (hub := _hub_ids(own, spec.config)) else {}),
        },
        reads=(*_rows(experiment, spec, own), *sources.reads()),
        files=_files(own, spec.config),
        work=_work(experiment, spec, own),
        together=own.learns and own.together,
        alone=own.learns and not own.together,
    )


@dataclass(frozen=True)
class Sources:
    """What a fit reads besides rows.

    Attributes: start: the artifact that it starts from. labels: soft-label stores with their shares. answers: by store,
        what its model says on validation, where that gives it a temperature. members: of an ensemble, by name. teacher:
        the model that a loss term reads. steps_of: the models whose steps it takes. selection: of the pool's rows.
        layers: that were chosen by measuring, its own and those that it goes through.
    """

    start: str | None
    labels: Mapping[str, Share]
    answers: Mapping[str, str]
    members: Mapping[str, str]
    teacher: str | None
    steps_of: tuple[str, ...]
    selection: str | None
    layers: tuple[str, ...]

    @classmethod
    def of(cls, experiment: Experiment, spec: ModelSpec) -> Sources:
        """Those of a model."""
        start, models, teacher = experiment.start(spec), experiment.models, read_teacher(experiment, spec)
        return cls(
            start=start.artifact if start else None,
            labels={RunFolder.labels(name): share for name, share in experiment.teachers_of(spec).items()},
            answers={RunFolder.labels(one.name): RunFolder.predicted(one.label) for one in experiment.calibrated(spec)},
            members={name: models[name].artifact for name in spec.members},
            teacher=teacher.artifact if teacher else None,
            steps_of=tuple(models[name].artifact for name in spec.steps_of),
            selection=experiment.selection(spec),
            layers=tuple(RunFolder.probed(name) for name in (*spec.through, spec.entry) if experiment.is_probed(name)),
        )

    def reads(self) -> tuple[Read, ...]:
        """Each artifact once."""
        steps = [Read(name, (HISTORY_FILE,)) for name in self.steps_of]
        steps += [Read(name, (_VALID,)) for name in self.answers.values()]
        named = (self.start, *self.labels, self.selection, *self.members.values(), *self.layers, self.teacher)
        whole = [name for name in named if name]
        return (*(Read(name) for name in dict.fromkeys(whole)), *steps)


def lesson_of(experiment: Experiment, spec: ModelSpec, sources: Sources) -> Lesson:
    """What a model is fitted on."""
    run, project, (rows, part) = experiment.run, experiment.project, experiment.rows_of(spec)
    return Lesson(
        title=_title(spec),
        space=experiment.space,
        view=spec.view,
        view_config=project.views[spec.view],
        records=run / rows / part,
        source=run / sources.start if sources.start else None,
        through=[_measured(experiment, name, experiment.settings.students[name]) for name in spec.through],
        measured=experiment.is_probed(spec.entry),
        splits=experiment.learnt_splits(spec),
        mixture=experiment.gold_splits(spec),
        labels=_shares(experiment, sources),
        selection=run / sources.selection if sources.selection else None,
        allow_missing=getattr(spec.config, "allow_missing", False),
        slices=getattr(spec.config, "slices", None),
        members={name: run / artifact for name, artifact in sources.members.items()},
        teacher=run / sources.teacher if sources.teacher else None,
        teacher_views=teacher_views(experiment, spec),
        steps=sum(read_json(run / name / HISTORY_FILE)["steps"] for name in sources.steps_of) or None,
        seed=project.weights_seed + spec.seed_offset,
        threads=project.threads,
        logs=run.logs(spec.artifact),
        encoded=experiment.settings.shared / ENCODED,
        places=_places(family(spec.family), spec.config),
        answers=experiment.settings.shared / ANSWERS,
    )


def _shares(experiment: Experiment, sources: Sources) -> dict[Path, Share]:
    """The stores of the labels with their shares, each with the temperature that validation gives to its model."""
    run, objective = experiment.run, experiment.space.objective
    found = {run / store: share for store, share in sources.labels.items()}
    for store, answers in sources.answers.items():
        valid = read_predictions(run / answers / _VALID)
        temperature = fit_temperature(valid.logits, valid.target, objective)
        found[run / store] = replace(found[run / store], temperature=temperature)
    return found


def _task(experiment: Experiment, spec: ModelSpec) -> Json:
    """What of the task a fit depends on: labels, kind, and what its objective reads besides."""
    space, training = experiment.space, getattr(spec.config, "training", None)
    own = training.objective.depends_on(space) if training is not None else {}
    return {"labels": list(space.labels), "kind": space.objective.name, **own}


def _copy_step(experiment: Experiment, spec: ModelSpec, source: ModelSpec) -> Step:
    """A model whose recipe and view are another one's: the same training would give the same weights, so a copy."""
    config = experiment.project.views[spec.view]

    def body(folder: Path) -> None:
        from distill.families.copying import copy_model

        model = experiment.run / source.artifact
        copy_model(model, View(spec.view, config, model / TOKENIZER_FILE), folder)

    return Step(
        name=_name(spec),
        artifact=spec.artifact,
        body=body,
        config={"view": config.as_fingerprint(), "name": spec.view},
        reads=(Read(source.artifact),),
    )


def _places(own: Family, config: Any) -> dict[str, Path]:
    """The local folders of the models outside the run that a fit takes over; of a hub id there is none."""
    found = {place: local_folder(place) for place in own.places(config)}
    return {place: folder for place, folder in found.items() if folder is not None}


def _hub_ids(own: Family, config: Any) -> list[str]:
    """The others of these models: what is on the hub is known by its name and revision alone."""
    return [place for place in own.places(config) if local_folder(place) is None]


def _files(own: Family, config: Any) -> tuple[Path, ...]:
    """The files outside the run that a fit depends on. Raises: UserError for one that is not there."""
    named = tuple(own.files(config))
    for path in named:
        require_file(path, "file not found", "check its name in the entry")
    return (*(path for folder in _places(own, config).values() for path in local_files(folder)), *named)


def local_files(folder: Path | None) -> tuple[Path, ...]:
    """The files of a local model folder that its artifact depends on."""
    if folder is None:
        return ()
    return tuple(sorted({*folder.glob("*.safetensors"), *folder.glob("*.json"), *vocabulary_files(folder)}))


def _name(spec: ModelSpec) -> str:
    return f"teach {spec.label}" if spec.role in (TEACHER, FOLD, PHASE) else f"train {spec.name}"


def _title(spec: ModelSpec) -> str:
    """What the progress bar calls the fit."""
    if spec.role == FOLD:
        return "fine-tuning without fold {} of {}".format(*spec.fold)
    if spec.role in (TEACHER, PHASE):
        return f"fine-tuning on {spec.view}"
    return "distilling" if spec.role == STUDENT else "training on gold only"


def _measured(experiment: Experiment, name: str, config: Any) -> Any:
    """An entry with the layers that were measured for it, where it asks for that."""
    if not experiment.is_probed(name):
        return config
    return config.model_copy(update={"keep": read_json(experiment.run / RunFolder.probed(name) / LAYERS)["layers"]})


def _cut(experiment: Experiment, student: str) -> list[object]:
    """How a student chooses its layers."""
    config = experiment.settings.students[student]
    assert isinstance(config, StudentConfig)
    return [config.keep, config.layers]


def _rows(experiment: Experiment, spec: ModelSpec, own: Family) -> tuple[Read, ...]:
    """The record files that a fit reads: no test, and the pool only where its labels are learned."""
    if not own.learns:
        asked = own.asks(spec.config, experiment.labelled_splits)
        return (Read(RECORDS, tuple(f"{split}.parquet" for split in asked)),) if asked else ()
    splits = ("valid", *experiment.learnt_splits(spec))
    artifact, part = experiment.rows_of(spec)
    below = f"{part}/" if part else ""
    return (Read(artifact, tuple(f"{below}{split}.parquet" for split in splits)),)


def _work(experiment: Experiment, spec: ModelSpec, own: Family) -> Workload:
    """Training rows, and the pool where its labels are learned, as optimiser steps or, in families without, read once.

    A twin's time is its student's.
    """
    if not own.learns:
        asked = own.asks(spec.config, experiment.labelled_splits)
        return reading(*asked) if asked else no_work
    like = f"train {spec.twin_of}" if spec.twin_of else None
    if spec.fold_of:
        like = f"teach {experiment.models[spec.fold_of].label}"
    # A twin of equal steps is as long as its students, whatever its own config says of its end.
    parts = [experiment.models[name] for name in spec.steps_of] or [spec]
    trainings: list[Any] = [
        getattr(one.config, "training", None) if family(one.family).optimised else None for one in parts
    ]
    slices = getattr(spec.config, "slices", None)
    others = [split for split in experiment.gold_splits(spec) if split != "train"]
    names = [*(f"train/{name}" for name in slices), *others] if slices else None
    read = [names or experiment.learnt_splits(one) for one in parts]
    if None in trainings:
        return reading(*read[-1], like=like)

    def work(rows: Counts) -> Work:
        valid = rows.get("valid", 0)
        select = experiment.project.select
        weights = None if names else experiment.gold_splits(spec)
        counts = [_learnt(rows, splits, select, weights) for splits in read]
        if spec.fold_of:
            counts = [count - count // spec.fold[1] for count in counts]
        return in_all(fit_work(one, count, valid, like) for one, count in zip(trainings, counts, strict=True))

    return work


def _learnt(rows: Counts, splits: Sequence[str], selection: Select | None, weights: Mapping[str, float] | None) -> int:
    """How many rows of these splits are learnt in an epoch, of the pool at most as many as are selected.

    Args: weights: how often the rows of a split are read; None, or none of it: once.
    """
    rows = {name: round(count * (weights or {}).get(name, 1.0)) for name, count in rows.items()}
    pool = sum(rows.get(name, 0) for name in splits if name.startswith("pool."))
    most = pool if selection is None or selection.rows is None else min(pool, selection.rows)
    return sum(rows.get(name, 0) for name in splits) - pool + most
