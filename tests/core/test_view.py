"""A view's hash covers all that changes its token ids, and a swapped tokenizer is refused."""

from __future__ import annotations

import pytest
from tokenizers.processors import TemplateProcessing

from distill.core.config import merge
from distill.core.errors import UserError
from distill.core.files import read_json, write_json, write_text
from distill.core.project import ViewConfig
from distill.core.rendering import Renderer
from distill.core.view import View
from tests.core.conftest import word_level, word_piece

CONFIG = {
    "left": ["product.title", "product.defin"],
    "right": ["page.title"],
    "max_tokens": 32,
    "budgets": {"page.title": 9},
    "windows": {"stride": 4, "max": 2, "pool": "mean"},
}
ROW = {"product": {"title": "дрель bosch"}, "page": {"title": "купить drill 750 вт"}}


@pytest.fixture
def model(tmp_path):
    """A model folder with a tokenizer and the view that it was made for."""
    word_level().save(str(tmp_path / "tokenizer.json"))
    view(tmp_path).save(tmp_path)
    return tmp_path


def view(folder, name="card", **changes) -> View:
    return View(name, ViewConfig.model_validate(merge(CONFIG, changes)), folder / "tokenizer.json")


@pytest.mark.parametrize(
    "change",
    [
        {"left": ["product.title"]},
        {"left": ["product.defin", "product.title"]},
        {"right": ["page.title", "page.url"]},
        {"separator": " ; "},
        {"max_tokens": 33},
        {"budgets": {"page.title": 8}},
        {"budgets": {"product.title": 9}},
        {"windows": None},
        {"windows": {"stride": 5}},
        {"windows": {"max": 3}},
        {"windows": {"pool": "max"}},
    ],
    ids=str,
)
def test_the_hash_changes_with_every_setting(model, change):
    assert view(model, **change).hash != view(model).hash


def test_every_setting_is_part_of_the_hash(model):
    assert set(view(model).content) == {*ViewConfig.model_fields, "tokenizer_sha256"}


def test_the_hash_changes_with_the_tokenizer_and_not_with_the_name(model):
    before = view(model).hash
    assert view(model, "document").hash == before
    word_piece().save(str(model / "tokenizer.json"))
    assert view(model).hash != before


def test_a_saved_view_is_loaded_and_renders_alike(model):
    loaded = View.load(model)
    assert (loaded.name, loaded.config, loaded.hash) == ("card", view(model).config, view(model).hash)
    assert loaded.renderer().encode(ROW) == view(model).renderer().encode(ROW)
    assert len(loaded.renderer().encode(ROW).windows[0].ids) == 2 + 4 + 3


def test_view_json_alone_makes_the_same_renderer(model):
    assert Renderer(read_json(model / "view.json"), word_level()).encode(ROW) == View.load(model).renderer().encode(ROW)


def test_a_swapped_tokenizer_is_refused(model):
    word_piece().save(str(model / "tokenizer.json"))
    with pytest.raises(UserError, match="the tokenizer is not the one"):
        View.load(model)


def test_a_changed_view_file_is_refused(model):
    write_json(model / "view.json", {**read_json(model / "view.json"), "max_tokens": 64})
    with pytest.raises(UserError, match="view hash"):
        View.load(model)


@pytest.mark.parametrize("change", [{"max_tokens": 0}, {"windw": None}])
def test_a_view_file_that_is_no_view_is_named(model, change):
    write_json(model / "view.json", {**read_json(model / "view.json"), **change})
    with pytest.raises(UserError, match=rf"{next(iter(change))}: [\s\S]*view\.json"):
        View.load(model)


@pytest.mark.parametrize("missing", ["view.json", "tokenizer.json"])
def test_a_missing_file_is_named(model, missing):
    (model / missing).unlink()
    with pytest.raises(UserError, match=missing):
        View.load(model)


def test_a_damaged_tokenizer_is_named(model):
    write_text(model / "tokenizer.json", '{"version": "1.0"}')
    with pytest.raises(UserError, match=r"cannot read the tokenizer[\s\S]*tokenizer\.json"):
        view(model).renderer()


def test_a_length_without_room_names_its_key(model):
    with pytest.raises(UserError, match=r"leaves no room[\s\S]*views\.card\.max_tokens"):
        view(model, max_tokens=4).renderer()


def test_a_tokenizer_that_cannot_read_a_side_names_the_view(tmp_path):
    tokenizer = word_level()
    tokenizer.post_processor = TemplateProcessing(single="$A", pair="$B $A", special_tokens=[])
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    with pytest.raises(UserError, match=r"1 of 2 sides in order[\s\S]*views\.card"):
        view(tmp_path).renderer()


def test_an_artifact_of_another_view_is_refused(model):
    view(model).require(View.load(model), "8L")
    with pytest.raises(UserError, match=r"8L was made for another view[\s\S]*'card'"):
        view(model).require(view(model, max_tokens=33), "8L")


def test_a_new_option_at_its_default_leaves_the_hash(tmp_path):
    class WithMore(ViewConfig):
        lower: bool = False

    word_level().save(str(tmp_path / "tokenizer.json"))
    values = {"left": ["product.title"], "max_tokens": 16}
    plain, more = (View("card", one(**values), tmp_path / "tokenizer.json") for one in (ViewConfig, WithMore))
    assert plain.hash == more.hash
    assert View("card", WithMore(**values, lower=True), tmp_path / "tokenizer.json").hash != plain.hash
