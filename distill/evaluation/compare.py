"""Two models of a run compared on the same test rows, overall and slice by slice."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from distill.core.config import parse
from distill.core.errors import UserError, unknown_name
from distill.core.files import Json
from distill.core.label_space import LabelSpace
from distill.core.manifest import MANIFEST, require_whole
from distill.core.project import Quality, Task
from distill.core.run_folder import read_run
from distill.core.sealed import read_sealed
from distill.evaluation.bootstrap import FEWEST_CLUSTERS, Bootstrap
from distill.evaluation.calibrated_predictions import ALL, Model, read_calibrated
from distill.evaluation.evaluate import metrics
from distill.evaluation.holm import corrected
from distill.evaluation.over_seeds import Seeded, comparison
from distill.evaluation.scored import Scored, require_same_rows

BY = ("slice",)


def compare(run: Path, a: str, b: str, other: Path | None = None) -> list[Json]:
    """Comparisons a − b of accuracy, macro F1, log loss and the positive class's F1 over all test rows.

    In a run of several seeds they are means over the seeds.

    Args: other: the run that b is of, with the same test rows and seeds; None: the same run.
    Raises: UserError for a folder that is no run, for a model that it does not have, and for runs of other rows.
    """
    source = _open(run)
    beside = source if other is None else _open(other)
    if beside.seeds != source.seeds:
        found = f"{source.seeds or 'one'} and {beside.seeds or 'one'}"
        raise UserError("the two runs have other seeds", where=str(other), found=found, do="run both with the same")
    first, second = source.scored(a), beside.scored(b)
    bootstrap = source.bootstrap(first[0])
    left, right = Seeded(first, bootstrap), Seeded(second, bootstrap)
    return corrected([comparison(left, right, metric) for metric in metrics(source.space, source.settings.metric)])


def compare_by(run: Path, a: str, b: str, by: str) -> Json:
    """Accuracy of two models and its paired difference a − b in each slice and over all test rows.

    Clusters are drawn within the slice; a slice with too few of them has its difference without interval and p-value.

    Args: by: one of `BY`.
    Returns: `{"a", "b", "by", "metric", "seeds", "fewest_clusters", "rows"}`; each row has `name` (None for all test
        rows, which come last), `rows`, `clusters`, `a`, `b`, `difference`, `low`, `high`, `p_value`,
        `p_holm`.
    Raises: UserError as `compare`, and where the test rows have no slices.
    """
    if by not in BY:
        raise unknown_name("breakdown", by, BY, "--by")
    source = _open(run)
    first, second = source.scored(a), source.scored(b)
    require_same_rows(first[0], second[0])
    return {
        "a": a,
        "b": b,
        "by": by,
        "metric": "accuracy",
        "seeds": source.seeds,
        "fewest_clusters": FEWEST_CLUSTERS,
        "rows": corrected(list(_by_slice(source, first, second))),
    }


@dataclass(frozen=True)
class _Source:
    """The prediction folders of a run, one for each seed, and how it measures."""

    predictions: Sequence[Path]
    seeds: list[int] | None
    space: LabelSpace
    settings: Quality
    seed: int

    def scored(self, name: str) -> list[Scored]:
        """A model on all test rows in each seed.

        Raises: UserError for a model that a seed does not have, and for predictions that are not as they were made.
        """
        for folder in self.predictions:
            known = sorted(path.name for path in folder.glob("*") if (path / MANIFEST).exists())
            if name not in known:
                raise unknown_name("model", name, known, str(folder))
            require_whole(folder / name)
        model = Model(name, "", "", "")
        return [
            read_calibrated(model, _tests(folder / name), folder, self.space, self.settings).tests[ALL]
            for folder in self.predictions
        ]

    def bootstrap(self, scored: Scored) -> Bootstrap:
        """Resamples of these rows, as the run draws them."""
        return scored.bootstrap(self.settings.replicates, self.seed)


def _open(run: Path) -> _Source:
    config, where = read_run(run)["config"], str(run / "run.json")
    seeds = _measured_seeds(run) if config.get("seeds") else None
    return _Source(
        predictions=[run / "predictions"] if seeds is None else [run / f"seed-{n}" / "predictions" for n in seeds],
        seeds=seeds,
        space=parse(Task, config.get("task") or {}, where, "task").space,
        settings=parse(Quality, config.get("quality") or {}, where, "quality"),
        seed=config.get("seed", 1),
    )


def _measured_seeds(run: Path) -> list[int]:
    path = run / "report.json"
    seeds: list[int] = read_sealed(path).get("seeds", []) if path.exists() else []
    if not seeds:
        raise UserError("no seed of this run has been evaluated", where=str(run), do="let the run finish first")
    return seeds


def _tests(predictions: Path) -> list[str]:
    return sorted(path.stem for path in predictions.glob("test.*.parquet"))


def _by_slice(source: _Source, a: Sequence[Scored], b: Sequence[Scored]) -> Iterator[Json]:
    slices = a[0].slices
    if slices is None:
        raise UserError("the test rows have no slices", where="data.slice", do="name the column to report by there")
    names = np.asarray(slices, dtype=object)
    for name in sorted(set(slices)):
        rows = names == name
        yield {"name": name, **_row(source, [_only(one, rows) for one in a], [_only(one, rows) for one in b])}
    yield {"name": None, **_row(source, a, b)}


def _row(source: _Source, a: Sequence[Scored], b: Sequence[Scored]) -> Json:
    clusters = len(a[0]) if a[0].clusters is None else len(np.unique(a[0].clusters.reshape(len(a[0]), -1)[:, 0]))
    accuracies = [float(np.mean([one.tally.total().accuracy for one in scored])) for scored in (a, b)]
    found: Json = {
        "difference": accuracies[0] - accuracies[1],
        "low": None,
        "high": None,
        "p_value": None,
        "evidence": None,
    }
    if clusters >= FEWEST_CLUSTERS:
        bootstrap = source.bootstrap(a[0])
        one, other = (Seeded(scored, bootstrap).metric("accuracy") for scored in (a, b))
        found = (one - other).mean_difference()
    return {"rows": len(a[0]), "clusters": clusters, "a": accuracies[0], "b": accuracies[1], **found}


def _only(scored: Scored, rows: NDArray[np.bool_]) -> Scored:
    """The rows that the mask (N,) keeps."""
    kept = np.flatnonzero(rows).tolist()
    return replace(
        scored,
        ids=[scored.ids[index] for index in kept],
        logits=scored.logits[kept],
        target=scored.target[kept],
        slices=None,
        clusters=None if scored.clusters is None else scored.clusters[kept],
    )
