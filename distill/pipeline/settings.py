"""From options and a project file to one resolved, checked description of a run."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypedDict, TypeVar, Unpack

from benchmarks.config import BenchConfig
from distill.core.config import Config, config_error, load_yaml, merge, overrides, parse
from distill.core.errors import UserError, hint
from distill.core.names import folded, name_problems, shown
from distill.core.project import Project
from distill.core.run_folder import PROJECT_FILE
from distill.families.family import family
from distill.pipeline.adapting import adapting
from distill.pipeline.circles import circle
from distill.pipeline.entries import starts_from_checkpoint, student_entry, teacher_entry
from distill.pipeline.named_models import named_students, named_teachers
from distill.pipeline.objective_problems import objective_problems
from distill.pipeline.phase_problems import phase_problems
from distill.pipeline.start_problems import needs_of, no_card_teacher, start_problems
from distill.pipeline.student_problems import not_of_students, student_problems, trains_students, without_students
from distill.pipeline.task_labels import labelled
from distill.training.losses.term import needs_teacher, same_view
from export.config import fallbacks, load_target, target_names
from export.targets.base import Target
from students.config import StudentEntry, TrainedEntry
from teachers.config import TeacherConfig, TeacherEntry

LABELS = ("auto", "document", "card", "mean", "mixture")
ConfigT = TypeVar("ConfigT", bound=Config)


@dataclass(frozen=True)
class Settings:
    """A run, resolved: presets, project file and `--set` merged and checked.

    Attributes:
        run: the run folder. where: the project file, named in messages.
        project: task, data, views, gates. teachers, students, targets: by name, in the order of the report.
        seeds_in: the folder that this run and those of other seeds are in; None: it is not one of several.
        alike: runs that differ in little, whose finished artifacts are taken over where they equal this one's.
        only: the name of the model that alone is made, with all that it needs; None: every model.
        closed: models are asked on validation alone, and no model reads test rows yet.
        students_later: the plan has no students, because something is wrong with them and its verb trains none.
        fallbacks: export targets that others fall back to, by name.
    """

    run: Path
    where: str
    project: Project
    teachers: dict[str, TeacherEntry]
    students: dict[str, StudentEntry]
    targets: dict[str, Target]
    bench: BenchConfig
    seeds_in: Path | None = None
    alike: tuple[Path, ...] = ()
    only: str | None = None
    closed: bool = False
    students_later: bool = False
    fallbacks: dict[str, Target] = field(default_factory=dict)

    def target(self, name: str) -> Target:
        """An export target of the project, or one that another falls back to."""
        return self.targets[name] if name in self.targets else self.fallbacks[name]

    @property
    def distils(self) -> bool:
        """Whether students learn from the teachers, in this plan or in a later one."""
        return bool(self.students) or self.students_later

    @property
    def shared(self) -> Path:
        """The folder of what runs of several seeds have in common."""
        return self.seeds_in or self.run

    def as_json(self) -> dict[str, Any]:
        """The resolved config for `run.json`, and from the run folder the way to the project file that it is of."""
        parts: Mapping[str, Mapping[str, Config]] = {
            "teachers": self.teachers,
            "students": self.students,
            "export": self.targets,
        }
        resolved = {name: {key: value.as_json() for key, value in part.items()} for name, part in parts.items()}
        file = os.path.relpath(os.path.realpath(self.where), os.path.realpath(self.run))
        return {**self.project.as_json(), **resolved, "bench": self.bench.as_json(), PROJECT_FILE: file}

    @property
    def first_teacher(self) -> str:
        """The first teacher that labels: students without a `source` of their own take its layers."""
        return next(iter([*self.labelling, *self.teachers]))

    @property
    def labelling(self) -> dict[str, TeacherEntry]:
        """The teachers that students learn from; a teacher of weight 0 is only trained and measured."""
        return {name: teacher for name, teacher in self.teachers.items() if teacher.weight > 0}

    @property
    def with_checkpoint(self) -> list[str]:
        """The teachers whose encoder is known as it was before any fine-tuning, those that label first."""
        found = [name for name in dict.fromkeys([*self.labelling, *self.teachers])]
        roots = {name: self.teachers[self.root_of(name)] for name in found}
        return [name for name, one in roots.items() if isinstance(one, TeacherConfig) and one.finished is None]

    def entry(self, name: str) -> TeacherEntry | StudentEntry:
        """The entry of a teacher or student; their names differ."""
        return self.teachers[name] if name in self.teachers else self.students[name]

    @property
    def card_name(self) -> str:
        """The name of the card teacher, whether the run has one or not."""
        return f"{self.first_teacher}@card"

    def root_of(self, teacher: str) -> str:
        """The teacher whose checkpoint the weights of another one go back to: itself, unless it starts from a model."""
        return self.line_of(teacher)[-1]

    def line_of(self, teacher: str) -> list[str]:
        """A teacher, the one whose weights it starts from, and so on to the one that starts from a checkpoint."""
        found = [teacher]
        for _ in range(2 * len(self.teachers)):  # no circle is longer, and none is left once the settings are checked
            start = getattr(self.teachers[teacher], "starts_from", None)
            own = teacher == self.first_teacher and start == self.card_name
            if start is None or own or (start != self.card_name and start not in self.teachers):
                break
            teacher = self.first_teacher if start == self.card_name else start
            found.append(teacher)
        return found

    def chain_of(self, student: str) -> list[str]:
        """The students that a student's layers go through on their way from a teacher, the first one first."""
        found: list[str] = []
        source = getattr(self.students[student], "source", None)
        while source in self.students and source not in found:
            found.insert(0, source)
            source = getattr(self.students[source], "source", None)
        return found

    def students_in(self, teacher: str) -> list[str]:
        """The students that an ensemble is made of, by way of other ensembles too; none of any other teacher."""
        found, waiting = [], [teacher]
        for name in waiting:
            members = getattr(self.teachers.get(name), "members", ())
            waiting += [member for member in members if member not in waiting]
            found += [name] if name in self.students else []
        return found

    def source_of(self, student: TrainedEntry) -> str:
        """The model whose layers a student takes, as far as it is known before labels are chosen."""
        return student.source or self.first_teacher


