"""What models say they read: equal texts are one question to them, and ensembles read what their members read."""

from __future__ import annotations

import numpy as np
import pytest

from distill.families.cascade import Cascade
from distill.families.ensemble import Ensemble
from distill.families.family import family, fit, open_model, views_read
from distill.families.tfidf import Tfidf
from distill.inference.once_each import OnceEach
from tests.families.lessons import toy_lesson
from tests.training.toy import CARD, DOCUMENT, toy_records


@pytest.fixture(scope="module")
def models(tmp_path_factory, records, encoder):
    """The model folders of families that fit in no time, by name."""
    root = tmp_path_factory.mktemp("models")
    for name, own in (("cards", "tfidf"), ("tfidf", "tfidf"), ("tfidf_embeddings", "tfidf_embeddings")):
        (root / name).mkdir()
        view = (CARD, "card") if name == "cards" else (DOCUMENT, "document")
        fit(own, family(own).Settings(), toy_lesson(records, *view, source=encoder), root / name)
    (root / "both").mkdir()
    members = {name: root / name for name in ("cards", "tfidf")}
    both = Ensemble.Settings.model_validate({"members": dict.fromkeys(members, 1), "calibrated": False})
    fit("ensemble", both, toy_lesson(records, members=members), root / "both")
    return root


@pytest.mark.parametrize("name", ["tfidf", "tfidf_embeddings", "both"])
def test_rows_have_equal_keys_where_their_texts_are_equal(models, name):
    scorer, (first, second, *_) = open_model(models / name), toy_records("т", 2)
    rows = [first.fields, {**first.fields, "page.url": "elsewhere"}, second.fields]
    one, again, other = scorer.keys(scorer.prepare(rows))
    assert one == again != other


def test_rows_whose_texts_are_parted_elsewhere_have_other_keys_where_an_encoder_reads_the_sides(models):
    scorer = open_model(models / "tfidf_embeddings")
    rows = [
        {"product.title": "дрель пила", "page.title": "цена"},
        {"product.title": "дрель", "page.title": "пила цена"},
    ]
    one, other = scorer.keys(scorer.prepare(rows))
    assert one[1] == other[1] and one != other
    np.testing.assert_array_equal(OnceEach(scorer).score(rows).logits, scorer.score(rows).logits)


def test_an_ensemble_reads_the_views_of_its_members_and_is_silent_where_one_is(models, monkeypatch):
    assert views_read(models / "tfidf_embeddings") == [DOCUMENT] and views_read(models / "both") == [CARD, DOCUMENT]
    monkeypatch.setattr(Tfidf, "reads_view", False)
    assert views_read(models / "both") is None and not Cascade.reads_view
