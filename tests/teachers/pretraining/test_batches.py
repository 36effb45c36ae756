import numpy as np
import pytest
import torch
from tokenizers import Tokenizer
from tokenizers.processors import BertProcessing, RobertaProcessing, TemplateProcessing

from distill.training.masking import IGNORED, WholeWordMasker
from teachers.pretraining.batches import Draw, DrawSampler, PretrainingCollator, renderers, token_overlap
from teachers.pretraining.embedding_teacher import SideTokenizer
from teachers.pretraining.pairs import Pairs
from tests.teachers.pretraining.shop import VIEWS, shop_pairs

PAIRS = Pairs(shop_pairs())


@pytest.fixture
def collator(start):
    tokenizer = Tokenizer.from_file(str(start / "tokenizer.json"))
    return PretrainingCollator(PAIRS, renderers(VIEWS, start), WholeWordMasker(tokenizer, 0.3), 0, seed=1)


def text(collator, batch, row):
    """What a row of a batch says, its masked words put back."""
    ids = torch.where(batch["mlm"] == IGNORED, batch["input_ids"], batch["mlm"])[row]
    tokenizer = collator.renderers["shop"].tokenizer
    return tokenizer.decode(ids[batch["attention_mask"][row] == 1].tolist(), skip_special_tokens=False)


def test_an_epoch_draws_each_row_once_in_batches_of_similar_length():
    draws = list(DrawSampler(PAIRS, 8, 0.5, seed=1))
    assert sorted(draw.row for draw in draws) == list(range(len(PAIRS)))
    lengths = [PAIRS.chars[draw.row, 0] + PAIRS.chars[draw.partner, 1] for draw in draws]
    spread = np.mean([np.ptp(lengths[start : start + 8]) for start in range(0, 120, 8)])
    assert spread < 0.3 * np.ptp(lengths)


def test_partners_and_order_change_with_the_epoch_and_repeat_with_the_seed():
    sampler, again = DrawSampler(PAIRS, 8, 0.5, seed=1), DrawSampler(PAIRS, 8, 0.5, seed=1)
    first = list(sampler)
    assert first == list(again)
    sampler.set_epoch(1)
    second = list(sampler)
    assert {draw[1:] for draw in first} != {draw[1:] for draw in second}
    again.set_epoch(1)
    assert second == list(again)


def test_a_pair_is_rendered_as_the_view_renders_it(collator):
    batch = collator([Draw(0, 3, 3)])
    row = PAIRS.pairs[3]
    fields = dict(zip(("title", "brand", "page", "body"), (*row.left, *row.right), strict=True))
    window = collator.renderers["shop"].encode(fields).windows[0]
    ids = torch.where(batch["mlm"] == IGNORED, batch["input_ids"], batch["mlm"])[0]
    assert ids.tolist() == window.ids and batch["token_type_ids"][0].tolist() == window.type_ids


def test_a_swapped_pair_carries_the_partners_right_side_and_does_not_match(collator):
    batch = collator([Draw(0, 2, 2), Draw(0, 2, 4), Draw(0, 120, 120)])
    assert batch["pair_matching"].tolist() == [1.0, 0.0, -1.0]
    assert "купить kettle" in text(collator, batch, 0) and "купить kettle" not in text(collator, batch, 1)
    assert "купить лампа" in text(collator, batch, 1) and text(collator, batch, 1).count("kettle") == 1
    assert batch["token_type_ids"][2].sum() == 0


def test_which_tokens_both_sides_have():
    ids = np.array([[2, 8, 9, 9, 3, 9, 7, 3, 0], [2, 8, 9, 3, 0, 0, 0, 0, 0], [2, 8, 9, 3, 3, 0, 0, 0, 0]])
    sides = np.array([[0, 0, 0, 0, 0, 1, 1, 1, 1], [0] * 9, [0, 0, 0, 0, *[1] * 5]])
    overlap, shares = token_overlap(ids, sides, np.arange(20) < 5)
    assert overlap[0].tolist() == [-1, 0, 1, 1, -1, 1, 0, -1, -1]
    assert (overlap[1:] == -1).all()  # there is no other side that could have them
    assert shares == pytest.approx(np.array([[2 / 3, 1 / 2], [0, 0], [0, 0]]))


