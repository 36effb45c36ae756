"""Every checkpoint and finished teacher that a run names, tried before anything is trained."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from distill.core import protobuf
from distill.core.errors import UserError
from distill.core.objectives.single_label import SINGLE
from distill.core.progress import note
from distill.core.project import ViewConfig
from distill.core.run_folder import RunFolder
from distill.core.steps import Steps
from distill.core.view import too_long
from distill.families.family import family, family_of
from distill.families.finished_model import FinishedModel, require_model
from distill.models.config import HeadConfig
from distill.models.layer_map import kept_layers, require_source
from distill.pipeline.ancestry import root_of
from distill.pipeline.experiment import Experiment
from distill.pipeline.extras import naming_extras
from distill.pipeline.plan import Stage
from distill.pipeline.preflight import layers_of, require_equal_starts
from distill.pipeline.read_teachers import views_of_terms
from distill.pipeline.settings import Settings
from distill.training.config import LoraConfig, TrainingConfig
from distill.training.losses.term import ATTENTIONS, PROJECTIONS, needs
from export.targets.base import Target
from students.config import StudentConfig, TrainedEntry
from teachers.config import TeacherConfig, TeacherEntry
from teachers.embedded import local_folder

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from distill.inference.trial import Trial

Check = Callable[["PreTrainedModel"], None]
Chain = Sequence[StudentConfig]
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
    cuts = {
        one: partial(_kept, f"teachers.{one}", cut)
        for one in _rooted(name, experiment.settings)
        if (cut := _teacher_cuts(one, experiment.settings))
    }
    for student, chain in students.items():
        start = chain[0].source if chain[0].source in experiment.settings.teachers else name
        before = [] if chain[0].init == "pretrained" else _teacher_cuts(start or name, experiment.settings)
        cuts[student] = partial(_kept, f"students.{student}", [*before, *chain])
    checks = [
        *_recipe_checks(_recipes(name, experiment.settings, students)),
        *_family_checks(students),
        *_own_checks(experiment.settings, _rooted(name, experiment.settings)),
        *(_own_checks(experiment.settings, _started(name, experiment.settings)) if "train" in verbs else []),
        *_labelling_checks(name, experiment.settings),
        *_head_checks(name, experiment.settings, students),
        *(_export_checks(name, experiment.settings) if "export" in verbs else []),
    ]
    _try(f"{section}.{name}", source, Trial(space.labels, space.objective, views, cuts, checks, not finished))


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
    """What a teacher, where there is its model, those that start from it, its card teacher and its students read.

    So do loss terms through it.

    Or a student with a start of its own, and those that start from it. By key, its own view first.
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


def _recipes(name: str, settings: Settings, students: Mapping[str, Chain]) -> Iterator[tuple[str, TrainingConfig]]:
    """How a teacher, those that start from it and its students are trained, by key; nothing of one that is finished."""
    for one in _rooted(name, settings):
        teacher = settings.teachers[one]
        if isinstance(teacher, TeacherConfig) and family(teacher.made_by).learns:
            yield f"teachers.{one}.training", teacher.training
    for student, chain in students.items():
        yield f"students.{student}.training", chain[-1].training


def _recipe_checks(recipes: Iterable[tuple[str, TrainingConfig]]) -> Iterator[Check]:
    """What of a recipe needs a part of the encoder: a list of layers, a dropout in the head, layers of some name."""
    for key, training in recipes:
        if training.optimiser == "muon":
            yield partial(_require_stack, f"{key}.optimiser", "muon", "set it to adamw")
        if training.layer_decay != 1:
            yield partial(_require_stack, f"{key}.layer_decay", "layer_decay", "set it to 1")
        if training.head_dropout is not None:
            yield partial(_require_head_dropout, f"{key}.head_dropout")
        if training.lora is not None:
            yield partial(_require_adapted, f"{key}.lora.modules", training.lora)
        if training.gradient_checkpointing:
            yield partial(_require_cheap_layers, f"{key}.gradient_checkpointing")


def _family_checks(students: Mapping[str, Chain]) -> Iterator[Check]:
    """What students read inside a model, or change there, is known for some families only."""
    for name, chain in students.items():
        student = chain[-1]
        if needs(student.terms.values()) & {ATTENTIONS, PROJECTIONS}:
            yield partial(_require_attention, f"students.{name}.losses")
        if student.token_schedule is not None:
            yield partial(_require_pooling, f"students.{name}.token_schedule")


def _own_checks(settings: Settings, names: Iterable[str]) -> Iterator[Check]:
    """What the families of some entries ask of a checkpoint."""
    for one in names:
        entry = settings.entry(one)
        if isinstance(entry, TeacherEntry):
            yield partial(_require_own, f"teachers.{one}.family", entry.made_by)
        else:
            yield partial(_require_own, f"students.{one}.family", entry.family)


