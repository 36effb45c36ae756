"""Where everything of a run lies and what it is called."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from distill.core.intake.splits import KEY_TEST
from distill.core.model_folder import layer_count
from distill.evaluation.calibrated_predictions import References
from distill.pipeline.settings import Settings
from distill.training.joining import Share
from teachers.choice import CARD, DOCUMENT, MEAN, read_choice

RECORDS, AUDIT = "records", "audit"
EVALUATION = "evaluation"
LATENCY = "latency"
CHOICE = "choice"
TWINS = "twins"
KINDS = (GOLD, GOLD_STEPS) = "-gold", "-gold-steps"  # of gold-only twins


@dataclass(frozen=True)
class Trained:
    """A model folder of the run: what it is, what it reads, where it lies below the run folder."""

    name: str
    role: str
    preset: str
    view: str
    artifact: str

    @property
    def label(self) -> str:
        """Its name in the report: `8L_trunc@card`."""
        return self.name if "@" in self.name else f"{self.name}@{self.view}"


class Experiment:
    """Names and folders of a run, from its settings."""

    def __init__(self, settings: Settings) -> None:
        self.settings, self.run, self.project = settings, settings.run, settings.project
        self.space = settings.project.task.space

    @property
    def teachers(self) -> list[Trained]:
        """The teachers, in the order of the project."""
        items = self.settings.teachers.items()
        return [Trained(name, "teacher", config.preset, config.view, f"teachers/{name}") for name, config in items]

    @property
    def first_teacher(self) -> Trained:
        """The first teacher that labels."""
        return self.labelling_teachers[0]

    @property
    def labelling_teachers(self) -> list[Trained]:
        """The teachers that students learn from."""
        return [teacher for teacher in self.teachers if teacher.name in self.settings.labelling]

    @property
    def card_teacher(self) -> Trained | None:
        """The lead teacher's preset trained on cards; None for a finished teacher, which has no recipe here.

        None too where no student is to be measured against it.
        """
        config = self.settings.teachers[self.first_teacher.name]
        if not self.settings.students or config.finished is not None or config.view == "card":
            return None
        name = f"{self.first_teacher.name}@card"
        return Trained(name, "teacher", config.preset, "card", f"teachers/{name}")

    def student(self, name: str) -> Trained:
        """A student by its name."""
        config = self.settings.students[name]
        return Trained(name, "student", config.preset, config.view, f"students/{name}")

    @property
    def students(self) -> list[Trained]:
        """Each student, followed by its gold-only twins: its own convergence, and the student's steps."""
        return [
            model
            for name in self.settings.students
            for model in (self.student(name), *(self.twin(name, kind) for kind in KINDS))
        ]

    def twin(self, student: str, kind: str) -> Trained:
        """A student's gold-only twin. Args: kind: `GOLD`, its own convergence, or `GOLD_STEPS`, the student's steps."""
        config, name = self.settings.students[student], f"{student}{kind}"
        return Trained(name, "baseline", config.preset, config.view, f"students/{name}")

    @property
    def candidates(self) -> dict[str, dict[str, float]]:
        """What the students' labels may be: weight by model name, by name of the choice.

        `document`: the labelling teachers on their own view; `card`: the lead teacher's preset on cards; `mean`: both
        with equal weight; and the teacher that `labels` names.
        """
        asked, total = self.project.labels, sum(one.weight for one in self.settings.labelling.values())
        shares = {model.label: self.settings.teachers[model.name].weight / total for model in self.labelling_teachers}
        found = {DOCUMENT: shares}
        if asked in self.settings.teachers:
            found[asked] = {next(model.label for model in self.teachers if model.name == asked): 1.0}
        if self.card_teacher is not None and not self.imported:
            found[CARD] = {self.card_teacher.label: 1.0}
            found[MEAN] = {**{name: weight / 2 for name, weight in shares.items()}, self.card_teacher.label: 0.5}
        return found

    @property
    def asked(self) -> list[Trained]:
        """The models that are asked on validation before anything is labelled."""
        names = {name for members in self.candidates.values() for name in members}
        return [model for model in self.trained if model.label in names]

    @property
    def imported(self) -> list[str]:
        """The labelling teachers whose logits were made elsewhere; where there are any, there is nothing to choose."""
        return [
            model.label for model in self.labelling_teachers if self.settings.teachers[model.name].labels is not None
        ]

    @property
    def labellers(self) -> dict[str, Share]:
        """The teachers that label, by model name: as chosen, before that those of the document.

        Logits made elsewhere are taken as they are: the temperature is that of the run's own teacher.
        """
        choice, imported = self.choice, self.imported
        if choice is None:
            asked = self.candidates.get(self.project.labels, self.candidates[DOCUMENT])
            return {name: Share(weight) for name, weight in asked.items()}
        temperatures = {**choice["temperatures"], **dict.fromkeys(imported, 1.0)}
        return {name: Share(weight, temperatures[name]) for name, weight in choice["teachers"].items()}

    @property
    def choice(self) -> dict[str, Any] | None:
        """What was chosen; None before, and where the settings ask for something else by now."""
        found = read_choice(self.run / CHOICE)
        if found is None or found["asked"] != self.project.labels:
            return None
        return found if found["teachers"] == self.candidates.get(found["taken"]) else None

    def model(self, label: str) -> Trained:
        """The model of this name in the report."""
        return next(model for model in self.trained if model.label == label)

    @property
    def trained(self) -> list[Trained]:
        """Every model folder that the run makes, in the order of the report."""
        return [*self.teachers, *([self.card_teacher] if self.card_teacher else []), *self.students]

    @property
    def timed(self) -> list[Trained]:
        """The model folders that may be exported and timed: all but teachers that nobody learns from."""
        return [*self.labelling_teachers, *([self.card_teacher] if self.card_teacher else []), *self.students]

    @property
    def cross_view(self) -> str:
        """Name of the lead teacher's answers to cards."""
        return f"{self.first_teacher.label}>card"

    @property
    def references(self) -> References:
        """What retention is measured against."""
        document = "ensemble@document" if len(self.labelling_teachers) > 1 else self.first_teacher.label
        card = self.card_teacher or (self.first_teacher if self.first_teacher.view == "card" else None)
        return References(document=document, card=card.label if card else None)

    @property
    def tests(self) -> list[str]:
        """The test splits."""
        if self.project.data.split.mode == "keys":
            return [KEY_TEST]
        return [f"test.{name}" for name in self.project.data.test]

    @property
    def labelled(self) -> list[str]:
        """The splits that are predicted: validation and every test."""
        return ["valid", *self.tests]

    def exports(self) -> Iterator[tuple[Trained, str]]:
        """(model, target): students as every target; teachers, for the latency report, as those judged by parity."""
        for model in self.timed:
            for name, target in self.settings.targets.items():
                if model.role == "student" or (model.role == "teacher" and target.criterion == "parity"):
                    yield model, name

    def shipped(self) -> list[tuple[Trained, str]]:
        """(student, target) of every file that may go into a bundle."""
        return [(model, target) for model, target in self.exports() if model.role == "student"]

    def source(self, student: str) -> str:
        """Artifact that a student takes its layers from: the better of the teachers that label, or as configured.

        The lead teacher's where the better one has fewer layers than the student.
        """
        config, choice = self.settings.students[student], self.choice
        if config.init == "pretrained":
            return checkpoint(self.settings.source_of(student))
        if config.source is None and choice is not None:
            better = self.model(choice["start"]).artifact
            made = (self.run / better / "config.json").is_file()
            if made and (layer_count(self.run / better) or 0) >= config.layers:
                return better
        return f"teachers/{self.settings.source_of(student)}"


def checkpoint(teacher: str) -> str:
    """Artifact of a teacher's untouched encoder."""
    return f"checkpoints/{teacher}"


def labels(teacher: Trained) -> str:
    """Artifact of a teacher's soft labels."""
    return f"labels/{Path(teacher.artifact).name}"


def predictions(model: str) -> str:
    """Artifact of a model's answers, by its name in the report."""
    return f"predictions/{model}"


def exported(model: Trained, target: str) -> str:
    """Artifact of an exported file."""
    return f"export/{model.name}/{target}"
