import numpy as np
import pytest
import torch
from tokenizers import Tokenizer

from distill.training.masking import IGNORED, WholeWordMasker
from teachers.pretraining.batches import Draw, DrawSampler, PretrainingCollator, renderers, token_overlap
from teachers.pretraining.embedding_teacher import SideTokenizer
from teachers.pretraining.pairs import Pairs
from tests.teachers.pretraining.shop import VIEWS, shop_pairs

PAIRS = Pairs(shop_pairs())


@pytest.fixture
def collator(start):
    tokenizer = Tokenizer.from_file(str(start / "tokenizer.json"))
    return PretrainingCollator(PAIRS, renderers(VIEWS, start), WholeWordMasker(tokenizer.get_vocab(), 0.3), 0, seed=1)


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
    ids = np.array([[2, 8, 9, 9, 3, 9, 7, 3, 0], [2, 8, 9, 3, 0, 0, 0, 0, 0]])
    kinds = np.array([[0, 0, 0, 0, 0, 1, 1, 1, 0], [0] * 9])
    overlap, shares = token_overlap(ids, kinds, np.arange(20) < 5)
    assert overlap[0].tolist() == [-1, 0, 1, 1, -1, 1, 0, -1, -1] and overlap[1].tolist() == [-1, 0, 0, *[-1] * 6]
    assert shares == pytest.approx(np.array([[2 / 3, 1 / 2], [0, 0]]))


def test_a_masked_word_does_not_count_in_the_overlap(collator):
    batch = collator([Draw(0, row, row) for row in range(40)])
    assert (batch["token_overlap"][batch["mlm"] != IGNORED] == -1).all() and (batch["token_overlap"] == 1).any()


def test_masked_words_depend_on_the_draws_only(collator):
    draws = [Draw(0, 2, 2), Draw(0, 5, 5)]
    first, again = collator(draws), collator(draws)
    later = collator([draw._replace(epoch=1) for draw in draws])
    assert torch.equal(first["input_ids"], again["input_ids"])
    assert not torch.equal(first["mlm"], later["mlm"])


def test_sides_for_an_embedding_teacher_are_left_then_right_and_absent_ones_are_marked(collator, start):
    sides = SideTokenizer(start, 6)
    made = PretrainingCollator(PAIRS, collator.renderers, collator.masker, 0, 1, sides)(
        [Draw(0, 0, 1), Draw(0, 120, 120)]
    )
    assert made["present"].tolist() == [True, True, True, False]
    assert made["teacher_ids"].shape == (4, 6) and made["teacher_mask"].sum(1).max() <= 6
    alone = sides([["дрель 0 Borvik"], ["купить пила"]])
    assert torch.equal(made["teacher_ids"][0][:5], alone["teacher_ids"][0][:5])
