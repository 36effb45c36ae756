"""Two models compared slice by slice, on clusters drawn within each slice."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from distill.core.files import Json
from distill.core.halves import FEWEST_CLUSTERS
from distill.evaluation.bootstrap import Bootstrap
from distill.evaluation.holm import corrected
from distill.evaluation.over_seeds import beside
from distill.evaluation.scored import Scored, places_by_slice

Draws = Mapping[str | None, Bootstrap | None]
"""Resamples by slice, None where it has too few clusters; those of all rows under None, which comes last."""


def slice_draws(scored: Scored, draw: Callable[[Scored], Bootstrap | None], most: int | None = None) -> Draws:
    """The resamples of each slice, to be shared by all models on the same rows.

    Args: most: slices that are compared, those with the most rows; None: all.
    """
    places = places_by_slice(scored)
    largest = sorted(places, key=lambda name: -len(places[name]))[:most]
    return {**{name: draw(scored.taken(places[name])) for name in places if name in largest}, None: draw(scored)}


def by_slice(a: Sequence[Scored], b: Sequence[Scored], draws: Draws) -> Json:
    """Accuracy of two models and its paired difference a − b in each slice and over all rows, which come last.

    Args: a, b: one for each seed, on the same rows.
    Returns: `a`, `b`, `by`, `metric`, `fewest_clusters` and `rows`, each with its `name` and what `beside` has,
        corrected over them.
    """
    places, rows = places_by_slice(a[0]), list[Json]()
    for name, drawn in draws.items():
        one, other = (list(m) if name is None else [s.taken(places[name]) for s in m] for m in (a, b))
        rows.append({"name": name, **beside(one, other, "accuracy", drawn)})
    told = {"a": a[0].name, "b": b[0].name, "by": "slice", "metric": "accuracy"}
    return {**told, "fewest_clusters": FEWEST_CLUSTERS, "rows": corrected(rows)}
