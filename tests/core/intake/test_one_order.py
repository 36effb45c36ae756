"""Where texts may trade places, a row in the other order is the same row to duplicates, splits, pool and leaks."""

import numpy as np
import pytest

from distill.core.config import merge, parse
from distill.core.files import read_json
from distill.core.intake.one_order import in_one_order
from distill.core.intake.prepare import prepare
from distill.core.project import Project
from distill.core.record_store import read_records
from distill.core.records import Record
from distill.core.swap import ViewSwap
from tests.core.record_fixtures import prepare_and_audit, write_all

VIEW = {"left": ["prompt"], "right": ["answer.a", "answer.b"], "max_tokens": 40}
SIDES = {"left": ["answer.a"], "right": ["answer.b"], "max_tokens": 40}
SWAP = {"fields": [["answer.a", "answer.b"]], "labels": [["A", "B"]]}
OTHER = {"A": "B", "B": "A", "tie": "tie"}


def plan(root, view=VIEW, **over):
    values = {
        "task": {"labels": ["A", "B", "tie"], "swap": SWAP},
        "data": {
            "root": str(root),
            "id": "id",
            "label": "label",
            "train": ["train.jsonl"],
            "valid": ["valid.jsonl"],
            "test": {"unseen": "test.jsonl"},
            "pool": {"more": "pool.jsonl"},
        },
        "views": {"document": view, "card": view},
    }
    return parse(Project, merge(values, over), "test")


def row(number, label="A", name=None):
    texts = [" ".join(f"{sign}{number}w{place}" for place in range(9)) for sign in ("zq"[number % 2], "m")]
    return {
        "id": name or f"r{number}",
        "prompt": f"which of {number}",
        "answer": {"a": texts[0], "b": texts[1]},
        "label": label,
    }


def exchanged(one, name, **over):
    answer = {"a": one["answer"]["b"], "b": one["answer"]["a"]}
    return {**one, "id": name, "answer": answer, "label": OTHER[one["label"]], **over}


def rows(start, count):
    return [row(start + place, "A B tie".split()[place % 3]) for place in range(count)]


def data(folder, **files):
    first = rows(0, 12)
    own = {"train": first, "valid": rows(100, 6), "test": rows(200, 6), "pool": rows(300, 6)}
    return write_all(folder, **(own | {name: made(first) for name, made in files.items()}))


@pytest.mark.parametrize("view", [VIEW, SIDES], ids=["one side", "both sides"])
@pytest.mark.parametrize("kept", ["fail", "drop"])
def test_test_rows_that_training_has_in_the_other_order_stop_at_the_gate_or_are_dropped(tmp_path, view, kept):
    root = data(tmp_path, test=lambda first: [exchanged(one, f"x{i}") for i, one in enumerate(first[:5])])
    found = prepare_and_audit(plan(root, view, data={"on_card_leak": kept}), tmp_path / "records")
    # A whole document of a test is data.on_leak's matter, which fails unless it is set.
    assert found["leak_rows"] == 5
    assert {"document", "card"} <= {entry["kind"] for entry in found["leaks"] if entry["gate"]}
    assert "swapped card" not in {entry["kind"] for entry in found["leaks"]}
    dropping = plan(root, view, data={"on_leak": "drop_train"})
    found = prepare_and_audit(dropping, tmp_path / "dropped")
    assert found["leak_rows"] == 0 and len(read_records(tmp_path / "dropped", "train")) == 7
    without = plan(root, view, task={"swap": None}, data={"on_card_leak": kept})
    assert prepare_and_audit(without, tmp_path / "without")["leak_rows"] == 0


def test_cards_in_the_other_order_are_one_card(tmp_path):
    card = {"left": ["answer.a"], "right": ["answer.b"], "max_tokens": 40}
    root = data(tmp_path, test=lambda first: [exchanged(first[0], "x", prompt="another question"), *rows(200, 6)])
    found = prepare_and_audit(plan(root, views={"card": card}), tmp_path / "records")
    ledger = read_json(tmp_path / "records" / "ledger.json")
    assert ledger["train"]["dropped"] == {"card_in_test": 1} and found["leak_rows"] == 0


