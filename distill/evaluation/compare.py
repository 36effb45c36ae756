"""Two models of a run compared on the same test rows, overall and slice by slice."""

from __future__ import annotations

from pathlib import Path

from distill.core.errors import unknown_name
from distill.core.files import Json
from distill.evaluation.by_slice import by_slice, slice_draws
from distill.evaluation.evaluate import metrics
from distill.evaluation.exact_tests import with_exact
from distill.evaluation.holm import corrected
from distill.evaluation.measured_run import open_run
from distill.evaluation.over_seeds import Seeded, comparison
from distill.evaluation.scored import require_same_rows

BY = ("slice",)


def compare(run: Path, a: str, b: str) -> list[Json]:
    """Comparisons a − b of accuracy, macro F1, log loss and the positive class's F1 over all test rows.

    In a run of several seeds they are means over the seeds.

    Raises: UserError for a folder that is no run, and for a model that it does not have.
    """
    source = open_run(run)
    first, second = source.scored(a), source.scored(b)
    bootstrap = source.bootstrap(first[0])
    left, right = Seeded(first, bootstrap), Seeded(second, bootstrap)
    found = [comparison(left, right, metric) for metric in metrics(source.space, source.settings.metric)]
    return with_exact(corrected(found), {left.name: left, right.name: right})


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
    source = open_run(run)
    first, second = source.scored(a), source.scored(b)
    require_same_rows(first[0], second[0])
    draws = slice_draws(first[0], source.bootstrap_if_enough)
    return {**by_slice(first, second, draws), "a": a, "b": b, "seeds": source.seeds}
