"""A trimmed tokenizer reads texts of kept tokens as before, and any other text too."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers, processors

from distill.core.errors import UserError
from distill.models.joined_sides import joined_sides
from distill.models.vocabulary import byte_pairs, unigram
from distill.models.vocabulary.tokenizer_file import trim_tokenizer
from tests.models.vocabulary.trained import FEW, KINDS, ROOTS, WORDS

WHOLE = {name: make(WORDS) for name, make in KINDS.items()}
TEXT = st.lists(st.sampled_from([*WORDS, "ремонт", "zzz", "ёж", "7"]), min_size=1, max_size=6).map(" ".join)


def seen_in(tokenizer, texts):
    return {token for text in texts for token in tokenizer.encode(text, add_special_tokens=False).ids}


def trimmed(name, texts=FEW):
    return trim_tokenizer(WHOLE[name], seen_in(WHOLE[name], texts), "here")


TRIMMED = {name: trimmed(name) for name in WHOLE}


@pytest.mark.parametrize("name", WHOLE)
def test_tokens_are_fewer_and_ids_are_places_in_the_list_of_kept_ones(name):
    made, kept = TRIMMED[name]
    whole, vocab = WHOLE[name].get_vocab(), made.get_vocab()
    assert len(kept) == len(vocab) < len(whole) and kept == sorted(set(kept))
    assert all(whole[token] == kept[number] for token, number in vocab.items())


@pytest.mark.parametrize("name", WHOLE)
@settings(max_examples=150)
@given(texts=st.lists(TEXT, min_size=1, max_size=4), other=TEXT)
def test_a_text_all_of_whose_tokens_are_kept_is_read_as_before(name, texts, other):
    whole = WHOLE[name]
    made, kept = trimmed(name, texts)
    for text in (*texts, other):
        before, after = whole.encode(text, text), made.encode(text, text)
        if set(before.ids) <= set(kept):
            assert after.tokens == before.tokens and [kept[number] for number in after.ids] == before.ids
            assert (after.type_ids, after.offsets) == (before.type_ids, before.offsets)
            assert after.special_tokens_mask == before.special_tokens_mask


@pytest.mark.parametrize("name", ["Unigram", "WordPiece", "byte pairs"])
def test_words_that_were_not_seen_are_read_by_smaller_pieces(name):
    """None of them becomes the unknown token that was none before."""
    whole, (made, _) = WHOLE[name], TRIMMED[name]
    fewer = 0
    for text in (*WORDS, *ROOTS):
        before, after = whole.encode(text, add_special_tokens=False), made.encode(text, add_special_tokens=False)
        assert {"<unk>", "[UNK]"}.isdisjoint(before.tokens) and {"<unk>", "[UNK]"}.isdisjoint(after.tokens)
        assert len(after) >= len(before)
        fewer += len(after) > len(before)
    assert fewer


def test_any_bytes_can_be_read_where_the_tokenizer_reads_bytes():
    text = "電動 🔧 ñ\x07"
    made, _ = TRIMMED["byte pairs"]
    assert made.decode(made.encode(text).ids) == text


@pytest.mark.parametrize("name", WHOLE)
def test_it_is_saved_and_opened_again(name, tmp_path):
    made, _ = TRIMMED[name]
    made.save(str(tmp_path / "tokenizer.json"))
    again = Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    assert [again.encode(text).ids for text in WORDS] == [made.encode(text).ids for text in WORDS]


def test_the_least_likely_piece_stays_as_the_price_of_what_no_piece_covers():
    """Else a word could become unknown in other places than before."""
    model = {"type": "Unigram", "unk_id": 0, "vocab": [["<unk>", 0], ["ab", -1.0], ["abc", -9.0], ["b", -2.0]]}
    assert unigram.Unigram().needed(model, {1}) == {0, 1, 2, 3}


def test_what_a_kept_piece_is_merged_from_is_kept_with_all_its_rules():
    vocab = {piece: number for number, piece in enumerate(["a", "b", "c", "ab", "bc", "abc", "ca"])}
    model = {
        "vocab": vocab,
        "merges": [["b", "c"], ["a", "b"], ["ab", "c"], ["a", "bc"], ["c", "a"]],
        "unk_token": None,
    }
    kept = byte_pairs.BytePairs().needed(model, {vocab["abc"]})
    assert {piece for piece in vocab if vocab[piece] in kept} == {"a", "b", "c", "ab", "bc", "abc"}
    new = {old: number for number, old in enumerate(sorted(kept))}
    assert byte_pairs.BytePairs().renumbered(model, new)["merges"] == model["merges"][:4]


def test_padding_of_the_file_is_renumbered():
    whole = Tokenizer.from_str(WHOLE["WordPiece"].to_str())
    whole.enable_padding(pad_id=4, pad_token="[MASK]")
    made, kept = trim_tokenizer(whole, seen_in(WHOLE["WordPiece"], FEW), "here")
    assert kept[json.loads(made.to_str())["padding"]["pad_id"]] == 4


@pytest.mark.parametrize("within", [False, True], ids=["alone", "in a sequence"])
def test_ordinary_tokens_that_a_template_puts_between_two_sides_stay(within):
    """As the separator of a view, for a tokenizer that puts nothing there itself: texts of one field hold none."""
    whole = Tokenizer.from_str(WHOLE["byte pairs"].to_str())
    whole.post_processor = None
    whole = Tokenizer.from_str(joined_sides(whole, " hammering ", 1))
    if within:
        whole.post_processor = processors.Sequence([whole.post_processor, processors.ByteLevel(trim_offsets=False)])
    few = [text for text in FEW if "hammer" not in text]
    made, kept = trim_tokenizer(whole, seen_in(whole, few), "here")
    before, after = whole.encode(few[0], few[1]), made.encode(few[0], few[1])
    assert after.tokens == before.tokens and [kept[number] for number in after.ids] == before.ids
    assert not set(before.ids) <= seen_in(whole, few)


def test_a_tokenizer_of_whole_words_is_refused_by_name():
    words = Tokenizer(models.WordLevel({"a": 0, "b": 1}, unk_token="a"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    with pytest.raises(UserError, match="WordLevel") as caught:
        trim_tokenizer(words, {1}, "somewhere/tokenizer.json")
    assert caught.value.where == "somewhere/tokenizer.json"
