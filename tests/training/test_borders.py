"""Borders between ordered classes: the folded lines decide as they do, and the searches find what trying all finds."""

from itertools import combinations_with_replacement

import numpy as np
import pytest

from distill.training.fit_objectives.borders import Cuts, best_f1, lines, midpoints, most_accurate

RANDOM = np.random.default_rng(4)


def decided(outputs, borders):
    """The number of borders under each output, by its definition."""
    return (np.asarray(borders)[None, :] < np.asarray(outputs)[:, None]).sum(axis=1)


def f1(predicted, gold, one):
    hits = ((predicted == one) & (gold == one)).sum()
    return 2 * hits / max(1, (predicted == one).sum() + (gold == one).sum())


def f1_of(outputs, borders, gold, one):
    return f1(decided(outputs, borders), gold, one)


def planted(classes, rows=14, ties=True):
    """Outputs that follow gold loosely, with equal ones among them."""
    gold = RANDOM.integers(classes, size=rows)
    outputs = gold + RANDOM.normal(scale=0.8, size=rows) - 0.4
    return (outputs.round(1) if ties else outputs), gold


@pytest.mark.parametrize("values", [(0, 1, 2), (-3, -1, 0.5, 10), (0.25, 0.5)])
def test_the_largest_line_is_the_class_between_whose_borders_the_output_lies(values):
    borders = np.sort(RANDOM.normal(scale=2, size=len(values) - 1))
    outputs = RANDOM.normal(scale=4, size=500)
    affine = lines(values, borders)
    assert (affine(outputs[:, None]).argmax(axis=1) == decided(outputs, borders)).all()
    assert (affine.slopes >= 0).all()
    crossing = borders[:, None] * affine.slopes[:, 0] + affine.offsets
    for number, row in enumerate(crossing):
        assert row[number] == pytest.approx(row[number + 1])


def test_midpoints_and_what_they_do_to_rows():
    assert midpoints([0, 1, 4]).tolist() == [0.5, 2.5]
    cuts = Cuts.of(np.array([0.1, 0.4, 0.4, 0.6, 3.0]), np.array([0, 0, 1, 1, 2]), [0, 1, 4])
    assert cuts.usual.tolist() == [2, 3] and cuts.places.tolist() == pytest.approx([-0.9, 0.25, 0.5, 1.8, 4.0])
    assert cuts.below.tolist() == [[0, 0, 0], [1, 0, 0], [2, 1, 0], [2, 2, 0], [2, 2, 1]]


@pytest.mark.parametrize("classes", [2, 3, 4])
def test_no_borders_are_more_accurate(classes):
    for _ in range(12):
        outputs, gold = planted(classes)
        cuts = Cuts.of(outputs, gold, range(classes))
        borders = most_accurate(cuts)
        best = max(
            (decided(outputs, every) == gold).sum() for every in combinations_with_replacement(cuts.places, classes - 1)
        )
        assert (decided(outputs, borders) == gold).sum() == best and (np.diff(borders) >= 0).all()


def test_of_equally_accurate_borders_the_nearest_to_the_midpoints_are_taken():
    """Any border between 0.1 and 0.9 tells these rows apart; the gap that holds 0.5 has its middle at 0.55."""
    cuts = Cuts.of(np.array([0.0, 0.1, 1.0, 1.1]), np.array([0, 0, 1, 1]), [0, 1])
    assert most_accurate(cuts).tolist() == pytest.approx([0.55])
    same = Cuts.of(np.array([0.0, 0.2, 0.4, 0.6, 0.8]), np.array([0, 1, 0, 1, 1]), [0, 1])
    assert most_accurate(same).tolist() == pytest.approx([0.5])


@pytest.mark.parametrize("positive", [0, 1, 2, 3])
def test_f1_of_the_positive_class_is_best_then_that_of_the_farthest_with_the_earlier_borders_held(positive):
    for _ in range(12):
        outputs, gold = planted(4, rows=12)
        cuts = Cuts.of(outputs, gold, range(4))
        tries = [np.array(every) for every in combinations_with_replacement(cuts.places, 3)]
        borders = best_f1(cuts, positive)
        best = max(f1_of(outputs, every, gold, positive) for every in tries)
        assert f1_of(outputs, borders, gold, positive) == pytest.approx(best)
        held = [index for index in (positive - 1, positive) if 0 <= index < 3]
        same = [every for every in tries if all(every[index] == borders[index] for index in held)]
        farthest = max(set(range(4)) - {positive}, key=lambda one: (abs(one - positive), -one))
        best = max(f1_of(outputs, every, gold, farthest) for every in same)
        assert f1_of(outputs, borders, gold, farthest) == pytest.approx(best)


def test_a_class_without_rows_takes_what_the_midpoints_do():
    outputs, gold = np.array([0.0, 0.2, 0.9, 1.1]), np.array([0, 0, 1, 1])
    borders = best_f1(Cuts.of(outputs, gold, [0, 1, 2]), 2)
    assert decided(outputs, borders).tolist() == [0, 0, 1, 1] and borders[1] > 1.1
