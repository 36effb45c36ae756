"""What models ask of the checkpoint that they start from, beside that it can be opened."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from distill.core import protobuf
from distill.core.errors import UserError
from distill.families.family import family
from distill.models.config import HeadConfig
from distill.pipeline.settings import Settings
from distill.training.config import LoraConfig, TrainingConfig
from distill.training.losses.term import ATTENTIONS, PROJECTIONS, needs
from export.targets.base import Target
from students.config import StudentConfig
from teachers.config import TeacherConfig, TeacherEntry

if TYPE_CHECKING:
    from transformers import PreTrainedModel

Check = Callable[["PreTrainedModel"], None]
Chain = Sequence[StudentConfig]


def checks(
    settings: Settings, rooted: Sequence[str], started: Sequence[str], students: Mapping[str, Chain], verbs: Set[str]
) -> list[Check]:
    """The checks that a checkpoint's model has to pass; each raises UserError with the key that asks for more.

    Args: rooted: teachers that start from it. started: students of any family that do. students: those that take its
        layers, each with the assistants between. verbs: of the steps that will be performed.
    """
    return [
        *_recipe_checks(_recipes(settings, rooted, students)),
        *_family_checks(students),
        *_own_checks(settings, rooted),
        *(_own_checks(settings, started) if "train" in verbs else []),
        *_labelling_checks(settings, rooted),
        *_head_checks(settings, rooted, students),
        *(_export_checks(settings, rooted, started) if "export" in verbs else []),
    ]


def _recipes(
    settings: Settings, rooted: Sequence[str], students: Mapping[str, Chain]
) -> Iterator[tuple[str, TrainingConfig]]:
    """How teachers and their students are trained, by key; nothing of one that is finished."""
    for one in rooted:
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


def _labelling_checks(settings: Settings, rooted: Sequence[str]) -> Iterator[Check]:
    """Batches without padding are known for some families only."""
    for one in rooted:
        if settings.teachers[one].labelling.unpadded:
            yield partial(_require_unpadded, f"teachers.{one}.labelling.unpadded")


def _head_checks(settings: Settings, rooted: Sequence[str], students: Mapping[str, Chain]) -> Iterator[Check]:
    """A head of another form is known for some families only."""
    heads = {f"teachers.{one}.head": getattr(settings.teachers[one], "head", None) for one in rooted}
    heads |= {f"students.{student}.head": chain[-1].head for student, chain in students.items()}
    for key, head in heads.items():
        if head is not None:
            yield partial(_require_head, key, head)


def _export_checks(settings: Settings, rooted: Sequence[str], started: Sequence[str]) -> Iterator[Check]:
    refitted = any(family(settings.students[one].family).layered for one in started)
    yield from (target.require for target in settings.targets.values() if refitted or not target.refits)
    yield from (partial(_require_if_taken, target) for target in settings.fallbacks.values())
    for one in rooted if settings.targets else []:
        if settings.teachers[one].export and family(settings.teachers[one].made_by).exports:
            yield partial(_require_small, f"teachers.{one}.export")


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


def _require_attention(key: str, model: PreTrainedModel) -> None:
    from distill.models.projections import attention_modules

    with _at(key):
        attention_modules(model)


def _require_pooling(key: str, model: PreTrainedModel) -> None:
    from distill.models.token_schedule import require_family

    with _at(key):
        require_family(model)


def _require_own(key: str, made_by: str, model: PreTrainedModel) -> None:
    with _at(key):
        family(made_by).require(model)


def _require_unpadded(key: str, model: PreTrainedModel) -> None:
    from distill.models.packed import PackedClassifier
    from distill.models.truncation import shared_copy

    with _at(key):
        PackedClassifier(shared_copy(model))


def _require_head(key: str, head: HeadConfig, model: PreTrainedModel) -> None:
    from distill.models.truncation import shared_copy
    from distill.models.two_layer_head import set_head

    with _at(key):
        set_head(shared_copy(model), head)


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


@contextmanager
def _at(key: str) -> Iterator[None]:
    """Name the key of the project in a UserError."""
    try:
        yield
    except UserError as error:
        raise UserError(error.what, where=key, found=error.found, do=error.do) from None
