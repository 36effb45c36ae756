"""What exported files say of records, without the bundle: by the toolkit's own rendering, runner and objective."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distill.core.errors import GateFailed
from distill.core.files import Json
from distill.core.label_space import LabelSpace
from distill.families.family import Opening
from distill.inference.providers import recorded_on
from export.artifact import Artifact
from export.verify import CLASS_F1

Logits = NDArray[np.float32]
_SCALES = (0.8, 1.25)


def logits_of(artifact: Artifact, model_folder: Path, rows: Sequence[Mapping[str, Any]]) -> Logits:
    """Logits, float32 (N, K), of the file in its export folder, read through the model's view.

    One window at a time and unpadded, where a bundle batches what may be batched: a fault in padding or masks shows.
    """
    how = Opening(threads=1, max_rows=1, provider=recorded_on(artifact.target.facts()))
    return artifact.target.scorer(artifact.folder, model_folder, how).score(rows).logits


def answers(
    logits: Logits,
    space: LabelSpace,
    temperature: float,
    operating_points: Mapping[str, float | None],
    class_thresholds: Mapping[str, float] | None = None,
) -> list[Json]:
    """What a bundle must say where its model gives these logits, float32 (N, K).

    Returns: N times `{"label", "probabilities": {label: p}, "positive": {operating point: bool}}`, and where there are
        thresholds of classes also `class_f1`, the labels at them; a point that validation did not reach is left out.
    """
    values = logits.astype(np.float64)
    chances, decided = space.objective.probabilities(values / temperature), space.objective.decisions(values)
    points = {name: least for name, least in operating_points.items() if least is not None}
    found = [_answer(space, *row, points) for row in zip(chances, decided, strict=True)]
    if not class_thresholds:
        return found
    holds = chances >= np.array([class_thresholds[label] for label in space.labels])
    return [{**one, CLASS_F1: _held(space, row)} for one, row in zip(found, holds, strict=True)]


def require_finite(logits: Logits, records: Sequence[Mapping[str, Any]], name: str) -> None:
    """Check the logits of golden records (`{"id", "record"}`). Raises: GateFailed naming the first that is not."""
    bad = np.flatnonzero(~np.isfinite(logits).all(axis=1))
    if len(bad):
        raise GateFailed(
            f"the {name} model gives logits that are NaN or infinite",
            where=f"golden record {records[bad[0]]['id']}",
            found=f"{len(bad)} of {len(records)} records",
            do="export in fp32, or train again at a lower learning rate",
        )


def require_same_scale(logits: Mapping[str, Logits], artifacts: Mapping[str, Artifact], space: LabelSpace) -> None:
    """Check that every file gives the logits of the exact one, on one scale.

    A file that holds a softmax, a sigmoid or a factor keeps its labels, but not the slope of its logits over the exact
    ones: of a fair int8 file that is within some percent of 1.

    Args: logits: float32 (N, K) by artifact, of the same records. Raises: GateFailed naming the file and the slope.
    """
    exact = next(name for name, one in artifacts.items() if one.target.criterion == "parity")
    base = _centred(logits[exact], space)
    for name, values in logits.items():
        slope = float((_centred(values, space) * base).sum() / max(float((base * base).sum()), 1e-12))
        if not _SCALES[0] <= slope <= _SCALES[1]:
            raise GateFailed(
                f"the {name} file does not give the model's logits: no bundle",
                where=str(artifacts[name].folder),
                found=f"they are {slope:.3g} times those of {exact}: an activation or a factor is inside the file",
                do="export it again, without a softmax or sigmoid at its end",
            )


def _answer(space: LabelSpace, chances: Any, decided: Any, points: Mapping[str, float]) -> Json:
    chosen = _held(space, decided)
    named = dict(zip(space.labels, map(float, chances), strict=True))
    positive = {name: named[str(space.positive)] >= least for name, least in points.items()}
    label = chosen if space.objective.several else chosen[0]
    return {"label": label, "probabilities": named, "positive": positive}


def _held(space: LabelSpace, decided: Any) -> list[str]:
    return [label for label, holds in zip(space.labels, decided, strict=True) if holds]


def _centred(logits: Logits, space: LabelSpace) -> NDArray[np.float64]:
    """Where classes compete, only what tells them apart."""
    values = logits.astype(np.float64)
    compete = not space.objective.several and values.shape[1] > 1
    return values - values.mean(axis=1, keepdims=True) if compete else values
