import random
from dataclasses import replace

import numpy as np
import pytest

from distill.core.errors import UserError
from distill.core.intake.config import Split
from distill.core.intake.hashing import digest, unit
from distill.core.intake.splits import KEY_TEST, hold_out, is_far, made_parts
from distill.core.records import Record


def record(index, *keys):
    return Record(f"р{index}", {"текст": "ёж"}, None, None, dict(zip("ab", keys, strict=False)))


def test_shares_come_out_near_what_is_asked_for():
    parts, crossing = made_parts(
        [record(i, f"товар{i}") for i in range(5000)], Split(mode="keys", valid=0.1, test=0.2), 1
    )
    assert not crossing
    assert abs(len(parts["valid"]) / 5000 - 0.1) < 0.015 and abs(len(parts[KEY_TEST]) / 5000 - 0.2) < 0.02


def test_the_seed_decides_and_more_rows_move_none():
    config = Split(mode="keys", valid=0.1, test=0.2)
    few, many = (made_parts([record(i, f"т{i}") for i in range(n)], config, 1)[0] for n in (100, 200))
    assert {r.id for r in few["valid"]} <= {r.id for r in many["valid"]}
    assert made_parts([record(i, f"т{i}") for i in range(100)], config, 2)[0] != few


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize(
    "key",
    [lambda i, draw: "много" if i % 10 < 6 else f"м{draw.randrange(400)}", lambda i, draw: f"м{i % 12}",
     lambda i, draw: f"м{int(draw.paretovariate(0.7))}"],
    ids=["one giant", "twelve equal", "heavy tail"],
)  # fmt: skip
def test_large_keys_leave_no_part_far_from_its_share(key, seed):
    draw = random.Random(0)
    parts, crossing = made_parts([record(i, key(i, draw)) for i in range(2000)], Split(mode="keys"), seed)
    assert not crossing and not keys_of(parts[KEY_TEST]) & (keys_of(parts["train"]) | keys_of(parts["valid"]))
    assert not is_far(len(parts["valid"]) / 2000, 0.1) and not is_far(len(parts[KEY_TEST]) / 2000, 0.2)
    held, _ = hold_out([record(i, key(i, draw)) for i in range(2000)], 0.1, seed)
    assert not is_far(len(held["valid"]) / 2000, 0.1)


@pytest.mark.parametrize("count", [3, 4, 5])
def test_of_a_few_keys_each_part_has_one(count):
    parts, _ = made_parts([record(i, f"м{i % count}") for i in range(600)], Split(mode="keys"), 1)
    assert all(parts.values()) and hold_out([record(i, f"м{i % count}") for i in range(600)], 0.1, 1)[0]["valid"]