def test_pool_rows_of_a_test_in_the_other_order_are_dropped(tmp_path):
    root = data(
        tmp_path,
        test=lambda first: rows(200, 6),
        pool=lambda first: [
            exchanged(row(200), "x1"),
            exchanged(first[0], "x2"),
            *rows(300, 4),
            exchanged(row(301), "x3"),
        ],
    )
    prepare(plan(root), tmp_path / "records")
    account = read_json(tmp_path / "records" / "ledger.json")["pool.more"]
    assert account["dropped"] == {"in_test": 1, "in_train": 1, "duplicate": 1}
    shared = read_json(tmp_path / "records" / "overlaps.json")["shared"]
    both = {entry["kind"]: entry["rows"] for entry in shared if entry["between"] == ["train", "pool.more"]}
    assert both == {"text": [1, 1], "document": [1, 1], "card": [1, 1]}


def test_pool_rows_with_a_side_of_a_test_in_the_other_order_are_dropped(tmp_path):
    """Both sides together differ from the test's: the left one is its prompt with its second answer."""
    view = {"left": ["prompt", "answer.a"], "right": ["answer.b"], "max_tokens": 60}
    test = rows(200, 6)
    other = [
        {**exchanged(one, f"x{i}"), "answer": {"a": one["answer"]["b"], "b": f"new{i}"}} for i, one in enumerate(test)
    ]
    root = data(tmp_path, test=lambda first: test, pool=lambda first: [*rows(300, 6), *other])
    prepare(plan(root, view, data={"pool_exclude": "side"}), tmp_path / "records")
    assert [one.id for one in read_records(tmp_path / "records", "pool.more")] == [f"r{300 + i}" for i in range(6)]


def test_both_orders_are_one_row_under_one_label_and_a_contradiction_under_two(tmp_path):
    more = [exchanged(row(0, "A"), "same"), exchanged(row(1, "B"), "other", label="B")]
    twin = {**row(90, "A"), "answer": {"a": "equal", "b": "equal"}}
    more += [twin, exchanged(twin, "twin")]
    root = data(tmp_path, train=lambda first: [*first, *more])
    found = prepare_and_audit(plan(root), tmp_path / "records")
    assert found["duplicates"]["by_reason"] == {"duplicate": 2, "duplicate_other_label": 1}
    assert found["duplicates"]["examples"]["train"]["duplicate_other_label"] == ["other"]


def test_near_duplicates_in_the_other_order_are_found(tmp_path):
    def near(one, name):
        answer = {key: text.replace("w8", "w9") for key, text in one["answer"].items()}
        return exchanged({**one, "answer": answer}, name)

    root = data(
        tmp_path,
        test=lambda first: [near(first[0], "x"), *rows(200, 6)],
        pool=lambda first: [*rows(300, 4), near(row(301), "y")],
    )
    near_too = {"near": {"jaccard": 0.7, "words": 2, "on_leak": "fail"}}
    found = prepare_and_audit(plan(root, SIDES, data=near_too), tmp_path / "records")
    assert found["leak_rows"] == 1
    assert read_json(tmp_path / "records" / "ledger.json")["pool.more"]["dropped"] == {"near_duplicate": 1}


def test_gold_is_exchanged_with_the_fields_and_rare_classes_stay():
    swap = ViewSwap(fields=[["a", "b"]], order=[1, 0, 2])
    gold = np.array([1, 0, 0, 0.5], np.float32)
    orders = [Record("r", {"a": "Z", "b": "y"}, gold), Record("r", {"a": "y", "b": "z"}, gold[[1, 0, 2, 3]])]
    first, second = (in_one_order(record, swap) for record in orders)
    assert first.fields == {"a": "y", "b": "Z"} and second is orders[1]
    assert first.target.tolist() == second.target.tolist() == [0, 1, 0, 0.5]
    assert in_one_order(orders[0], None) is orders[0]
