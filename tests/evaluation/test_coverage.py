"""Intervals hold the truth about 19 times in 20 and equal models are told apart about once, on simulated rows.

Each set is drawn with the truth known, with effects of what rows share, and of training seeds. How often a 5% event may
happen in so many sets is the binomial bound of 99.9%.
"""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
import pytest

from distill.core.label_space import LabelSpace
from distill.evaluation import cells
from distill.evaluation.bootstrap import Bootstrap
from distill.evaluation.figure import Figure
from distill.evaluation.influence import influence
from distill.evaluation.over_seeds import Seeded, comparison
from distill.evaluation.scored import Scored

SETS, DRAWS = 200, 200
SPACE = LabelSpace(("нет", "да"), positive="да")


def most(sets, share=0.05):
    """The largest count of events with this share that chance gives in `sets`, but for once in 1,000."""
    return sets * share + NormalDist().inv_cdf(0.999) * np.sqrt(sets * share * (1 - share))


def independent(random):
    keys = np.stack([random.integers(0, 150, 300), 1000 + random.integers(0, 200, 300)], axis=1)
    return keys, np.zeros(300)


def one_way(random):
    """Only the second key matters, of which the first says nothing."""
    keys = np.stack([random.integers(0, 150, 300), 1000 + random.integers(0, 60, 300)], axis=1)
    return keys, random.normal(size=2000)[keys[:, 1]]


def two_way(random):
    keys = np.stack([random.integers(0, 70, 420), 1000 + random.integers(0, 70, 420)], axis=1)
    return keys, 0.7 * random.normal(size=2000)[keys].sum(axis=1)