def copies_of(name: str, teacher: TeacherEntry | StudentEntry) -> list[str]:
    """The names of a teacher's fits: its own, and those of its further seeds."""
    return [name, *(f"{name}-copy{number}" for number in range(2, getattr(teacher, "copies", 1) + 1))]


class Asked(TypedDict, total=False):
    """What the caller says of a run besides its project file.

    Attributes: teachers, students: names of the project, names of presets, or for teachers the folder of a finished
        model; of a teacher with its weight: `base:0.8`; none means all that the project names. checkpoint: the encoder
        that every chosen teacher starts from which starts from any. sets: `a.b=c` for any field. until: the verb,
        `report` by default.
    """

    teachers: Sequence[str]
    students: Sequence[str]
    checkpoint: str | None
    sets: Sequence[str]
    until: str


def resolve_settings(config: Path, run: Path, **asked: Unpack[Asked]) -> Settings:
    """Read a project file and put what is asked on top.

    What is wrong with students alone does not stop a verb that trains none; its plan is then without them.

    Raises: UserError listing every problem of the config at once.
    """
    teachers, students, checkpoint = asked.get("teachers", ()), asked.get("students", ()), asked.get("checkpoint")
    written, folder = load_yaml(config), config.parent
    chosen = overrides(asked.get("sets", ()), written)
    values = _rooted(merge(written, chosen), config, chosen)
    where = str(config)
    project = parse(Project, labelled(values, where), where)
    teacher_entries = named_teachers(project.teachers, teachers, config)
    if checkpoint is not None:
        teacher_entries = _started(teacher_entries, checkpoint, config)
    student_entries = named_students(project.students, students, config)
    _require_names(teacher_entries, student_entries, where)
    targets = {name: load_target(name, project=folder) for name in _targets(project.export, config)}
    settings = Settings(
        run=run,
        where=where,
        project=project,
        teachers={name: teacher_entry(name, one, where, folder) for name, one in teacher_entries.items()},
        students={name: student_entry(name, one, where, folder) for name, one in student_entries.items()},
        targets=targets,
        fallbacks=fallbacks(targets, folder),
        bench=parse(BenchConfig, project.bench, where, "bench"),
    )
    return _checked(settings, asked.get("until", "report"))


def _started(entries: dict[str, dict[str, Any]], checkpoint: str, config: Path) -> dict[str, dict[str, Any]]:
    """The entries, with this checkpoint in those that start from one. Raises: UserError where none does."""
    own = [name for name, one in entries.items() if starts_from_checkpoint(name, one, str(config), config.parent)]
    if not own:
        do = "leave --checkpoint out, or name a teacher that starts from one"
        raise UserError("no teacher starts from a checkpoint", where="--checkpoint", found=", ".join(entries), do=do)
    return entries | {name: {**entries[name], "checkpoint": checkpoint} for name in own}