TEMPLATES = {
    "BERT": BertProcessing(("[SEP]", 3), ("[CLS]", 2)),
    "RoBERTa": RobertaProcessing(("[SEP]", 3), ("[CLS]", 2)),
    "XLM-R": TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] [SEP] $B [SEP]",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
    ),
    "nothing between": TemplateProcessing(single="$A", pair="$A $B", special_tokens=[]),
}


@pytest.mark.parametrize("template", TEMPLATES)
def test_the_side_of_a_token_does_not_depend_on_segment_ids(start, tmp_path, template):
    tokenizer = Tokenizer.from_file(str(start / "tokenizer.json"))
    assert [tokenizer.token_to_id(token) for token in ("[CLS]", "[SEP]")] == [2, 3]
    tokenizer.post_processor = TEMPLATES[template]
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    made = PretrainingCollator(PAIRS, renderers(VIEWS, tmp_path), WholeWordMasker(tokenizer, 1e-9), 0, seed=1)
    batch = made([Draw(0, 3, 3), Draw(0, 120, 120)])
    ids, sides = batch["input_ids"], batch["sides"]
    left, right = (tokenizer.decode(ids[0][sides[0] == side].tolist()) for side in (0, 1))
    assert (left, right.split()[:2]) == ("насос 3 borvik", ["купить", "насос"])
    assert batch["token_overlap"][0][ids[0] == tokenizer.token_to_id("насос")].tolist() == [1, 1, 1, 1, 1]
    assert (batch["overlap_shares"][0] > 0).all()
    assert (batch["token_overlap"][1] == -1).all() and (sides[1][: batch["attention_mask"][1].sum()] == 0).all()


def test_a_masked_word_does_not_count_in_the_overlap(collator):
    batch = collator([Draw(0, row, row) for row in range(40)])
    assert (batch["token_overlap"][batch["mlm"] != IGNORED] == -1).all() and (batch["token_overlap"] == 1).any()


def test_masked_words_depend_on_the_draws_only(collator):
    draws = [Draw(0, 2, 2), Draw(0, 5, 5)]
    first, again = collator(draws), collator(draws)
    later = collator([draw._replace(epoch=1) for draw in draws])
    assert torch.equal(first["input_ids"], again["input_ids"])
    assert not torch.equal(first["mlm"], later["mlm"])


def test_an_embedding_teacher_may_have_a_vocabulary_alone(start, tmp_path):
    (tmp_path / "config.json").write_text((start / "config.json").read_text())
    vocabulary = Tokenizer.from_file(str(start / "tokenizer.json")).get_vocab()
    (tmp_path / "vocab.txt").write_text("\n".join(sorted(vocabulary, key=vocabulary.__getitem__)), encoding="utf-8")
    texts = [["дрель 0 Borvik"], ["купить пила"]]
    ours, theirs = (SideTokenizer(folder, 6)(texts) for folder in (tmp_path, start))
    assert torch.equal(ours["teacher_ids"], theirs["teacher_ids"])


def test_sides_for_an_embedding_teacher_are_left_then_right_and_absent_ones_are_marked(collator, start):
    sides = SideTokenizer(start, 6)
    made = PretrainingCollator(PAIRS, collator.renderers, collator.masker, 0, 1, sides)(
        [Draw(0, 0, 1), Draw(0, 120, 120)]
    )
    assert made["present"].tolist() == [True, True, True, False]
    assert made["teacher_ids"].shape == (4, 6) and made["teacher_mask"].sum(1).max() <= 6
    alone = sides([["дрель 0 Borvik"], ["купить пила"]])
    assert torch.equal(made["teacher_ids"][0][:5], alone["teacher_ids"][0][:5])
