"""The leak check for near-duplicate cards: what it finds, what it says, and whether it is a gate."""

import pytest

from distill.core.intake.near.shingles import shingle_sets
from distill.core.intake.overlaps import SplitChecks, leak_checks, overlaps
from distill.core.records import Record
from distill.report.audit_lines import audit_lines
from tests.core.record_fixtures import prepare_and_audit, project, row, rows, write_all

LONG = "дрель ударная с двумя скоростями и мощным мотором для бетона кирпича дерева"


def near(name, number, title, label=None):
    return row(name, number, label, product={"title": "Дрель"}, page={"title": title})


@pytest.fixture(params=["count", "fail"])
def audited(tmp_path, request):
    """A test row whose card is like one of train and like one of the pool; and one that is like neither."""
    files = {
        "train": [*rows("т", 12, 0), near("обучение", 50, LONG, "мимо")],
        "test": [*rows("э", 6, 200), near("утечка", 51, f"{LONG} металла", "мимо"), near("нет", 52, LONG[:30], "мимо")],
        "pool": [*rows("п", 9, 300, labelled=False), near("пул", 53, f"{LONG} стали")],
    }
    plan = project(root=str(write_all(tmp_path, **files)), near={"on_leak": request.param})
    return request.param, prepare_and_audit(plan, tmp_path / "records")


def test_near_cards_are_told_with_count_share_and_examples(audited):
    gate, audit = audited
    found = {tuple(leak["between"]): leak for leak in audit["leaks"] if leak["kind"] == "near-duplicate card"}
    assert {pair: leak["rows"] for pair, leak in found.items()} == {
        ("test.seen", "train"): 1,
        ("test.seen", "pool.urls"): 1,
    }
    assert all(leak["share"] == 1 / 8 and leak["gate"] == (gate == "fail") for leak in found.values())
    assert audit["leak_rows"] == (gate == "fail")
    assert audit["near_leaks"] == [
        {"between": ["test.seen", "train"], "examples": [{"id": "утечка", "like": "обучение", "jaccard": 0.909}]},
        {"between": ["test.seen", "pool.urls"], "examples": [{"id": "утечка", "like": "пул", "jaccard": 0.833}]},
    ]
    lines = audit_lines(audit, {"document": 32, "card": 16})
    assert any("test.seen and train, near-duplicate card: 1 row (12.5%)" in line for line in lines)
    assert any("test.seen and train: утечка like обучение (0.909)" in line for line in lines)


def test_it_is_a_check_where_near_is_set_alone():
    assert "near-duplicate card" not in [check.name for check in leak_checks(project())]
    names = [check.name for check in leak_checks(project(near={}))]
    assert names[2:4] == ["card", "near-duplicate card"]


def split(name, plan, texts):
    found = SplitChecks(name, plan)
    for number, text in enumerate(texts):
        found.add(Record(f"{name}{number}", {"product.title": "", "page.title": text, "page.body": ""}))
    return found


@pytest.mark.parametrize("others", [[], [""], ["совсем другой текст"], [LONG] * 3])
def test_empty_splits_and_texts_and_equal_rows(others):
    plan = project(near={}, keys=[])
    found = overlaps([split("train", plan, others), split("test.a", plan, ["", LONG])])[0]
    assert found.masks["near-duplicate card"].tolist() == [False, others[:1] == [LONG]]
    assert [one.row for one in found.alike] == ([1] if others[:1] == [LONG] else [])


def test_what_is_found_is_what_comparing_all_pairs_finds():
    plan = project(near={"jaccard": 0.5, "words": 2}, keys=[], on_leak="fail")
    texts = [" ".join(f"w{(n * step) % 23}" for n in range(9)) for step in range(1, 23)]
    a, b = split("test.a", plan, texts[::2]), split("pool.b", plan, texts[1::2])
    (found,) = overlaps([b, a])
    sets = [set(shingle_sets([("", text)], 2).hashes.tolist()) for text in texts]
    truth = [max(len(x & y) / len(x | y) for y in sets[1::2]) >= 0.5 for x in sets[::2]]
    assert found.masks["near-duplicate card"].tolist() == truth
