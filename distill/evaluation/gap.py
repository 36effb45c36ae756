"""Which part of a student's distance to the document teacher is the view's, and which the smaller model's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from distill.core.files import Json
from distill.evaluation.calibrated_predictions import References

_TOLD = ("a", "b", "difference", "low", "high", "p_value", "p_holm", "spread")


def gaps(comparisons: Sequence[Mapping[str, Any]], students: Sequence[str], references: References) -> list[Json]:
    """The two parts of each student's distance, in every metric that models are compared by.

    view = teacher@card − teacher@document, depth = student − teacher@card, whole = student − teacher@document, so that
    view + depth = whole. All three are comparisons of the same table, on the same rows and resamples.

    Args: comparisons: of report.json, corrected.
    Returns: `{"student", "metric", "view", "depth", "whole"}`, each part with both models, difference, interval and
        p-values; empty where there is no document or no card teacher.
    """
    known = {(str(one["a"]), str(one["b"]), str(one["metric"])): one for one in comparisons}
    document, card = references.document, references.card
    if document is None or card is None:
        return []
    found = []
    for student in students:
        for metric in dict.fromkeys(metric for _, _, metric in known):
            pairs = {"view": (card, document), "depth": (student, card), "whole": (student, document)}
            parts = {part: known.get((*pair, metric)) for part, pair in pairs.items()}
            if all(one is not None for one in parts.values()):
                told = {part: _told(one) for part, one in parts.items() if one is not None}
                found.append({"student": student, "metric": metric, **told})
    return found


def _told(one: Mapping[str, Any]) -> Json:
    return {key: one[key] for key in _TOLD if key in one}
