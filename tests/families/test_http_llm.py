"""A language model as a family: its folder holds what is asked, its scorer reads records through a view."""

import json
import shutil

import numpy as np
import pytest

from distill.core.errors import GateFailed
from distill.core.files import write_json
from distill.core.intake.words import word_tokenizer
from distill.core.objectives.single_label import SINGLE
from distill.core.project import ViewConfig, Windows
from distill.core.record_store import read_records
from distill.core.rendering import Renderer
from distill.core.soft_labels import read_soft_labels, shard_files
from distill.core.swap import ViewSwap
from distill.families.ensemble import Member, Mixture
from distill.families.family import Opening, family_of, fit, is_remote, open_model
from distill.families.http_llm import HttpLlm, shown_examples
from distill.inference.language_model.shown import shown_texts
from distill.inference.predict import predict
from distill.pipeline.entries import teacher_entry
from teachers.config import LabellingConfig
from teachers.label import label
from tests.families.lessons import toy_lesson
from tests.http_server import serving
from tests.training.toy import CARD, DOCUMENT, LABELS, SIGNS, write_toy

TABLE = {
    sign: {name: 0.8 if name == label else 0.1 for name in LABELS} for sign, label in zip(SIGNS, LABELS, strict=True)
}


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    return write_toy(tmp_path_factory.mktemp("records"))


def entry(url="http://127.0.0.1:9/v1", **changes):
    values = {"url": url, "model": "m", "tries": 1, "max_failed": 1.0}
    return teacher_entry("http_llm", values | changes, "project.yaml", None)


def made(records, folder, config, **lesson):
    folder.mkdir(parents=True)
    fit("http_llm", config, toy_lesson(records, **lesson), folder)
    return folder


def test_logits_are_the_servers_probabilities_through_its_own_view_or_another(records, tmp_path):
    rows = [row.fields for row in read_records(records, "valid")]
    with serving(TABLE) as server:
        folder = made(records, tmp_path / "teachers" / "llm", entry(server.url))
        scores = family_of(folder).open(folder).score(rows)
        family_of(folder).open(folder, Opening(view=CARD.model_copy(update={"right": []}))).prepare(rows)
        shares = np.exp(scores.logits) / np.exp(scores.logits).sum(axis=1, keepdims=True)
        np.testing.assert_allclose(shares[:3], 0.1 + 0.7 * np.eye(3), atol=1e-6)
        assert all(
            any(f"Text: {row['product.title']}\n{row['page.title']}\n" in p for p in server.prompts) for row in rows
        )
    assert scores.logits.dtype == np.float32 and (scores.tokens > 0).all() and (scores.cut_tokens == 0).all()
    assert is_remote(folder) and HttpLlm().facts(folder).parameters is None


def test_both_orders_of_a_task_that_compares_are_asked_for_and_counted(records):
    swap = ViewSwap(fields=[["product.title", "page.title"]], order=[1, 0, 2])
    both, one = (
        HttpLlm().outlay(entry(), toy_lesson(records, CARD.model_copy(update={"swap": own})), ["train"])
        for own in (swap, swap.model_copy(update={"average": False}))
    )
    assert one.startswith("24 requests") and both.startswith("48 requests")


def test_a_text_is_cut_to_the_tokens_of_its_view():
    view = ViewConfig(left=["a"], right=["b"], max_tokens=9)  # 3 of them frame the sides
    render = Renderer(view.as_json(), word_tokenizer())
    row = {"a": "one two, three four five", "b": "six seven"}
    (found,) = shown_texts(render, [row])
    assert (found.text.left, found.text.right) == ("one two, three", "six seven")
    assert (found.tokens, found.cut_tokens, found.read_tokens) == (8, 2, 6)
    windows = view.model_copy(update={"windows": Windows(stride=1, max=2)})
    (whole,) = shown_texts(
        Renderer(windows.as_json(), word_tokenizer()),
        [
            row,
        ],
    )
    assert whole.text.left == row["a"] and whole.cut_tokens == 0
    (empty,) = shown_texts(render, [{}])
    assert empty.text.whole == "" and empty.tokens == 0


def test_examples_are_drawn_from_training_rows_of_all_classes(records):
    render, lesson = Renderer(DOCUMENT.as_json(), word_tokenizer()), toy_lesson(records)
    train = {
        shown_texts(render, [row.fields])[0].text.whole: int(row.target.argmax())
        for row in read_records(records, "train")
    }
    six = shown_examples(entry(examples=6), lesson, render)
    assert sorted(one.label for one in six) == [0, 0, 1, 1, 2, 2] and all(train[one.text] == one.label for one in six)
    assert (
        six
        == shown_examples(entry(examples=6), lesson, render)
        != shown_examples(entry(examples=6, seed=2), lesson, render)
    )
    assert len(shown_examples(entry(examples=500), lesson, render)) == 24
    (records / "valid.parquet").rename(records / "hidden")  # nor is any other split opened
    try:
        assert shown_examples(entry(examples=6), lesson, render) == six
    finally:
        (records / "hidden").rename(records / "valid.parquet")


