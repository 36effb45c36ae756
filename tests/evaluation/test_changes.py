"""What two models answer otherwise: counted in any chunks, by slice, against gold, with the largest changes kept."""

import numpy as np
import pytest

from distill.core.label_space import LabelSpace
from distill.core.objectives.multi_label import MultiLabel
from distill.evaluation.changes import Answered, Changes, Rows
from distill.evaluation.exact_tests import mcnemar

SPACE = LabelSpace(("a", "b", "c"), positive="c")
COUNT = 500


def answered(chances, least):
    return Answered(chances, np.arange(3) == chances.argmax(axis=1)[:, None], {"f1": chances[:, 2] >= least})


@pytest.fixture(scope="module")
def models():
    random = np.random.default_rng(1)
    logits = random.normal(0, 1, (COUNT, 3))
    chances = [
        np.exp(one) / np.exp(one).sum(axis=1, keepdims=True)
        for one in (logits, logits + random.normal(0, 0.3, logits.shape))
    ]
    gold = np.eye(3, dtype=bool)[random.integers(0, 3, COUNT)]
    labelled = random.random(COUNT) < 0.6
    slices = [("left", "right", "")[number % 3] for number in range(COUNT)]
    return Rows(list(range(COUNT)), gold, labelled, slices), answered(chances[0], 0.5), answered(chances[1], 0.45)


def taken(models, places):
    rows, *sides = models
    cut = [
        Answered(one.chances[places], one.decided[places], {name: held[places] for name, held in one.points.items()})
        for one in sides
    ]
    kept = np.arange(COUNT)[places]
    return Rows(kept.tolist(), rows.gold[places], rows.labelled[places], [rows.slices[i] for i in kept]), *cut


def found(models, size, examples=7):
    changes = Changes(SPACE, examples)
    for start in range(0, COUNT, size):
        changes.add(*taken(models, slice(start, start + size)))
    return changes.found()


def test_counts_are_those_of_the_rows(models):
    rows, old, new = models
    told = found(models, COUNT)
    before, after = old.decided.argmax(axis=1), new.decided.argmax(axis=1)
    apart = before != after
    assert told["labels"]["changed"] == apart.sum() > 20 and told["labels"]["rows"] == COUNT
    assert told["labels"]["share"]["low"] < apart.mean() < told["labels"]["share"]["high"]
    point = told["points"]["f1"]
    assert point["gained"] == (new.points["f1"] & ~old.points["f1"]).sum() > point["lost"] > 0
    assert point["changed"] == point["gained"] + point["lost"]
    moved = {(one["old"], one["new"]): one["rows"] for one in told["transitions"]}
    assert sum(moved.values()) == apart.sum() and moved["a", "b"] == ((before == 0) & (after == 1)).sum()
    assert [one["rows"] for one in told["transitions"]] == sorted(moved.values(), reverse=True)
    assert told["probability_change"]["mean"] == pytest.approx(np.abs(new.chances - old.chances).mean())
    assert told["probability_change"]["c"] == pytest.approx(np.abs(new.chances - old.chances)[:, 2].mean())


def test_gold_says_which_changes_were_right(models):
    rows, old, new = models
    right, gold = found(models, COUNT)["labels"]["right"], rows.gold.argmax(axis=1)
    a, b = ((one.decided.argmax(axis=1) == gold)[rows.labelled] for one in (old, new))
    assert right["rows"] == rows.labelled.sum() and (right["old_right"], right["new_right"]) == (a.sum(), b.sum())
    assert (right["only_old_right"], right["only_new_right"]) == ((a & ~b).sum(), (b & ~a).sum())
    assert right["p_value"] == pytest.approx(mcnemar(int((a & ~b).sum()), int((b & ~a).sum())))
    decided = found(models, COUNT)["points"]["f1"]["right"]
    assert decided["old_right"] == (old.points["f1"] == rows.gold[:, 2])[rows.labelled].sum()
    none = Rows(rows.keep, rows.gold, np.zeros(COUNT, np.bool_))
    changes = Changes(SPACE, 1)
    changes.add(none, old, new)
    assert changes.found()["labels"]["right"] is None and changes.found()["slices"] == {}


