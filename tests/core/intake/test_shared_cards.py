"""Rows that read on cards as rows that they are judged on: dropped, named and counted, whatever their documents say."""

import pytest

from distill.core.config import merge, parse
from distill.core.errors import UserError
from distill.core.intake.compared_text import read_texts
from distill.core.project import Project, ViewConfig
from distill.core.record_store import read_records
from distill.core.records import Record
from distill.report.audit_lines import audit_lines
from tests.core.record_fixtures import LABELS, PROJECT, ids, prepare_and_audit, row, rows, run, write_all

MAX_TOKENS = {"document": 32, "card": 16}


def like(name, number, label=None):
    """A row with the card of another one and a document of its own."""
    return row(name, number, label, page={"body": f"Другое описание, {name}. " * 3})


def mixed(folder):
    """Rows of train and of the pool, two of each with a card of a test, one of each with a card of validation."""
    shared = {"по тесту 0": 200, "по тесту 1": 201, "по проверке": 102}
    train = [*rows("т", 12, 0), *(like(name, number, "мимо") for name, number in shared.items())]
    pool = [*rows("п", 9, 300, labelled=False), *(like(f"пул {name}", number) for name, number in shared.items())]
    return write_all(folder, train=train, pool=pool)


def card_leaks(audit):
    return {tuple(leak["between"]): (leak["rows"], leak["gate"]) for leak in audit["leaks"] if leak["kind"] == "card"}


def test_they_leave_train_and_the_pool_under_a_reason_of_their_own(tmp_path):
    out, audit = run(mixed(tmp_path))
    assert ids(out, "train") == [f"т{i}" for i in range(12)] and ids(out, "pool.urls") == [f"п{i}" for i in range(9)]
    assert len(ids(out, "test.seen")) == len(ids(out, "valid")) == 6
    reasons = {"card_in_test": 2, "card_in_valid": 1}
    assert (
        audit["rows"]["by_source"]["train"]["dropped"] == audit["rows"]["by_source"]["pool.urls"]["dropped"] == reasons
    )
    assert audit["card_overlaps"]["train"] == {
        "rows": 3,
        "share": 0.2,
        "by_reason": reasons,
        "examples": ["по тесту 0", "по тесту 1", "по проверке"],
    }
    assert card_leaks(audit) == {} and audit["leak_rows"] == 0
    assert any(line.startswith("train: 3 of 15 rows (20%) are dropped") for line in audit["warnings"])
    assert not any("quarantine" in line for line in audit["warnings"])
    lines = "\n".join(audit_lines(audit, MAX_TOKENS))
    assert "train: 2 card_in_test, 1 card_in_valid dropped (20.0%), such as по тесту 0, по тесту 1" in lines


def test_they_stay_and_count_for_the_gate_or_stay_and_are_told(tmp_path):
    out, audit = run(mixed(tmp_path), on_card_leak="fail")
    assert len(ids(out, "train")) == 15 and len(ids(out, "pool.urls")) == 12
    assert audit["leak_rows"] == 2 and audit["leak_examples"] == {"test.seen": ["э0", "э1"]}
    assert card_leaks(audit)["test.seen", "train"] == (2, True) and card_leaks(audit)["valid", "train"] == (1, False)
    out, audit = run(tmp_path, on_card_leak="keep")
    assert len(ids(out, "train")) == 15 and audit["leak_rows"] == 0
    assert card_leaks(audit)["test.seen", "train"] == (2, False)
    assert "test.seen: 2 rows read on cards as rows of train (data.on_card_leak: keep)" in audit["warnings"]
    assert "card_overlaps" not in audit


def test_a_whole_document_of_a_test_still_stops_the_run(tmp_path):
    train = [*rows("т", 12, 0), row("копия", 203, "мимо"), like("карточка", 203, "мимо")]
    out, audit = run(write_all(tmp_path, train=train))
    assert "копия" in ids(out, "train") and "карточка" not in ids(out, "train")
    assert audit["leak_examples"] == {"test.seen": ["э3"]}


