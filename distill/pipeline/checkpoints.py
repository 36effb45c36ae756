"""Every checkpoint and finished teacher that a run names, tried before anything is trained."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from distill.core.errors import UserError
from distill.core.objectives.single_label import SINGLE
from distill.core.progress import note
from distill.core.project import ViewConfig
from distill.core.run_folder import RunFolder
from distill.core.steps import Steps
from distill.core.view import too_long
from distill.families.family import family_of
from distill.families.finished_model import FinishedModel, require_model
from distill.models.layer_map import kept_layers, require_source
from distill.pipeline.ancestry import root_of
from distill.pipeline.checkpoint_checks import Chain, checks
from distill.pipeline.experiment import Experiment
from distill.pipeline.extras import naming_extras
from distill.pipeline.plan import Stage
from distill.pipeline.preflight import layers_of, require_equal_starts
from distill.pipeline.read_teachers import views_of_terms
from distill.pipeline.settings import Settings
from students.config import StudentConfig, TrainedEntry
from teachers.config import TeacherConfig
from teachers.embedded import local_folder

if TYPE_CHECKING:
    from distill.inference.trial import Trial

_MAKING = ("teach", "label", "train")


def try_checkpoints(experiment: Experiment, stages: Sequence[Stage], steps: Steps) -> None:
    """Try what the models of a run start from; a line for each says what it is and how long that took.

    Nothing is tried where every model and label is made already; of a run for one model alone only what that one needs.

    Args: stages: the steps that will be performed. steps: knows which of them are made.
    Raises: UserError for the first checkpoint that will not do; MissingExtra without torch.
    """
    if all(steps.is_done(stage.step) for stage in stages if stage.verb in _MAKING):
        return
    verbs, settings = {stage.verb for stage in stages}, experiment.settings
    require_equal_starts(settings)
    starting = _starting(settings)
    if settings.only is not None:
        needed = _entries_of(experiment, stages)
        starting = {name: entry for name, entry in starting.items() if name in needed}
    for name, entry in starting.items():
        students = dict(_students_of(name, settings)) if "train" in verbs else {}
        if isinstance(entry, TeacherConfig) and entry.made_by == FinishedModel.name:
            _try_finished_model(experiment, name, entry)
            continue
        views = _views(experiment, name, students.values())
        given = (entry.finished if isinstance(entry, TeacherConfig) else None) or entry.checkpoint
        if isinstance(entry, TeacherConfig) and entry.labels is not None and not students:
            continue
        if isinstance(entry, TrainedEntry) and "train" not in verbs:
            continue
        with naming_extras(f"trying the checkpoint of '{name}'"):
            if given is None:
                _require_fresh_positions(views)
            else:
                _try_start(experiment, name, given, views, students, verbs)


def _try_finished_model(experiment: Experiment, name: str, entry: TeacherConfig) -> None:
    """Check what another run has fitted, and open it. Raises: UserError as `require_model` and as its family opens."""
    started = time.monotonic()
    place, views = Path(entry.finished or ""), experiment.project.views
    require_model(place, experiment.space, entry.view, views)
    with naming_extras(f"opening the teacher '{name}'"):
        family_of(place).open(place)
    note(f"tried teachers.{name}: {family_of(place).name}, {place}; {time.monotonic() - started:.1f} s")


def _entries_of(experiment: Experiment, stages: Sequence[Stage]) -> set[str]:
    """The entries of the project whose model or start some steps make; those whose labels were made elsewhere too."""
    made = {stage.step.artifact for stage in stages}
    return {
        spec.entry
        for spec in experiment.models.values()
        if not spec.has_folder or not made.isdisjoint({spec.artifact, RunFolder.checkpoint(spec.entry)})
    }


def _starting(settings: Settings) -> dict[str, TeacherConfig | TrainedEntry]:
    """The entries that bring an encoder: teachers, and students with a start of their own."""
    teachers = {name: one for name, one in settings.teachers.items() if isinstance(one, TeacherConfig)}
    students = {name: one for name, one in settings.students.items() if isinstance(one, TrainedEntry)}
    return {
        **{name: one for name, one in teachers.items() if settings.root_of(name) == name},
        **{name: one for name, one in students.items() if one.has_own_start},
    }


def try_encoders(given: Mapping[str, tuple[str | None, Mapping[str, ViewConfig]]]) -> None:
    """Try encoders that are read without a classifier of the task.

    Args: given: by the key that names it in the project, the checkpoint, or None for random weights, and by their keys
        the views that it reads.
    Raises: as `try_checkpoints`.
    """
    with naming_extras("trying a checkpoint"):
        from distill.inference.trial import Trial

        for key, (checkpoint, views) in given.items():
            if checkpoint is None:
                _require_fresh_positions(views)
                continue
            _try(key, _resolved(checkpoint, key), Trial(("0", "1"), SINGLE, views, {}))


def _try_start(
    experiment: Experiment,
    name: str,
    given: str,
    views: Mapping[str, ViewConfig],
    students: Mapping[str, Chain],
    verbs: Set[str],
) -> None:
    from distill.families.finished import is_nameless, require_finished
    from distill.inference.trial import Trial

    entry, space = experiment.settings.entry(name), experiment.space
    section = "teachers" if isinstance(entry, TeacherConfig) else "students"
    finished = isinstance(entry, TeacherConfig) and entry.finished
    place = "finished" if finished else "checkpoint" if section == "teachers" else "start"
    source = _resolved(given, f"{section}.{name}.{place}")
    if finished:
        require_finished(source, space)
        if is_nameless(source):
            named = f"{', '.join(space.outputs)}, in this order (task.labels)"
            note(f"{section}.{name}: the classes of {source} have no names; they are taken for {named}")
    rooted = _rooted(name, experiment.settings)
    cuts = {
        one: partial(_kept, f"teachers.{one}", cut)
        for one in rooted
        if (cut := _teacher_cuts(one, experiment.settings))
    }
    for student, chain in students.items():
        start = chain[0].source if chain[0].source in experiment.settings.teachers else name
        before = [] if chain[0].init == "pretrained" else _teacher_cuts(start or name, experiment.settings)
        cuts[student] = partial(_kept, f"students.{student}", [*before, *chain])
    asked = checks(experiment.settings, rooted, list(_started(name, experiment.settings)), students, verbs)
    _try(f"{section}.{name}", source, Trial(space.labels, space.objective, views, cuts, asked, not finished))


def _resolved(given: str, key: str) -> Path:
    """The local folder of a checkpoint. Args: key: of the project, named beside the checkpoint in messages."""
    from distill.models import pretrained

    try:
        source = local_folder(given) or pretrained.resolve(given)
    except UserError as error:
        where = f"{key}: {error.where or given}"
        raise UserError(error.what, where=where, found=error.found, do=error.do) from error
    pretrained.require_safe(source)
    return source


def _try(key: str, source: Path, trial: Trial) -> None:
    from distill.inference.trial import try_checkpoint

    started = time.monotonic()
    found = try_checkpoint(source, trial)
    cuts = f"; cut for {', '.join(trial.cuts)}" if trial.cuts else ""
    note(f"tried {key}: {found}{cuts}; {time.monotonic() - started:.1f} s")


def _views(experiment: Experiment, name: str, students: Iterable[Chain]) -> dict[str, ViewConfig]:
    """The views, by key, that what starts from an entry reads, its own first.

    Of a teacher they are those of the teachers that start from it and have a model, of its card teacher, of its
    students and of loss terms that read through it; of a student with a start of its own, of what starts from that.
    """
    settings, card = experiment.settings, experiment.card_teacher
    rooted = [experiment.models[one] for one in _rooted(name, settings) or [name]]
    read = [spec.view for spec in rooted if spec.has_folder]
    read += [chain[-1].view for chain in students]
    read += [view for spec in rooted for view in views_of_terms(experiment, spec)]
    read += [card.view] if card is not None and card.entry in [spec.name for spec in rooted] else []
    return {f"views.{view}": settings.project.views[view] for view in read}


def _students_of(name: str, settings: Settings) -> Iterator[tuple[str, Chain]]:
    """The students whose layers may go back to a teacher's, each with the assistants between, from the teacher on."""
    labels = any(settings.teachers[one].weight > 0 for one in _rooted(name, settings))
    for student, config in settings.students.items():
        if not isinstance(config, StudentConfig):
            continue
        between = [settings.students[one] for one in settings.chain_of(student)]
        chain = [one for one in (*between, config) if isinstance(one, StudentConfig)]
        root = root_of(student, settings)
        if root is None:
            first = name == settings.root_of(settings.first_teacher)
            # One that names nothing and is deeper than this teacher starts from the first.
            if labels and (first or not _shallower(name, chain[0], settings)):
                yield student, chain
        elif root == name:
            yield student, chain


