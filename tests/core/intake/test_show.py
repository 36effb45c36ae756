import pytest

from distill.core.errors import UserError
from distill.core.intake.prepare import prepare
from distill.core.intake.show import describe, find_record, render
from distill.core.intake.words import word_tokenizer
from distill.core.project import ViewConfig
from distill.core.records import Record
from distill.core.view import View
from tests.core.record_fixtures import project, write_all

RECORD = Record("р1", {"название": "один два три четыре", "страница": "пять шесть", "текст": "слово " * 20})
VIEW = {"left": ["название"], "right": ["страница", "текст"], "separator": " ", "budgets": {"текст": 8}}


def view(**over):
    return ViewConfig.model_validate({**VIEW, "max_tokens": 32, **over})


def test_text_tokens_and_the_cut_of_a_budget():
    shown = render(RECORD, "card", view())
    assert shown.left == "один два три четыре" and shown.right == "пять шесть " + " ".join(["слово"] * 8)
    assert (shown.tokens, shown.windows, shown.cut_fields) == (26, [17], {"текст": 12})
    assert (shown.cut_left, shown.cut_right) == (0, 0)
    assert "текст 12 by its budget" in shown.text() and "words and signs: 26" in shown.text()


def test_what_max_tokens_cuts_is_told_by_side():
    shown = render(RECORD, "card", view(max_tokens=9, budgets={}))
    assert (shown.windows, shown.cut_left, shown.cut_right) == ([9], 1, 19)
    assert "left side 1 by max_tokens, right side 19 by max_tokens" in shown.text()


def test_a_view_without_room_for_text_is_named():
    with pytest.raises(UserError, match=r"leaves no room[\s\S]*views\.card\.max_tokens"):
        render(RECORD, "card", view(max_tokens=4))


def test_windows_are_listed_with_their_tokens():
    shown = render(RECORD, "document", view(max_tokens=15, budgets={}, windows={"stride": 2, "max": 8}))
    assert len(shown.windows) > 2 and set(shown.windows[:-1]) == {15}
    assert (shown.cut_left, shown.cut_right) == (0, 0)
    assert shown.text().endswith("cut:     not known before a model is chosen")  # which has more tokens than words


def test_a_single_text_has_no_right_side():
    shown = render(RECORD, "card", view(right=[], budgets={}, max_tokens=5))
    assert shown.right is None and (shown.windows, shown.cut_left, shown.cut_right) == ([5], 1, 0)
    assert "right" not in shown.text()


def test_a_models_view_counts_its_own_tokens(tmp_path):
    word_tokenizer().save(str(tmp_path / "tokenizer.json"))
    text = describe(RECORD, View("card", view(), tmp_path / "tokenizer.json"))
    assert "tokens: 26" in text and text.startswith("view card") and "12 by its budget" in text
    whole = describe(RECORD, View("card", view(budgets={}), tmp_path / "tokenizer.json"))
    assert whole.endswith("cut:     nothing")


def test_a_record_is_found_in_any_split_and_a_near_id_is_named(tmp_path):
    (tmp_path / "records").mkdir()
    prepare(project(root=str(write_all(tmp_path))), tmp_path / "records")
    assert find_record(tmp_path / "records", "п3").fields["product.title"] == "Дрель ударная №303"
    with pytest.raises(UserError, match="did you mean 'т11'"):
        find_record(tmp_path / "records", "т111")
