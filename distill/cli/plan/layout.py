"""Where everything of a run lies and what it is called."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from distill.cli.settings import Settings
from distill.core.intake.splits import KEY_TEST
from distill.report.answers import References

RECORDS = "records"
EVALUATION = "evaluation"
LATENCY = "latency"
GOLD = "-gold"


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


class Layout:
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
    def lead(self) -> Trained:
        """The first teacher that labels."""
        return self.voters[0]

    @property
    def voters(self) -> list[Trained]:
        """The teachers that students learn from."""
        return [teacher for teacher in self.teachers if teacher.name in self.settings.labelling]

    @property
    def ceiling(self) -> Trained | None:
        """The lead teacher's preset trained on cards; None for a finished teacher, which has no recipe here.

        None too where no student is to be measured against it.
        """
        config = self.settings.teachers[self.lead.name]
        if not self.settings.students or config.finished is not None or config.view == "card":
            return None
        name = f"{self.lead.name}@card"
        return Trained(name, "teacher", config.preset, "card", f"teachers/{name}")

    @property
    def students(self) -> list[Trained]:
        """Each student, followed by its gold-only twin."""
        return [
            model
            for name, config in self.settings.students.items()
            for model in (
                Trained(name, "student", config.preset, config.view, f"students/{name}"),
                Trained(f"{name}{GOLD}", "baseline", config.preset, config.view, f"students/{name}{GOLD}"),
            )
        ]

    @property
    def trained(self) -> list[Trained]:
        """Every model folder that the run makes, in the order of the report."""
        return [*self.teachers, *([self.ceiling] if self.ceiling else []), *self.students]

    @property
    def timed(self) -> list[Trained]:
        """The model folders that may be exported and timed: all but teachers that nobody learns from."""
        return [*self.voters, *([self.ceiling] if self.ceiling else []), *self.students]

    @property
    def foreign(self) -> str:
        """Name of the lead teacher's answers to cards."""
        return f"{self.lead.label}>card"

    @property
    def references(self) -> References:
        """What retention is measured against."""
        document = "ensemble@document" if len(self.voters) > 1 else self.lead.label
        return References(document=document, card=self.ceiling.label if self.ceiling else self.foreign)

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
        """(model, target): teachers leave as fp32 for the latency report, students as every target."""
        for model in self.timed:
            for name, target in self.settings.targets.items():
                if model.role == "student" or (model.role == "teacher" and target.precision == "fp32"):
                    yield model, name

    def shipped(self) -> list[tuple[Trained, str]]:
        """(student, target) of every file that may go into a bundle."""
        return [(model, target) for model, target in self.exports() if model.role == "student"]

    def source(self, student: str) -> str:
        """Artifact that a student takes its layers from."""
        teacher = self.settings.source_of(student)
        return checkpoint(teacher) if self.settings.students[student].init == "pretrained" else f"teachers/{teacher}"


def checkpoint(teacher: str) -> str:
    """Artifact of a teacher's untouched encoder."""
    return f"checkpoints/{teacher}"


def labels(teacher: str) -> str:
    """Artifact of a teacher's soft labels."""
    return f"labels/{teacher}"


def predictions(model: str) -> str:
    """Artifact of a model's answers, by its name in the report."""
    return f"predictions/{model}"


def exported(model: Trained, target: str) -> str:
    """Artifact of an exported file."""
    return f"export/{model.name}/{target}"
