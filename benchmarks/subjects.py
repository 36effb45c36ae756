"""What a latency benchmark measures: one artifact under one runtime, and how to find them in a run folder."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path

from distill.core.errors import UserError
from distill.core.files import Json, read_json
from distill.core.view import VIEW_FILE
from export.config import load_target
from export.targets.base import Target

_ROLES = {"teachers": "teacher", "students": "student"}


@dataclass(frozen=True)
class Subject:
    """One artifact to measure.

    Attributes:
        name: as in the report, `base@document` or `8L_trunc@card.onnx-int8`; unique within a measurement.
        view: name of the view it reads.
        runtime: `pytorch` or `onnxruntime`.
        precision: `fp32`, `bf16` or that of the target.
        model_folder: holds the tokenizer and `view.json`; for PyTorch the weights too.
        target: name of the target class that opens the export; None for PyTorch.
        export: folder of the exported model; None for PyTorch.
        role: `teacher` for every artifact of a teacher; those on documents are what the speed-ups refer to.
    """

    name: str
    view: str
    runtime: str
    precision: str
    model_folder: Path
    role: str
    target: str | None = None
    export: Path | None = None

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


def pytorch_subject(name: str, view: str, model_folder: Path, role: str) -> Subject:
    """A model as it was trained: PyTorch eager, fp32."""
    return Subject(name, view, "pytorch", "fp32", model_folder, role)


def find(run: Path) -> list[Subject]:
    """Every teacher and student of a finished run in PyTorch, and every exported artifact of them.

    Raises: UserError when the run holds no model that reads documents and can serve as the reference.
    """
    subjects = [
        subject
        for kind, role in _ROLES.items()
        for folder in sorted((run / kind).glob("*/"))
        if (folder / VIEW_FILE).exists()
        for subject in _of_model(run, folder, role)
    ]
    if reference(subjects) is None:
        raise UserError(
            "no teacher on documents to measure against",
            where=str(run / "teachers"),
            found=", ".join(subject.name for subject in subjects) or "no model",
            do="give the folder of a finished run",
        )
    return subjects


def reference(subjects: list[Subject]) -> Subject | None:
    """The first document teacher in PyTorch fp32: the 1× of every speed-up."""
    return next((s for s in document_teachers(subjects) if (s.runtime, s.precision) == ("pytorch", "fp32")), None)


def document_teachers(subjects: list[Subject]) -> list[Subject]:
    """Every artifact of a teacher that reads documents."""
    return [subject for subject in subjects if (subject.role, subject.view) == ("teacher", "document")]


def _of_model(run: Path, folder: Path, role: str) -> list[Subject]:
    view = str(read_json(folder / VIEW_FILE)["name"])
    name = folder.name if "@" in folder.name else f"{folder.name}@{view}"
    trained = pytorch_subject(name, view, folder, role)
    exports = [(load_target(one.name), one) for one in sorted((run / "export" / folder.name).glob("*/"))]
    return [trained, *(trained.exported(target, one) for target, one in exports if (one / target.model).exists())]
