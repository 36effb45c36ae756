"""What a latency benchmark measures: one artifact under one runtime, and how to find them in a run folder."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from distill.core.errors import UserError
from distill.core.files import Json, read_object
from distill.core.run_folder import LATENCY, PROJECT_FILE, STATE, or_one_seed, read_run
from distill.families.family import CONFIG_FILE, Family, family_of, is_remote, view_name
from export.config import load_target, parse_target
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
    """The teachers and students of a finished run as they were trained, in its order, and their exported files.

    Gold-only twins and the like, which are there to compare quality with, are none of them; of teachers and files only
    those are that the run has timed, where it has timed any: others were made on the way.

    Returns: the subjects, and by name why one is left out.
    Raises: UserError for a folder that is no run, and when no teacher of the run reads documents.
    """
    config, timed = read_run(run)["config"], _timed(run)
    found, left_out = list[Subject](), dict[str, str]()
    for kind, role in _ROLES.items():
        for folder in _model_folders(run / kind, config.get(kind) or {}, timed):
            try:
                if is_remote(folder):
                    left_out[folder.name] = "it asks a server"
                    continue
                trained = _trained(folder, role)
            except UserError as error:
                left_out[folder.name] = error.what
                continue
            files, unknown = _exported(trained, run, config)
            found += [trained, *files]
            left_out |= unknown
    subjects = [one for one in found if not timed or one.name in timed or (one.role, one.export) == ("student", None)]
    left_out |= {one.name: "the run did not time it" for one in found if one not in subjects}
    if not any((subject.role, subject.view) == ("teacher", "document") for subject in subjects):
        raise UserError(
            "no teacher on documents to measure against",
            where=str(run / "teachers"),
            found=", ".join(subject.name for subject in subjects) or "no model",
            do=or_one_seed(run, "give the folder of a finished run"),
        )
    return subjects, left_out


def _timed(run: Path) -> set[str]:
    """The names of what a run has timed, or could not; none where it has not timed anything."""
    stored = read_object(run / LATENCY / "latency.json")
    return {row["model"] for row in stored.get("rows", ())} | set(stored.get("settings", {}).get("left_out", ()))


def _model_folders(place: Path, entries: Collection[str], timed: Collection[str]) -> list[Path]:
    """The folders of a project's entries, also those on another view, and of other models that were timed."""
    wanted = {*entries, *(name.partition("@")[0] for name in timed)}
    made = (path for path in place.glob("*/") if (path / CONFIG_FILE).exists())
    return _in_order((path for path in made if path.name.partition("@")[0] in wanted), entries)


def _exported(trained: Subject, run: Path, config: Json) -> tuple[list[Subject], dict[str, str]]:
    """The exported files of a model, and by name why one cannot be opened."""
    found, unknown = list[Subject](), dict[str, str]()
    for folder in _in_order((run / "export" / trained.model_folder.name).glob("*/"), config.get("export") or {}):
        try:
            target = _target(folder.name, run, config)
        except UserError as error:
            unknown[f"{trained.name}.{folder.name}"] = error.brief
            continue
        if (folder / target.model).exists():
            found.append(trained.exported(target, folder))
    return found, unknown


def _in_order(folders: Iterable[Path], names: Collection[str]) -> list[Path]:
    """Folders in the order of these names, others after them."""
    places = {name: place for place, name in enumerate(names)}
    return sorted(folders, key=lambda path: (places.get(path.name, len(places)), path.name))


def _target(name: str, run: Path, config: Json) -> Target:
    """An export target of a run: as its project had it, or one that was fallen back to. Raises: UserError."""
    if name in (config.get("export") or {}):
        return parse_target(config["export"][name], f"{run / STATE}: config.export.{name}")
    way = config.get(PROJECT_FILE)
    return load_target(name, project=Path(os.path.realpath(run), way).parent if way else None)


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
