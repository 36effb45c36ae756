"""What is chosen of a pool whose classes, entropies, slices and keys are known."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from distill.core.config import parse
from distill.core.errors import UserError
from distill.core.intake import hashing
from distill.core.objectives.multi_label import MultiLabel
from distill.core.objectives.single_label import SINGLE
from distill.core.selection import candidates as module
from distill.core.selection.candidates import Candidates, Named, seeded_order
from distill.core.selection.choose import choose, distributions, entropy_shares
from distill.core.selection.config import Select

CLASSES = ["да"] * 20 + ["нет"] * 60 + ["может"] * 120


def pool() -> Candidates:
    """200 rows: 20, 60 and 120 of three classes; entropy 0.005 … 1, slices a and b by turns, a key for every four."""
    return Candidates(
        ids=pa.array([f"п{i}" for i in range(200)]),
        sources=Named.of(["pool.x" if i % 5 else "pool.y" for i in range(200)]),
        classes=Named.of(CLASSES),
        slices=Named.of(["ab"[i % 2] for i in range(200)]),
        keys={"product.id": Named.of([str(i // 4) for i in range(200)]), "page.id": Named.same("", 200)},
        entropy=np.arange(1, 201) / 200,
    )


def chosen(**config: Any):
    """The numbers of the rows taken, and the counts of the others."""
    taken, left_out = choose(parse(Select, config, "test"), pool(), 1)
    assert taken.sum() + sum(left_out.values()) == 200
    return np.flatnonzero(taken).tolist(), left_out


def test_classes_come_out_equal_and_a_short_one_leaves_its_share_to_the_others():
    rows, left_out = chosen(rows=100, balance=["class"])
    assert Counter(CLASSES[i] for i in rows) == {"да": 20, "нет": 40, "может": 40}
    assert left_out == {"not_needed": 100}
    rows, _ = chosen(rows=30, balance=["class"])
    assert Counter(CLASSES[i] for i in rows) == {"да": 10, "нет": 10, "может": 10}


def test_combinations_of_class_slice_and_band_come_out_equal():
    rows, _ = chosen(rows=60, balance=["class", "slice"])
    assert Counter((CLASSES[i], "ab"[i % 2]) for i in rows) == Counter(
        {(name, half): 10 for name in set(CLASSES) for half in "ab"}
    )
    rows, left_out = chosen(rows=40, balance=["band"], entropy=[[0, 0.2], [0.5, 1]])
    assert Counter("low" if (i + 1) / 200 < 0.2 else "high" for i in rows) == {"low": 20, "high": 20}
    assert left_out == {"outside_bands": 60, "not_needed": 100}


def test_bands_keep_their_lower_end_and_only_the_last_its_upper_one():
    rows, left_out = chosen(entropy=[0.5, 0.75])
    assert (rows[0], rows[-1], len(rows)) == (99, 148, 50) and left_out == {"outside_bands": 150}
    rows, _ = chosen(entropy=[[0.99, 1]])
    assert rows == [197, 198, 199]


def test_no_key_has_more_rows_than_the_cap():
    rows, left_out = chosen(per_key=3)
    assert set(Counter(i // 4 for i in rows).values()) == {3} and left_out == {"over_per_key": 50}
    rows, left_out = chosen(per_key=1, rows=20)
    assert len({i // 4 for i in rows}) == 20 and left_out == {"not_needed": 120, "over_per_key": 60}


def test_more_rows_than_there_are_take_all_and_the_seed_decides_which():
    assert chosen(rows=500) == (list(range(200)), {})
    first, again, other = (chosen(rows=50, seed=seed)[0] for seed in (3, 3, 4))
    assert first == again != other
    assert chosen(rows=50, seed=1)[0] == chosen(rows=50)[0]


def test_the_choice_does_not_depend_on_the_order_of_rows():
    rows, order = pool(), np.random.default_rng(1).permutation(200)
    mixed = Candidates(
        rows.ids.take(pa.array(order)),
        *(named.rows(order) for named in (rows.sources, rows.classes, rows.slices)),
        keys={path: named.rows(order) for path, named in rows.keys.items()},
        entropy=rows.entropy[order],
    )
    config = parse(Select, {"rows": 47, "balance": ["class", "slice"], "per_key": 2, "entropy": [0.05, 1]}, "test")
    taken = [{one.ids[i].as_py() for i in np.flatnonzero(choose(config, one, 1)[0])} for one in (rows, mixed)]
    assert taken[0] == taken[1] and len(taken[0]) == 47


def test_the_order_is_that_of_hashes_and_of_ids_where_two_are_alike(monkeypatch):
    ids = pa.array([f"п{i}" for i in range(50)])
    expected = sorted(range(50), key=lambda i: hashing.unit(3, "scale", f"п{i}"))
    assert seeded_order(3, "scale", ids).tolist() == expected
    assert seeded_order(4, "scale", ids).tolist() != expected != seeded_order(3, "select", ids).tolist()
    monkeypatch.setattr(module, "unit", lambda seed, purpose, name: len(name) / 10)
    assert seeded_order(3, "scale", ids).tolist() == sorted(range(50), key=lambda i: (i > 9, f"п{i}"))


def test_names_of_parts_are_joined_and_those_that_no_row_has_are_dropped():
    one, other = Named.of(["a", None, "b"]), Named.of(["b", "c"])
    both = Named.joined([one, other])
    assert [both.names[code] for code in both.codes] == ["a", "", "b", "b", "c"]
    assert both.given.tolist() == [True, False, True, True, True]
    some = both.rows(np.array([2, 3]))
    assert list(some.names) == ["b"] and some.counts(np.array([True, False])).tolist() == [1]
    assert not Named.joined([]).given.any() and Named.of([]).codes.dtype == np.int32


def test_fewer_rows_of_a_sample_are_among_the_more():
    config = {"balance": ["class"], "per_key": 2}
    few, many = (set(chosen(rows=count, **config)[0]) for count in (20, 60))
    assert few < many


def test_distributions_count_classes_bands_slices_and_keys():
    rows = pool()
    found = distributions(rows, np.arange(200) < 30, [(0.0, 0.1), (0.5, 1.0)])
    assert found["class"] == {"да": 20, "может": 0, "нет": 10}
    assert found["entropy"] == {"0 to 0.1": 19, "0.1 to 0.5": 11, "0.5 to 1": 0}
    assert found["slice"] == {"a": 15, "b": 15} and found["source"] == {"pool.x": 24, "pool.y": 6}
    assert found["keys"] == {"product.id": {"values": 8, "most": 4, "mean": 3.75}}
    assert list(distributions(rows, np.ones(200, bool), None)["entropy"].values()) == [39, 40, 40, 40, 41]


def test_entropy_is_a_share_of_the_largest():
    p = np.array([[0.5, 0.25, 0.25], [1 / 3, 1 / 3, 1 / 3], [1, 0, 0]])
    expected = [1.5 * math.log(2) / math.log(3), 1, 0]
    assert entropy_shares(np.log(np.clip(p, 1e-12, 1)), SINGLE) == pytest.approx(expected, abs=1e-9)
    several = np.log(np.array([[0.5, 0.9]]) / np.array([[0.5, 0.1]]))
    binary = -(0.9 * math.log(0.9) + 0.1 * math.log(0.1)) / math.log(2)
    assert entropy_shares(several, MultiLabel.of(2)) == pytest.approx([(1 + binary) / 2])


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"entropy": [0, 1.2]}, r"entropy: \[0, 1.2\] is not within \[0, 1\]"),
        ({"entropy": [-0.1, 1]}, r"entropy: \[-0.1, 1\] is not within \[0, 1\]"),
        ({"entropy": [0.5, 0.2]}, r"entropy: \[0.5, 0.2\] is reversed or empty"),
        ({"entropy": [[0, 0.5], [0.4, 1]]}, r"entropy: \[0.4, 1\] begins below 0.5"),
        ({"balance": ["class"]}, "balance: needs rows"),
        ({"balance": ["band"], "rows": 3}, "balance: band needs entropy"),
        ({}, "rows: with entropy and per_key left out too"),
    ],
)
def test_what_selects_nothing_or_cannot_is_refused(config, message):
    with pytest.raises(UserError, match=message):
        parse(Select, config, "project.yaml")
