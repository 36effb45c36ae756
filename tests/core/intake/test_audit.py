import gc
import re

import numpy as np
import pytest
from tokenizers import Tokenizer, models, pre_tokenizers

from distill.core.errors import UserError
from distill.core.files import read_json, sha256
from distill.core.intake import lengths
from distill.core.intake.audit import audit
from distill.core.intake.ledger import Ledger
from distill.core.intake.token_figures import TokenFigures
from distill.core.intake.words import word_tokenizer
from distill.core.project import ViewConfig
from distill.core.record_store import write_records
from distill.core.records import Record
from tests.core.record_fixtures import prepare_and_audit, project, row, rows, write_all

GOLD = np.array([1, 0, 0], np.float32)


def run(root, tokenizers=None, **data):
    return prepare_and_audit(project(root=str(root), **data), root / "records", tokenizers=tokenizers)


def leaks(found):
    return {(leak["kind"], *leak["between"]): (leak["rows"], leak["gate"]) for leak in found["leaks"]}


def test_a_planted_row_and_a_planted_text_are_caught_by_the_gate(tmp_path):
    test = [*rows("э", 6, 200), row("т5", 777, "мимо"), row("чужое имя", 7, "рядом")]
    found = run(write_all(tmp_path, test=test))
    caught = leaks(found)
    assert caught["row", "test.seen", "train"] == (1, True)
    assert caught["document", "test.seen", "train"] == (1, True)
    assert found["leak_rows"] == 2
    assert [leak["share"] for leak in found["leaks"] if leak["kind"] == "row"] == [1 / 8]
    assert any(re.search("share ids under different texts.*data.id: null", line) for line in found["warnings"])


def test_one_row_that_leaks_twice_counts_once(tmp_path):
    found = run(write_all(tmp_path, test=[*rows("э", 6, 200), row("т5", 5, "точно")]))
    assert sum(leak["rows"] for leak in found["leaks"] if leak["gate"]) == 3 and found["leak_rows"] == 1


def test_valid_rows_in_a_test_are_gated_and_in_train_reported(tmp_path):
    write_all(
        tmp_path, test=[*rows("э", 6, 200), row("x", 101, "мимо")], valid=rows("в", 6, 100) + [row("y", 3, "мимо")]
    )
    caught = leaks(run(tmp_path, on_card_leak="keep"))
    assert caught["document", "test.seen", "valid"] == (1, True)
    assert caught["document", "valid", "train"] == (1, False)


def test_cards_sides_and_keys_are_reported_without_a_gate(tmp_path):
    test = [
        *rows("э", 6, 200),
        row("карточка", 600, "мимо", product={"title": "Дрель ударная №1"}, page={"title": "Купить дрель 1 ёмкость"}),
        row("сторона", 601, "мимо", product={"title": "Купить дрель 2 ёмкость"}),
        row("ключ", 602, "мимо", page={"id": "p4"}),
    ]
    found = run(write_all(tmp_path, test=test), on_card_leak="keep")
    assert leaks(found) == {
        ("card", "test.seen", "train"): (1, False),
        ("side", "test.seen", "train"): (2, False),
        ("key:page.id", "test.seen", "train"): (1, False),
    }
    assert found["leak_rows"] == 0


def test_two_tests_that_overlap_are_reported_without_a_gate(tmp_path):
    found = run(write_all(tmp_path), test={"a": "test.jsonl", "b": "test.jsonl"})
    assert leaks(found)["document", "test.b", "test.a"] == (6, False)
    assert ("document", "test.a", "test.b") not in leaks(found) and found["leak_rows"] == 0


def test_empty_sides_never_count_as_shared(tmp_path):
    empty = {"page": {"title": "", "body": ""}}
    train = [*rows("т", 12, 0), row("a", 50, "мимо", **empty)]
    assert leaks(run(write_all(tmp_path, train=train, test=[*rows("э", 6, 200), row("b", 51, "мимо", **empty)]))) == {}


def test_word_counts_and_what_no_window_reads(tmp_path):
    found = run(write_all(tmp_path))
    # "Дрель ударная №5" = 4 signs, "Купить дрель 5 ёмкость" = 4, "|" = 1, three times "Описание товара 5." = 12.
    assert found["tokenizer"] == {"document": "words", "card": "words"}
    assert found["tokens"]["card"]["train"] == {
        "q10": 8,
        "q25": 8,
        "q50": 8,
        "q75": 8,
        "q90": 8,
        "q95": 8,
        "q99": 8,
        "max": 8,
    }
    assert found["tokens"]["document"]["train"]["q50"] == 21
    assert found["unread_share"] == {"document": 0.0, "card": 0.0}
    assert found["same_text_share"] == 0.0
    assert sum(found["histograms"]["document"]["counts"]) == 33
    assert len(found["histograms"]["document"]["edges"]) == len(found["histograms"]["document"]["counts"]) + 1


def test_unread_tokens_are_a_share_of_all_and_warned_about(tmp_path):
    folder = tmp_path / "records"
    plan = project(root=str(tmp_path))
    fields = {"product.title": "а б", "page.title": "в", "page.body": "г " * 37}
    for split in ("train", "valid", "test.seen"):
        write_records(folder / f"{split}.parquet", [Record(split, fields, np.array([1, 0, 0], np.float32))])
    Ledger().save(folder)
    audit(plan, folder, tmp_path)
    measured = read_json(tmp_path / "audit.json")
    assert measured["unread_share"]["document"] == pytest.approx(25 / 41)  # the budget reads 12 of 37
    assert any(warning.startswith("views.document: 61%") for warning in measured["warnings"])


