"""Words alone: what is learnt, and that a stored model is the fitted one."""

import json
from dataclasses import replace

import numpy as np
import pytest

from distill.core.errors import MissingExtra, UserError
from distill.core.label_space import LabelSpace
from distill.core.objectives.multi_label import MultiLabel
from distill.core.objectives.single_label import SingleLabel
from distill.core.progress import reporting
from distill.core.record_store import read_records, write_records
from distill.core.records import Record
from distill.core.soft_labels import read_soft_labels
from distill.core.steps import Step, Steps
from distill.families import tfidf
from distill.families.family import Opening, family_of, fit, open_windows
from distill.families.tfidf import Tfidf, fit_words, load_words, save_words
from distill.inference.predict import predict
from distill.pipeline.execute import run_step
from distill.training.joining import Share
from teachers.config import LabellingConfig
from teachers.label import label
from tests.families.lessons import toy_labels, toy_lesson
from tests.training.toy import CARD, DOCUMENT, LABELS, SIGNS, SPACE, Watch, toy_records

TEXTS = ["дрель купить", "пила ремонт", "насос аналог", "купить ключ", "ремонт насос дрель", ""]
TARGETS = np.eye(3)[[2, 0, 1, 2, 0, 1]]


def _fitted(records, folder, **changes):
    fit("tfidf", Tfidf.Settings(), toy_lesson(records, **changes), folder)
    return folder


def _of_texts(words, texts):
    return words.logits(words.features(texts))


def _rows(records, split="valid"):
    found = read_records(records, split)
    return [row.fields for row in found], np.stack([row.target for row in found]).argmax(1)


@pytest.fixture(scope="module")
def words(records, tmp_path_factory):
    """A model folder of words on cards."""
    folder = tmp_path_factory.mktemp("words")
    return _fitted(records, folder)


def test_a_folder_is_a_whole_model_and_learns_the_task(words, records):
    assert {path.name for path in words.iterdir()} == {
        "arrays.safetensors", "config.json", "terms.json", "tokenizer.json", "view.json"
    }  # fmt: skip
    own = family_of(words)
    rows, gold = _rows(records)
    scores = own.open(words).score(rows)
    assert isinstance(own, Tfidf) and (scores.logits.argmax(1) == gold).all()
    assert scores.logits.dtype == np.float32 and scores.logits.shape == (12, 3)
    np.testing.assert_allclose(np.exp(scores.logits).sum(1), 1, atol=1e-5)
    config = json.loads((words / "config.json").read_text())
    assert config["distill"]["family"] == "tfidf" and list(config["id2label"].values()) == list(LABELS)


def test_its_rows_are_progress_so_that_a_plan_can_be_timed(records, tmp_path):
    watch = Watch()
    with reporting(watch):
        _fitted(records, tmp_path)
    assert (watch.total, watch.steps, watch.ended) == (24, [24], 1)


def test_rows_are_those_of_the_lessons_splits(records, tmp_path):
    labels = {toy_labels(records, tmp_path / "labels"): Share()}
    for splits, rows in ((None, 42), (["pool.urls"], 18), (["train"], 24)):
        watch, folder = Watch(), tmp_path / str(rows)
        folder.mkdir()
        with reporting(watch):
            fit("tfidf", Tfidf.Settings(), toy_lesson(records, labels=labels, splits=splits), folder)
        assert watch.total == rows


def test_facts_count_a_weight_for_each_term_and_class(words):
    terms = json.loads((words / "terms.json").read_text())
    facts = Tfidf().facts(words)
    assert facts.layers is None and facts.parameters == 3 * len(terms) + 3


@pytest.mark.parametrize(
    "targets",
    [TARGETS, 0.7 * TARGETS + 0.1, np.eye(3)[[2, 0, 0, 2, 0, 2]], (TARGETS + TARGETS[::-1]) / 2],
    ids=["gold", "soft", "two classes", "votes"],
)
def test_a_stored_model_gives_the_same_logits_bit_for_bit(tmp_path, targets):
    fitted = fit_words(TEXTS, targets, Tfidf.Settings(ngrams=3))
    save_words(fitted, SPACE, tmp_path)
    unseen = [*TEXTS, "никогда", "дрель дрель купить аналог"]
    assert (_of_texts(load_words(tmp_path), unseen) == _of_texts(fitted, unseen)).all()


def test_a_class_without_a_row_gets_the_least(tmp_path):
    fitted = fit_words(TEXTS, np.eye(3)[[2, 0, 0, 2, 0, 2]], Tfidf.Settings())
    save_words(fitted, SPACE, tmp_path)
    logits = _of_texts(load_words(tmp_path), TEXTS)
    assert np.isfinite(logits).all() and (logits[:, 1] < -13).all() and (logits[:, [0, 2]] > -3).all()


