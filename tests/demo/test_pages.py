from itertools import islice
from random import Random

import pytest

from distill.demo.pages import make_page
from distill.demo.products import shelves
from distill.demo.slots import Slots, joined
from distill.demo.wording import wording
from tests.demo.texts import on_card, position, sample

KINDS = {kind.name: kind for found in wording().slices.values() for kind in found.page_kinds}
FILLER = wording().filler
SENTENCES = [text for found in wording().slices.values() for text in found.sentences]


@pytest.fixture(scope="module")
def shelf():
    return next(shelves(iter([wording().slices["pharma"].goods[0]]), "pool", Random(1)))


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_every_wording_of_a_kind_of_page_fills_and_names_whom_it_should(kind, shelf):
    subject, *others = shelf
    slots = Slots(subject, others[:2], Random(1))
    naming = (*kind.titles, *kind.naming_subject)
    assert all(position(slots.fill(template), subject.name) is not None for template in naming)
    for template in kind.naming_others:
        assert all(position(slots.fill(template), product.name) is not None for product in others[:2])
    for template in (*kind.opaque_titles, *kind.naming_nothing):
        assert all(position(slots.fill(template), product.name) is None for product in shelf)
    assert kind.titles or kind.opaque == 1.0


@pytest.mark.parametrize("template", [*FILLER.openings, *FILLER.sentences, *SENTENCES])
def test_fillers_name_no_product(template, shelf):
    assert all(
        position(Slots(shelf[0], shelf[1:], Random(1)).fill(template), product.name) is None for product in shelf
    )


def test_an_unknown_slot_is_an_error(shelf):
    with pytest.raises(KeyError):
        Slots(shelf[0], shelf[1:], Random(1)).fill("{nobody} sells this")


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_opaque_pages_name_no_product_on_the_card_and_others_name_the_subject(share, shelf):
    kind = KINDS["shop"].model_copy(update={"opaque": share})
    for number in range(50):
        page = make_page("p", kind, shelf[0], tuple(shelf[1:3]), Random(number))
        assert page.opaque == (share == 1.0)
        assert on_card(page, shelf[0].name) == (share == 0.0)
        assert not on_card(page, shelf[1].name)


def test_the_truth_follows_from_role_and_names(shelf):
    about = make_page("p", KINDS["leaflet"], shelf[0], (shelf[1],), Random(1))
    mention = make_page("p", KINDS["analogues"], shelf[0], (shelf[1],), Random(1))
    assert [about.truth(product) for product in shelf[:3]] == ["about_pr", "ment_pr", "not_about_pr"]
    assert [mention.truth(product) for product in shelf[:3]] == ["ment_pr", "ment_pr", "not_about_pr"]


def test_texts_have_the_lengths_that_the_views_hold():
    for pair in islice(sample("test", 1500), 1500):
        row, page = pair.product.row(), pair.page
        card = [row["title"], row["subtitle"], row["main_type"], row["defin"]]
        assert sum(len(text.split()) for text in card) <= 24
        assert 3 <= len(row["title"].split()) <= 6
        assert 2 <= len(page.title.split()) <= 14 and len(page.url) < 50
        assert 50 <= len(page.body.split()) <= 140


def test_names_are_listed_as_sentences_do():
    assert [joined(list("abc")[:count]) for count in (1, 2, 3)] == ["a", "a and b", "a, b and c"]
