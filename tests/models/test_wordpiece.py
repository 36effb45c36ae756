import subprocess
import sys

import pytest

from distill.models.wordpiece import SPECIAL_TOKENS, train_wordpiece

NOUNS = ("дрель", "Йогурт", "ёлка", "drill", "naïve")
TEXTS = [f"{noun} {number} Вт, {noun} made of №{number % 7}" for noun in NOUNS for number in range(40)]


def test_case_goes_and_accents_stay():
    tokenizer = train_wordpiece(TEXTS, 300)
    assert tokenizer.encode("ДРЕЛЬ").ids == tokenizer.encode("дрель").ids
    assert tokenizer.encode("йогурт").ids != tokenizer.encode("иогурт").ids
    assert "[UNK]" in tokenizer.encode("иогурт 中").tokens


def test_specials_come_first_and_frequent_words_are_whole():
    tokenizer = train_wordpiece(TEXTS, 300)
    assert [tokenizer.token_to_id(token) for token in SPECIAL_TOKENS] == [0, 1, 2, 3, 4]
    assert tokenizer.encode("Дрель", "drill").tokens == ["[CLS]", "дрель", "[SEP]", "drill", "[SEP]"]
    assert tokenizer.encode("дрель", add_special_tokens=False).tokens == ["дрель"]
    assert tokenizer.decode(tokenizer.encode("made of 77").ids) == "made of 77"


@pytest.mark.parametrize("vocabulary", [20, 60, 120])
def test_vocabulary_is_a_limit_even_under_the_alphabet(vocabulary):
    tokenizer = train_wordpiece(TEXTS, vocabulary)
    assert tokenizer.get_vocab_size() <= vocabulary
    assert sorted(tokenizer.get_vocab().values()) == list(range(tokenizer.get_vocab_size()))


def test_characters_are_not_special():
    tokenizer = train_wordpiece(TEXTS, 120)
    assert [str(token.content) for token in tokenizer.get_added_tokens_decoder().values()] == list(SPECIAL_TOKENS)


@pytest.mark.parametrize("vocabulary", [40, 120])
def test_order_of_texts_is_of_no_account(vocabulary):
    assert train_wordpiece(TEXTS, vocabulary).to_str() == train_wordpiece(reversed(TEXTS), vocabulary).to_str()


def test_another_process_trains_the_same_tokenizer():
    train = "import sys; from distill.models.wordpiece import train_wordpiece as train"
    code = f"{train}; print(train(eval(sys.argv[1]), 120).to_str())"
    other = subprocess.run([sys.executable, "-c", code, repr(TEXTS)], capture_output=True, text=True, check=True)
    assert other.stdout.strip() == train_wordpiece(TEXTS, 120).to_str()
