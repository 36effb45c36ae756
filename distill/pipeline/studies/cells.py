"""The cells of a study: one run each, below the folder of the study, for one model; what is equal is made once."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from distill.core.errors import DistillError, MissingExtra, UserError, unknown_name
from distill.core.files import Json, sha256_json
from distill.core.grid import shown_point
from distill.core.label_space import LabelSpace
from distill.core.manifest import read_manifest
from distill.core.progress import Reporter
from distill.core.steps import Steps
from distill.evaluation.cells import Answers
from distill.pipeline.execute import execute
from distill.pipeline.experiment import Experiment
from distill.pipeline.plan import planned
from distill.pipeline.seeds import first_run, seed_runs
from distill.pipeline.settings import Settings
from distill.report.outcome import reason

Resolve = Callable[[Sequence[str]], Settings]
"""A project's settings with further `--set a.b=c` on top."""

_MOST_NAME = 60


@dataclass(frozen=True)
class Cell:
    """One run of a study.

    Attributes: values: what makes it a cell of its own, by the name that the table shows. settings: of its run, with
        `only` naming the model that is fitted and measured.
    """

    values: Mapping[str, Any]
    settings: Settings

    @property
    def name(self) -> str:
        """Of its folder."""
        return self.settings.run.name

    @property
    def title(self) -> str:
        """Its values in words."""
        return shown_point(self.values)

    @property
    def runs(self) -> list[Settings]:
        """The run of each seed."""
        return seed_runs(self.settings)

    def answers(self) -> Answers:
        """Where its model's predictions are."""
        experiment = Experiment(first_run(self.settings))
        label = experiment.models[str(self.settings.only)].label
        return Answers(label, tuple(experiment.tests), tuple(run.run / "predictions" for run in self.runs))

    def hours(self) -> float:
        """Of its model's fit, the mean over seeds; what a resumed fit took is what its last start took."""
        fits = [run.run / Experiment(run).models[str(run.only)].artifact for run in self.runs]
        return sum(read_manifest(fit)["seconds"] for fit in fits) / len(fits) / 3600


@dataclass(frozen=True)
class Way:
    """One way in which a cell differs from the base run.

    Attributes: values: that the table shows. sets: what it sets, as for `--set`. change: what else it changes.
    """

    values: Mapping[str, Any]
    sets: Sequence[str] = ()
    change: Callable[[Settings], Settings] = lambda settings: settings


def cells_of(resolve: Resolve, folder: str, model: str, ways: Iterable[Way]) -> list[Cell]:
    """A cell for each way, all checked before anything is made.

    Args: folder: of the study, below the run folder. model: name of the one that is fitted.
    Raises: UserError for what a way sets, as the project file would, naming the way, and for one of another task.
    """
    base = resolve([])
    root = base.run / folder
    found = [Cell(way.values, _settings(resolve, way, root / cell_name(way.values), model)) for way in ways]
    for cell in found:
        _require_task(cell, base)
    known = dict.fromkeys([base.run, *(cell.settings.run for cell in found), *_earlier(base.run)])
    return [
        replace(
            cell,
            settings=replace(
                cell.settings, seeds_in=root, alike=tuple(one for one in known if one != cell.settings.run)
            ),
        )
        for cell in found
    ]


def _earlier(run: Path) -> list[Path]:
    """The cells of all studies that were begun below a run, of one seed or of several."""
    several = (path.parent.parent for path in run.glob("*/*/seed-*/run.json"))
    return sorted({*(path.parent for path in run.glob("*/*/run.json")), *several})


def cell_name(values: Mapping[str, Any]) -> str:
    """A folder name that equal values always have, and others never."""
    words = re.sub(r"[^\w.+-]+", "_", shown_point(values)).strip("_.-")[:_MOST_NAME].rstrip("_.-")
    return f"{words}-{sha256_json(dict(values))[:8]}"


