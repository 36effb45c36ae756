"""Several models as one: the weighted mean of what its members say."""

import json

import numpy as np
import pytest
from pydantic import ValidationError

from distill.core.objectives.multi_label import MultiLabel
from distill.core.project import ViewConfig
from distill.core.record_store import read_records
from distill.core.rendering import Encoded
from distill.evaluation.calibration import fit_temperature
from distill.evaluation.metrics import mixture
from distill.families.ensemble import Ensemble, Member, Mixture
from distill.families.family import Opening, family_of, fit
from distill.families.model_hash import model_hash
from distill.families.tfidf import Tfidf
from distill.inference import scorer as scoring
from distill.inference.scorer import Scorer
from distill.pipeline.entries import teacher_entry
from teachers.label import label
from tests.families.lessons import toy_lesson
from tests.training.toy import CARD, DOCUMENT, toy_view


def _rows(records):
    return [row.fields for row in read_records(records, "valid")]


def _ensemble(records, folder, members, **settings):
    folder.mkdir()
    config = Ensemble.Settings(members=members, **{"calibrated": False, **settings})
    fit("ensemble", config, toy_lesson(records, members={name: folder.parent / name for name in members}), folder)
    return folder


@pytest.fixture(scope="module")
def run(warm, records, tmp_path_factory):
    """A folder of an encoder on documents, words on cards, an ensemble of both and one of that and the words."""
    folder = tmp_path_factory.mktemp("teachers")
    toy_view(warm, DOCUMENT, "document").save(warm)
    for path in warm.iterdir():
        if path.suffix in (".json", ".safetensors"):
            (folder / "base").mkdir(exist_ok=True)
            (folder / "base" / path.name).write_bytes(path.read_bytes())
    (folder / "words").mkdir()
    fit("tfidf", Tfidf.Settings(), toy_lesson(records), folder / "words")
    _ensemble(records, folder / "both", {"base": 0.8, "words": 0.2})
    _ensemble(records, folder / "nested", {"both": 3, "words": 1})
    return folder


def _logits(folder, rows, **how):
    return family_of(folder).open(folder, Opening(**how)).score(rows).logits


def test_it_is_the_weighted_mean_of_its_members_probabilities(run, records):
    rows = _rows(records)
    base, words = (_logits(run / name, rows) for name in ("base", "words"))
    expected = mixture([base, words], [0.8, 0.2]).astype(np.float32)
    found = _logits(run / "both", rows)
    assert found.dtype == np.float32 and (found == expected).all()
    assert not np.allclose(found, base) and not np.allclose(found, words)
    by_hand = 0.8 * np.exp(base) / np.exp(base).sum(1, keepdims=True) + 0.2 * np.exp(words)
    np.testing.assert_allclose(np.exp(found) / np.exp(found).sum(1, keepdims=True), by_hand, atol=1e-5)


def test_an_ensemble_may_be_a_member(run, records):
    rows = _rows(records)
    both, words = (_logits(run / name, rows) for name in ("both", "words"))
    expected = mixture([both, words], [0.75, 0.25]).astype(np.float32)
    assert (_logits(run / "nested", rows) == expected).all()


def test_each_member_is_first_brought_to_its_own_temperature(run, records):
    """Words of ten times the logits say the same after their temperature."""
    rows, gold = _rows(records), np.stack([row.target for row in read_records(records, "valid")])
    both = _ensemble(records, run / "calibrated", {"base": 0.8, "words": 0.2}, calibrated=True)
    base, words = (_logits(run / name, rows) for name in ("base", "words"))
    scaled = [logits / np.float32(fit_temperature(logits, gold)) for logits in (base, words)]
    np.testing.assert_allclose(_logits(both, rows), mixture(scaled, [0.8, 0.2]), rtol=1e-4, atol=1e-4)
    stored = json.loads((both / "config.json").read_text())["distill"]["temperatures"]
    assert stored["../words"] == pytest.approx(fit_temperature(words, gold), rel=1e-4)
    assert not np.allclose(_logits(both, rows), _logits(run / "both", rows))


