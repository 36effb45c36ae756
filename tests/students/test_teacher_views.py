"""Terms for which the teacher reads another view than the student: what is compared, what is refused, going on."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from distill.core.errors import UserError
from distill.core.objectives.single_label import SINGLE
from distill.core.progress import reporting
from distill.core.swap import ViewSwap
from distill.families.encoder import _exchanged
from distill.models.encoder import load_classifier
from distill.training.config import TrainingConfig
from distill.training.encoded_store import EncodedStore
from distill.training.examples import Collator, doubled
from distill.training.frozen_teacher import FrozenTeacher
from distill.training.joining import Share
from distill.training.learnt_rows import gold_rows
from distill.training.losses.registry import parse_terms
from distill.training.losses.term import Outputs
from students.train import train
from tests.families.lessons import toy_labels, toy_lesson
from tests.students.test_losses import _config
from tests.training.toy import CARD, DOCUMENT, WINDOWED, Stop, Watch, same_weights, toy_encoder, toy_examples, toy_view

THROUGH = {"tokens": "first", "view": "windowed"}
NAMED = (("card", CARD), ("titles", CARD.model_copy(update={"max_tokens": 12})))
VIEWS = {"windowed": WINDOWED, "document": DOCUMENT}


@pytest.fixture(scope="module")
def other(tmp_path_factory):
    """An encoder half as wide as the teacher, with a tokenizer of its own."""
    return toy_encoder(tmp_path_factory.mktemp("other"), width=8, seed=2, vocabulary=60)


def _lesson(records, folder, source, teacher, **changes):
    labels = {toy_labels(records, folder.with_name(f"{folder.name}-labels")): Share()}
    own = {"source": source, "labels": labels, "teacher": teacher, "teacher_views": VIEWS}
    return toy_lesson(records, **{**own, **changes})


def test_the_state_is_the_mean_over_the_rows_windows_in_that_view(warm):
    """Row by row and window by window, without padding, against the batch; a row of the batch read twice too."""
    terms = parse_terms({"hidden_states": THROUGH, "embedding_cosine": THROUGH})
    student, through = toy_examples(warm, 5), toy_examples(warm, 5, WINDOWED)
    rows = [replace(one, views={"windowed": two.windows}) for one, two in zip(student, through, strict=True)]
    assert max(len(one.windows) for one in through) > 1
    batch = Collator(3, 3, 0)(rows)
    views, model = batch.pop("views"), load_classifier(warm).train(False)
    expected = []
    for row in through:
        states = [
            model(torch.tensor([one.ids]), token_type_ids=torch.tensor([one.type_ids]), output_hidden_states=True)
            for one in row.windows
        ]
        expected.append(torch.stack([one.hidden_states[-1][0, 0] for one in states]).mean(0).detach())
    expected = torch.stack(expected)
    ours = torch.randn(5, 9, 16, generator=torch.Generator().manual_seed(0))
    distance = (ours[:, 0] - expected).square().mean()
    cosine = 1 - torch.nn.functional.cosine_similarity(ours[:, 0], expected)
    for times, given in ((1, batch), (2, doubled(batch))):
        found = FrozenTeacher(warm, list(terms.values())).read(given, SINGLE, views)
        assert not found.hidden_states
        torch.testing.assert_close(found.viewed["windowed"][-1][:, 0], expected.repeat(times, 1))
        outputs = Outputs(torch.zeros(5 * times, 3), SINGLE, (ours.repeat(times, 1, 1),) * 3)
        values = [terms[name](outputs, found, given).item() / times for name in ("hidden_states", "embedding_cosine")]
        assert values == pytest.approx([5 * distance.item(), cosine.sum().item()], rel=1e-4)


def test_a_student_with_its_own_tokens_goes_on_where_it_was_cut_off(other, warm, records, tmp_path):
    """And another view of the teacher's gives it other weights."""
    models, kept = {}, tmp_path / "encoded"
    for name, view, stop in (("whole", "windowed", None), ("cut", "windowed", 5), ("other", "document", None)):
        losses = {"gold": {}, "hidden_states": {**THROUGH, "view": view}}
        own = _config(training={"max_steps": 6, "may_collapse": True}, losses=losses)
        lesson = _lesson(records, tmp_path / name, other, warm, encoded=kept)
        if stop:
            with pytest.raises(Stop), reporting(Watch(stop)):
                train(own, lesson, tmp_path / name)
        watch = Watch()
        with reporting(watch):
            train(own, lesson, tmp_path / name)
        assert bool(watch.resumed_from) == bool(stop)
        models[name] = load_classifier(tmp_path / name)
    assert same_weights(models["whole"], models["cut"]) and not same_weights(models["whole"], models["other"])
    assert sorted(path.name.rsplit("-", 1)[0] for path in kept.iterdir()) == ["card", "document", "windowed"]


def test_a_row_with_its_sides_exchanged_is_read_so_through_every_view(warm, records, tmp_path):
    swap = ViewSwap(fields=[["product.title", "page.title"]], order=[1, 0, 2])
    card, titles = (toy_view(warm, one.model_copy(update={"swap": swap}), key) for key, one in NAMED)
    learnt, store = gold_rows(records), EncodedStore(tmp_path, records, card)
    rows = _exchanged(TrainingConfig(), learnt, store, {"titles": titles})
    first = next(learnt.records(records)).fields
    for found, view in ((rows[0].windows, card), (rows[0].views["titles"], titles)):
        turned = {**first, "product.title": first["page.title"], "page.title": first["product.title"]}
        assert found == view.renderer().encode(turned).windows != view.renderer().encode(first).windows


@pytest.mark.parametrize(
    "losses",
    [
        {"hidden_states": {"view": "document"}},
        {"embedding_cosine": {"view": "document", "tokens": "all"}},
        *({name: {"view": "document"}} for name in ("attention", "value_relations", "attention_relations")),
    ],
)
def test_a_term_that_compares_tokens_has_no_view_of_its_own(losses):
    with pytest.raises(
        ValueError, match=rf"{next(iter(losses))}.*view: it compares token by token[\s\S]*tokens: first"
    ):
        _config(losses=losses)


def test_without_a_view_the_tokenizers_have_to_be_equal_and_a_view_has_to_be_there(other, warm, records, tmp_path):
    for term, message in (
        ({"tokens": "first"}, r"another tokenizer[\s\S]*tokens: first, view"),
        ({"tokens": "first", "view": "documents"}, r"unknown view[\s\S]*did you mean 'document'"),
    ):
        with pytest.raises(UserError, match=message):
            train(_config(losses={"hidden_states": term}), _lesson(records, tmp_path, other, warm), tmp_path)