def _rooted(name: str, settings: Settings) -> list[str]:
    """A teacher, and those that start from its fitted weights."""
    return [one for one in settings.teachers if settings.root_of(one) == name]


def _started(name: str, settings: Settings) -> Iterator[str]:
    """The students of any family that start from what an entry brings; of a choice, those of the first teacher."""
    first = settings.root_of(settings.first_teacher)
    for student, config in settings.students.items():
        if isinstance(config, TrainedEntry) and (root_of(student, settings) or first) == name:
            yield student


def _shallower(name: str, student: StudentConfig, settings: Settings) -> bool:
    available = layers_of(settings, name)
    return available is not None and available < student.least_layers


def _kept(key: str, chain: Sequence[StudentConfig | TeacherConfig], depth: int) -> list[int]:
    """The encoder's layers that a model keeps; of a probe as many. Raises: UserError where they are not there."""
    kept = list(range(depth))
    for one in chain:
        require_source(key, len(kept), one.layers, one.keep)
        kept = [kept[index] for index in kept_layers(len(kept), one.layers, one.keep)]
    return kept


def _teacher_cuts(name: str, settings: Settings) -> list[TeacherConfig]:
    """The fits on the way from the checkpoint to a teacher that keep only some of the layers, the first one first."""
    line = [settings.teachers[one] for one in reversed(settings.line_of(name))] if name in settings.teachers else []
    fits = [fit for one in line if isinstance(one, TeacherConfig) for fit in one.in_phases().values()]
    return [fit for fit in fits if fit.layers is not None]


def _require_fresh_positions(views: Mapping[str, ViewConfig]) -> None:
    from distill.models.fresh import POSITIONS

    for key, view in views.items():
        if view.max_tokens > POSITIONS:
            raise too_long(key, view.max_tokens, POSITIONS, "an encoder of random weights")