def measured_model(settings: Settings, asked: str | None, fields: Iterable[tuple[str, ...]] = ()) -> str:
    """The model that a study fits: the one that is asked for, the one whose fields vary, or the first student.

    Without students the first teacher. Args: asked: name, or name in the report. fields: that vary, each by its keys.
    Raises: UserError for an unknown model and one that is made elsewhere.
    """
    models = {name: spec for name, spec in Experiment(settings).models.items() if spec.fold_of is None}
    by_label = {spec.label: name for name, spec in models.items()}
    name = asked if asked is None else by_label.get(asked, asked)
    if name is None:
        own = {field[1] for field in fields if len(field) > 1 and field[0] in ("teachers", "students")}
        name = own.pop() if len(own) == 1 else next(iter([*settings.students, *settings.teachers]))
    if name not in models:
        raise unknown_name("model", name, models, "--model")
    if models[name].is_made_elsewhere:
        do = "name another one with --model"
        raise UserError("this model was made elsewhere, so there is nothing to fit", found=name, do=do)
    return name


def make_cells(cells: Sequence[Cell], reporter: Reporter, *, closed: bool) -> dict[str, Json]:
    """Make each cell's run; one that fails, however it does, is told of and the others go on.

    Args: closed: up to its answers on validation, without any model reading test rows; else test answers too.
    Returns: of each cell that failed, by name, `error`: why. Raises: what the first cell raised, where all failed, and
        MissingExtra.
    """
    errors: dict[str, Exception] = {}
    for number, cell in enumerate(cells, 1):
        reporter.heading(f"{'validation' if closed else 'test'}, {number} of {len(cells)}: {cell.title}")
        try:
            for run in cell.runs:
                if not (closed and is_made(run)):
                    execute(replace(run, closed=closed), reporter, "evaluate")
        except MissingExtra:
            raise
        except Exception as error:
            errors[cell.name] = error
            reporter.note(f"failed, the other cells go on: {_brief(error)}")
    if len(errors) == len(cells):
        raise next(iter(errors.values()))
    texts = all(run.project.report.texts for cell in cells for run in cell.runs)
    return {name: {"error": _brief(error, texts)} for name, error in errors.items()}


def is_made(run: Settings) -> bool:
    """Whether a cell's run has its answers on all splits already, so that nothing of it is left to make."""
    steps = Steps(run.run, {}, {})
    return all(steps.is_done(stage.step) for stage in planned(Experiment(replace(run, closed=False)), "evaluate"))


def _settings(resolve: Resolve, way: Way, run: Path, model: str) -> Settings:
    try:
        found = replace(way.change(resolve(way.sets)), run=run, only=model)
    except UserError as error:
        raise UserError(f"a cell of the study cannot be: {shown_point(way.values)}", found=error) from None
    if model not in Experiment(found).models:
        raise UserError("a cell of the study lacks its model", where=shown_point(way.values), found=model)
    return found


def _require_task(cell: Cell, base: Settings) -> None:
    """Check that a cell decides what the project does, since all are measured by that. Raises: UserError."""
    own, known = cell.settings.project.task.space, base.project.task.space
    if own != known:
        raise UserError(
            "a cell of the study has another task, and only models of one task can be compared",
            where=cell.title,
            found=f"{_task_words(own)}; in the project {_task_words(known)}",
            do="list task.labels, so that no setting changes them; or make a project of its own for each task",
        )


def _task_words(space: LabelSpace) -> str:
    """Labels, and what else a task is: `a, b (kind single, positive b)`."""
    more = [f"positive {space.positive}"] if space.positive else []
    more += ["ordered"] if space.ordered else []
    return f"{', '.join(space.labels)} ({', '.join([f'kind {space.objective.name}', *more])})"


def _brief(error: Exception, texts: bool = True) -> str:
    """Why a cell failed, in one line. Args: texts: whether it may quote rows, as errors of any kind may."""
    if isinstance(error, DistillError):
        return reason(error, texts)
    kind = type(error).__name__
    return " ".join(f"{kind}: {error}".split()).removesuffix(":") if texts else kind