def test_validation_loses_the_cards_of_a_test_before_train_loses_those_of_validation(tmp_path):
    valid = [*rows("в", 6, 100), like("в как тест", 200, "мимо")]
    train = [*rows("т", 12, 0), like("т как оба", 200, "мимо")]
    out, audit = run(write_all(tmp_path, valid=valid, train=train))
    assert len(ids(out, "valid")) == 6 and len(ids(out, "train")) == 12
    assert {source: lost["by_reason"] for source, lost in audit["card_overlaps"].items()} == {
        "train": {"card_in_test": 1},
        "valid": {"card_in_test": 1},
    }


def test_test_rows_with_one_card_and_two_labels_all_stay(tmp_path):
    test = [*rows("э", 6, 200), *(like(f"спор {label}", 200, label) for label in LABELS)]
    out, audit = run(write_all(tmp_path, test=test))
    assert len(ids(out, "test.seen")) == 9 and "card_overlaps" not in audit


def test_few_cards_in_many_documents_are_kept_apart_without_losing_most_of_them(tmp_path):
    """Ten rows a card, no keys: validation takes whole cards, so that training loses nothing."""
    train = [like(f"т{card} {i}", card, LABELS[card % 3]) for card in range(40) for i in range(10)]
    write_all(tmp_path, train=train)
    out, audit = run(tmp_path, valid=None, keys=[])
    cards = [{record.fields["product.title"] for record in read_records(out, split)} for split in ("train", "valid")]
    assert not cards[0] & cards[1] and len(ids(out, "train")) + len(ids(out, "valid")) == 400
    assert len(ids(out, "valid")) >= 10 and "card_overlaps" not in audit
    out, audit = run(tmp_path, valid=None, keys=[], on_card_leak="keep")
    assert card_leaks(audit)["valid", "train"][0] > 0


def test_over_half_of_train_is_told_with_the_way_back_and_all_of_it_is_an_error(tmp_path):
    train = [*rows("т", 6, 0), *(like(f"к{i}", 200 + i % 6, "мимо") for i in range(12))]
    _, audit = run(write_all(tmp_path, train=train))
    (told,) = (line for line in audit["warnings"] if line.startswith("train: 12 of 18 rows (67%)"))
    assert "over half of them" in told and told.endswith("data.on_card_leak: keep keeps them")
    write_all(tmp_path, train=[like(f"к{i}", 200 + i % 6, "мимо") for i in range(12)])
    with pytest.raises(UserError, match=r"split 'train' has no rows left") as error:
        run(tmp_path)
    assert "card_in_test 12" in str(error.value) and "data.on_card_leak" in str(error.value)


@pytest.mark.parametrize(
    ("view", "same", "other"),
    [
        ({"left": ["а"], "max_tokens": 4}, "один два три четыре пять шесть", "один два три иначе пять шесть"),
        ({"left": ["а"], "max_tokens": 64, "budgets": {"а": 2}}, "один два четыре", "один три"),
        ({"left": ["а"], "max_tokens": 4, "windows": {"max": 2}}, "один два три четыре пять 6 7 8 10", "один два три"),
        ({"left": ["б"], "right": ["а"], "max_tokens": 4}, "один два три четыре", "один иначе три четыре"),
    ],
)
def test_texts_count_as_far_as_a_model_can_read_them(view, same, other):
    """`same` differs from the first text only behind the last token that could be read, `other` before it."""
    first = "Один два три четыре пять 6 7 8 9" if "windows" in view else "Один два три четыре пять"
    own, alike, different = (
        read_texts(Record("р", {"а": text, "б": "слово " * 9}), ViewConfig(**view)) for text in (first, same, other)
    )
    assert own == alike != different


def test_a_shorter_card_finds_more(tmp_path):
    far = row("далеко", 200, "мимо", page={"title": "Купить дрель 200 ёмкость со склада в городе", "body": "иное"})
    write_all(tmp_path, train=[*rows("т", 12, 0), far], test=[like("э", 200, "мимо"), *rows("э", 5, 201)])
    for tokens, kept in ((16, True), (6, False)):
        plan = parse(
            Project,
            merge(PROJECT, {"data": {"root": str(tmp_path)}, "views": {"card": {"max_tokens": tokens}}}),
            "test",
        )
        prepare_and_audit(plan, tmp_path / "records")
        assert ("далеко" in ids(tmp_path / "records", "train")) == kept