def nested(random):
    page = random.integers(0, 240, 420)
    keys = np.stack([page // 3, 1000 + page], axis=1)
    return keys, 0.7 * random.normal(size=2000)[keys].sum(axis=1)


def dyadic(random):
    """A product may be on either side, and sometimes on both."""
    keys = random.integers(0, 120, (300, 2))
    keys[::6, 1] = keys[::6, 0]
    return keys, 0.5 * random.normal(size=2000)[keys].sum(axis=1)


def by_chance(random):
    """Products and pages with numbers of their own, from 0 on: the same numbers are other things."""
    keys = np.stack([random.integers(0, 80, 420), random.integers(0, 80, 420)], axis=1)
    return keys, 0.5 * (random.normal(size=2000)[keys[:, 0]] + random.normal(size=2000)[keys[:, 1]])


SHARED = (independent, one_way, two_way, nested, dyadic, by_chance)


def mean(sums):
    return sums[..., 0] / sums[..., 1]


def figure_of(values, bootstrap):
    """The mean of each seed's values (S, N)."""
    columns = [np.stack([one, np.ones(len(one))], axis=1) for one in values]
    moved = np.stack([influence(mean, one) for one in columns]) if bootstrap.several else None
    return Figure(values.mean(axis=1), np.stack([mean(bootstrap.resample(one)) for one in columns]), bootstrap, moved)


def missed(figure):
    found = figure.mean()
    return not found["low"] <= 0 <= found["high"]


@pytest.mark.parametrize("shared", SHARED)
def test_intervals_cover_whatever_rows_share(shared):
    random = np.random.default_rng(7)
    count = 0
    for _ in range(SETS):
        keys, effects = shared(random)
        values = effects + random.normal(size=len(keys))
        count += missed(figure_of(values[None], Bootstrap(len(keys), keys, DRAWS, seed=int(random.integers(1 << 30)))))
    assert 1 <= count <= most(SETS)


def test_the_first_key_alone_misses_and_product_weights_alone_are_too_wide():
    """The planted faults, on the data of the test above."""
    random = np.random.default_rng(7)
    first, wide = 0, 0
    for _ in range(SETS // 2):
        keys, effects = one_way(random)
        values = (effects + random.normal(size=len(keys)))[None]
        first += missed(figure_of(values, Bootstrap(len(keys), keys[:, 0], DRAWS)))
        keys, effects = independent(random)
        plain = figure_of(random.normal(size=(1, len(keys))), Bootstrap(len(keys), keys, DRAWS))
        narrowed = plain.mean()
        unchanged = Figure(plain.values, plain.resampled, plain.bootstrap).mean()
        wide += unchanged["high"] - unchanged["low"] > 1.4 * (narrowed["high"] - narrowed["low"])
    assert first > 2 * most(SETS // 2) and wide == SETS // 2


def answers(random, keys, shared):
    """Two models that are right about as often, on rows that are hard for either in common and for each alone."""
    hard = 0.8 * shared
    own = [random.normal(size=2000)[keys].sum(axis=1) for _ in range(2)]
    return [random.normal(size=len(keys)) + hard + 0.4 * one > -0.8 for one in own]


@pytest.mark.parametrize("metric", ["accuracy", "f1_positive"])
@pytest.mark.parametrize("shared", [two_way, dyadic])
def test_equal_models_are_told_apart_no_more_than_once_in_20_times(shared, metric):
    random = np.random.default_rng(11)
    apart = 0
    for _ in range(SETS):
        keys, effects = shared(random)
        gold = random.integers(0, 2, len(keys))
        ids = list(map(str, range(len(keys))))
        both = [
            Scored("m", SPACE, ids, np.eye(2)[np.where(right, gold, 1 - gold)], np.eye(2)[gold], clusters=keys)
            for right in answers(random, keys, effects)
        ]
        bootstrap = both[0].bootstrap(DRAWS, int(random.integers(1 << 30)))
        apart += comparison(*(Seeded([one], bootstrap) for one in both), metric)["p_value"] < 0.05
    assert 1 <= apart <= most(SETS)


@pytest.mark.parametrize(
    ("rows", "changed", "seeds"),
    [(1.0, 0.3, 0.0), (0.0, 0.2, 3.0), (0.3, 1.0, 0.0), (1.0, 1.0, 2.0)],
    ids=["rows decide", "seeds decide", "each seed changes other rows", "all of it"],
)
def test_three_seeds_cover_whatever_they_change(rows, changed, seeds):
    """Args: of a row's value, sd of what all seeds share and of what each seed changes; of a seed's mean, in its se."""
    random, count, sets, size = np.random.default_rng(5), 0, 300, 150
    for number in range(sets):
        own = random.normal(scale=seeds / np.sqrt(size) + 1e-12, size=(3, 1))
        values = rows * random.normal(size=size) + changed * random.normal(size=(3, size)) + own
        count += missed(figure_of(values, Bootstrap(size, None, DRAWS, seed=number)))
    assert 1 <= count <= most(sets)


def test_rows_alone_miss_what_seeds_change():
    """The planted fault: the interval of the mean of the seeds that were trained."""
    random, count = np.random.default_rng(5), 0
    for number in range(100):
        values = 0.2 * random.normal(size=(3, 150)) + random.normal(scale=0.25, size=(3, 1))
        figure = figure_of(values, Bootstrap(150, None, DRAWS, seed=number))
        low, high = np.quantile(figure.resampled.mean(axis=0), [0.025, 0.975])
        count += not low <= 0 <= high
    assert count > 50


def test_three_seeds_cover_where_rows_share_both_keys():
    random, count = np.random.default_rng(9), 0
    for _ in range(SETS):
        keys, effects = two_way(random)
        own = random.normal(scale=0.1, size=(3, 1))
        values = effects + 0.5 * random.normal(size=(3, len(keys))) + own
        count += missed(figure_of(values, Bootstrap(len(keys), keys, DRAWS, seed=int(random.integers(1 << 30)))))
    assert 1 <= count <= most(SETS)


def rare_classes(random, classes=26, rows=900, share=0.95):
    """Gold and answers of a model that is right on this share of each class, classes as rare as their rank squared; a
    class that the rows would lack has one.
    """
    shares = 1.0 / np.arange(1, classes + 1) ** 2
    gold = random.choice(classes, rows, p=shares / shares.sum())
    lacking = np.setdiff1d(np.arange(classes), gold)
    gold[random.choice(np.flatnonzero(gold == 0), len(lacking), replace=False)] = lacking
    return gold, np.where(random.random(rows) < share, gold, random.choice(classes, rows, p=shares / shares.sum()))


def macro_f1(gold, answers, classes=26):
    right, predicted, actual = (np.bincount(one, minlength=classes) for one in (gold[gold == answers], answers, gold))
    return float((2 * right / (predicted + actual)).mean())


def of_classes(gold, answers, classes=26):
    space = LabelSpace(tuple(f"c{number}" for number in range(classes)))
    logits, target = (np.eye(classes)[part].astype(np.float32) for part in (answers, gold))
    return Scored("m", space, [str(number) for number in range(len(gold))], 5 * logits, target)


def test_intervals_of_macro_f1_hold_their_own_value_and_the_truth_where_classes_are_rare():
    """Draws lack the classes of one row; counting those with 0 put 93 of 100 intervals under their own value."""
    sets, missed = 60, 0
    truth = macro_f1(*rare_classes(np.random.default_rng(7), rows=1_000_000))
    for number in range(sets):
        rows = of_classes(*rare_classes(np.random.default_rng([7, number])))
        figure = Seeded([rows], rows.bootstrap(DRAWS, number)).metric("f1_macro").mean()
        assert figure["low"] <= figure["value"] <= figure["high"]
        missed += not figure["low"] <= truth <= figure["high"]
    # A class of one row is right or wrong in every draw, so these intervals stay a little narrow.
    assert missed <= most(sets, share=0.1)


def test_a_difference_of_models_that_were_trained_apart_has_the_noise_of_both():
    """Three seeds each, no true difference; with one stream of noise for both, one set in six was told as different."""
    sets = 120
    missed = 0
    for number in range(sets):
        random = np.random.default_rng([11, number])
        sides = [two_models(random, number) for _ in range(2)]
        found = cells._difference(*sides, "accuracy")
        assert found["paired"] is False
        missed += not found["low"] <= 0 <= found["high"]
    assert missed <= most(sets)


def two_models(random, number):
    """A model in three seeds that are far apart, on rows of its own."""
    target = np.eye(2)[random.integers(0, 2, 400)]
    ids = [str(row) for row in range(400)]
    scored = []
    for accuracy in random.normal(0.8, 0.05, 3):
        right = random.random(400) < accuracy
        logits = np.where(right[:, None], target, 1 - target).astype(np.float32)
        scored.append(Scored("m", SPACE, ids, 4 * logits, target))
    return Seeded(scored, scored[0].bootstrap(DRAWS, (number, int(random.integers(1 << 30)))))
