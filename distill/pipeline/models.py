"""The table of models: every teacher, student and control of an experiment as one kind of entry."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from distill.core.run_folder import RunFolder
from distill.families.family import family
from distill.pipeline.entries import control_entry, mean_entry
from distill.pipeline.settings import Settings, copies_of
from students.config import StudentEntry, TrainedEntry
from teachers.config import TeacherConfig, TeacherEntry

TEACHER, STUDENT, BASELINE, CONTROL, FOLD, PHASE = "teacher", "student", "baseline", "control", "fold", "phase"
# Family by name of each control: they learn gold on cards and come next to every model, as far as `controls` says so.
CONTROLS = {"tfidf": "tfidf", "bag_of_tokens": "bag"}
GOLD, GOLD_STEPS = "-gold", "-gold-steps"
KFOLD = "-kfold"
_SEEDS_APART = 1000  # so that the copies of one training seed are not those of the next


@dataclass(frozen=True)
class Start:
    """What a model starts from.

    Attributes: artifact: its folder. checkpoint_of: the entry whose pre-trained encoder it is; None for a model.
        trimmed_for: the entry whose `vocabulary` it has. untrimmed: what it was before that.
    """

    artifact: str
    checkpoint_of: str | None = None
    trimmed_for: str | None = None
    untrimmed: Start | None = None

    @classmethod
    def of_checkpoint(cls, teacher: str, settings: Settings) -> Start:
        """The pre-trained encoder that a teacher's weights go back to, as its entry wants it: adapted, trimmed."""
        root = settings.root_of(teacher)
        adapted = getattr(settings.teachers[root], "pretrain", False)
        found = cls(RunFolder.adapted(root) if adapted else RunFolder.checkpoint(root), root)
        return found.trimmed_as(root, settings.teachers[root])

    def trimmed_as(self, name: str, entry: TeacherEntry | StudentEntry, place: str | None = None) -> Start:
        """This start with the vocabulary that an entry asks for.

        Args: name: of the entry. place: of the artifact, where it is not the entry's.
        """
        if getattr(entry, "vocabulary", None) is None:
            return self
        return Start(RunFolder.trimmed(place or name), trimmed_for=name, untrimmed=self)

    @property
    def chain(self) -> list[Start]:
        """All that is made one from the other, this one last."""
        return [*(self.untrimmed.chain if self.untrimmed else []), self]


@dataclass(frozen=True)
class ModelSpec:
    """One model: what it is, what it reads, what it learns from and where it starts.

    Attributes:
        name: unique in the run; also that of its folder. label: its name in the report, `8L_trunc@card`.
        role: `teacher`, `student`, `baseline` for a student's gold-only twin, `control`; or, of what is not measured,
            `fold` for what labels a teacher's training rows and `phase` for an earlier phase of a teacher. family: how
            it is fitted and opened.
        preset, config: of its entry in the project. entry: name of that entry. view: name of the view it reads.
        artifact: its folder below the run folder.
        learns_from: names of the models whose soft labels it learns, with gold; empty: gold alone; None: the labels
            that the run chooses.
        starts_from: a checkpoint, or the model whose layers it takes, before its own `vocabulary`; None: the better of
            the teachers that label.
        weight: of a teacher's labels among several; 0: it is trained and measured only.
        twin_of: the student that it is the gold-only twin of. steps_of: the models whose steps it takes in all.
        through: the students whose layers its own are taken from, the first one first: it starts as that one does, and
            its layers are chosen as theirs one after the other.
        copy_of: the model that it equals, so that it is copied instead of trained.
        members: the models that an ensemble is made of.
        selection: artifact with the rows of the pool that it learns; None: those that the project selects, or all.
        seed_offset: added to the run's training seed; above 0 for further fits of one recipe.
        fold_of: the teacher for which it labels the training rows of one fold; fold: that fold, and of how many.
    """

    name: str
    label: str
    role: str
    family: str
    preset: str
    config: TeacherEntry | StudentEntry
    entry: str
    view: str
    artifact: str
    learns_from: tuple[str, ...] | None = ()
    starts_from: Start | None = None
    weight: float = 0.0
    twin_of: str | None = None
    steps_of: tuple[str, ...] = ()
    through: tuple[str, ...] = ()
    copy_of: str | None = None
    members: tuple[str, ...] = ()
    selection: str | None = None
    seed_offset: int = 0
    fold_of: str | None = None
    fold: tuple[int, int] = (0, 0)

    @property
    def has_folder(self) -> bool:
        """Whether the run makes a model folder of it; of labels made elsewhere there is no model."""
        return self.family != "imported"

    @property
    def is_made_elsewhere(self) -> bool:
        """Whether it was fitted outside the run, which takes over its model or its labels as they are."""
        return family(self.family).key is not None

    @property
    def is_mean_of_folds(self) -> bool:
        """Whether it is the mean of a teacher's fits to folds, which has no entry of its own."""
        return self.name != self.entry and self.name.endswith(KFOLD)


