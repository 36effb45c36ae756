import numpy as np
import pytest

from distill.training.masking import IGNORED, WholeWordMasker

WORDPIECE = {"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3, "[MASK]": 4, "ch": 5, "##air": 6, "red": 7, "дрель": 8}
ROW = [2, 5, 6, 7, 3, 8, 5, 6, 3, 0, 0]
SPECIAL = {0, 1, 2, 3, 4}


def masked(share, rows=2000, vocabulary=WORDPIECE, row=ROW, seed=1):
    ids = np.array([row] * rows, np.int64)
    return ids, *WholeWordMasker(vocabulary, share)(ids, np.random.default_rng(seed))


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


def test_words_of_a_byte_level_vocabulary_start_at_its_mark():
    vocabulary = {"<pad>": 0, "<s>": 1, "</s>": 2, "<mask>": 3, "Ġch": 4, "air": 5, "Ġred": 6, "red": 7}
    _, _, words = masked(0.4, vocabulary=vocabulary, row=[1, 7, 5, 6, 4, 5, 2, 0])
    hidden = words != IGNORED
    assert (hidden[:, 1] == hidden[:, 2]).all() and (hidden[:, 4] == hidden[:, 5]).all()
    assert (hidden[:, 2] != hidden[:, 3]).any() and (hidden[:, 3] != hidden[:, 4]).any()


def test_a_vocabulary_without_a_mask_is_refused():
    with pytest.raises(ValueError, match="no mask token"):
        WholeWordMasker({"a": 0}, 0.15)
