"""Models of two runs, an older and a newer one, compared on the test rows that both share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from distill.core.errors import UserError, unknown_name
from distill.core.files import Json
from distill.core.halves import FEWEST_CLUSTERS
from distill.evaluation.common_rows import CommonRows, Places, common_rows
from distill.evaluation.compare import BY
from distill.evaluation.holm import corrected
from distill.evaluation.measured_run import MeasuredRun, open_run
from distill.evaluation.over_seeds import beside
from distill.evaluation.quality import FIGURES
from distill.evaluation.scored import Scored, places_by_slice

Pair = tuple[str, str]


def compare_runs(old: Path, new: Path, models: Sequence[str] = (), by: str | None = None) -> Json:
    """Every figure of models of two runs and its paired difference new − old, on the test rows that both share.

    Rows are shared by id and gold label. Each model answers for the text and with the temperature of its own run. Runs
    of the same seeds are compared by their means; of other seeds the first of each is taken. Resamples are drawn by the
    settings of the new run, and by the keys of the run that has more of them.

    Args: models: none: all that both runs have by name; one: it in both; two: the first of the old run with the second
        of the new one. by: one of `BY`: accuracy in each slice instead, the slices as the new run has them.
    Returns: `{"old", "new", "models", "rows", "by", "fewest_clusters", "comparisons"}`. `old` and `new` have `run`,
        `seeds` (None: a single run), `test_rows`, `keys` and `not_compared`, names of models that only they have.
        `rows` is that of `CommonRows`. Each of `comparisons` has `old_model`, `new_model`, `slice` (None: all rows),
        `metric`, `rows`, `clusters`, `old`, `new`, `difference`, `low`, `high`, `p_value` and, over all of them,
        `p_holm`; None for those four last ones of under `fewest_clusters` clusters.
    Raises: UserError for runs that are none or not evaluated, of another task, without a shared row or model, for
        unknown models and breakdowns, and where the test rows have no slices.
    """
    if by is not None and by not in BY:
        raise unknown_name("breakdown", by, BY, "--by")
    runs = [_evaluated(folder) for folder in (old, new)]
    before, after = _same_seeds(*runs)
    _require_same_task(before, after)
    pairs = _pairs(before, after, models)
    both = _Both.of(before, after, pairs)
    rows = corrected(list(both.figures_by_slice() if by else both.figures()))
    return {
        "old": _told(runs[0], both.old_rows, [] if models else after.models()),
        "new": _told(runs[1], both.new_rows, [] if models else before.models()),
        "models": [list(pair) for pair in pairs],
        "metric": "accuracy" if by else after.settings.metric,
        "positive": after.space.positive,
        "rows": both.rows.told,
        "by": by,
        "fewest_clusters": FEWEST_CLUSTERS,
        "comparisons": rows,
    }


@dataclass(frozen=True)
class _Both:
    """Pairs of models on the shared rows, in every seed. Attributes: old_rows, new_rows: all test rows of each run."""

    pairs: Mapping[Pair, tuple[list[Scored], list[Scored]]]
    rows: CommonRows
    run: MeasuredRun
    old_rows: int
    new_rows: int

    @classmethod
    def of(cls, old: MeasuredRun, new: MeasuredRun, pairs: Sequence[Pair]) -> _Both:
        """The pairs, read from the runs' predictions. Raises: as `compare_runs`."""
        was = {name: old.scored(name) for name in dict.fromkeys(pair[0] for pair in pairs)}
        now = {name: new.scored(name) for name in dict.fromkeys(pair[1] for pair in pairs)}
        first, second = was[pairs[0][0]][0], now[pairs[0][1]][0]
        rows = common_rows(old, new, first, second)
        clusters, at = (first.clusters, rows.old) if len(old.keys) > len(new.keys) else (second.clusters, rows.new)
        clusters = None if clusters is None else clusters[at]
        sliced = first.taken(rows.old) if second.slices is None else second.taken(rows.new)

        def taken(scored: Sequence[Scored], places: Places) -> list[Scored]:
            return [replace(one.taken(places), clusters=clusters, slices=sliced.slices) for one in scored]

        return cls(
            pairs={(a, b): (taken(was[a], rows.old), taken(now[b], rows.new)) for a, b in pairs},
            rows=rows,
            run=new,
            old_rows=len(first),
            new_rows=len(second),
        )

    def figures(self) -> Iterator[Json]:
        """Every metric of every pair on all shared rows."""
        bootstrap = self.run.bootstrap_if_enough(self._any)
        positive = ["f1_positive"] if self.run.space.positive else []
        for pair, (old, new) in self.pairs.items():
            for metric in (*FIGURES, *positive):
                yield _row(pair, None, metric, beside(new, old, metric, bootstrap))

    def figures_by_slice(self) -> Iterator[Json]:
        """Accuracy of every pair in every slice, then on all shared rows."""
        parts: list[tuple[str | None, Places]] = [*places_by_slice(self._any).items()]
        parts.append((None, np.arange(len(self._any))))
        drawn = {name: self.run.bootstrap_if_enough(self._any.taken(places)) for name, places in parts}
        for pair, both in self.pairs.items():
            for name, places in parts:
                old, new = ([one.taken(places) for one in scored] for scored in both)
                yield _row(pair, name, "accuracy", beside(new, old, "accuracy", drawn[name]))

    @property
    def _any(self) -> Scored:
        return next(iter(self.pairs.values()))[1][0]