def test_logits_may_be_averaged_in_place_of_probabilities(run, records):
    rows = _rows(records)
    mixed = _ensemble(records, run / "logits", {"base": 3, "words": 1}, space="logit")
    base, words = (_logits(run / name, rows) for name in ("base", "words"))
    np.testing.assert_allclose(_logits(mixed, rows), 0.75 * base + 0.25 * words, rtol=1e-5, atol=1e-5)
    with pytest.raises(ValidationError, match="space"):
        Ensemble.Settings(members={"base": 1, "words": 1}, space="rank")


def test_members_are_named_by_their_folders_next_to_its_own(run, tmp_path, records):
    stored = json.loads((run / "both" / "config.json").read_text())["distill"]
    members = {"../base": 0.8, "../words": 0.2}
    assert stored == {
        "family": "ensemble",
        "view": "card",
        "kind": "single",
        "members": members,
        "space": "probability",
        "hashes": {place: model_hash(run / place[3:]) for place in members},
    }
    moved = tmp_path / "elsewhere"
    run.rename(moved)
    try:
        assert np.isfinite(_logits(moved / "nested", _rows(records))).all()
    finally:
        moved.rename(run)


def test_facts_are_the_members_parameters_without_layers(run):
    sizes = {name: family_of(run / name).facts(run / name).parameters for name in ("base", "words")}
    assert Ensemble().facts(run / "both").layers is None
    assert Ensemble().facts(run / "both").parameters == sum(sizes.values())
    assert Ensemble().facts(run / "nested").parameters == sizes["base"] + 2 * sizes["words"]


def test_tokens_are_the_first_members_and_progress_counts_every_row_once(run, records):
    rows, told = _rows(records), []
    base = family_of(run / "base").open(run / "base").score(rows)
    both = Ensemble().open(run / "both").score(rows, told.append)
    assert (both.tokens == base.tokens).all() and (both.cut_tokens == base.cut_tokens).all()
    assert told[-1] == len(rows) and told == sorted(told)


def test_the_halves_are_the_whole_and_read_what_all_members_read(run, records):
    rows = _rows(records)
    members = [family_of(run / name).open(run / name) for name in ("base", "words")]
    scorer = Ensemble().open(run / "nested")
    prepared = scorer.prepare(rows)
    assert (scorer.answer(prepared) == scorer.score(rows).logits).all()
    base, words = ([item.read_tokens for item in member.prepare(rows)] for member in members)
    assert [item.read_tokens for item in prepared] == [a + 2 * b for a, b in zip(base, words, strict=True)]


@pytest.mark.parametrize("size", [4, 5])
def test_a_member_answers_as_many_at_once_as_by_itself(run, records, size, monkeypatch):
    """Float noise of other batches would make other labels of the same weights."""
    monkeypatch.setattr(scoring, "CHUNK_ROWS", size)
    rows = _rows(records)
    base, words = (_logits(run / name, rows) for name in ("base", "words"))
    (whole,) = Ensemble().open(run / "both").score_chunks([rows])
    assert (whole.logits == mixture([base, words], [0.8, 0.2]).astype(np.float32)).all()


def test_another_view_reaches_every_member(run, records):
    rows, view = _rows(records), ViewConfig(left=["product.title"], right=["page.body"], max_tokens=16)
    base, words = (_logits(run / name, rows, view=view) for name in ("base", "words"))
    expected = mixture([base, words], [0.8, 0.2]).astype(np.float32)
    assert (_logits(run / "both", rows, view=view) == expected).all()
    assert not np.allclose(expected, _logits(run / "both", rows)) and CARD != view


def test_it_labels_as_any_other_model(run, records, tmp_path):
    entry = {"preset": "ensemble", "members": {"base": 1, "words": 1}}
    config = teacher_entry("both", entry, "test", tmp_path)
    label(config.labelling, run / "both", records, 1, tmp_path / "labels")
    assert sorted(path.name for path in (tmp_path / "labels").iterdir()) == ["CARD.md", "shard-00000.parquet"]


def test_multi_label_members_are_mixed_by_class():
    class Fixed(Scorer):
        def __init__(self, logits):
            self.logits = np.float32([logits])

        def prepare(self, rows):
            return [Encoded([], 1, 0) for _ in rows]

        def answer(self, prepared, on_progress=None):
            return self.logits

    found = Mixture([Member(Fixed([0, 2]), 0.5), Member(Fixed([0, -2]), 0.5)], MultiLabel()).score([{}]).logits
    np.testing.assert_allclose(found, [[0, 0]], atol=1e-6)