def _rooted(values: dict[str, Any], config: Path, chosen: Mapping[str, Any]) -> dict[str, Any]:
    """`data.root` as an absolute path: from the project file's folder, or from here when it comes from `--set`."""
    data = values.get("data")
    if not isinstance(data, dict):
        return values
    base = Path.cwd() if "root" in chosen.get("data", {}) else config.parent
    return {**values, "data": {**data, "root": str((base / str(data.get("root", "."))).resolve())}}


def _targets(names: Sequence[str], config: Path) -> list[str]:
    known, found = target_names(config.parent), []
    for name in names:
        if name not in known:
            found.append(f"export: unknown target '{name}', {hint(name, known)}")
    if found:
        raise config_error(found, str(config))
    return list(dict.fromkeys(names))


def _require_names(teachers: Iterable[str], students: Iterable[str], where: str) -> None:
    """Check the names of the chosen models together: they share the labels of the report."""
    found = [f"teachers.{line}" for line in name_problems("teachers", teachers)]
    found += [f"students.{line}" for line in name_problems("students", students)]
    taken = {folded(name) for name in teachers}
    found += [f"students.{shown(name)}: a teacher has this name too" for name in students if folded(name) in taken]
    if found:
        raise config_error(found, where)


def _checked(settings: Settings, until: str) -> Settings:
    """The settings that the verb `until` is planned by. Raises: UserError with every problem that stops it."""
    problems = _problems(settings)
    found = problems if trains_students(until) else not_of_students(problems)
    if found:
        raise config_error(found, settings.where)
    for name, teacher in settings.teachers.items():
        if isinstance(teacher, TeacherConfig) and teacher.pretrain:
            adapting(settings, name)
    return without_students(settings) if problems else settings


def _problems(settings: Settings) -> list[str]:
    """What no single section can see, each line with the key that it is about first."""
    views, found = settings.project.views, []
    entries: list[tuple[str, TeacherEntry | StudentEntry]] = [
        *((f"teachers.{name}", one) for name, one in settings.teachers.items()),
        *((f"students.{name}", one) for name, one in settings.students.items()),
    ]
    for key, entry in entries:
        if entry.view not in views:
            found.append(f"{key}.view: unknown view '{entry.view}', {hint(entry.view, views)}")
    found += [line for name, one in settings.students.items() for line in student_problems(name, one, settings)]
    found += [line for name, one in settings.teachers.items() for line in _teacher_problems(name, one, settings)]
    found += [line for key, entry in entries for line in _term_problems(key, entry, settings.project)]
    found += [
        *start_problems(settings),
        *_circle_problems(settings),
        *_label_problems(settings),
        *objective_problems(settings.project.task.space, {key: getattr(one, "training", None) for key, one in entries}),
    ]
    if settings.project.controls.bag_of_tokens and not settings.with_checkpoint:
        found.append("controls.bag_of_tokens: no teacher starts from a checkpoint whose embeddings it could take")
    if not settings.teachers:
        found.append("teachers: none; leave the section out for the preset 'base'")
    elif not settings.labelling:
        found.append("teachers: every weight is 0")
    return found


def _term_problems(entry: str, learner: TeacherEntry | StudentEntry, project: Project) -> Iterator[str]:
    """Terms of a loss that the family, the task or the pool have nothing for."""
    if not isinstance(learner, TeacherConfig | TrainedEntry) or learner.training.objective.problem_with(
        project.task.space
    ):
        return
    reading = [term for term, one in learner.terms.items() if needs_teacher([one])]
    if reading and not family(learner.family).layered:
        yield f"{entry}.losses: {', '.join(reading)} reads layers, and the family {learner.family} has none"
    own = next((key for key in ("fresh", "vocabulary") if getattr(learner, key) is not None), None)
    by_token = [term for term, one in learner.terms.items() if same_view([one])]
    if by_token and own is not None:
        why = f"reads the teacher's model on the student's tokens, and by {own} the student has others"
        yield f"{entry}.losses: {', '.join(by_token)} {why}; remove one of the two, or name a view for the teacher"
    splits = ["train", *(f"pool.{pool}" for pool in sorted(project.data.pool))]
    head = learner.training.objective.head(project.task.space).objective
    for key, term in learner.terms.items():
        view = term.other_view()
        if view is not None and view not in project.views:
            yield f"{entry}.losses.{key}.view: unknown view '{view}', {hint(view, project.views)}"
        for split in term.sources:
            if split not in splits:
                yield f"{entry}.losses.{key}.sources: no such source '{split}', {hint(split, splits)}"
        if problem := term.problem_with(head):
            yield f"{entry}.losses.{key}.{problem}"


