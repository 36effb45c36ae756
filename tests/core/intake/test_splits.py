import pytest

from distill.core.errors import UserError
from distill.core.intake.hashing import digest, unit
from distill.core.intake.splits import KEY_TEST, by_keys, hold_out
from distill.core.project import Split
from distill.core.records import Record


def record(index, *keys):
    return Record(f"р{index}", {"текст": "ёж"}, None, None, dict(zip("ab", keys, strict=False)))


def test_shares_come_out_near_what_is_asked_for():
    parts, crossing = by_keys([record(i, f"товар{i}") for i in range(5000)], Split(mode="keys", valid=0.1, test=0.2), 1)
    assert not crossing
    assert abs(len(parts["valid"]) / 5000 - 0.1) < 0.015 and abs(len(parts[KEY_TEST]) / 5000 - 0.2) < 0.02


def test_the_seed_decides_and_more_rows_move_none():
    config = Split(mode="keys", valid=0.1, test=0.2)
    few, many = (by_keys([record(i, f"т{i}") for i in range(n)], config, 1)[0] for n in (100, 200))
    assert {r.id for r in few["valid"]} <= {r.id for r in many["valid"]}
    assert by_keys([record(i, f"т{i}") for i in range(100)], config, 2)[0] != few


def test_a_key_keeps_to_one_part_on_either_side():
    records = [record(i, f"т{i % 30}", f"т{i % 30}") for i in range(300)]
    assert by_keys(records, Split(mode="keys"), 1)[1] == []


def test_half_crossing_passes_and_more_does_not():
    config = Split(mode="keys", valid=0.2, test=0.4)
    pairs = [(f"л{i}", f"п{i}") for i in range(400)]
    same = [record(0, left, right) for left, right in pairs if not _crosses(left, right, config)]
    crossing = [record(1, left, right) for left, right in pairs if _crosses(left, right, config)]
    count = min(len(same), len(crossing))
    parts, dropped = by_keys(same[:count] + crossing[:count], config, 1)
    assert len(dropped) == count and sum(map(len, parts.values())) == count
    with pytest.raises(UserError, match=rf"crosses_split {count} of {2 * count - 1} rows"):
        by_keys(same[: count - 1] + crossing[:count], config, 1)


def _crosses(left, right, config):
    def part(key):
        return sum(unit(1, "split", key) >= border for border in (config.test, config.test + config.valid))

    return part(left) != part(right)


def test_hold_out_takes_whole_keys_and_rows_without_keys():
    parts = hold_out([record(i, f"т{i // 5}") for i in range(500)], 0.3, 1)
    keys = {name: {r.keys["a"] for r in records} for name, records in parts.items()}
    assert not keys["train"] & keys["valid"] and 0.2 < len(parts["valid"]) / 500 < 0.4
    assert 0.2 < len(hold_out([record(i) for i in range(500)], 0.3, 1)["valid"]) / 500 < 0.4


def test_hashes_are_pinned_because_splits_depend_on_them():
    assert digest("ёж", "1") == 947383519022743176
    assert digest("ёж", "1") != digest("ёж1") and 0 <= unit(1, "а") < 1
