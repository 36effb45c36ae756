import numpy as np
import pytest
from tokenizers import Tokenizer
from tokenizers.models import WordLevel

from distill.core.rendering import Window
from distill.inference.collate import collate, pad_id


def test_padding_mask_and_types():
    batch = collate([Window([2, 7, 3], [0, 0, 1]), Window([2], [1])], pad_id=9)
    assert batch["input_ids"].tolist() == [[2, 7, 3], [2, 9, 9]]
    assert batch["attention_mask"].tolist() == [[1, 1, 1], [1, 0, 0]]
    assert batch["token_type_ids"].tolist() == [[0, 0, 1], [1, 0, 0]]
    assert all(array.dtype == np.int64 for array in batch.values())


@pytest.mark.parametrize(("token", "expected"), [("[PAD]", 1), ("<pad>", 1), ("none", 0)])
def test_pad_id_of_a_tokenizer_and_of_a_folder(token, expected, tmp_path):
    tokenizer = Tokenizer(WordLevel({"a": 0, token: 1}, unk_token="a"))
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    assert pad_id(tokenizer) == pad_id(tmp_path) == expected