def test_an_example_is_in_no_prompt_of_its_own_in_either_order(records, tmp_path):
    swap = ViewSwap(fields=[["product.title", "page.title"]], order=[0, 1, 2])
    lesson = toy_lesson(records, CARD.model_copy(update={"swap": swap}))
    render, folder = Renderer(CARD.as_json(), word_tokenizer()), tmp_path / "llm"
    rows = {shown_texts(render, [row.fields])[0].text.whole: row.fields for row in read_records(records, "train")}
    shown = shown_examples(entry(examples=3), lesson, render)
    with serving(TABLE) as server:
        folder.mkdir()
        fit("http_llm", entry(server.url, examples=3), lesson, folder)
        for one in shown:
            before = len(server.asked)
            open_model(folder).score([rows[one.text]])
            own = f"{one.text}\nAnswer: {LABELS[one.label]}"
            assert not [prompt for prompt in server.prompts[before:] if own in prompt]
            assert [prompt.count("\nAnswer: ") for prompt in server.prompts[before:]] == [2, 2]
            assert one.exchanged in server.prompts[-1]


def test_examples_of_ones_own_are_shown(records, tmp_path):
    own = [{"record": "насос купить", "label": LABELS[2]}]
    with serving(TABLE) as server:
        folder = made(records, tmp_path / "llm", entry(server.url, examples=own))
        family_of(folder).open(folder).score([read_records(records, "valid")[0].fields])
    assert f"Text: насос купить\nAnswer: {LABELS[2]}" in server.prompts[0]


def test_how_it_is_asked_comes_from_the_project_as_it_is_now(records, tmp_path):
    """A raised limit or another key is no other artifact."""
    run = tmp_path / "run"
    with serving(TABLE, logprobs=False) as server:
        config = entry(server.url, spend={"limit": 1e-9, "per_million_input": 1.0, "per_million_output": 0})
        folder = made(records, run / "teachers" / "llm", config, answers=run / ".cache" / "answers.sqlite")
        assert "spend" not in json.dumps(json.loads((folder / "config.json").read_text()))
        spend = {"limit": 5.0, "per_million_input": 1e4, "per_million_output": 0}
        now = {"teachers": {"llm": {"spend": spend}}}
        (run / "run.json").write_text(json.dumps({"config": now, "stages": []}))
        scorer = family_of(folder).open(folder)
        scorer.score([read_records(records, "valid")[0].fields])
        assert (run / ".cache" / "answers.sqlite").exists() and "spent of 5 in this run" in scorer._model.told()


def test_of_a_mixture_as_many_rows_may_fail_as_of_its_members_together(records, tmp_path):
    folder = made(records, tmp_path / "llm", entry())
    scorer, sure = family_of(folder).open(folder), Mixture([], SINGLE)
    assert scorer.most_failed == 0.02 and sure.most_failed is None
    assert Mixture([Member(scorer, 1.0), Member(scorer, 1.0), Member(sure, 1.0)], SINGLE).most_failed == 0.04


def test_too_many_rows_without_an_answer_end_a_split_and_a_store_when_all_are_asked(records, tmp_path):
    out, store, config = tmp_path / "predictions", tmp_path / "labels", LabellingConfig(shard_rows=10)
    store.mkdir()
    with serving(TABLE, always={"пила 1\n": 500}) as server:
        folder = made(records, tmp_path / "teachers" / "llm", entry(server.url), answers=tmp_path / "answers.sqlite")

        def write():
            predict(lambda: open_model(folder), records, ["valid"], out)
            label(config, folder, records, 1, store)

        for _ in range(2):
            with pytest.raises(GateFailed, match=r"predictions of valid(?s:.*)1 of 12 \(at most 2.0%\)"):
                predict(lambda: open_model(folder), records, ["valid"], out)
            with pytest.raises(GateFailed, match=r"2 of 42 \(at most 2.0%\)(?s:.*)delete"):
                label(config, folder, records, 1, store)
        assert not list(out.glob("*.parquet")) and len(shard_files(store)) == 5
        asked = len(server.asked)
        write_json(
            tmp_path / "run.json", {"config": {"teachers": {"llm": {"max_failed": 0.1, "tries": 1}}}, "stages": []}
        )
        write()
        server.always.clear()
        shutil.rmtree(store)
        store.mkdir()
        (tmp_path / "run.json").unlink()
        write()
    assert read_soft_labels(store).status == ["ok"] * 42 and len(server.asked) - asked <= 4
