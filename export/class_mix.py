"""The mix of classes and the costs of answers that a command line asks for."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from distill.core.config import load_yaml
from distill.core.errors import UserError, unknown_name
from distill.core.label_space import LabelSpace, label_name
from distill.core.shares import share_of
from distill.evaluation.metrics import FloatArray

_EXACT = 1e-6


def asked_mix(asked: Sequence[str], space: LabelSpace, own: FloatArray) -> FloatArray:
    """The share of each class, (C,). Classes that are not named keep their proportions and share the rest.

    Args: asked: `LABEL=0.3` or `LABEL=30%`. own: shares in the rows (C,).
    Raises: UserError for labels and shares that are none, and where nothing is left for the others.
    """
    if space.objective.several:
        what = "a mix of classes is known where a record has one label; here it may have several"
        raise UserError(what, where="--class-mix", do="retune on rows that have the mix")
    shares = np.zeros(len(space))
    for one in asked:
        name, sign, text = one.rpartition("=")
        if sign and label_name(name) not in space.labels:
            raise unknown_name("label", name, space.labels, "--class-mix")
        if not sign:
            do = f"write for example {space.labels[0]}=0.3 or {space.labels[0]}=30%"
            raise UserError("a label without its share", where="--class-mix", found=one, do=do)
        place = space.labels.index(label_name(name))
        if shares[place]:
            raise UserError("a label is named twice", where="--class-mix", found=name, do="give its share once")
        shares[place] = _share(one, text)
    named, rest = shares > 0, 1 - float(shares.sum())
    if named.all() and abs(rest) <= _EXACT:
        return np.asarray(shares / shares.sum())
    if named.all() or rest <= _EXACT:
        do = "give shares that sum to 1, or leave some to the labels that are not named"
        raise UserError("shares of the classes do not sum to 1", where="--class-mix", found=f"{1 - rest:g}", do=do)
    return np.asarray(np.where(named, shares, rest * own / own[~named].sum()))


def asked_costs(asked: str, space: LabelSpace) -> FloatArray:
    """The costs (C, C) of answering the column's class where the row's is true.

    Args: asked: a YAML file, `true label: {answer: cost}`, what is missing costs 0; or a matrix, rows by `;`, in the
        order of the labels. Raises: UserError for one that does not fit the labels, or says nothing.
    """
    if space.objective.several or space.positive is None:
        what = "costs choose between the positive class and the others, where a record has one label"
        found = "records may have several labels" if space.objective.several else "the bundle has no positive class"
        raise UserError(what, where="--costs", found=found)
    is_file = Path(asked).is_file()
    if not is_file and Path(asked).suffix in (".yaml", ".yml"):
        raise UserError("file not found", where="--costs", found=asked, do="check the name")
    costs = _of_file(Path(asked), space) if is_file else _of_text(asked, space)
    if not (costs >= 0).all() or not (costs != np.diag(costs)[:, None]).any():
        do = "give numbers from 0 on, of which a wrong answer has another one than the right one"
        raise UserError("costs that choose nothing", where="--costs", found=costs.tolist(), do=do)
    return costs


def _of_file(path: Path, space: LabelSpace) -> FloatArray:
    costs = np.zeros((len(space), len(space)))
    for true, answers in load_yaml(path).items():
        if not isinstance(answers, dict):
            do = "write for example  about_pr: {not_about_pr: 5}"
            raise UserError("a label needs its answers and their costs", where=str(path), found=str(true), do=do)
        for answer, cost in answers.items():
            costs[_place(true, space, path), _place(answer, space, path)] = _number(cost, str(path))
    return costs


def _of_text(text: str, space: LabelSpace) -> FloatArray:
    rows = [[_number(cell, "--costs") for cell in row.split(",")] for row in text.split(";")]
    if {len(row) for row in rows} != {len(space)} or len(rows) != len(space):
        what = f"a matrix of {len(space)} rows and columns is needed, in the order of the labels"
        raise UserError(what, where="--costs", found=text, do=f"labels: {', '.join(space.labels)}")
    return np.array(rows)


def _place(name: Any, space: LabelSpace, path: Path) -> int:
    if label_name(name) not in space.labels:
        raise unknown_name("label", str(name), space.labels, str(path))
    return space.labels.index(label_name(name))


def _number(value: Any, where: str) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise UserError(
            "a cost is a number", where=where, found=value, do="name a file that is there, or a matrix: 0,1;5,0"
        )
    return number


def _share(asked: str, text: str) -> float:
    share = share_of(text)
    if share is None or not 0 < share < 1:
        do = "write for example about_pr=0.3 or about_pr=30%"
        raise UserError("a share between 0 and 1 is needed", where="--class-mix", found=asked, do=do)
    return share
