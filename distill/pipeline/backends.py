"""The backends that the teachers of a run label with."""

from __future__ import annotations

from dataclasses import replace

from distill.core.errors import UserError
from distill.families.family import family
from distill.inference.backends.backend import backend
from distill.pipeline.settings import Settings


def with_backend(settings: Settings, name: str | None) -> Settings:
    """The settings with this backend for every teacher that labels; None leaves what they say.

    Raises: UserError for an unknown one.
    """
    if name is None:
        return settings
    backend(name, "--backend")
    teachers = {
        key: entry.model_copy(update={"labelling": entry.labelling.model_copy(update={"backend": name})})
        for key, entry in settings.teachers.items()
    }
    return replace(settings, teachers=teachers)


def require_backends(settings: Settings) -> None:
    """Check, before anything is trained, that each teacher's backend is there and has its precision.

    Raises: UserError naming the key; MissingExtra.
    """
    for name, entry in settings.teachers.items():
        where = f"teachers.{name}.labelling"
        runs = backend(entry.labelling.backend, f"{where}.backend")
        runs.require()
        runs.precision(entry.labelling.precision, False)
        runs.require_unpadding(entry.labelling.unpadded)
        own = family(entry.made_by)
        if entry.labelling.unpadded and own.starts and own.backends and not own.layered:
            raise UserError(
                "models of this family read padded batches alone",
                where=f"{where}.unpadded",
                found=f"true, family {own.name}",
                do="set it to false",
            )
        runs.require_compiling(entry.labelling.compiled, entry.labelling.unpadded)