def table(settings: Settings) -> dict[str, ModelSpec]:
    """Every model of a run by name, in the order of the report: teachers, the card teacher, students with their twins,
    controls.

    The card teacher, the gold-only twins and the controls are there to compare with; `controls` leaves them out.
    """
    teachers = [spec for name in settings.teachers for spec in _with_copies(_teacher(name, settings))]
    taught = [_in_phases(spec) for spec in [*teachers, *_card_teacher(settings, teachers)]]
    phases = [phase for earlier, _ in taught for phase in earlier]
    folds = [fold for _, spec in taught for fold in _folds(spec)]
    means = [_mean_of_folds(spec) for spec in teachers if getattr(spec.config, "kfold", False)]
    students = [spec for name in settings.students for spec in _with_twins(_student(name, settings), settings)]
    controls = [_control(name, settings) for name in CONTROLS if getattr(settings.project.controls, name)]
    models = [*(spec for _, spec in taught), *means, *phases, *folds, *students, *controls]
    return {spec.name: spec for spec in models}


def in_order(specs: Iterable[ModelSpec], needs: Mapping[str, Iterable[str]]) -> Iterator[ModelSpec]:
    """The specs such that each comes after those that it needs, else in the given order.

    Args: needs: names that a model's fit waits for, by its name. Raises: ValueError for a circle.
    """
    waiting = {spec.name: spec for spec in specs}
    while waiting:
        ready = next((s for s in waiting.values() if not any(name in waiting for name in needs.get(s.name, ()))), None)
        if ready is None:
            raise ValueError(f"models that wait for each other: {', '.join(waiting)}")
        yield waiting.pop(ready.name)


def _entry(name: str, config: TeacherEntry | StudentEntry, role: str, made_by: str) -> ModelSpec:
    """An entry of the project, without what only teachers or only students have."""
    return ModelSpec(
        name=name,
        label=f"{name}@{config.view}",
        role=role,
        family=made_by,
        preset=config.preset,
        config=config,
        entry=name,
        view=config.view,
        artifact=f"{role}s/{name}",
    )


def _control(name: str, settings: Settings) -> ModelSpec:
    """A control; one that starts from an encoder takes the first teacher's, as it was before any fine-tuning."""
    config = control_entry(name, CONTROLS[name], len(settings.project.task.labels))
    encoder = next(iter(settings.with_checkpoint), None) if family(config.family).starts else None
    start = None if encoder is None else Start.of_checkpoint(encoder, settings)
    return replace(_entry(name, config, CONTROL, config.family), starts_from=start)


def _teacher(name: str, settings: Settings) -> ModelSpec:
    config = settings.teachers[name]
    return replace(
        _entry(name, config, TEACHER, config.made_by),
        learns_from=tuple(config.learns_from or ()),
        starts_from=_teacher_start(config) or Start.of_checkpoint(name, settings),
        weight=config.weight,
        members=tuple(getattr(config, "members", ())),
    )


def _teacher_start(config: TeacherEntry) -> Start | None:
    """The model that a teacher starts from by its own words; None for its checkpoint."""
    named = getattr(config, "starts_from", None)
    return None if named is None else Start(f"teachers/{named}")


def _with_copies(teacher: ModelSpec) -> Iterator[ModelSpec]:
    """A teacher, then the further fits of its recipe with other seeds; its weight is divided among all."""
    rows = copies_of(teacher.name, teacher.config)
    for number, name in enumerate(rows):
        yield replace(
            teacher,
            name=name,
            label=f"{name}@{teacher.view}",
            artifact=f"teachers/{name}",
            weight=teacher.weight / len(rows),
            seed_offset=_SEEDS_APART * number,
        )


def _card_teacher(settings: Settings, teachers: list[ModelSpec]) -> list[ModelSpec]:
    """The first labelling teacher's recipe on cards; none for a teacher that has no recipe here or reads cards itself.

    None either where no student is to be measured against it and no teacher starts from it. It starts as the first
    teacher does, or, where that one starts from it, from the checkpoint. On an equal view an encoder's training from an
    equal start would give the same weights, so it is copied. It is there for its quality, so it is not exported.
    """
    first = next((spec for spec in teachers if spec.weight > 0), None)
    named = [getattr(teacher, "starts_from", None) for teacher in settings.teachers.values()]
    wanted = settings.project.controls.card_teacher and (settings.distils or settings.card_name in named)
    if first is None or not wanted or first.view == "card" or not family(first.family).learns:
        return []
    name, views = settings.card_name, settings.project.views
    own = first.starts_from == Start(f"teachers/{name}")
    same = views["card"] == views[first.view] and family(first.family).starts and not own
    on_cards = replace(
        first,
        name=name,
        label=name,
        view="card",
        artifact=f"teachers/{name}",
        config=first.config.model_copy(update={"export": False}),
        starts_from=Start.of_checkpoint(first.name, settings) if own else first.starts_from,
        copy_of=first.name if same else None,
        weight=0.0,
    )
    return [on_cards]


