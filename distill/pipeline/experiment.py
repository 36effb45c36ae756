"""What a run is made of: its table of models, who may label, what is measured against what."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

from distill.core.files import Json
from distill.core.intake.splits import KEY_TEST
from distill.core.manifest import read_whole
from distill.core.model_folder import layer_count
from distill.core.run_folder import CHOICE, RECORDS, SELECTION, RunFolder
from distill.evaluation.calibrated_predictions import References
from distill.families.family import family
from distill.models.layer_map import PROBE
from distill.pipeline.ladders import Rung, ladders
from distill.pipeline.models import (
    BASELINE,
    CONTROL,
    FOLD,
    GOLD,
    PHASE,
    STUDENT,
    TEACHER,
    ModelSpec,
    Start,
    in_order,
    table,
)
from distill.pipeline.settings import Settings
from distill.training.joining import Share
from distill.training.learning import ALL, POOL, TRAIN
from students.config import TrainedEntry
from teachers.choice import CARD, CHOICE_FILE, DOCUMENT, MEAN, MIXTURE
from teachers.config import TeacherEntry
from teachers.phases import ALL_OF_TRAIN


class Experiment:
    """The models of a run and what they are for, from its settings and, once made, its choice of labels."""

    def __init__(self, settings: Settings) -> None:
        self.settings, self.run, self.project = settings, RunFolder(settings.run), settings.project
        self.space = settings.project.task.space

    @cached_property
    def models(self) -> dict[str, ModelSpec]:
        """Every model by name, in the order of the report."""
        return table(self.settings)

    def of_role(self, *roles: str) -> list[ModelSpec]:
        """The models of these roles."""
        return [spec for spec in self.models.values() if spec.role in roles]

    @property
    def trained(self) -> list[ModelSpec]:
        """The models of which the run makes a folder and that are measured: no folds, no earlier phases."""
        return [spec for spec in self.models.values() if spec.has_folder and spec.role not in (FOLD, PHASE)]

    @property
    def taught(self) -> list[ModelSpec]:
        """The teachers that the run makes, with their earlier phases and the fits of folds that one is the mean of."""
        made = [spec for spec in self.of_role(TEACHER, PHASE) if spec.has_folder]
        folds = {name for spec in made for name in spec.members}
        return [*made, *(fold for fold in self.of_role(FOLD) if fold.name in folds)]

    @property
    def means_of_folds(self) -> list[ModelSpec]:
        """The teachers that are the mean of the fits of another one's folds."""
        return [spec for spec in self.of_role(TEACHER) if self.folds(spec) and spec.members]

    def folds(self, spec: ModelSpec) -> list[ModelSpec]:
        """The models that label a teacher's training rows in its place; none where it is not cross-fitted.

        Of the mean of such models they are its members.
        """
        return [one for one in self.of_role(FOLD) if one.fold_of == spec.name or one.name in spec.members]

    def rows_of(self, spec: ModelSpec) -> tuple[str, str]:
        """(artifact, folder in it) with the training and validation rows of a model; '' for the artifact itself."""
        return (RunFolder.folds(spec.fold[1]), str(spec.fold[0])) if spec.role == FOLD else (RECORDS, "")

    def labelled(self, label: str) -> ModelSpec:
        """The model of this name in the report."""
        return next(spec for spec in self.models.values() if spec.label == label)

    @property
    def students(self) -> list[ModelSpec]:
        """The students, without their twins."""
        return self.of_role(STUDENT)

    def twins(self, student: str | None = None, *, converged: bool | None = None) -> list[ModelSpec]:
        """Gold-only twins, of one student or of all. Args: converged: only those of their own length, or the others."""
        found = [spec for spec in self.of_role(BASELINE) if student in (None, spec.twin_of)]
        return [spec for spec in found if converged in (None, not spec.steps_of)]

    @property
    def controls(self) -> list[ModelSpec]:
        """The models that learn gold on cards in seconds, to compare every other one with."""
        return self.of_role(CONTROL)

    @property
    def early_controls(self) -> list[ModelSpec]:
        """Those of them that need no other model, so that what they cannot learn from is told before the long fits."""
        return [spec for spec in self.controls if not self.needs(spec) and self.start(spec) is None]

    @property
    def labelling_teachers(self) -> list[ModelSpec]:
        """The teachers that students learn from unless something else is chosen."""
        return [spec for spec in self.of_role(TEACHER) if spec.weight > 0]

    @property
    def first_teacher(self) -> ModelSpec:
        """The first teacher that labels."""
        return self.labelling_teachers[0]

    @property
    def early_teachers(self) -> list[ModelSpec]:
        """The teachers with a model and their earlier phases, in order, that are fitted before any label is made."""
        late = {spec.name for spec in self.late_teachers}
        return self.in_order([spec for spec in self.taught if spec.name not in late])

    @property
    def late_teachers(self) -> list[ModelSpec]:
        """Ensembles with students among their members, which are only measured."""
        return [spec for spec in self.of_role(TEACHER) if self.settings.students_in(spec.name)]

    @property
    def document_teacher(self) -> ModelSpec | None:
        """The first labelling teacher, or else the first teacher at all, that the run makes a folder of."""
        teachers = [spec for spec in [*self.labelling_teachers, *self.of_role(TEACHER)] if spec.has_folder]
        return next(iter(teachers), None)

    @property
    def card_teacher(self) -> ModelSpec | None:
        """The first teacher's recipe trained on cards."""
        return self.models.get(f"{self.first_teacher.name}@card")

    @property
    def imported(self) -> list[str]:
        """The labelling teachers whose logits were made elsewhere; where there are any, there is nothing to choose."""
        return [spec.label for spec in self.labelling_teachers if not spec.has_folder]

    @property
    def candidates(self) -> dict[str, dict[str, float]]:
        """What the students' labels may be: weight by model label, by name of the choice.

        `document`: the labelling teachers on their own view; `card`: the first teacher's recipe on cards; `mean`: both
        with equal weight; `mixture`: all of these teachers, with weights that the choice fits; and the teacher that
        `labels` names.
        """
        asked, total = self.project.labels, sum(spec.weight for spec in self.labelling_teachers)
        shares = {spec.label: spec.weight / total for spec in self.labelling_teachers}
        found = {DOCUMENT: shares}
        if asked in [spec.name for spec in self.of_role(TEACHER)]:
            found[asked] = {self.models[asked].label: 1.0}
        if self.card_teacher is not None and not self.imported:
            found[CARD] = {self.card_teacher.label: 1.0}
            found[MEAN] = {**{name: weight / 2 for name, weight in shares.items()}, self.card_teacher.label: 0.5}
        mixed = [*shares, *found.get(CARD, ())]
        if len(mixed) > 1 and not self.imported:
            found[MIXTURE] = dict.fromkeys(mixed, 1 / len(mixed))
        return found

    @property
    def asked(self) -> list[ModelSpec]:
        """The models that are asked on validation before anything is labelled."""
        names = {name for members in self.candidates.values() for name in members}
        return [spec for spec in self.trained if spec.label in names]

    @property
    def choice(self) -> Json | None:
        """What was chosen; None before, and where the settings ask for something else by now."""
        found: Json | None = read_whole(self.run / CHOICE, CHOICE_FILE)
        if found is None or found["asked"] != self.project.labels:
            return None
        members = self.candidates.get(found["taken"], {})
        if found["taken"] == MIXTURE:  # its weights are the choice's own
            return found if set(found["teachers"]) <= set(members) else None
        return found if found["teachers"] == members else None

    @property
    def chosen(self) -> dict[str, Share]:
        """The teachers whose labels were chosen, by label in the report; before the choice those of the document."""
        choice = self.choice
        if choice is None:
            asked = self.candidates.get(self.project.labels, self.candidates[DOCUMENT])
            return {name: Share(weight) for name, weight in asked.items()}
        temperatures = {**choice["temperatures"], **dict.fromkeys(self.imported, 1.0)}  # taken as they are
        by_class = {name: tuple(weights) for name, weights in (choice.get("class_weights") or {}).items()}
        return {
            name: Share(weight, temperatures[name], by_class.get(name)) for name, weight in choice["teachers"].items()
        }

    def teachers_of(self, spec: ModelSpec) -> dict[str, Share]:
        """The models whose labels a model learns, by name: those that it names, equally, or those that were chosen."""
        if spec.learns_from is None:
            return {self.labelled(label).name: share for label, share in self.chosen.items()}
        return {name: Share(1 / len(spec.learns_from)) for name in spec.learns_from}

    def calibrated(self, spec: ModelSpec) -> list[ModelSpec]:
        """The models whose labels a model mixes in equal parts, each after the temperature that validation gives it.

        Labels made elsewhere are taken as they are. Of those that were chosen the choice has the temperatures.
        """
        named = spec.learns_from or ()
        if len(named) < 2 or not self.has_validation or not self.project.quality.calibrate:
            return []
        return [self.models[name] for name in named if self.models[name].has_folder]

    def selection(self, spec: ModelSpec) -> str | None:
        """The artifact with the rows of the pool that a model learns; None: all, or none at all.

        Rows are selected by the labels that the run chooses, so that a teacher, which may be chosen, learns all.
        """
        if spec.role == TEACHER or not any(split.startswith("pool.") for split in self.learnt_splits(spec)):
            return None
        return spec.selection or (SELECTION if self.project.select is not None else None)

    @property
    def early_labellers(self) -> list[ModelSpec]:
        """The teachers whose labels other teachers learn, each once: they label before anything is chosen."""
        names = dict.fromkeys(name for spec in self.of_role(TEACHER) for name in self.teachers_of(spec))
        return [self.models[name] for name in names]

    @property
    def labellers(self) -> list[ModelSpec]:
        """The models whose labels students learn, each once, in an order in which each is fitted before it labels."""
        names = dict.fromkeys(name for spec in self.students for name in self.teachers_of(spec))
        chosen = {self.labelled(label).name: None for label in self.chosen}
        if self.project.select is not None:  # rows are selected by the chosen labels, whoever learns which
            names = chosen | names
        return [self.models[name] for name in names or chosen]

    def may_miss_rows(self, spec: ModelSpec) -> bool:
        """Whether every model that learns another one's labels allows rows without any."""
        taught = [*self.of_role(TEACHER), *self.students]
        learning = [one.config for one in taught if spec.name in self.teachers_of(one)]
        return bool(learning) and all(getattr(config, "allow_missing", False) for config in learning)

    def start(self, spec: ModelSpec) -> Start | None:
        """Where a model starts: from a checkpoint, or from the layers of another model; None for families that do not.

        Of a student that names nothing: from the better of the teachers that label, or from the first teacher where the
        better one has fewer layers than the student. Of labels made elsewhere there is no model: then from the
        teacher's checkpoint. What a student starts from is trimmed where its entry asks for a smaller vocabulary.
        """
        if not family(spec.family).starts:
            return None
        first = self.start(self.models[spec.through[0]]) if spec.through else None
        found = first or spec.starts_from or self._better_start(spec)
        if not isinstance(spec.config, TrainedEntry):
            return found
        return found.trimmed_as(spec.entry, spec.config, f"{spec.entry}{GOLD}" if spec.through else spec.entry)

    def _better_start(self, spec: ModelSpec) -> Start:
        """Where a student starts that names nothing."""
        choice, layers = self.choice, getattr(spec.config, "least_layers", 0)
        if choice is not None and choice.get("start") is not None:
            named = self.labelled(choice["start"])
            better = Start(named.artifact)
            made = (self.run / better.artifact / "config.json").is_file()
            if made and family(named.family).layered and (layer_count(self.run / better.artifact) or 0) >= layers:
                return better
        first = self.first_teacher
        return Start(first.artifact) if first.has_folder else Start.of_checkpoint(first.name, self.settings)

    def needs(self, spec: ModelSpec) -> list[str]:
        """Names of the models that a model's fit waits for."""
        start = self.start(spec)
        made_from = start.chain[0].artifact if start else None
        found = [name for name, one in self.models.items() if one.artifact == made_from]
        waits = [] if spec.copy_of is None else [spec.copy_of]
        # Layers that are measured in a student are known once it is made.
        cut = [*spec.through, spec.entry][1:]
        waits += [source for source, name in zip(spec.through, cut, strict=True) if self.is_probed(name)]
        return [*found, *waits, *spec.steps_of, *spec.members, *self.teachers_of(spec)]

    def is_probed(self, student: str) -> bool:
        """Whether a student's layers are chosen by measuring. Args: student: or any other entry."""
        return getattr(self.settings.students.get(student), "keep", None) == PROBE

    def in_order(self, specs: list[ModelSpec]) -> list[ModelSpec]:
        """The models in an order in which each comes after those that it needs."""
        return list(in_order(specs, {spec.name: self.needs(spec) for spec in specs}))

    @property
    def early_twins(self) -> list[ModelSpec]:
        """The gold-only twins of their own length that need no student, so that they can be asked before any label."""
        students = {spec.name for spec in self.students}
        return [spec for spec in self.twins(converged=True) if not students & set(self.needs(spec))]

    @property
    def timed(self) -> list[ModelSpec]:
        """The models that are exported, or else timed as they are: students and teachers.

        Of teachers that nothing learns from or is compared with only those that cost no export, and of several fits of
        one recipe only the first: they take equal times. None that asks a server: its time is the server's.
        """
        kept = [spec for spec in (self.document_teacher, self.card_teacher) if spec is not None]
        models = [spec for spec in self.trained if spec.role in (TEACHER, STUDENT) and not spec.seed_offset]
        return [
            spec
            for spec in models
            if not self.is_remote(spec)
            and (spec.role == STUDENT or spec.weight or spec in kept or not family(spec.family).exports)
        ]

    def is_remote(self, spec: ModelSpec) -> bool:
        """Whether a model, or one that it is made of, is behind a server, which costs money."""
        members = (self.models[name] for name in spec.members)
        return family(spec.family).is_remote(spec.config) or any(map(self.is_remote, members))

    @property
    def cross_view(self) -> str | None:
        """Name of the document teacher's predictions on cards; None where there is none that reads anything else, or
        where each row would have to be paid for.
        """
        own = self.document_teacher
        return None if own is None or own.view == "card" or self.is_remote(own) else f"{own.label}>card"

    @property
    def references(self) -> References:
        """What retention is measured against: teachers on the view that each was trained on, or none."""
        voting = [spec for spec in self.labelling_teachers if spec.has_folder]
        own = self.document_teacher
        reads_cards = own is not None and own.view == "card"
        name = None if own is None or reads_cards else own.label
        card = self.card_teacher or (own if reads_cards else None)
        return References("ensemble@document" if len(voting) > 1 else name, card.label if card else None)

    @property
    def tests(self) -> list[str]:
        """The test splits."""
        if self.project.data.split.makes_test:
            return [KEY_TEST]
        return [f"test.{name}" for name in self.project.data.test]

    @property
    def predicted_splits(self) -> list[str]:
        """The splits that are predicted: validation, where there is any, and unless they are closed yet every test."""
        valid = ["valid"] if self.has_validation else []
        return valid if self.settings.closed else [*valid, *self.tests]

    @property
    def has_validation(self) -> bool:
        """Whether there are validation rows; where there are none nothing is chosen on them."""
        return self.project.data.has_validation

    @property
    def labelled_splits(self) -> list[str]:
        """The splits that teachers label: training rows and every source of the pool."""
        return ["train", *(f"pool.{name}" for name in sorted(self.project.data.pool))]

    def learnt_splits(self, spec: ModelSpec) -> list[str]:
        """The splits whose rows a model learns: for gold those of its mixture, else those that its `rows` name."""
        if not self.teachers_of(spec):
            return [*self.gold_splits(spec)]
        rows = set(getattr(spec.config, "rows", [ALL]))
        return [one for one in self.labelled_splits if ALL in rows or _is_named(one, rows)]

    def gold_splits(self, spec: ModelSpec) -> dict[str, float]:
        """The splits whose gold a model learns, each with how often its rows are read in an epoch."""
        gold = None if self.teachers_of(spec) else spec.config
        rows = gold.rows if isinstance(gold, TeacherEntry) else ALL_OF_TRAIN
        return {name if name == TRAIN else f"extra.{name}": weight for name, weight in rows.items()}

    def exports(self) -> Iterator[tuple[ModelSpec, str]]:
        """(model, target) of every file that counts: of targets that fall back, the one that is taken."""
        for spec in self.timed:
            for name in dict.fromkeys(rungs[-1].target for rungs in ladders(self.run, self.settings, spec)):
                yield spec, name

    def tried_exports(self) -> Iterator[tuple[ModelSpec, Rung]]:
        """Every file that is made, those too in whose place another one is taken; each once."""
        for spec in self.timed:
            found: dict[str, Rung] = {}
            for rungs in ladders(self.run, self.settings, spec):
                # Asked for by name or not, a file that is taken in another one's place says so.
                found |= {one.target: one for one in rungs if one.in_place_of or one.target not in found}
            yield from ((spec, one) for one in found.values())

    def shipped(self) -> list[tuple[ModelSpec, str]]:
        """(student, target) of every file that may go into a bundle."""
        return [(spec, target) for spec, target in self.exports() if spec.role == STUDENT]


def _is_named(split: str, rows: set[str]) -> bool:
    """Whether a student's `rows` name a split: `train`, `pool` for all of the pool, or a source of the pool."""
    source = split.partition("pool.")[2]
    return bool({POOL, source} & (rows - {TRAIN})) if source else split in rows
