import numpy as np
import pytest
from tokenizers import Tokenizer, models

from distill.training.masking import IGNORED, WholeWordMasker

WORDPIECE = {"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3, "[MASK]": 4, "ch": 5, "##air": 6, "red": 7, "дрель": 8}
ROW = [2, 5, 6, 7, 3, 8, 5, 6, 3, 0, 0]
SPECIAL = {0, 1, 2, 3, 4}


def masked(share, rows=2000, model=None, row=ROW, seed=1):
    ids = np.array([row] * rows, np.int64)
    masker = WholeWordMasker(Tokenizer(model or models.WordPiece(WORDPIECE)), share)
    return ids, *masker(ids, np.random.default_rng(seed))


def test_all_pieces_of_a_word_are_masked_or_none():
    _, _, words = masked(0.3)
    hidden = words != IGNORED
    assert (hidden[:, 1] == hidden[:, 2]).all() and (hidden[:, 6] == hidden[:, 7]).all()
    assert (hidden[:, 1] != hidden[:, 3]).any() and (hidden[:, 1] != hidden[:, 6]).any()


def test_special_tokens_and_padding_are_never_masked_and_never_changed():
    ids, inputs, words = masked(0.9)
    special = np.isin(ids, list(SPECIAL))
    assert (words[special] == IGNORED).all() and (inputs[special] == ids[special]).all()


def test_targets_are_the_original_tokens_and_the_rest_is_unchanged():
    ids, inputs, words = masked(0.3)
    hidden = words != IGNORED
    assert (words[hidden] == ids[hidden]).all() and (inputs[~hidden] == ids[~hidden]).all()


def test_the_share_of_words_and_of_masks_random_and_kept_tokens():
    ids, inputs, words = masked(0.2, rows=20_000)
    hidden = words != IGNORED
    assert hidden[:, [1, 3, 5, 6]].mean() == pytest.approx(0.2, abs=0.01)
    masks = (inputs == 4)[hidden].mean()
    kept = (inputs == ids)[hidden].mean()
    assert masks == pytest.approx(0.8, abs=0.01)
    # A tenth is kept, and one random token in four is by chance the same one.
    assert kept == pytest.approx(0.1 + 0.1 / 4, abs=0.01)
    assert not np.isin(inputs[hidden & (inputs != 4)], list(SPECIAL)).any()


def test_the_same_generator_masks_the_same_words_and_another_one_others():
    assert (masked(0.3)[1] == masked(0.3)[1]).all()
    assert (masked(0.3)[2] != masked(0.3, seed=2)[2]).any()


STARTED = ("<pad>", "<s>", "</s>", "<mask>", "Ġch", "air", "Ġred", "red")


@pytest.mark.parametrize("kind", ["bpe", "unigram"])
def test_words_of_a_byte_level_or_sentencepiece_vocabulary_start_at_its_mark(kind):
    tokens = [token.replace("Ġ", "▁") if kind == "unigram" else token for token in STARTED]
    numbered = {token: index for index, token in enumerate(tokens)}
    model = models.BPE(numbered, []) if kind == "bpe" else models.Unigram([(token, -1.0) for token in tokens])
    _, _, words = masked(0.4, model=model, row=[1, 7, 5, 6, 4, 5, 2, 0])
    hidden = words != IGNORED
    assert (hidden[:, 1] == hidden[:, 2]).all() and (hidden[:, 4] == hidden[:, 5]).all()
    assert (hidden[:, 2] != hidden[:, 3]).any() and (hidden[:, 3] != hidden[:, 4]).any()


@pytest.mark.parametrize("letter", ["▁", "Ġ", "Ġgantija", "▁▂▃"])
def test_a_wordpiece_that_knows_the_marks_of_others_masks_as_before(letter):
    known = models.WordPiece({**WORDPIECE, letter: len(WORDPIECE)})
    assert (masked(0.3)[2] == masked(0.3, model=known)[2]).all()


@pytest.mark.parametrize(
    "model",
    [
        models.WordLevel({"[MASK]": 0, "red": 1, "▁": 2}, unk_token="[MASK]"),
        models.BPE({"[MASK]": 0, "red</w>": 1, "▁": 2}, [], end_of_word_suffix="</w>"),
        models.BPE({"[MASK]": 0, "red": 1}, []),
    ],
    ids=["words", "marked ends", "no marks"],
)
def test_each_token_is_a_word_where_none_is_marked_as_a_start(model):
    _, _, words = masked(0.4, model=model, row=[0, 1, 1, 1])
    hidden = words != IGNORED
    assert (hidden[:, 1] != hidden[:, 2]).any() and (hidden[:, 2] != hidden[:, 3]).any()


def test_a_vocabulary_without_a_mask_is_refused():
    with pytest.raises(ValueError, match="no mask token"):
        WholeWordMasker(Tokenizer(models.WordPiece({"a": 0})), 0.15)
