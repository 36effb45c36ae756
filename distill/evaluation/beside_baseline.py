"""Every figure of every model beside those of one model that the project names: paired differences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from distill.core.files import Json
from distill.evaluation.figure import Figure
from distill.evaluation.holm import corrected
from distill.evaluation.over_seeds import Seeded
from distill.evaluation.quality import FIGURES, ORDERED_METRICS

Path = tuple[str, ...]


def beside_baseline(models: Mapping[str, Seeded], baseline: str) -> dict[str, Json]:
    """Of each model but the baseline its figures minus the baseline's, on the same rows and resamples.

    The differences lie under the keys that the figures have in a quality block: `accuracy`, `f1_macro`, `f1_weighted`,
    `log_loss`, of ordered labels both of theirs, `per_class` with `f1` of each class and, of the positive class,
    `accuracy`, `precision` and `recall` too. Each is `{"difference", "low", "high", "p_value", "p_holm"}`; p-values are
    corrected over all models, apart for figures of all classes and of single ones. Calibration error has none, as
    resamples move it upwards.

    Args: models: by name, the baseline among them.
    """
    base = models[baseline]
    found: dict[str, Json] = {name: {} for name in models if name != baseline}
    for paths in (_of_all(base), _of_each(base)):
        places = [(name, path) for name in found for path in paths]
        rows = [(_figure(models[name], path) - _figure(base, path)).mean_difference() for name, path in places]
        for (name, path), apart in zip(places, corrected(rows), strict=True):
            _put(found[name], path, apart)
    return found


def _of_all(model: Seeded) -> Sequence[Path]:
    return [(name,) for name in (*FIGURES, *(ORDERED_METRICS if model.space.ordered else ()))]


def _of_each(model: Seeded) -> Sequence[Path]:
    return list(_class_paths(model))


def _class_paths(model: Seeded) -> Iterator[Path]:
    for label in model.space.labels:
        yield "per_class", label, "f1"
        if label == model.space.positive:
            yield from (("per_class", label, name) for name in ("accuracy", "precision", "recall"))


def _figure(model: Seeded, path: Path) -> Figure:
    if len(path) == 1:
        return model.metric(path[0])
    index, name = model.space.labels.index(path[1]), {"accuracy": "class_accuracy"}.get(path[2], path[2])
    return model.of(lambda tally: np.asarray(getattr(tally, name)[..., index]))


def _put(block: Json, path: Path, value: Json) -> None:
    *parents, last = path
    for key in parents:
        block = block.setdefault(key, {})
    block[last] = value
