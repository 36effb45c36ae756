"""Whether validation ranks models as test does, and what choosing by it brought: a diagnosis, which chooses nothing.

Validation and test rows are drawn anew, each apart from the other and the same ones for all models; the models stay as
they are. Drawing adds noise to both lists, which lowers a rank correlation, so its interval lies low rather than high.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from distill.core.config import parse
from distill.core.current import made_anew
from distill.core.errors import UserError
from distill.core.files import Json, read_object, sha256_json
from distill.core.manifest import MANIFEST, digest, require_whole
from distill.core.model_folder import HISTORY_FILE
from distill.core.project import Quality, Task
from distill.core.run_folder import PREDICTIONS, STATE, read_run
from distill.evaluation.bootstrap import Bootstrap
from distill.evaluation.calibrated_predictions import ALL, CalibratedPredictions, Model, read_calibrated
from distill.evaluation.cells import LOSS, Scale
from distill.evaluation.metrics import FloatArray
from distill.evaluation.over_seeds import Seeded
from distill.evaluation.ranking import kendall, spearman
from distill.evaluation.scored import Scored, require_same_rows
from distill.evaluation.statistics import interval

FEWEST = 3
_STUDIES = ("sweep", "ablate-fields")  # whose cells are measured on the same rows
_ON_VALIDATION = 1


@dataclass(frozen=True)
class Kept:
    """The checkpoints that one fit has kept. Attributes: folder: with their predictions, by name."""

    model: str
    folder: Path
    names: Sequence[str]


def diagnose(runs: Sequence[Path], kept: Sequence[Kept] = ()) -> Json:
    """How validation and test rank the models of finished runs, and the kept checkpoints of each of them.

    Models that give the same answers, as those of a run and of a cell that changes nothing, count once, and so do fits.
    Answers of a model that goes back to something made anew since are left out.

    Args: runs: folders of runs, each with all its seeds, and of sweeps, with all their cells.
    Returns: `{"metric", "positive", "rows": {"valid", "test"}, "models": [{"name", "valid", "test"}], "by",
        "left_out": {name: what was made anew}, "checkpoints": [{"model", "count", "by"}], "evaluations"}`. `by` has
        for each metric `spearman`, `kendall`, `chosen`, `best`, and `lost` and `over_random` with more always the
        better. Of fewer than three models `models` and `by` are empty. `evaluations`: how many figures on validation
        the fits have stored.
    Raises: UserError for a folder that is no run, models of other rows, and where there are neither three models nor
        three checkpoints of one.
    """
    folders = single_runs(runs)
    scale = _scale(folders[0])
    for folder in folders[1:]:
        _require_same_labels(folders[0], folder)
    answers, left_out = _models(folders, runs)
    models = {name: _read(place, scale) for name, place in answers.items()}
    points = [(one.model, _checkpoints(one, scale)) for one in kept if len(one.names) >= FEWEST]
    if len(models) < FEWEST and not points:
        raise UserError(
            f"a ranking needs at least {FEWEST} models with answers on validation and test",
            where=", ".join(map(str, runs)),
            found=f"{len(models)}: {', '.join(models) or 'none'}{_also(left_out)}",
            do="evaluate the run first, name more runs or a sweep, or fit with training.keep_evaluated: true",
        )
    told = _told(models, scale) if len(models) >= FEWEST else {"rows": {}, "models": [], "by": {}}
    return {
        "schema": 1,
        "metric": scale.quality.metric,
        "positive": scale.space.positive,
        **told,
        "left_out": left_out,
        "checkpoints": [
            {"model": model, "count": len(found), "by": _told(found, scale)["by"]} for model, found in points
        ],
        "evaluations": _evaluations(folders),
    }


def _also(left_out: Mapping[str, str]) -> str:
    names = [f"{name} ({changed} was made anew since)" for name, changed in left_out.items()]
    return f"; out of date: {', '.join(names)}" if names else ""


def _told(models: Mapping[str, CalibratedPredictions], scale: Scale) -> Json:
    """Figures of some models on both splits, and how these rank them. Raises: UserError for other rows."""
    lead = next(iter(models.values()))
    for one in models.values():
        require_same_rows(lead.valid, one.valid)
        require_same_rows(lead.tests[ALL], one.tests[ALL])
    both = {
        "valid": _seeded({name: one.valid for name, one in models.items()}, scale, _ON_VALIDATION),
        "test": _seeded({name: one.tests[ALL] for name, one in models.items()}, scale, 0),
    }
    return {
        "rows": {"valid": len(lead.valid), "test": len(lead.tests[ALL])},
        "models": [
            {"name": name, **{split: _means(own[name], scale) for split, own in both.items()}} for name in models
        ],
        "by": {
            metric: ranked(list(models), *(MetricOf.of(own, metric) for own in both.values()))
            for metric in scale.metrics
        },
    }


def _means(model: Seeded, scale: Scale) -> Json:
    return {metric: model.metric(metric).mean() for metric in scale.metrics}


def _checkpoints(kept: Kept, scale: Scale) -> dict[str, CalibratedPredictions]:
    tests = _tests(kept.folder / kept.names[0])
    return {
        name: read_calibrated(Model(name, "", "", ""), tests, kept.folder, scale.space, scale.quality)
        for name in kept.names
    }


@dataclass(frozen=True)
class MetricOf:
    """One metric of M models, more the better. Attributes: values: (M,). drawn: (R, M)."""

    values: FloatArray
    drawn: FloatArray

    @classmethod
    def of(cls, models: Mapping[str, Seeded], metric: str) -> MetricOf:
        """The figures of models on one split."""
        sign = -1 if metric == LOSS else 1
        found = [one.metric(metric) for one in models.values()]
        values = np.array([figure.values.mean() for figure in found])
        return cls(sign * values, sign * np.stack([figure.replicates() for figure in found], axis=1))


def ranked(names: Sequence[str], valid: MetricOf, test: MetricOf) -> Json:
    """How two lists of figures of the same M models agree, and what choosing by the first brought on the second."""
    chosen, best = int(np.argmax(valid.values)), int(np.argmax(test.values))
    others = test.drawn.mean(axis=1)
    return {
        **{
            name: interval(own(valid.values, test.values), own(valid.drawn, test.drawn))
            for name, own in (("spearman", spearman), ("kendall", kendall))
        },
        "chosen": names[chosen],
        "best": names[best],
        "lost": interval(test.values[best] - test.values[chosen], test.drawn[:, best] - test.drawn[:, chosen]),
        "over_random": interval(test.values[chosen] - test.values.mean(), test.drawn[:, chosen] - others),
    }


def _seeded(scored: Mapping[str, Scored], scale: Scale, stream: int) -> dict[str, Seeded]:
    lead = next(iter(scored.values()))
    draws: Bootstrap = lead.bootstrap(scale.quality.replicates, (scale.seed, stream))
    return {name: Seeded([one], draws) for name, one in scored.items()}


def single_runs(runs: Sequence[Path]) -> list[Path]:
    """The runs in some folders, each by itself: those of all seeds, and the cells of sweeps.

    Raises: UserError for a folder that is no run.
    """
    return [folder for run in runs for folder in _runs(run)]


def _runs(run: Path) -> Iterator[Path]:
    """The runs in a folder: itself, or its seeds; and the cells of a sweep."""
    cells = [cell for study in _STUDIES for cell in read_object(run / f"{study}.json").get("cells", [])]
    if (run / STATE).exists() or not cells:
        seeds = read_run(run)["config"].get("seeds")
        yield from [run / f"seed-{seed}" for seed in seeds] if seeds else [run]
    for cell in (cell for cell in cells if cell["status"] == "done"):
        if "runs" not in cell:
            do = "give the command of the study again: what is made is kept"
            raise UserError("an earlier version stored a study without the runs of its cells", where=str(run), do=do)
        yield from (run / one for one in cell["runs"])


def _scale(run: Path) -> Scale:
    config, where = read_run(run)["config"], str(run / STATE)
    space = parse(Task, config.get("task") or {}, where, "task").space
    return Scale(space, parse(Quality, config.get("quality") or {}, where, "quality"), config.get("seed", 1))


def _require_same_labels(run: Path, other: Path) -> None:
    """Check that two runs answer the same question. Raises: UserError with the labels of both."""
    own, others = _scale(run).space, _scale(other).space
    if (own.labels, own.objective.name) != (others.labels, others.objective.name):
        raise UserError(
            "runs of other labels cannot be ranked together",
            where=f"{other / STATE}: task",
            found=f"{others.objective.name}: {', '.join(others.labels)}; {run} has {', '.join(own.labels)}",
            do="name runs of one task, or ask for each by itself",
        )


def _models(folders: Sequence[Path], runs: Sequence[Path]) -> tuple[dict[str, Path], dict[str, str]]:
    """Where the models of runs have their answers, by name; of those that give the same ones the first.

    And those whose answers are out of date, with what was made anew since.
    """
    answers, left_out = dict[str, tuple[str, Path]](), dict[str, str]()
    for folder in folders:
        for place in _answers(folder):
            alone = len(runs) == 1 and folder == runs[0]
            name = place.name if alone else f"{shown_run(folder, runs)}: {place.name}"
            if changed := made_anew(folder, f"{PREDICTIONS}/{place.name}"):
                left_out[name] = changed
            else:
                answers.setdefault(digest(place), (name, place))
    return dict(answers.values()), left_out


def _answers(folder: Path) -> Iterator[Path]:
    """The folders of a run's answers, without exported files', which answer as their models do, and other readings'."""
    names = sorted(path.parent.name for path in (folder / PREDICTIONS).glob(f"*/{MANIFEST}"))
    for name in names:
        place = folder / PREDICTIONS / name
        if ">" in name or any(name.startswith(f"{one}.") for one in names) or not _tests(place):
            continue
        yield place


def _tests(place: Path) -> list[str]:
    return sorted(path.stem for path in place.glob("test.*.parquet"))


def _read(place: Path, scale: Scale) -> CalibratedPredictions:
    require_whole(place)
    return read_calibrated(Model(place.name, "", "", ""), _tests(place), place.parent, scale.space, scale.quality)


def shown_run(folder: Path, runs: Sequence[Path]) -> str:
    """A run's folder, from the one that was given on."""
    above = next(run for run in runs if run == folder or run in folder.parents)
    inner = folder.relative_to(above).as_posix()
    return inner if len(runs) == 1 else f"{above.name}/{inner}".removesuffix("/.")


def _evaluations(folders: Sequence[Path]) -> int:
    """How many evaluations of checkpoints on validation the fits of runs have stored; a shared fit counts once."""
    found = [read_object(path).get("history") or [] for run in folders for path in run.glob(f"*/*/{HISTORY_FILE}")]
    return sum(len(one) for one in {sha256_json(one): one for one in found}.values())
