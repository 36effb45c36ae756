"""McNemar's test beside the bootstrap: of accuracy alone, by hand, and rejecting no more than it should."""

from __future__ import annotations

import math

import numpy as np
import pytest

from distill.core.label_space import LabelSpace
from distill.evaluation.entries import Comparison
from distill.evaluation.exact_tests import mcnemar, with_exact
from distill.evaluation.over_seeds import Seeded
from distill.evaluation.scored import Scored
from distill.report.quality_tables import pairs_sheet

SPACE = LabelSpace(("мимо", "точно"))
GOLD = np.zeros(40, int)


def model(name, right, seeds=1):
    """A model that has just these rows right."""
    target = np.eye(2)[GOLD]
    logits = np.where(np.isin(np.arange(40), right)[:, None], target, 1 - target)
    one = Scored(name, SPACE, [f"r{i}" for i in range(40)], logits, target)
    return Seeded([one] * seeds, one.bootstrap(100))


MODELS = {one.name: one for one in (model("a", range(30)), model("b", range(20)), model("c", range(18, 40)))}
PAIRS = [("a", "b", "accuracy"), ("a", "b", "log_loss"), ("b", "c", "accuracy")]
TABLE = [{"a": a, "b": b, "metric": metric, "p_value": 0.5} for a, b, metric in PAIRS]


def test_discordant_rows_are_counted_and_tested():
    first, loss, last = with_exact(TABLE, MODELS)
    assert (first["mcnemar"]["only_a"], first["mcnemar"]["only_b"]) == (10, 0)
    assert first["mcnemar"]["p_value"] == pytest.approx(2 / 2**10)
    assert first["mcnemar"]["p_holm"] == pytest.approx(4 / 2**10)  # of two tests
    assert (last["mcnemar"]["only_a"], last["mcnemar"]["only_b"]) == (18, 20) and last["mcnemar"]["p_holm"] > 0.8
    assert loss == TABLE[1]


def test_of_several_seeds_there_is_none():
    models = {name: model(name, range(10), seeds=2) for name in "abc"}
    assert with_exact(TABLE, models) == TABLE


def test_the_table_has_it_beside_the_bootstrap():
    rows = [Comparison.from_json(one) for one in with_exact(TABLE, MODELS)]
    sheet = pairs_sheet(rows, "Paired.")
    column = next(column for column in sheet.columns if column.name == "McNemar, Holm")
    assert [column.cell(row) for row in rows] == ["10 / 0, 0.004", "–", "18 / 20, 0.871"]
    assert not any(column.name.startswith("McNemar") for column in pairs_sheet([Comparison("a", "b")], "").columns)


@pytest.mark.parametrize(("old", "new"), [(0, 0), (3, 3), (1, 9), (12, 2), (0, 5)])
def test_the_p_value_is_that_of_a_fair_coin(old, new):
    count = old + new
    tail = sum(math.comb(count, k) for k in range(min(old, new) + 1)) / 2**count
    assert mcnemar(old, new) == pytest.approx(min(1.0, 2 * tail))
