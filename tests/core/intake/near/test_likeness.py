"""Shingles of two sides, their likeness, and the bands that find alike rows."""

import math

import numpy as np
import pytest

from distill.core.intake.near.bands import Bands
from distill.core.intake.near.shingles import alike, likeness, shingle_sets


def sets(*rows, words=3):
    found = shingle_sets(rows, words)
    ends = np.cumsum(found.sizes)
    return [set(found.hashes[end - size : end].tolist()) for size, end in zip(found.sizes, ends, strict=True)]


def test_a_side_is_the_set_of_its_runs_of_words():
    one, other = sets(("", "a b c d e f"), ("", "a b c d e x"))
    assert len(one) == 4 and likeness(one, other) == 3 / 5
    one, other = sets(("", "a b c d e f"), ("", "a b c d e x"), words=1)
    assert len(one) == 6 and likeness(one, other) == 5 / 7
    (repeated,) = sets(("a b a b a b", ""))
    assert len(repeated) == 2


def test_a_side_shorter_than_a_shingle_is_one_as_a_whole():
    one, other, short, none = sets(("a b", ""), ("a b", ""), ("a", ""), ("", ""))
    assert len(one) == 1 and likeness(one, other) == 1 and likeness(one, short) == 0
    assert none == set() and likeness(none, one) == 0 and likeness(none, none) == 1


def test_both_sides_have_to_be_alike_and_each_keeps_its_place():
    long = " ".join(f"w{n}" for n in range(60))
    one, other, swapped = sets((long, "red drill"), (long, "blue saw"), ("red drill", long))
    assert likeness(one, other) == 0 and not alike(one, other, 0.5) and not one & swapped
    edited = long.replace("w59", "end")
    one, other = sets((long, "red drill"), (edited, "red drill"))
    assert likeness(one, other) == 57 / 59 and alike(one, other, 57 / 59)
    assert not alike(one, other, math.nextafter(57 / 59, 1))


@pytest.mark.parametrize("jaccard", [0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0])
def test_bands_find_a_pair_at_the_threshold_in_98_of_100_cases(jaccard):
    bands = Bands.of(jaccard)
    assert bands.found(jaccard) >= 0.98 and bands.bands * bands.rows <= 128
    longer = Bands(128 // (bands.rows + 1), bands.rows + 1)
    assert bands.rows == 128 or longer.found(jaccard) < 0.98


def test_shared_keys_are_as_frequent_as_the_formula_says():
    pairs, words = 600, 300
    # Of 2·300 words of a row, 240 are of both: 240 / 360 on one side, shingles of one word.
    rows = []
    for pair in range(pairs):
        both = " ".join(f"p{pair}b{n}" for n in range(240))
        rows += [("", both + " " + " ".join(f"p{pair}{own}{n}" for n in range(words - 240))) for own in "xy"]
    bands = Bands.of(0.8)
    keys = bands.keys(shingle_sets(rows, 1)).reshape(pairs, 2, bands.bands)
    share = float((keys[:, 0] == keys[:, 1]).any(axis=1).mean())
    expected = bands.found(240 / 360)
    assert abs(share - expected) < 5 * math.sqrt(expected * (1 - expected) / pairs)
    assert not np.intersect1d(keys[:300].ravel(), keys[300:].ravel()).size
    assert np.array_equal(keys, bands.keys(shingle_sets(rows, 1)).reshape(keys.shape))