def test_a_damaged_file_is_named(tmp_path):
    save_words(fit_words(TEXTS, TARGETS, Tfidf.Settings()), SPACE, tmp_path)
    (tmp_path / "arrays.safetensors").write_bytes(b"{}")
    with pytest.raises(UserError, match=r"damaged safetensors file[\s\S]*arrays.safetensors"):
        load_words(tmp_path)


def test_settings_decide_the_terms(records, tmp_path):
    folders = {}
    for name, settings in (("one", {"ngrams": 1}), ("two", {}), ("few", {"max_features": 5})):
        folders[name] = tmp_path / name
        folders[name].mkdir()
        fit("tfidf", Tfidf.Settings(**settings), toy_lesson(records), folders[name])
    terms = {name: json.loads((folder / "terms.json").read_text()) for name, folder in folders.items()}
    assert not any(" " in term for term in terms["one"]) and any(" " in term for term in terms["two"])
    assert len(terms["few"]) == 5 and set(terms["one"]) < set(terms["two"])


def test_soft_labels_are_learnt_instead_of_gold(records, tmp_path):
    """A teacher that moves every class on by one makes words that do."""
    rows = [*read_records(records, "train"), *read_records(records, "pool.urls")]
    moved = [(next(i for i, sign in enumerate(SIGNS) if sign in row.fields["page.title"]) + 1) % 3 for row in rows]
    store = toy_labels(records, tmp_path / "labels", planted=np.eye(3, dtype=np.float32)[moved] * 4)
    valid, gold = _rows(records)
    (tmp_path / "words").mkdir()
    folder = _fitted(records, tmp_path / "words", labels={store: Share()})
    logits = Tfidf().open(folder).score(valid).logits
    assert (logits.argmax(1) == (gold + 1) % 3).all()
    sure = SingleLabel().probabilities(read_soft_labels(store).logits[:1].astype(np.float64)).max()
    assert SingleLabel().probabilities(logits.astype(np.float64)).max() < sure


def test_gold_stands_in_where_a_soft_label_is_not_usable(records, tmp_path, monkeypatch):
    told = []
    monkeypatch.setattr(
        tfidf, "fit_words", lambda texts, targets, *others: told.append((list(texts), targets)) or _stop()
    )
    store = toy_labels(records, tmp_path / "labels", without=("т3", "п5"))
    with pytest.raises(UserError, match="cannot fit words"):
        _fitted(records, tmp_path, labels={store: Share()})
    ((texts, targets),) = told
    assert len(texts) == 24 + 17 and targets.shape == (41, 3)
    assert set(targets[3]) == {0, 1} and 0 < targets[4].min() < 0.01


def _stop():
    raise ValueError("enough")


def test_no_usable_soft_label_is_an_error(records, tmp_path):
    ids = [row.id for split in ("train", "pool.urls") for row in read_records(records, split)]
    store = toy_labels(records, tmp_path / "labels", without=ids)
    with pytest.raises(UserError, match="no usable soft labels"):
        _fitted(records, tmp_path, labels={store: Share()})


def test_only_rows_of_the_wanted_slices_are_learnt_from(records, tmp_path):
    rows = [
        replace(row, slice="аптека" if n % 2 else "стройка") for n, row in enumerate(read_records(records, "train"))
    ]
    write_records(tmp_path / "records" / "train.parquet", rows)
    write_records(tmp_path / "half" / "train.parquet", [row for row in rows if row.slice == "аптека"])
    for name, place, slices in (("a", "records", ["аптека"]), ("b", "half", None)):
        (tmp_path / name).mkdir()
        _fitted(tmp_path / place, tmp_path / name, slices=slices)
    assert (tmp_path / "a" / "arrays.safetensors").read_bytes() == (tmp_path / "b" / "arrays.safetensors").read_bytes()
    with pytest.raises(UserError, match="did you mean 'аптека'"):
        _fitted(tmp_path / "records", tmp_path / "a", slices=["аптки"])


def test_each_of_several_labels_is_learnt_by_itself(tmp_path):
    """The words decide the first two labels; no row has the third, every row the fourth."""
    space = LabelSpace(("дрель", "купить", "никогда", "всегда"), MultiLabel())
    targets = np.array([["дрель" in text, "купить" in text, False, True] for text in TEXTS] * 4, np.float64)
    fitted = fit_words(TEXTS * 4, targets, Tfidf.Settings(inverse_penalty=100.0), space.objective)
    logits = _of_texts(fitted, TEXTS)
    assert np.isfinite(logits).all() and ((logits >= 0) == targets[: len(TEXTS)]).all()
    assert (logits[:, 2] < -13).all() and (logits[:, 3] > 13).all()
    save_words(fitted, space, tmp_path)
    assert (_of_texts(load_words(tmp_path), TEXTS) == logits).all()


