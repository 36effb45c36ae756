"""Rows that a student and its teacher decide differently: who was right, and where both are surest."""

from __future__ import annotations

import numpy as np

from distill.core.files import Json
from distill.core.label_space import LabelSpace
from distill.evaluation.cluster_shares import ClusterShares
from distill.evaluation.metrics import BoolArray, FloatArray
from distill.evaluation.scored import Scored, require_same_rows

MOST = 20
"""Rows that are listed."""


def disagreements(student: Scored, teacher: Scored) -> Json:
    """What the two decide differently on the same rows.

    Returns: `student`, `teacher`, `rows`; `differ`, the rows that they decide differently, of which `student_right`,
        `teacher_right` and `both_wrong`; `cells`, of all rows those with `both_right`, `only_student` and
        `only_teacher` right, `wrong_alike` and `wrong_apart`, each with its `rows` and its share with the 95% interval
        of Wilson over clusters; `examples`, at most 20 of them, first those where both are surest (by the
        product of their confidences): `id`, `slice`, `gold`, and of each side its `label` and `sure`.
    Raises: UserError when the rows differ.
    """
    require_same_rows(student, teacher)
    gold = student.space.objective.gold_decisions(np.asarray(student.target, np.float64))
    (own, own_sure), (its, its_sure) = map(_answers, (student, teacher))
    apart = (own != its).any(axis=1)
    own_right, its_right = ((answer == gold).all(axis=1) for answer in (own, its))
    order = np.argsort(-(own_sure * its_sure), kind="stable")
    listed = [int(place) for place in order if apart[place]][:MOST]
    names = student.space

    def example(place: int) -> Json:
        return {
            "id": student.ids[place],
            "slice": None if student.slices is None else student.slices[place],
            "gold": _named(gold[place], names),
            "student": {"label": _named(own[place], names), "sure": float(own_sure[place])},
            "teacher": {"label": _named(its[place], names), "sure": float(its_sure[place])},
        }

    return {
        "student": student.name,
        "teacher": teacher.name,
        "rows": len(student),
        "differ": int(apart.sum()),
        "student_right": int((apart & own_right).sum()),
        "teacher_right": int((apart & its_right).sum()),
        "both_wrong": int((apart & ~own_right & ~its_right).sum()),
        "cells": _cells(student, own_right, its_right, apart),
        "examples": [example(place) for place in listed],
    }


def _cells(rows: Scored, own_right: BoolArray, its_right: BoolArray, apart: BoolArray) -> dict[str, Json]:
    """Who was right, every row in one cell. Args: own_right, its_right, apart: (N,)."""
    wrong = ~own_right & ~its_right
    cells = {
        "both_right": own_right & its_right,
        "only_student": own_right & ~its_right,
        "only_teacher": its_right & ~own_right,
        "wrong_alike": wrong & ~apart,
        "wrong_apart": wrong & apart,
    }
    shares = ClusterShares(np.arange(len(rows)) if rows.clusters is None else np.asarray(rows.clusters, np.int64))
    every = np.ones(len(rows))
    return {
        name: {"rows": int(inside.sum()), **shares.interval(inside.astype(np.float64), every)}
        for name, inside in cells.items()
    }


def _answers(scored: Scored) -> tuple[BoolArray, FloatArray]:
    """Decisions (N, C), and how sure the least sure of a row's is (N,)."""
    objective, logits = scored.space.objective, np.asarray(scored.logits, np.float64)
    return objective.decisions(logits), objective.confidence(objective.probabilities(logits)).min(axis=1)


def _named(decision: BoolArray, space: LabelSpace) -> str:
    return ", ".join(label for label, holds in zip(space.labels, decision, strict=True) if holds) or "none"
