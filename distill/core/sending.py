"""Which records are sent on to the teacher: those that a model is least sure of.

How sure it is of a record:

- of one label: the margin between its two likeliest classes, or the probability of the likeliest (`BY`);
- of several labels, and of the positive class at an operating point: how far its probability is from the threshold, as
  log odds, |log(p / (1 − p)) − log(t / (1 − t))|; of several labels the least.

A record is sent on where that is less than a band, which is chosen for a share of validation rows. Shipped in bundles:
needs numpy, nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]
DECISION = "decision"  # the band around the label that is answered; others are around operating points, by name
MARGIN, PROBABILITY = BY = ("margin", "probability")
_LEAST = 1e-6  # of a probability: float32 tells those that are nearer to 0 or 1 no more apart


def decision_sureness(chances: ArrayLike, *, several: bool, by: str = MARGIN) -> FloatArray:
    """How sure a model is of the labels that it answers, (N,).

    Args: chances: (N, C). several: whether a record may have several labels, each from p = 0.5 on. by: one of `BY`; of
        several labels it makes no difference.
    """
    found = np.asarray(chances, np.float64)
    if several:
        return threshold_sureness(found, np.full(found.shape[1], 0.5))
    ordered = np.sort(found, axis=1)
    return np.asarray(ordered[:, -1] if by == PROBABILITY else ordered[:, -1] - ordered[:, -2])


def threshold_sureness(chances: ArrayLike, thresholds: ArrayLike) -> FloatArray:
    """How far the nearest probability of each row is from its threshold, (N,). Args: chances: (N, C). thresholds: (C,).

    Float32 has no numbers within 1e-8 of 1, so both are kept within [1e-6, 1 − 1e-6].
    """
    return np.asarray(np.abs(_log_odds(chances) - _log_odds(thresholds)).min(axis=1))


def band(sureness: FloatArray, share: float) -> float:
    """Under which the least sure rows lie, as near to this share of them as rows that are equally sure allow.

    Never more than the share, to a row; midway between two rows, so that rounding moves none across.

    Args: sureness: (N,). share: in [0, 1].
    """
    ordered = np.sort(sureness)
    most = min(round(share * len(ordered)), len(ordered) - 1)
    below = int(np.searchsorted(ordered, ordered[most], side="left"))
    return 0.0 if below == 0 else float((ordered[below - 1] + ordered[below]) / 2)


def share_name(share: float) -> str:
    """The key of a share in the bands: `0.1`."""
    return f"{share:g}"


@dataclass(frozen=True)
class Bands:
    """The bands of a bundle's file around one kind of answer.

    Attributes: point: the operating point that is answered at; None: the label alone. by: one of `BY`. bands: by share.
    """

    point: str | None
    by: str
    bands: Mapping[str, float]

    @classmethod
    def of(cls, content: Mapping[str, Any], artifact: str, point: str | None) -> Bands:
        """From what `fallthrough.json` holds; without any where it has none of this file or answer."""
        found = content["artifacts"].get(artifact, {"by": MARGIN, "bands": {}})
        bands = found["bands"].get(point or DECISION, {})
        if found["by"] not in BY:
            raise ValueError(f"sureness by {found['by']}")
        return cls(point, found["by"], {name: float(one) for name, one in bands.items()})

    def require(self, share: float) -> None:
        """Check that there is a band. Raises: ValueError naming the shares that there are."""
        if share_name(share) not in self.bands:
            known = ", ".join(self.bands) or "none"
            raise ValueError(f"no band that sends on a share of {share:g} at {self.point or DECISION}; known: {known}")

    def sent(self, bundle: Any, chances: ArrayLike, share: float) -> NDArray[np.bool_]:
        """Whether each record is sent on, bool (N,). Args: bundle: `runtime.Bundle`. chances: (N, C), as it says."""
        found, labels = np.asarray(chances, np.float64), bundle.labels
        if self.point is None:
            sure = decision_sureness(found, several=bundle.after["kind"] == "multi", by=self.by)
        else:
            positive = bundle.after["positive"]
            by_class = self.point not in bundle.operating_points
            least = bundle.class_thresholds if by_class else {positive: bundle.threshold(self.point)}
            sure = threshold_sureness(found[:, [labels.index(name) for name in least]], list(least.values()))
        return np.asarray(sure < self.bands[share_name(share)])


def _log_odds(chances: ArrayLike) -> FloatArray:
    kept = np.clip(np.asarray(chances, np.float64), _LEAST, 1 - _LEAST)
    return np.asarray(np.log(kept / (1 - kept)))
