"""What a bundle stores to tell later whether records have moved: histograms of the records that it was measured on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distill.core.files import Json
from distill.core.label_space import LabelSpace
from distill.core.rendering import Renderer, field_text
from export.artifact import Artifact
from export.drift import histogram, input_values, score_values, unknown_token


@dataclass(frozen=True)
class Reference:
    """Records that were measured with the files of a bundle.

    Attributes: split: their name in the run. records: the fields of N records. keys: of each key of the project, by its
        column path, the key's value per record. logits: float32 (N, C) of each file, by its target.
    """

    split: str
    records: Sequence[Mapping[str, Any]]
    keys: Mapping[str, Sequence[str]]
    logits: Mapping[str, NDArray[np.float32]]


def drift_reference(
    reference: Reference, renderer: Renderer, fields: Sequence[str], held: Mapping[str, Artifact], space: LabelSpace
) -> Json:
    """The content of `drift.json`, as `drift.Reference` reads it.

    Scores are stored with the temperature that they were taken at: a bundle that gets another one keeps its reference.

    Args: renderer, fields: of the bundle's view. held: artifacts by their name in the bundle.
    """
    clusters, unknown = list(reference.keys.values()), unknown_token(renderer.tokenizer)
    encoded = renderer.encode_batch(reference.records)
    inputs = input_values(reference.records, encoded, fields, field_text, unknown)
    artifacts = {}
    for name, one in held.items():
        logits = reference.logits[one.target.name].astype(np.float64)
        chances, decided = space.objective.probabilities(logits / one.temperature), space.objective.decisions(logits)
        scores = score_values(chances.astype(np.float32), decided, space.labels, space.objective.several)
        named = {"label": space.labels}
        quantities = {key: histogram(values, clusters, named.get(key, ())) for key, values in scores.items()}
        artifacts[name] = {"temperature": one.temperature, "quantities": quantities}
    return {
        "split": reference.split,
        "rows": len(reference.records),
        "keys": list(reference.keys),
        "positive": space.positive,
        "inputs": {name: histogram(values, clusters) for name, values in inputs.items()},
        "artifacts": artifacts,
    }