def _row(pair: Pair, part: str | None, metric: str, found: Json) -> Json:
    figures = {{"a": "new", "b": "old"}.get(key, key): value for key, value in found.items()}
    return {"old_model": pair[0], "new_model": pair[1], "slice": part, "metric": metric, **figures}


def _evaluated(folder: Path) -> MeasuredRun:
    run = open_run(folder)
    run.require_evaluated()
    return run


def _same_seeds(old: MeasuredRun, new: MeasuredRun) -> tuple[MeasuredRun, MeasuredRun]:
    """Both runs as they are where they have the same seeds, else the first seed of each."""
    return (old, new) if old.seeds == new.seeds else (old.first_seed(), new.first_seed())


def _require_same_task(old: MeasuredRun, new: MeasuredRun) -> None:
    """Check that a figure means the same in both runs. Raises: UserError with what differs."""
    parts = {
        "labels": (", ".join(old.space.labels), ", ".join(new.space.labels)),
        "kind": (old.space.objective.name, new.space.objective.name),
        "positive": (old.space.positive, new.space.positive),
    }
    for name, (was, now) in parts.items():
        if was != now:
            raise UserError(
                f"the two runs have another task: no figure of one can be held against the other ({name} differ)",
                where=f"task.{name} of {old.folder}, {new.folder}",
                found=f"{was or 'none'} | {now or 'none'}",
                do="evaluate one of the two again with the task of the other; labels count in their order",
            )


def _pairs(old: MeasuredRun, new: MeasuredRun, models: Sequence[str]) -> list[Pair]:
    if models:
        return [(models[0], models[-1])]
    was, now = old.models(), new.models()
    if shared := [name for name in was if name in now]:
        return [(name, name) for name in shared]
    raise UserError(
        "the two runs have no model of the same name",
        where=f"{old.folder}, {new.folder}",
        found=f"{', '.join(was) or 'none'} | {', '.join(now) or 'none'}",
        do="name one of each: distill compare OLD_RUN NEW_RUN OLD_MODEL NEW_MODEL",
    )


def _told(run: MeasuredRun, rows: int, others: Sequence[str]) -> Json:
    """What is told of a run. Args: others: models of the other run; none: which ones are compared was asked for."""
    alone = [name for name in run.models() if name not in others] if others else []
    return {
        "run": str(run.folder),
        "seeds": run.seeds,
        "test_rows": rows,
        "keys": list(run.keys),
        "not_compared": alone,
    }