def test_swapped_sides_are_measured(tmp_path):
    turned = row(
        "накрест", 700, "мимо", product={"title": "Купить дрель 201 ёмкость"}, page={"title": "Дрель ударная №201"}
    )
    _, audit = run(write_all(tmp_path, train=[*rows("т", 12, 0), turned]))
    hits = [leak for leak in audit["leaks"] if leak["kind"] == "swapped card"]
    assert [(leak["between"], leak["rows"], leak["gate"]) for leak in hits] == [(["test.seen", "train"], 1, False)]


def known(folder):
    """Training rows 0 and 1 have the product of a validation row, 2 its page."""
    train = [
        values | {"product": values["product"] | {"id": 100 + i}} if i < 2 else values
        for i, values in enumerate(rows("т", 12, 0))
    ]
    train[2] = train[2] | {"page": train[2]["page"] | {"id": "p103"}}
    return write_all(folder, train=train)


def test_keys_of_validation_that_training_knows_are_named_and_kept(tmp_path):
    out, audit = run(known(tmp_path))
    assert len(ids(out, "train")) == 12
    found = {leak["kind"]: leak["rows"] for leak in audit["leaks"] if leak["between"] == ["valid", "train"]}
    assert found == {"key:product.id": 2, "key:page.id": 1}
    told = [line for line in audit["warnings"] if "data.on_valid_key: drop" in line]
    assert [line.partition(" with ")[0] for line in told] == [
        "2 of 6 validation rows (33%) share product.id",
        "1 of 6 validation rows (17%) share page.id",
    ]


def test_training_rows_that_share_a_key_with_validation_are_dropped_where_asked(tmp_path):
    out, audit = run(known(tmp_path), on_valid_key="drop")
    assert ids(out, "train") == [f"т{i}" for i in range(3, 12)] and len(ids(out, "valid")) == 6
    assert audit["rows"]["by_source"]["train"]["dropped"] == {"key_in_valid": 3}
    assert not [leak for leak in audit["leaks"] if leak["between"] == ["valid", "train"]]
    assert not [line for line in audit["warnings"] if "on_valid_key" in line]


def test_a_product_that_validation_has_on_the_other_side_is_the_same_product(tmp_path):
    train = rows("т", 12, 0)
    train[0]["page"]["id"], train[1]["product"]["id"] = 103, "p104"
    write_all(tmp_path, train=train)
    _, audit = run(tmp_path)
    found = {leak["kind"]: leak["rows"] for leak in audit["leaks"] if leak["between"] == ["valid", "train"]}
    assert found == {"key:product.id": 1, "key:page.id": 1}
    out, audit = run(tmp_path, on_valid_key="drop")
    assert audit["rows"]["by_source"]["train"]["dropped"] == {"key_in_valid": 2} and len(ids(out, "train")) == 10


def test_dropping_by_keys_needs_keys(tmp_path):
    with pytest.raises(UserError, match="on_valid_key: drop needs keys"):
        run(write_all(tmp_path), on_valid_key="drop", keys=[])


def test_validation_that_is_held_out_shares_no_key_with_train(tmp_path):
    """Rows that hang together through either key, 5 pages a product: no value of either column is on both sides."""
    train = [row(f"т{i}", i, LABELS[i % 3]) for i in range(300)]
    for i, values in enumerate(train):
        values["product"]["id"], values["page"]["id"] = i // 5, f"p{i // 3}"
    out, audit = run(write_all(tmp_path, train=train), valid=None)
    for column in ("product.id", "page.id"):
        sides = [{record.keys[column] for record in read_records(out, split)} for split in ("train", "valid")]
        assert all(sides) and not sides[0] & sides[1]
    assert not [leak for leak in audit["leaks"] if leak["between"] == ["valid", "train"]]