def _in_phases(teacher: ModelSpec) -> tuple[list[ModelSpec], ModelSpec]:
    """The earlier phases of a teacher's fit, each starting from the one before, and the teacher as the last of them."""
    if not isinstance(teacher.config, TeacherConfig) or teacher.copy_of is not None:
        return [], teacher
    *earlier, (_, last) = teacher.config.in_phases().items()
    found: list[ModelSpec] = []
    start = teacher.starts_from
    for phase, config in earlier:
        name, at, view = teacher.name.partition("@")
        name = f"{name}-{phase}{at}{view}"
        found.append(
            replace(
                teacher,
                name=name,
                label=name if at else f"{name}@{teacher.view}",
                role=PHASE,
                config=config,
                artifact=f"teachers/{name}",
                starts_from=start,
                weight=0.0,
            )
        )
        start = Start(found[-1].artifact)
    return found, replace(teacher, config=last, starts_from=start)


def _folds(teacher: ModelSpec) -> Iterator[ModelSpec]:
    """The further fits of a teacher that is cross-fitted, each without one fold of the training rows."""
    count = getattr(teacher.config, "cross_fit", None) or 0
    for number in range(1, count + 1):
        name = f"{teacher.name}-fold{number}"
        yield replace(
            teacher,
            name=name,
            label=f"{name}@{teacher.view}",
            role=FOLD,
            artifact=f"teachers/{name}",
            weight=0.0,
            copy_of=f"{teacher.copy_of}-fold{number}" if teacher.copy_of else None,
            fold_of=teacher.name,
            fold=(number, count),
        )


def _mean_of_folds(teacher: ModelSpec) -> ModelSpec:
    """The mean of the fits of a teacher's folds, a teacher itself that labels where it is asked to."""
    name, folds = f"{teacher.name}{KFOLD}", tuple(fold.name for fold in _folds(teacher))
    assert isinstance(teacher.config, TeacherEntry)
    return replace(
        teacher,
        name=name,
        label=f"{name}@{teacher.view}",
        family="ensemble",
        config=mean_entry(teacher.config, folds),
        artifact=f"teachers/{name}",
        starts_from=None,
        weight=0.0,
        members=folds,
    )


def _student(name: str, settings: Settings) -> ModelSpec:
    config = settings.students[name]
    return replace(
        _entry(name, config, STUDENT, config.family),
        learns_from=None if config.learns_from is None else tuple(config.learns_from),
        starts_from=_start(name, config, settings),
    )


def _start(name: str, config: StudentEntry, settings: Settings) -> Start | None:
    """Where a student starts by its own words; None where it names nothing. Imported labels have a checkpoint only."""
    if not isinstance(config, TrainedEntry):
        return None
    if config.has_own_start:
        return Start(RunFolder.checkpoint(name), name)
    if config.init == "pretrained":
        return Start.of_checkpoint(config.source or settings.first_teacher, settings)
    if config.source is None:
        return None
    if config.source in settings.teachers and settings.teachers[config.source].made_by == "imported":
        return Start.of_checkpoint(config.source, settings)
    room = "students" if config.source in settings.students else "teachers"
    return Start(f"{room}/{config.source}")


def _with_twins(student: ModelSpec, settings: Settings) -> Iterator[ModelSpec]:
    """A student, then its gold-only twins: one to its own convergence, one of the student's steps.

    What a student starts from may have seen a teacher's labels, where it is a student itself. Its twins start where the
    first of the chain does, from the layers that the student has by way of the others, and take the steps of all.
    """
    yield student
    if settings.project.controls.gold_twins:
        through = tuple(settings.chain_of(student.name))
        stepped = isinstance(student.config, TrainedEntry) and family(student.family).optimised
        of_steps = [(GOLD_STEPS, (*through, student.name))] if stepped else []
        for suffix, steps_of in [(GOLD, ()), *of_steps]:
            name = f"{student.name}{suffix}"
            yield replace(
                student,
                name=name,
                label=f"{name}@{student.view}",
                role=BASELINE,
                artifact=f"students/{name}",
                learns_from=(),
                starts_from=None if through else student.starts_from,
                through=through,
                twin_of=student.name,
                steps_of=steps_of,
                config=settings.students[student.entry].on_gold_alone(),
            )
