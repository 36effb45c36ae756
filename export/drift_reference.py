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
from export.drift import EXACT, histogram, input_values, score_values, unknown_token
from export.verify import ROUNDING


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
    reference: Reference, renderer: Renderer, fields: Sequence[str], entries: Mapping[str, Json], space: LabelSpace
) -> Json:
    """The content of `drift.json`, as `drift.Reference` reads it.

    Scores are stored with the temperature that they were taken at: a bundle that gets another one keeps its reference.

    Args: renderer, fields: of the bundle's view. entries: of the manifest, by the artifact's name.
    """
    clusters, unknown = list(reference.keys.values()), unknown_token(renderer.tokenizer)
    encoded = renderer.encode_batch(reference.records)
    inputs = input_values(reference.records, encoded, fields, field_text, unknown)
    artifacts = {}
    for name, entry in entries.items():
        logits, temperature = reference.logits[entry["target"]].astype(np.float64), entry["temperature"]
        chances, decided = space.objective.probabilities(logits / temperature), space.objective.decisions(logits)
        scores = score_values(chances.astype(np.float32), decided, space.labels, space.objective.several)
        off = {f"score {label}": one for label, one in zip(space.labels, _off(chances, entry).T, strict=True)}
        named = {"label": space.labels}
        quantities = {
            key: histogram(values, clusters, named.get(key, ()), off.get(key, EXACT)) for key, values in scores.items()
        }
        artifacts[name] = {"temperature": temperature, "quantities": quantities}
    return {
        "split": reference.split,
        "rows": len(reference.records),
        "keys": list(reference.keys),
        "positive": space.positive,
        "inputs": {name: histogram(values, clusters) for name, values in inputs.items()},
        "artifacts": artifacts,
    }


def _off(chances: NDArray[np.float64], entry: Json) -> NDArray[np.float64]:
    """How far a probability may be off where each logit is as far off as it may be on any provider, to first order.

    dp = p (1 − p) d log(p / (1 − p)), and log odds move by two logits at most.

    Args: chances: (N, C). entry: of the manifest.
    """
    logit = max([entry["tolerance"], *entry.get("tolerances", {}).values()])
    return ROUNDING + chances * (1 - chances) * 2 * logit / entry["temperature"]
