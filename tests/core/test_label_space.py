"""Gold of every form as a vector over the task's labels."""

from __future__ import annotations

import numpy as np
import pytest

from distill.core.config import parse
from distill.core.errors import UserError
from distill.core.label_space import LabelSpace, label_name
from distill.core.objectives.multi_label import MultiLabel
from distill.core.project import Task

LABELS = ("мимо", "рядом", "точно")
SINGLE = LabelSpace(LABELS, positive="точно")
MULTI = LabelSpace(LABELS, MultiLabel())


@pytest.mark.parametrize(
    ("space", "gold", "vector"),
    [
        (SINGLE, "рядом", [0, 1, 0]),
        (SINGLE, {"мимо": 3, "точно": 1}, [0.75, 0, 0.25]),
        (SINGLE, {"мимо": 0.2, "рядом": 0, "точно": 0.2}, [0.5, 0, 0.5]),
        (MULTI, ["мимо", "точно"], [1, 0, 1]),
        (MULTI, ("рядом", "рядом"), [0, 1, 0]),
        (MULTI, [], [0, 0, 0]),
        (MULTI, "рядом", [0, 1, 0]),
        (MULTI, {"мимо": 0.7, "рядом": 1}, [0.7, 1, 0]),
        (MULTI, {}, [0, 0, 0]),
    ],
)
def test_gold_becomes_a_vector(space, gold, vector):
    found = space.target(gold)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, vector, rtol=1e-6)


@pytest.mark.parametrize(
    ("space", "gold"),
    [
        (SINGLE, [0.5, 0.2, 0.3]),
        (SINGLE, [0.5, 0.5, 0]),
        (MULTI, [0.5, 0.49, 0.51]),
        (MULTI, [0, 0, 0]),
    ],
)
def test_a_row_counts_for_the_classes_that_figures_take_for_its_gold(space, gold):
    target, objective = np.array(gold, np.float32), space.objective
    assert objective.gold_classes(target) == np.flatnonzero(objective.gold_decisions(target[None])[0]).tolist()


@pytest.mark.parametrize(
    ("space", "gold", "message"),
    [
        (SINGLE, "близко", "unknown label 'близко'"),
        (SINGLE, None, "unknown label 'None'"),
        (SINGLE, {"близко": 1}, "unknown label 'близко'"),
        (SINGLE, ["мимо"], "task.kind: multi"),
        (SINGLE, {"мимо": 0}, "sum to 0"),
        (SINGLE, {}, "sum to 0"),
        (SINGLE, {"мимо": -1, "точно": 2}, "vote for 'мимо'"),
        (SINGLE, {"мимо": "много"}, "vote for 'мимо'"),
        (SINGLE, {"мимо": True}, "vote for 'мимо'"),
        (SINGLE, {"мимо": float("nan")}, "vote for 'мимо'"),
        (SINGLE, {"мимо": float("inf")}, "vote for 'мимо'"),
        (SINGLE, {"мимо": 10**400}, "vote for 'мимо'"),
        (MULTI, ["мимо", "близко"], "unknown label 'близко'"),
        (MULTI, {"мимо": 2}, "share between 0 and 1"),
    ],
)
def test_wrong_gold_says_what_is_wrong(space, gold, message):
    with pytest.raises(ValueError, match=message):
        space.target(gold)


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (True, "true"),
        (False, "false"),
        (1, "1"),
        (1.0, "1"),
        (0.5, "0.5"),
        ("да", "да"),
        ("че\u0308рный", "чёрный"),
        (" о  товаре\u200b", "о товаре"),
        ("sci  fi", "sci fi"),
        ("sci\tfi\n", "sci fi"),
        ("Да", "Да"),
    ],
)
def test_labels_that_are_not_text_have_one_name(value, name):
    assert label_name(value) == name


def test_labels_of_numbers_and_booleans_match_their_names():
    assert LabelSpace(("0", "1")).target(1.0).tolist() == [0, 1]
    assert LabelSpace(("0.0", "1.0")).target(1).tolist() == [0, 1]
    assert LabelSpace(("1.0", "1")).target("1").tolist() == [0, 1]
    assert LabelSpace(("false", "true")).target(True).tolist() == [0, 1]
    assert LabelSpace(("0", "1")).target({1: 2}).tolist() == [0, 1]


@pytest.mark.parametrize(
    ("labels", "gold", "index"),
    [
        (("0", "1"), "1.0", 1),
        (("-1", "1"), "-1.00", 0),
        (("false", "true"), "True", 1),
        (("1", "1.0.1"), "1.0.1", 1),
        (("True", "true"), "True", 0),
    ],
)
def test_what_a_table_writes_for_numbers_and_booleans_is_known(labels, gold, index):
    assert LabelSpace(labels).target(gold).argmax() == index
    assert LabelSpace(labels).target({gold: 1}).argmax() == index
    with pytest.raises(ValueError, match="unknown label '1.5'"):
        LabelSpace(labels).target("1.5")


def test_size_and_positive_class():
    assert len(SINGLE) == 3 and SINGLE.positive_index == 2 and MULTI.positive_index is None


def test_gold_and_the_tasks_labels_meet_in_one_form():
    written, read = "че\u0308рный\u200b", "чёрный"
    for declared, gold in ((written, read), (read, written)):
        space = parse(Task, {"labels": [declared, "b"]}, "test").space
        assert space.target(gold).tolist() == [1, 0] and space.labels[0] == read
    with pytest.raises(UserError, match="duplicate name"):
        parse(Task, {"labels": [written, read]}, "test")