@pytest.mark.parametrize(("left", "unread"), [(["page.body", "page.title"], 0.75), (["page.title", "page.body"], 0)])
def test_a_field_behind_a_long_one_is_named_where_most_rows_do_not_read_it(tmp_path, left, unread):
    views = {"document": {"left": left, "max_tokens": 40}, "card": {"left": ["page.title"], "max_tokens": 40}}
    plan = project(root=str(tmp_path))
    plan = plan.model_copy(update={"views": {name: ViewConfig.model_validate(view) for name, view in views.items()}})
    for split in ("train", "valid", "test.seen"):
        made = [
            Record(f"{split}{i}", {"page.title": f"в {i}", "page.body": "г " * (60 if i % 4 else 9)}, GOLD)
            for i in range(12)
        ]
        write_records(tmp_path / "records" / f"{split}.parquet", made)
    Ledger().save(tmp_path / "records")
    words = Tokenizer(models.WordLevel({"[UNK]": 0, "в": 1, "г": 2, **{str(i): 3 + i for i in range(12)}}, "[UNK]"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    words.save(str(tmp_path / "tokenizer.json"))
    audit(plan, tmp_path / "records", tmp_path, tokenizers=dict.fromkeys(views, tmp_path / "tokenizer.json"))
    found = read_json(tmp_path / "audit.json")
    assert found.get("unread_fields") == ({"document": {"page.title": unread}} if unread else None)
    said = "views.document: fields of which nothing is read in most of their rows: page.title (75%)"
    assert any(said in warning for warning in found["warnings"]) == (unread > 0)


def test_rows_that_render_equally_in_both_views(tmp_path):
    bare = [values | {"page": {"id": "p", "title": "Ёж", "body": ""}} for values in rows("т", 12, 0)]
    assert run(write_all(tmp_path, train=bare))["same_text_share"] == pytest.approx(12 / 33)


def test_a_models_tokenizer_is_used_and_named(tmp_path):
    tokenizer = Tokenizer(models.WordLevel({"[UNK]": 0}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    found = run(write_all(tmp_path), {"card": tmp_path / "tokenizer.json"})
    assert found["tokenizer"] == {"document": "words", "card": sha256(tmp_path / "tokenizer.json")}
    assert found["tokens"]["card"]["train"]["q50"] == len("Дрель ударная №1") + len("Купить дрель 1 ёмкость")
    (tmp_path / "tokenizer.json").write_text("{")
    with pytest.raises(UserError, match="cannot read the tokenizer"):
        run(tmp_path, {"card": tmp_path / "tokenizer.json"})


def test_a_view_without_room_for_text_is_named_by_words_and_by_a_models_tokenizer(tmp_path):
    plan = project(root=str(write_all(tmp_path)))
    card = plan.views["card"].model_copy(update={"max_tokens": 4})
    short = plan.model_copy(update={"views": {**plan.views, "card": card}})
    word_tokenizer().save(str(tmp_path / "tokenizer.json"))
    for tokenizers in ({}, {"card": tmp_path / "tokenizer.json"}):
        with pytest.raises(UserError, match=r"leaves no room[\s\S]*views\.card\.max_tokens"):
            prepare_and_audit(short, tmp_path / "records", tokenizers=tokenizers)


def test_large_splits_are_sampled_for_token_figures(tmp_path, monkeypatch):
    monkeypatch.setattr("distill.core.intake.audit.SAMPLE_ROWS", 5)
    found = run(write_all(tmp_path))
    assert found["token_rows"] == {"train": 5, "valid": 5, "test.seen": 5, "pool.urls": 5}
    assert found["balance"]["classes"]["train"]["точно"] == 4


def test_texts_of_one_sample_are_held_at_a_time_and_fields_are_looked_at_in_rows_of_all(tmp_path, monkeypatch):
    add, samples, alive, looked_at = TokenFigures.add, [], [], []

    def watched(figures, split, sample):
        held = {one.id for one in gc.get_objects() if isinstance(one, Record)}
        alive.append(len(held.intersection(samples)))
        samples.extend(record.id for record in sample)
        add(figures, split, sample)

    monkeypatch.setattr(TokenFigures, "add", watched)
    monkeypatch.setattr(lengths, "FIELD_ROWS", 4)
    monkeypatch.setattr(lengths, "unread_fields", lambda _, records: looked_at.extend(one.id for one in records))
    word_tokenizer().save(str(tmp_path / "tokenizer.json"))
    run(write_all(tmp_path), {"card": tmp_path / "tokenizer.json"})
    assert len(samples) == 33 and looked_at == samples[:: 33 // 4]
    assert len(alive) == 4 and max(alive) < len(looked_at), "those rows alone stay"


def test_labels_without_rows_and_many_bad_rows_are_warned_about(tmp_path):
    train = [values for values in rows("т", 12, 0) if values["метка"] != "точно"]
    found = run(
        write_all(
            tmp_path,
            train=[*train, "{", "{"],
            valid=[v for v in rows("в", 6, 100) if v["метка"] != "точно"],
            test=[v for v in rows("э", 6, 200) if v["метка"] != "точно"],
        )
    )
    assert "no training row has the label точно: no model learns it" in found["warnings"]
    assert "no validation row has the label точно: no threshold can be chosen for it" in found["warnings"]
    cost = "macro F1 counts it as 0 there and is at most 66.7%"
    assert f"test.seen has no row of точно: {cost}" in found["warnings"]
    assert "train: 2 of 10 rows are in quarantine" in found["warnings"]


def test_words_and_signs_are_counted_one_by_one():
    assert len(word_tokenizer().encode("Дрель-шуруповёрт, 18 В (2 шт.)", add_special_tokens=False)) == 11
