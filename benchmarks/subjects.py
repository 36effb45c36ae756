"""What a latency benchmark measures: one artifact under one runtime, and how to find them in a run folder."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path

from distill.core.errors import UserError
from distill.core.files import Json
from distill.families.family import CONFIG_FILE, Family, family_of, is_remote, view_name
from export.config import load_target
from export.targets.base import Target

_ROLES = {"teachers": "teacher", "students": "student"}
PYTORCH = "pytorch"


@dataclass(frozen=True)
class Subject:
    """One artifact to measure.

    Attributes:
        name: as in the report, `base@document` or `8L_trunc@card.onnx-int8`; unique within a measurement.
        view: name of the view it reads.
        runtime, precision: those of the model's family, or of the target.
        model_folder: the model as it was trained.
        target: name of the target class that opens the export; None for the model as it was trained.
        export: folder of the exported model; None likewise.
        provider: what runs it, by its short name: `cpu`, `cuda` or `tensorrt`.
        role: `teacher` for every artifact of a teacher; those on documents are what the speed-ups refer to.
        compiled: whether torch.compile makes it faster first. speed_only: whether it was made to be timed, its answers
            unchecked.
    """

    name: str
    view: str
    runtime: str
    precision: str
    model_folder: Path
    role: str
    target: str | None = None
    export: Path | None = None
    provider: str = "cpu"
    compiled: bool = False
    speed_only: bool = False

    def exported(self, target: Target, folder: Path) -> Subject:
        """This model's export as `target`, which `folder` holds."""
        name, kind = f"{self.name}.{target.name}", target.target
        return replace(self, name=name, runtime=target.runtime, precision=target.precision, target=kind, export=folder)

    def as_json(self) -> Json:
        """The fields with paths as text."""
        return {**asdict(self), "model_folder": str(self.model_folder), "export": self.export and str(self.export)}

    @classmethod
    def from_json(cls, value: Json) -> Subject:
        """The inverse of `as_json`."""
        export = Path(value["export"]) if value["export"] else None
        return cls(**{**value, "model_folder": Path(value["model_folder"]), "export": export})


def trained_subject(name: str, view: str, model_folder: Path, role: str, own: Family) -> Subject:
    """A model as it was trained, opened by its family."""
    return Subject(name, view, own.runtime, own.precision, model_folder, role)


def find(run: Path) -> tuple[list[Subject], dict[str, str]]:
    """Every teacher and student of a finished run as it was trained, and every exported artifact of them.

    Returns: the subjects, and by name why a model is left out.
    Raises: UserError when no teacher of the run reads documents.
    """
    subjects, left_out = list[Subject](), dict[str, str]()
    for kind, role in _ROLES.items():
        for folder in sorted(path for path in (run / kind).glob("*/") if (path / CONFIG_FILE).exists()):
            try:
                if is_remote(folder):
                    left_out[folder.name] = "it asks a server"
                    continue
                trained = _trained(folder, role)
            except UserError as error:
                left_out[folder.name] = error.what
                continue
            exports = [(load_target(one.name), one) for one in sorted((run / "export" / folder.name).glob("*/"))]
            made = [(target, one) for target, one in exports if (one / target.model).exists()]
            subjects += [trained, *(trained.exported(target, one) for target, one in made)]
    if not any((subject.role, subject.view) == ("teacher", "document") for subject in subjects):
        raise UserError(
            "no teacher on documents to measure against",
            where=str(run / "teachers"),
            found=", ".join(subject.name for subject in subjects) or "no model",
            do="give the folder of a finished run",
        )
    return subjects, left_out


def reference(subjects: list[Subject]) -> Subject | None:
    """The first document teacher in PyTorch fp32: the 1× of every speed-up."""
    eager = [one for one in document_teachers(subjects) if one.runtime == PYTORCH and not one.compiled]
    return next((one for one in eager if one.precision == "fp32"), None)


def document_teachers(subjects: list[Subject]) -> list[Subject]:
    """Every artifact of a teacher that reads documents, in PyTorch and exported; other families are no reference."""
    teachers = [subject for subject in subjects if (subject.role, subject.view) == ("teacher", "document")]
    return [subject for subject in teachers if subject.export is not None or subject.runtime == PYTORCH]


def _trained(folder: Path, role: str) -> Subject:
    """The model in a folder. Raises: UserError when it does not say its view or its family cannot be found."""
    own, view = family_of(folder), view_name(folder)
    return trained_subject(folder.name if "@" in folder.name else f"{folder.name}@{view}", view, folder, role, own)
