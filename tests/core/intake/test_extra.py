"""Labelled rows that only some models learn: none that is judged, all others, whatever training has too."""

import pytest

from distill.core.config import parse
from distill.core.errors import UserError
from distill.core.project import Project
from distill.core.record_store import read_records, splits
from tests.core.record_fixtures import LABELS, PROJECT, ids, prepare_and_audit, row, rows, run, write_all

OLD = {"extra": {"old": "old.jsonl"}}
TEST, VALID, TRAIN = rows("э", 6, 200), rows("в", 6, 100), rows("т", 12, 0)


def prepared(root, *more, **data):
    """The records and the ledger's account of six old rows of which nothing else knows, and more."""
    out, audit = run(write_all(root, old=[*rows("с", 6, 400), *more]), **OLD, **data)
    return out, audit, audit["rows"]["by_source"]["extra.old"]


def test_they_are_a_split_of_their_own_which_changes_no_other(tmp_path):
    out, audit, account = prepared(tmp_path)
    assert splits(out) == ["train", "valid", "test.seen", "pool.urls", "extra.old"]
    assert ids(out, "extra.old") == [f"с{number}" for number in range(6)] and account["dropped"] == {}
    assert all(record.target is not None for record in read_records(out, "extra.old"))
    assert audit["balance"]["classes"]["extra.old"] == {"мимо": 2, "рядом": 2, "точно": 2}
    (tmp_path / "plain").mkdir()
    plain, _ = run(write_all(tmp_path / "plain"))
    for split in ("train", "valid", "test.seen", "pool.urls"):
        assert (out / f"{split}.parquet").read_bytes() == (plain / f"{split}.parquet").read_bytes()


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        ({**TEST[0], "id": "другой"}, "in_test"),
        (row("э1", 500, "точно"), "in_test"),
        ({**VALID[0], "id": "другой"}, "in_valid"),
        (row("в1", 500, "точно"), "in_valid"),
        (row("другой", 200, "точно", page={"body": "Иное описание"}), "card_in_test"),
        (row("другой", 100, "точно", page={"body": "Иное описание"}), "card_in_valid"),
    ],
)
def test_a_row_that_is_judged_is_dropped_under_its_reason(tmp_path, other, reason):
    out, audit, account = prepared(tmp_path, other)
    assert account["dropped"] == {reason: 1} and len(ids(out, "extra.old")) == 6
    assert audit["leak_rows"] == 0


def test_rows_that_training_has_too_and_broken_labels_are_as_they_are_elsewhere(tmp_path):
    again = {**TRAIN[0], "метка": "точно"}
    out, _, account = prepared(tmp_path, again, row("плохой", 501, "нет такой"), {**rows("с", 1, 400)[0], "id": "с9"})
    assert "т0" in ids(out, "extra.old") and "т0" in ids(out, "train")
    assert account["dropped"] == {"duplicate": 1, "unknown_label": 1}


def test_cards_stay_where_they_may_be_shared_and_count_for_the_gate_where_they_stop_a_run(tmp_path):
    other = row("другой", 200, "точно", page={"body": "Иное описание"})
    for how, leaked in (("keep", 0), ("fail", 1)):
        root = tmp_path / how
        root.mkdir()
        out, audit, account = prepared(root, other, on_card_leak=how)
        assert "другой" in ids(out, "extra.old") and account["dropped"] == {} and audit["leak_rows"] == leaked


def test_keys_of_validation_are_left_out_where_asked(tmp_path):
    other = row("другой", 600, "точно", product={"id": 100})
    out, _, account = prepared(tmp_path, other, on_valid_key="drop")
    assert account["dropped"] == {"key_in_valid": 1} and "другой" not in ids(out, "extra.old")


def test_by_keys_no_key_is_on_both_sides(tmp_path):
    train = [row(f"т{i}", i, LABELS[i % 3], product={"id": i % 80}, page={"id": f"p{i // 3}"}) for i in range(240)]
    old = [row(f"с{i}", 500 + i, "точно", product={"id": i}, page={"id": f"s{i}"}) for i in range(80)]
    write_all(tmp_path, train=train, old=old)
    by_keys = {"root": str(tmp_path), "valid": None, "test": {}, "split": {"mode": "keys"}, **OLD}
    plan = parse(Project, {**PROJECT, "data": {**PROJECT["data"], **by_keys}}, "test")
    out = tmp_path / "records"
    audit = prepare_and_audit(plan, out)
    judged = {r.keys["product.id"] for split in ("valid", "test.unseen") for r in read_records(out, split)}
    kept = {r.keys["product.id"] for r in read_records(out, "extra.old")}
    assert judged and not judged & kept and len(kept) + len(judged) == 80
    assert audit["rows"]["by_source"]["extra.old"]["dropped"] == {"key_in_evaluation": len(judged)}


def test_without_a_row_left_the_source_is_named(tmp_path):
    with pytest.raises(UserError, match="split 'extra.old' has no rows left") as caught:
        run(write_all(tmp_path, old=[{**one, "id": f"с{one['id']}"} for one in TEST]), **OLD)
    assert caught.value.where == "data.extra.old" and "in_test 6" in str(caught.value.found)


def test_rows_without_slice_and_keys_are_learnt_and_the_audit_says_what_they_lack(tmp_path):
    write_all(tmp_path, old=[bare(old) for old in rows("с", 6, 400)])
    out, audit = run(tmp_path, **OLD)
    assert len(ids(out, "extra.old")) == 6
    assert "extra.old: some file has no column page.id, product.id, segment" in audit["warnings"]


def test_keys_are_needed_where_rows_are_left_out_by_them(tmp_path):
    write_all(tmp_path, old=[bare(old) for old in rows("с", 6, 400)])
    with pytest.raises(UserError, match=r"^no row has column 'product.id' \(data.keys\), column 'page.id'"):
        run(tmp_path, **OLD, on_valid_key="drop")


def bare(old):
    """The row without its slice and keys."""
    return {
        **{name: value for name, value in old.items() if name != "segment"},
        **{side: {name: value for name, value in old[side].items() if name != "id"} for side in ("product", "page")},
    }
