"""Rows whose gold label a model that has not learned them is confidently against."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from distill.evaluation.ratio import ratio
from distill.evaluation.scored import Scored


@dataclass(frozen=True)
class Suspects:
    """The rows that are suspected.

    Attributes: places: int64, the most suspicious first. expected: share of rows with a wrong label by the model's own
        answers, which people have to judge.
    """

    places: NDArray[np.int64]
    expected: float


def suspects(scored: Scored) -> Suspects:
    """The rows that confident learning counts beside the diagonal, of records with one label each.

    A row is confidently of class j where p_j ≥ t_j, with t_j the mean of p_j over the rows that are labelled j, and of
    several such classes of the likeliest. It is suspected where that is not its label; the order is by p_label − max
    over the others. The expected share is that of the counts, each label's scaled to its rows.

    Args: scored: of a model that was not fitted on these rows, calibrated.
    Source: Northcutt, Jiang & Chuang 2021, "Confident Learning: Estimating Uncertainty in Dataset Labels",
        arXiv:1911.00068, equations 1 to 3 and section 3.2 (normalised margin).
    """
    objective, classes = scored.space.objective, len(scored.space)
    chances = objective.probabilities(np.asarray(scored.logits, np.float64))
    gold = objective.gold_decisions(np.asarray(scored.target, np.float64)).argmax(axis=1)
    least = [chances[gold == at, at].mean() if (gold == at).any() else np.inf for at in range(classes)]
    sure = chances >= np.array(least)
    known, likeliest = sure.any(axis=1), np.where(sure, chances, -1.0).argmax(axis=1)
    joint = np.zeros((classes, classes))
    np.add.at(joint, (gold[known], likeliest[known]), 1)
    rows = np.bincount(gold, minlength=classes)
    of_label = joint.sum(axis=1)
    wrong = ratio(of_label - np.diag(joint), of_label)
    others = chances.copy()
    others[np.arange(len(gold)), gold] = -1.0
    margin = chances[np.arange(len(gold)), gold] - others.max(axis=1)
    found = np.flatnonzero(known & (likeliest != gold))
    return Suspects(found[np.argsort(margin[found], kind="stable")], float(wrong @ rows / len(gold)))