def _require_own(key: str, made_by: str, model: PreTrainedModel) -> None:
    with _at(key):
        family(made_by).require(model)


def _labelling_checks(name: str, settings: Settings) -> Iterator[Check]:
    """Batches without padding are known for some families only."""
    for one in _rooted(name, settings):
        if settings.teachers[one].labelling.unpadded:
            yield partial(_require_unpadded, f"teachers.{one}.labelling.unpadded")


def _require_unpadded(key: str, model: PreTrainedModel) -> None:
    from distill.models.packed import PackedClassifier
    from distill.models.truncation import shared_copy

    with _at(key):
        PackedClassifier(shared_copy(model))


def _head_checks(name: str, settings: Settings, students: Mapping[str, Chain]) -> Iterator[Check]:
    """A head of another form is known for some families only."""
    heads = {f"teachers.{one}.head": getattr(settings.teachers[one], "head", None) for one in _rooted(name, settings)}
    heads |= {f"students.{student}.head": chain[-1].head for student, chain in students.items()}
    for key, head in heads.items():
        if head is not None:
            yield partial(_require_head, key, head)


def _require_attention(key: str, model: PreTrainedModel) -> None:
    from distill.models.projections import attention_modules

    with _at(key):
        attention_modules(model)


def _require_pooling(key: str, model: PreTrainedModel) -> None:
    from distill.models.token_schedule import require_family

    with _at(key):
        require_family(model)


@contextmanager
def _at(key: str) -> Iterator[None]:
    """Name the key of the project in a UserError."""
    try:
        yield
    except UserError as error:
        raise UserError(error.what, where=key, found=error.found, do=error.do) from None


def _require_stack(key: str, what: str, do: str, model: PreTrainedModel) -> None:
    from distill.models.encoder import layer_stack

    try:
        layer_stack(model)
    except UserError as error:
        found = f"{what} cannot train this encoder: {error.what}"
        raise UserError(found, where=key, found=error.found, do=f"{do}, or take another encoder") from None


def _require_head_dropout(key: str, model: PreTrainedModel) -> None:
    from distill.models.head import head_dropouts

    with _at(key):
        head_dropouts(model)


def _require_adapted(key: str, lora: LoraConfig, model: PreTrainedModel) -> None:
    import peft  # noqa: F401 - what is missing is told before anything is trained

    from distill.training.adapters import adapted_layers

    with _at(key):
        adapted_layers(model, lora)


def _require_cheap_layers(key: str, model: PreTrainedModel) -> None:
    from distill.training.memory import store_all, store_less

    with _at(key):
        store_less(model)
        store_all(model)


def _require_head(key: str, head: HeadConfig, model: PreTrainedModel) -> None:
    from distill.models.truncation import shared_copy
    from distill.models.two_layer_head import set_head

    with _at(key):
        set_head(shared_copy(model), head)


def _export_checks(name: str, settings: Settings) -> Iterator[Check]:
    refitted = any(family(settings.students[one].family).layered for one in _started(name, settings))
    yield from (target.require for target in settings.targets.values() if refitted or not target.refits)
    yield from (partial(_require_if_taken, target) for target in settings.fallbacks.values())
    for one in _rooted(name, settings) if settings.targets else []:
        if settings.teachers[one].export and family(settings.teachers[one].made_by).exports:
            yield partial(_require_small, f"teachers.{one}.export")


def _require_if_taken(target: Target, model: PreTrainedModel) -> None:
    """Check a target that another one falls back to; the ladder ends before one that is not there for a family."""
    if target.problem_with(model.config.to_dict()) is None:
        target.require(model)


def _require_small(key: str, model: PreTrainedModel) -> None:
    """Check that a teacher's file, which is made to be timed, is no larger than a file can be."""
    size = 4 * sum(weight.numel() for weight in model.parameters())
    if size > protobuf.MOST_BYTES:
        raise UserError(
            "the teacher is too large for one ONNX file",
            where=key,
            found=f"{size / 1e9:.1f} GB in fp32, at most {protobuf.MOST_BYTES / 1e9:.1f}",
            do="set it to false: the teacher is timed in PyTorch alone, its students are exported",
        )


def _require_fresh_positions(views: Mapping[str, ViewConfig]) -> None:
    from distill.models.fresh import POSITIONS

    for key, view in views.items():
        if view.max_tokens > POSITIONS:
            raise too_long(key, view.max_tokens, POSITIONS, "an encoder of random weights")