@pytest.mark.parametrize("mode", ["random", "keys"])
def test_a_class_has_a_training_row_before_any_other_part_has_one(mode):
    records = [replace(record(i, f"т{i // 2}"), target=np.eye(22, dtype=np.float32)[i % 2]) for i in range(400)]
    rare = [replace(record(400 + i, f"т{i}"), target=np.eye(22, dtype=np.float32)[2 + i // 2]) for i in range(40)]
    for seed in range(4):
        parts, crossing = made_parts([*records, *rare], Split(mode=mode), seed)
        assert {int(one.target.argmax()) for one in parts["train"]} == set(range(22)) and not crossing
        assert mode == "random" or not keys_of(parts["train"]) & keys_of(parts[KEY_TEST])
        assert any(one.target.argmax() > 1 for one in parts[KEY_TEST])
        again, _ = made_parts([*records, *rare][::-1], Split(mode=mode), seed)
        assert {one.id for one in again["train"]} == {one.id for one in parts["train"]}


def test_a_row_without_one_of_its_keys_is_where_the_other_one_is():
    parts, crossing = made_parts(
        [record(i, f"л{i}" if i % 2 else "", f"п{i // 2}") for i in range(600)], Split(mode="keys"), 1
    )
    assert not crossing and not keys_of(parts[KEY_TEST]) & (keys_of(parts["train"]) | keys_of(parts["valid"]))


def test_a_key_keeps_to_one_part_on_either_side():
    records = [record(i, f"т{i % 30}", f"т{i % 30}") for i in range(300)]
    assert made_parts(records, Split(mode="keys"), 1)[1] == []


def test_only_the_keys_that_are_named_keep_to_one_part():
    records = pairs(2000, 300, 300)
    parts, crossing = made_parts(records, Split(mode="keys", keys=["a"]), 1)
    assert not crossing and shared(parts, "a") == 0 and shared(parts, "b") > 50
    parts, crossing = made_parts(records, Split(mode="random"), 1)
    assert not crossing and min(shared(parts, "a"), shared(parts, "b")) > 50
    assert abs(len(parts[KEY_TEST]) / 2000 - 0.2) < 0.03


def shared(parts, key):
    """How many values of a key training rows and test rows have in common."""
    return len({r.keys[key] for r in parts["train"]} & {r.keys[key] for r in parts[KEY_TEST]})


def pairs(count, lefts, rights):
    """Rows whose two keys go together at random, so that all rows hang together."""
    random_ = random.Random(3)
    return [record(i, f"л{random_.randrange(lefts)}", f"п{random_.randrange(rights)}") for i in range(count)]


@pytest.mark.parametrize(("valid", "test"), [(0.1, 0.2), (0.05, 0.1), (0, 0.3)])
def test_shares_of_two_keys_are_those_of_the_rows_that_remain(valid, test):
    parts, crossing = made_parts(pairs(4000, 150, 150), Split(mode="keys", valid=valid, test=test), 1)
    kept = sum(map(len, parts.values()))
    assert kept + len(crossing) == 4000 and crossing
    assert abs(len(parts[KEY_TEST]) / kept - test) < 0.02 and abs(len(parts["valid"]) / kept - valid) < 0.02
    for one, other in (("train", "valid"), ("train", KEY_TEST), ("valid", KEY_TEST)):
        assert not keys_of(parts[one]) & keys_of(parts[other])


def test_rows_that_hang_together_come_to_one_part_whole():
    random_ = random.Random(4)
    groups = [record(i, f"л{i % 300}", f"п{i % 300}-{random_.randrange(4)}") for i in range(3000)]
    parts, crossing = made_parts(groups, Split(mode="keys"), 1)
    assert crossing == [] and 0.1 < len(parts[KEY_TEST]) / 3000 < 0.3
    assert not keys_of(parts["train"]) & (keys_of(parts["valid"]) | keys_of(parts[KEY_TEST]))


def test_an_empty_key_joins_no_rows():
    parts, crossing = made_parts([record(i, f"т{i}", "") for i in range(600)], Split(mode="keys"), 1)
    assert crossing == [] and 0.1 < len(parts[KEY_TEST]) / 600 < 0.3


def test_too_many_crossing_rows_are_an_error_with_the_figure():
    with pytest.raises(UserError, match=r"crosses_split \d+ of 2000 rows \(6\d\.\d%\)"):
        made_parts(pairs(2000, 90, 90), Split(mode="keys", valid=0.33, test=0.33), 1)


def test_hold_out_takes_whole_keys_and_rows_without_keys():
    parts, crossing = hold_out([record(i, f"т{i // 5}") for i in range(500)], 0.3, 1)
    assert not crossing and not keys_of(parts["train"]) & keys_of(parts["valid"])
    assert 0.2 < len(parts["valid"]) / 500 < 0.4
    assert 0.2 < len(hold_out([record(i) for i in range(500)], 0.3, 1)[0]["valid"]) / 500 < 0.4


def test_hold_out_respects_every_key():
    parts, crossing = hold_out(pairs(3000, 120, 120), 0.1, 1)
    assert not keys_of(parts["train"]) & keys_of(parts["valid"]) and crossing
    assert abs(len(parts["valid"]) / sum(map(len, parts.values())) - 0.1) < 0.02


def keys_of(records):
    return {key for record in records for key in record.keys.values() if key}


def test_hashes_are_pinned_because_splits_depend_on_them():
    assert digest("ёж", "1") == 947383519022743176
    assert digest("ёж", "1") != digest("ёж1") and 0 <= unit(1, "а") < 1
