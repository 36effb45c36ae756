"""Classical models over features: answers are scikit-learn's, and survive being kept as arrays."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import sparse
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.svm import LinearSVC

from distill.core.errors import UserError
from distill.core.label_space import LabelSpace
from distill.core.objectives.multi_label import MultiLabel
from distill.families.tfidf import Tfidf, fit_words, load_words, save_words
from distill.families.tfidf_embeddings import Features
from distill.models.classical import boosting
from distill.models.classical.base import Examples, classical_model
from distill.models.classical.svm import _folds
from tests.training.toy import SPACE

OPTIONS = SimpleNamespace(inverse_penalty=2.0, trees=8)
DRAW = np.random.default_rng(5)
ROWS = DRAW.normal(size=(120, 4))
GOLD = ((ROWS[:, 0] > 0).astype(int) + (ROWS[:, 1] > 0.5)) % 3
ONE_HOT = np.eye(3)[GOLD]
TEXTS = ["дрель купить", "пила ремонт", "насос аналог", "купить ключ", "ремонт насос дрель", "аналог пила"] * 12
TARGETS = np.eye(3)[[2, 0, 1, 2, 0, 1] * 12]


def kept(name, model, several=False):
    """A fitted model after it was arrays only."""
    kind = classical_model(name)
    return kind.restored(dict(kind.arrays(model)), several=several)


@pytest.mark.parametrize("classes", [3, 2])
def test_an_svm_answers_as_scikit_learns_calibrated_one(classes):
    targets = ONE_HOT if classes == 3 else np.eye(2)[(GOLD > 0).astype(int)]
    examples = Examples.of(sparse.csr_matrix(ROWS), targets)
    machine = LinearSVC(C=2.0, random_state=7, max_iter=5000)
    expected = CalibratedClassifierCV(machine, cv=_folds(examples, 7), ensemble=False).fit(ROWS, examples.classes)
    found = kept("svm", classical_model("svm")(OPTIONS, 7).among(examples)).predict_proba(ROWS[:50])
    np.testing.assert_allclose(found, expected.predict_proba(ROWS[:50]), atol=1e-6)
    np.testing.assert_allclose(found.sum(1), 1)


@pytest.mark.parametrize("classes", [3, 2])
def test_boosting_answers_as_scikit_learns_from_its_kept_nodes(classes):
    targets = ONE_HOT if classes == 3 else np.eye(2)[(GOLD > 0).astype(int)]
    examples, unseen = Examples.of(ROWS, targets), DRAW.normal(size=(40, 4))
    model = HistGradientBoostingClassifier(max_iter=8, early_stopping=False, random_state=7)
    expected = model.fit(ROWS, examples.classes).predict_proba(unseen)
    found = kept("boosting", classical_model("boosting")(OPTIONS, 7).among(examples))
    np.testing.assert_allclose(found.predict_proba(unseen), expected, atol=1e-9)


def test_trees_that_are_read_wrongly_are_noticed(monkeypatch):
    read = boosting._read

    def planted(model):
        found = read(model)
        found.nodes["left"], found.nodes["right"] = found.nodes["right"], found.nodes["left"]
        return found

    monkeypatch.setattr(boosting, "_read", planted)
    with pytest.raises(RuntimeError, match="keeps its trees otherwise"):
        classical_model("boosting")(OPTIONS, 7).among(Examples.of(ROWS, ONE_HOT))


@pytest.mark.parametrize("name", ["logistic", "svm", "boosting"])
def test_labels_of_rows_with_several_are_answered_each_by_itself(name):
    targets = np.stack([ROWS[:, 0] > 0, ROWS[:, 1] > 0, np.zeros(120), np.ones(120)], axis=1).astype(float)
    model = classical_model(name)(OPTIONS, 7).each(ROWS, targets)
    found = kept(name, model, several=True).predict_proba(ROWS)
    assert ((found > 0.5) == targets).mean(0).min() > 0.9 and not np.allclose(found[:, :2].sum(1), 1)
    np.testing.assert_allclose(found, model.predict_proba(ROWS))


@pytest.mark.parametrize("name", ["logistic", "svm", "boosting"])
def test_soft_labels_count_by_their_shares(name):
    soft = 0.8 * ONE_HOT + 0.2 * np.eye(3)[(GOLD + 1) % 3]
    found = classical_model(name)(OPTIONS, 7).among(Examples.of(ROWS, soft)).predict_proba(ROWS)
    gold = classical_model(name)(OPTIONS, 7).among(Examples.of(ROWS, ONE_HOT)).predict_proba(ROWS)
    assert found.argmax(1).tolist().count(0) > 0 and found.max(1).mean() < gold.max(1).mean() - 0.02


def test_no_row_is_fitted_on_in_one_fold_and_calibrated_on_in_the_same():
    examples = Examples.of(ROWS, 0.6 * ONE_HOT + 0.4 * np.eye(3)[(GOLD + 1) % 3])
    for fitted, held in _folds(examples, 3):
        assert not set(examples.rows[fitted]) & set(examples.rows[held])
        assert len(fitted) + len(held) == len(examples.rows) == 240


def test_a_class_of_one_row_is_named_where_it_cannot_be_calibrated():
    targets = np.eye(3)[[0] * 10 + [1] * 10 + [2]]
    with pytest.raises(UserError, match="single training row cannot be calibrated"):
        classical_model("svm")(OPTIONS, 1).among(Examples.of(ROWS[:21], targets))


@pytest.mark.parametrize(
    ("changes", "labels"), [({"model": "svm"}, 3), ({"model": "boosting", "trees": 3, "components": 2}, 3), ({}, 1)]
)
def test_a_stored_model_is_the_fitted_one(changes, labels, tmp_path):
    targets = TARGETS if labels == 3 else np.eye(3)[[1] * len(TEXTS)]
    fitted = fit_words(TEXTS, targets, Tfidf.Settings(**changes))
    save_words(fitted, SPACE, tmp_path, changes.get("model", "logistic"))
    stored = load_words(tmp_path)
    np.testing.assert_array_equal(stored.logits(stored.features(TEXTS[:6])), fitted.logits(fitted.features(TEXTS[:6])))
    own = json.loads((tmp_path / "config.json").read_text())["distill"]
    assert own["parameters"] > 0 and {one.suffix for one in tmp_path.iterdir()} == {".json", ".safetensors"}


def test_several_labels_are_stored_with_their_model(tmp_path):
    space = LabelSpace(("а", "б", "в"), objective=MultiLabel())
    fitted = fit_words(TEXTS, TARGETS, Tfidf.Settings(model="boosting", trees=2), space.objective)
    save_words(fitted, space, tmp_path, "boosting")
    stored = load_words(tmp_path)
    np.testing.assert_array_equal(stored.logits(stored.features(TEXTS)), fitted.logits(fitted.features(TEXTS)))


def test_boosting_reads_main_directions_and_other_models_as_many_as_are_asked_for():
    assert fit_words(TEXTS, TARGETS, Tfidf.Settings()).features(TEXTS).shape[1] > 10
    assert fit_words(TEXTS, TARGETS, Tfidf.Settings(components=3)).features(TEXTS).shape == (72, 3)
    assert isinstance(fit_words(TEXTS, TARGETS, Tfidf.Settings(model="boosting", trees=1)).features(TEXTS), np.ndarray)


def test_embeddings_are_standardised_and_stand_beside_the_terms():
    embeddings = 5 + 3 * ROWS
    features = Features(None, embeddings.mean(0), embeddings.std(0))
    alone = features.of(None, embeddings)
    np.testing.assert_allclose((alone**2).sum(1).mean(), 1)
    beside = features.of(sparse.csr_matrix(ONE_HOT), embeddings)
    assert sparse.issparse(beside)
    np.testing.assert_allclose(beside.toarray(), np.concatenate([ONE_HOT, alone], axis=1))
