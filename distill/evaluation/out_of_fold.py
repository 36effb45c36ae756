"""Quality out of fold: on training rows, each answered by a model that was fitted without it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from distill.core.files import Json
from distill.core.out_of_fold import OutOfFold
from distill.core.predictions import cluster_numbers
from distill.evaluation.evaluate import Measuring
from distill.evaluation.over_seeds import Seeded
from distill.evaluation.scored import Scored

OUT_OF_FOLD_METRICS = ("accuracy", "f1_macro", "log_loss")


def out_of_fold_entry(name: str, by_seed: Sequence[OutOfFold], measuring: Measuring) -> Json:
    """One of the `out_of_fold` of report.json: `model`, `folds`, `rows`, and each figure with its interval.

    Each model's logits are divided by the temperature that validation gives to it, as those of a test are. The interval
    is that of a test: it holds the fits fixed.

    Args: name: of the mean of the folds' models in the report. by_seed: one for each seed.
    Raises: UserError for logits that are not finite and for under 30 values of the first key.
    """
    scored = [
        Scored(
            name=name,
            space=measuring.space,
            ids=one.predictions.ids,
            logits=one.predictions.logits / one.temperatures[:, None],
            target=one.predictions.target,
            clusters=cluster_numbers(one.predictions),
        )
        for one in by_seed
    ]
    seeded = Seeded(scored, scored[0].bootstrap(measuring.quality.replicates, measuring.seed))
    figures = {metric: seeded.metric(metric).mean() for metric in OUT_OF_FOLD_METRICS}
    return {"model": name, "folds": int(np.max(by_seed[0].folds)), "rows": len(scored[0]), **figures}