class Grade(SingleLabel):
    """One output: the expected place of the label."""

    def logits(self, probabilities, least=1e-12):
        return np.asarray(probabilities) @ np.arange(3)[:, None]


def test_an_objective_with_another_head_gets_its_own_logits():
    logits = _of_texts(fit_words(TEXTS, TARGETS, Tfidf.Settings(inverse_penalty=100.0), Grade()), TEXTS[:5])
    assert logits.shape == (5, 1) and (np.rint(logits[:, 0]) == TARGETS[:5].argmax(1)).all()


def test_one_class_alone_is_the_answer_to_everything(tmp_path):
    fitted = fit_words(TEXTS, np.eye(3)[[1] * 6], Tfidf.Settings())
    save_words(fitted, SPACE, tmp_path)
    logits = _of_texts(load_words(tmp_path), TEXTS)
    assert (logits == _of_texts(fitted, TEXTS)).all() and (logits.argmax(1) == 1).all() and np.isfinite(logits).all()


@pytest.mark.parametrize(("classes", "terms"), [(2, 50_000), (77, 25_974)])
def test_as_a_control_it_has_so_many_terms_that_it_takes_seconds(classes, terms):
    assert Tfidf().control(classes) == {"max_features": terms}


def test_texts_without_any_word_are_an_error(tmp_path):
    blank = {"product.title": "", "page.title": "— !", "page.body": ""}
    rows = [Record(row.id, blank, row.target) for row in toy_records("т", 6)]
    write_records(tmp_path / "records" / "train.parquet", rows)
    (tmp_path / "words").mkdir()
    with pytest.raises(UserError, match=r"cannot fit words[\s\S]*views.card[\s\S]*controls.tfidf: false"):
        _fitted(tmp_path / "records", tmp_path / "words")


def test_it_reads_through_its_own_view_or_another(words, records):
    """Bodies are text of documents alone; the length of a view cuts nothing."""
    rows, _ = _rows(records)
    own, other = Tfidf().open(words), Tfidf().open(words, Opening(view=DOCUMENT))
    short = Tfidf().open(words, Opening(view=CARD.model_copy(update={"max_tokens": 5})))
    told = []
    scores = own.score(rows, told.append)
    assert told == [12] and (scores.cut_tokens == 0).all()
    counted = [len(f"{row['product.title']} {row['page.title']}".split()) for row in rows]
    assert scores.tokens.tolist() == counted
    assert (other.score(rows).tokens > scores.tokens).any()
    assert (short.score(rows).logits == scores.logits).all()


def test_the_halves_are_the_whole(words, records):
    """Records that were prepared apart, in any order, are answered as together."""
    rows, _ = _rows(records)
    scorer = Tfidf().open(words)
    whole, apart = scorer.score(rows), [*scorer.prepare(rows[:5]), *scorer.prepare(rows[5:])]
    assert (scorer.answer(scorer.prepare(rows)) == whole.logits).all()
    assert (scorer.answer(apart[::-1]) == whole.logits[::-1]).all() and len(apart) == 12
    assert [item.tokens for item in apart] == [item.read_tokens for item in apart] == whole.tokens.tolist()


def test_it_reads_no_windows_of_tokens_so_it_is_not_exported(words):
    with pytest.raises(UserError, match=r"windows of tokens[\s\S]*family tfidf"):
        open_windows(words)


def test_it_labels_and_predicts_as_any_other_model(words, records, tmp_path):
    label(LabellingConfig(shard_rows=10), words, records, 1, tmp_path / "labels")
    predict(lambda: Tfidf().open(words), records, ["valid"], tmp_path / "predictions")
    labels, rows = read_soft_labels(tmp_path / "labels"), read_records(records, "train")
    assert len(labels) == 42 and set(labels.status) == {"ok"}
    np.testing.assert_array_equal(labels.logits[:24], Tfidf().open(words).score([row.fields for row in rows]).logits)
    assert (tmp_path / "predictions" / "valid.parquet").exists()


def test_without_safetensors_the_extra_is_named(tmp_path):
    """scikit-learn comes with the plain install; what the weights are stored with does not."""

    def body(folder):
        raise ModuleNotFoundError("No module named 'safetensors'", name="safetensors.numpy")

    step = Step(name="teach words@document", artifact="teachers/words", body=body, config={})
    with pytest.raises(MissingExtra, match=r"teach words@document[\s\S]*distill\[train\]"):
        run_step(Steps(tmp_path, {}, {}), step)