def _teacher_problems(name: str, teacher: TeacherEntry, settings: Settings) -> Iterator[str]:
    """Settings that do not go together, and members that the run has not."""
    if isinstance(teacher, TeacherConfig):
        if teacher.slices is not None and teacher.finished is not None:
            yield f"teachers.{name}.slices: a finished teacher is not trained; remove slices or finished"
        if teacher.labels is not None and teacher.finished is not None:
            yield f"teachers.{name}.labels: made elsewhere, and finished names a model that would make them; remove one"
    elif teacher.slices is not None and not family(teacher.family).learns:
        yield f"teachers.{name}.slices: the family {teacher.family} is not trained; remove slices"
    for line in family(teacher.made_by).problems(teacher, settings.project.task.space):
        yield f"teachers.{name}.{line}"
    if teacher.cross_fit is not None and not family(teacher.made_by).learns:
        yield f"teachers.{name}.cross_fit: of the family {teacher.made_by} nothing is fitted here; remove cross_fit"
    if teacher.cross_fit is not None and (start := getattr(teacher, "starts_from", None)) is not None:
        yield f"teachers.{name}.cross_fit: '{start}', which it starts from, has seen the gold of every fold; remove one"
    if getattr(teacher, "copies", 1) > 1 and not family(teacher.made_by).learns:
        yield f"teachers.{name}.copies: of the family {teacher.made_by} nothing is fitted here; remove copies"
    yield from phase_problems(name, teacher, settings)
    yield from _member_problems(name, teacher, settings)


def _member_problems(name: str, teacher: TeacherEntry, settings: Settings) -> Iterator[str]:
    """Members of an ensemble that the run has no model of, and students among them, which are fitted too late."""
    rows = {row: one for other, one in settings.teachers.items() for row in copies_of(other, one) if other != name}
    known = [*rows, *settings.students]
    if students := settings.students_in(name):
        late = f"'{students[0]}' is a student, which is fitted after the labels are chosen"
        if teacher.weight > 0 or settings.project.labels == name:
            yield f"teachers.{name}.weight: {late}; set weight: 0 and let the ensemble only be measured"
        for other, student in settings.students.items():
            if name in (student.learns_from or ()):
                yield f"students.{other}.learns_from: {late}, and '{name}' is made of it; name another model"
    for member in getattr(teacher, "members", ()):
        if member not in known:
            yield f"teachers.{name}.members: no such model '{member}', {hint(member, known)}"
        elif member not in rows:
            continue
        elif rows[member].made_by == "imported":
            yield f"teachers.{name}.members: of '{member}' there are only labels, no model; remove it"
        elif rows[member].cross_fit is not None:
            why = f"'{member}' is cross-fitted, which an ensemble's own labels are not"
            yield f"teachers.{name}.members: {why}; give both a weight instead, and labels: mixture or document"


def _circle_problems(settings: Settings) -> Iterator[str]:
    """Models that wait for each other, so that none of them can be made."""
    if way := circle(needs_of(settings)):
        section = "students" if way[0] in settings.students else "teachers"
        keys = "learns_from or source" if section == "students" else "members, learns_from or starts_from"
        yield f"{section}.{way[0]}: waits for itself, {' → '.join(way)}; change {keys} of one of them"


def _label_problems(settings: Settings) -> list[str]:
    """What `labels` asks for and the run has not."""
    asked = settings.project.labels
    means = [f"{row}-kfold" for name, one in settings.teachers.items() if one.kfold for row in copies_of(name, one)]
    known = [*LABELS, *settings.teachers, *means]
    if asked not in known:
        return [f"labels: unknown '{asked}', {hint(asked, known)}"]
    fits = [row for name, one in settings.labelling.items() for row in copies_of(name, one)]
    several = asked == "mixture" and len(fits) > 1
    made_elsewhere = any(teacher.made_by == "imported" for teacher in settings.labelling.values())
    if asked not in ("card", "mean", "mixture") or not settings.labelling or (several and not made_elsewhere):
        return []
    reason = (
        "the labels of one were made elsewhere, of which validation knows nothing"
        if asked == "mixture" and made_elsewhere
        else "there are no students to learn from it"
        if not settings.students
        else no_card_teacher(settings) or ("the teacher's labels were made elsewhere" if made_elsewhere else None)
    )
    needed = "two teachers of this run" if asked == "mixture" else "a card teacher"
    return [f"labels: {asked} needs {needed}, but {reason}; use labels: document"] if reason else []