def test_slices_add_up_and_chunks_change_nothing(models):
    told = found(models, COUNT)
    assert list(told["slices"]) == ["", "left", "right"]
    for key in ("rows", "changed"):
        assert sum(one["labels"][key] for one in told["slices"].values()) == told["labels"][key]
    for size in (1, 7, 64):
        again = found(models, size)
        assert again.pop("probability_change") == pytest.approx(told["probability_change"])
        assert again == {key: value for key, value in told.items() if key != "probability_change"}


def test_the_largest_changes_are_kept_in_order(models):
    rows, old, new = models
    sizes = np.abs(new.chances - old.chances).max(axis=1)
    apart = (old.decided != new.decided).any(axis=1) | (old.points["f1"] != new.points["f1"])
    wanted = [place for place in np.argsort(-sizes, kind="stable").tolist() if apart[place]]
    assert [one["row"] for one in found(models, 16)["examples"]] == wanted[:7]
    assert found(models, 16, examples=0)["examples"] == []
    every = found(models, 16, examples=10_000)["examples"]
    assert [one["row"] for one in every] == wanted
    first = every[0]
    assert first["old"] == SPACE.labels[int(old.decided[wanted[0]].argmax())]
    assert (first["gold"] is None) == (not rows.labelled[wanted[0]])
    only = next(one for one in every if one["old"] == one["new"])
    assert set(only["points"]) == {"f1"} and only["points"]["f1"][0] != only["points"]["f1"][1]


def test_of_equal_changes_the_first_rows_stay():
    chances = np.tile([[0.6, 0.4, 0.0]], (9, 1)), np.tile([[0.4, 0.6, 0.0]], (9, 1))
    changes = Changes(SPACE, 3)
    for start in (0, 5):
        part = slice(start, start + (5 if start == 0 else 4))
        sides = [answered(one[part], 0.5) for one in chances]
        count = len(sides[0].chances)
        changes.add(Rows(list(range(start, start + count)), np.zeros((count, 3), bool), np.zeros(count, bool)), *sides)
    assert [one["row"] for one in changes.found()["examples"]] == [0, 1, 2]


def test_several_labels_are_gained_and_lost():
    space = LabelSpace(("a", "b"), objective=MultiLabel())
    old, new = np.array([[1, 0], [1, 1], [0, 0]], bool), np.array([[1, 1], [0, 1], [0, 0]], bool)
    sides = [Answered(one * 0.9, one, {"class_f1": one}) for one in (old, new)]
    changes = Changes(space, 5)
    changes.add(Rows(["x", "y", "z"], new, np.ones(3, bool)), *sides)
    told = changes.found()
    assert told["transitions"] == [{"label": "a", "gained": 0, "lost": 1}, {"label": "b", "gained": 1, "lost": 0}]
    assert told["labels"]["changed"] == 2 and told["points"]["class_f1"]["changed"] == 2
    assert told["labels"]["right"]["only_new_right"] == 2 and told["examples"][1]["new"] == ["b"]
    points = [{"class_f1": [["a"], ["a", "b"]]}, {"class_f1": [["a", "b"], ["b"]]}]
    assert [one["points"] for one in told["examples"]] == points
    # Where only the thresholds are others, the point is what an example shows.
    changes = Changes(space, 5)
    sides = [Answered(new * 0.9, new, {"class_f1": one}) for one in (old, new)]
    changes.add(Rows(["x", "y", "z"], new, np.ones(3, bool)), *sides)
    first = changes.found()["examples"][0]
    assert first["old"] == first["new"] and first["points"] == {"class_f1": [["a"], ["a", "b"]]}
