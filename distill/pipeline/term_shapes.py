"""Whether models whose insides loss terms compare can be compared, told before anything is trained."""

from __future__ import annotations

from pathlib import Path

from distill.core.errors import UserError
from distill.core.model_folder import heads, width
from distill.core.view import TOKENIZER_FILE
from distill.families.encoder import NO_MODEL_TO_READ, OTHER_TOKENIZER
from distill.pipeline.ancestry import root_of
from distill.pipeline.experiment import Experiment
from distill.pipeline.models import ModelSpec
from distill.pipeline.preflight import layers_of
from distill.pipeline.read_teachers import compared_terms, read_teacher
from distill.pipeline.settings import Settings
from distill.training.losses.term import Sizes, same_view
from students.config import TrainedEntry
from teachers.config import TeacherConfig
from teachers.embedded import local_folder


def require_comparable(experiment: Experiment) -> None:
    """Check that each model and the teacher whose insides its loss terms read can be compared.

    As far as both encoders are known before training; what is not known is checked when the fit begins.

    Raises: UserError naming the term and both sizes or encoders, or that there are only labels of the teacher.
    """
    for spec in experiment.models.values():
        if not (terms := compared_terms(spec)):
            continue
        section = "students" if spec.entry in experiment.settings.students else "teachers"
        key, teacher = f"{section}.{spec.entry}", read_teacher(experiment, spec)
        if teacher is None:
            raise UserError(
                "a loss term reads the teacher's model, and only its labels are here",
                where=f"{key}.losses",
                found=", ".join(terms),
                do=NO_MODEL_TO_READ,
            )
        _require_tokens(key, experiment.settings, spec, teacher)
        own, other = (_sizes(experiment.settings, one) for one in (spec, teacher))
        if own is None or other is None:
            continue
        for term in terms.values():
            try:
                term.check(own, other)
            except UserError as error:
                where = f"{key}.{error.where}"
                raise UserError(error.what, where=where, found=error.found, do=error.do) from None


def _require_tokens(key: str, settings: Settings, spec: ModelSpec, teacher: ModelSpec) -> None:
    """Check that what is compared token by token has the same tokens. Raises: UserError naming both encoders."""
    roots = _root(settings, spec), _root(settings, teacher)
    folders = [_folder(root) for root in roots if getattr(root, "vocabulary", None) is None]
    files = [folder / TOKENIZER_FILE for folder in folders if folder is not None]
    named = [name for name, term in compared_terms(spec).items() if same_view([term])]
    if not named or len(files) < 2 or not all(path.is_file() for path in files):
        return
    if files[0].read_bytes() != files[1].read_bytes():
        raise UserError(
            "a loss term reads the teacher's model, which has another tokenizer than the student",
            where=f"{key}.losses",
            found=f"{', '.join(named)}: '{teacher.name}' of {files[1].parent}, '{spec.name}' of {files[0].parent}",
            do=OTHER_TOKENIZER,
        )


def _sizes(settings: Settings, spec: ModelSpec) -> Sizes | None:
    """The shape that a model will have; None where the encoder that it starts from is not known yet."""
    root, layers = _root(settings, spec), layers_of(settings, spec.entry)
    if root is None or layers is None:
        return None
    shortened = any(tokens > 1 for tokens in getattr(spec.config, "token_schedule", None) or ())
    if _place(root) is None:
        return Sizes(layers, root.architecture.width, root.architecture.heads, shortened)
    folder = _folder(root)
    wide, count = (width(folder), heads(folder)) if folder is not None else (None, None)
    return None if wide is None or count is None else Sizes(layers, wide, count, shortened)


def _root(settings: Settings, spec: ModelSpec) -> TeacherConfig | TrainedEntry | None:
    """The entry that brings the encoder of a model; of a choice the first teacher's."""
    taught = spec.entry in settings.teachers
    named = settings.root_of(spec.entry) if taught else root_of(spec.entry, settings)
    root = settings.entry(named or settings.root_of(settings.first_teacher))
    return root if isinstance(root, TeacherConfig | TrainedEntry) else None


def _place(root: TeacherConfig | TrainedEntry) -> str | None:
    """The folder or hub id of an encoder; None for random weights."""
    return (root.finished if isinstance(root, TeacherConfig) else None) or root.checkpoint


def _folder(root: TeacherConfig | TrainedEntry | None) -> Path | None:
    """The folder of an encoder with its `config.json`; None where it is not here."""
    place = _place(root) if root is not None else None
    folder = local_folder(place) if place else None
    return folder if folder is not None and (folder / "config.json").is_file() else None
