"""A run whose models can be compared: where each has its predictions, and how the run measures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from distill.core.config import parse
from distill.core.current import made_anew, require_current
from distill.core.errors import UserError, unknown_name
from distill.core.halves import FEWEST_CLUSTERS
from distill.core.label_space import LabelSpace
from distill.core.manifest import MANIFEST, read_whole, require_whole
from distill.core.project import Quality, Task
from distill.core.run_folder import EVALUATION, EVALUATION_FILE, PREDICTIONS, RECORDS, REPORT, STATE, read_run
from distill.core.sealed import read_sealed
from distill.evaluation.bootstrap import Bootstrap
from distill.evaluation.calibrated_predictions import ALL, Model, read_calibrated
from distill.evaluation.scored import Scored


@dataclass(frozen=True)
class MeasuredRun:
    """The prediction folders of a run, one for each seed, and how it measures.

    Attributes: seeds: that are measured; None in a single run. keys: names of `data.keys`. seed: of the resamples.
    """

    folder: Path
    predictions: Sequence[Path]
    seeds: list[int] | None
    space: LabelSpace
    settings: Quality
    keys: Sequence[str]
    seed: int

    @property
    def records(self) -> Path:
        """The folder of its records, equal in all seeds but for what they sample."""
        return self.predictions[0].parent / RECORDS

    def first_seed(self) -> MeasuredRun:
        """The same run with the first of its seeds alone; a single run as it is."""
        return self if self.seeds is None else replace(self, predictions=self.predictions[:1], seeds=self.seeds[:1])

    def models(self) -> list[str]:
        """Names of the models, mixtures and exported files that can be read in every seed, and are current in it."""
        found = [
            {name for name in _names(folder) if not made_anew(*_artifact(folder, name))} for folder in self.predictions
        ]
        mixed = self._mixtures if self._mixtures and not made_anew(self.folder, EVALUATION) else {}
        return sorted({*set.intersection(*found), *mixed})

    def scored(self, name: str) -> list[Scored]:
        """A model on all test rows in each seed, calibrated as the run does it.

        Raises: UserError for a model that a seed does not have, for predictions that are not as they were made, and for
            those of files or models that were made anew since.
        """
        model = self._mixtures.get(name) or Model(name, "", "", "")
        if model.members:
            require_current(self.folder, EVALUATION)
        parts = [member for member, _ in model.members] or [name]
        for folder in self.predictions:
            known = _names(folder)
            if not known.issuperset(parts):
                raise unknown_name("model", name, [*known, *self._mixtures], str(folder))
            for part in parts:
                require_whole(folder / part)
                require_current(*_artifact(folder, part))
        return [
            read_calibrated(model, _tests(folder / parts[0]), folder, self.space, self.settings).tests[ALL]
            for folder in self.predictions
        ]

    @cached_property
    def _mixtures(self) -> dict[str, Model]:
        """By name the rows of the report that are made of other models' predictions."""
        models = (read_whole(self.folder / EVALUATION, EVALUATION_FILE) or {}).get("models", [])
        return {one["name"]: Model.mixed(one["name"], one["mixture"]) for one in models if "mixture" in one}

    def bootstrap(self, scored: Scored) -> Bootstrap:
        """Resamples of these rows, as the run draws them."""
        return scored.bootstrap(self.settings.replicates, self.seed)

    def bootstrap_if_enough(self, scored: Scored) -> Bootstrap | None:
        """As `bootstrap`; None where the rows have too few clusters for an interval."""
        return self.bootstrap(scored) if scored.cluster_count >= FEWEST_CLUSTERS else None

    def require_evaluated(self) -> None:
        """Check that the figures of the run are made, from the predictions that are there. Raises: UserError."""
        if not (self.folder / EVALUATION / MANIFEST).exists() and self.seeds is None:
            do = "give the command that made it again, up to evaluate: finished steps are kept"
            raise UserError("this run has not been evaluated", where=str(self.folder), do=do)


def open_run(run: Path) -> MeasuredRun:
    """The run in a folder. Raises: UserError for a folder that is no run, and for seeds of which none is evaluated."""
    config, where = read_run(run)["config"], str(run / STATE)
    seeds, data = _measured_seeds(run) if config.get("seeds") else None, config.get("data") or {}
    return MeasuredRun(
        folder=run,
        predictions=[run / PREDICTIONS] if seeds is None else [run / f"seed-{n}" / PREDICTIONS for n in seeds],
        seeds=seeds,
        space=parse(Task, config.get("task") or {}, where, "task").space,
        settings=parse(Quality, config.get("quality") or {}, where, "quality"),
        keys=list(data.get("keys") or []) if isinstance(data, dict) else [],
        seed=config.get("seed", 1),
    )


def _measured_seeds(run: Path) -> list[int]:
    path = run / REPORT
    seeds: list[int] = read_sealed(path).get("seeds", []) if path.exists() else []
    if not seeds:
        raise UserError("no seed of this run has been evaluated", where=str(run), do="let the run finish first")
    return seeds


def _names(predictions: Path) -> set[str]:
    return {path.parent.name for path in predictions.glob(f"*/{MANIFEST}")}


def _artifact(predictions: Path, name: str) -> tuple[Path, str]:
    """The run that predictions are of, and what the artifact of a model is called in it."""
    return predictions.parent, f"{predictions.name}/{name}"


def _tests(predictions: Path) -> list[str]:
    return sorted(path.stem for path in predictions.glob("test.*.parquet"))
