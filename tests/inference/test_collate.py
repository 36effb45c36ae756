import numpy as np

from distill.core.rendering import Window
from distill.inference.collate import collate


def test_padding_mask_and_types():
    batch = collate([Window([2, 7, 3], [0, 0, 1]), Window([2], [1])], pad_id=9)
    assert batch["input_ids"].tolist() == [[2, 7, 3], [2, 9, 9]]
    assert batch["attention_mask"].tolist() == [[1, 1, 1], [1, 0, 0]]
    assert batch["token_type_ids"].tolist() == [[0, 0, 1], [1, 0, 0]]
    assert all(array.dtype == np.int64 for array in batch.values())
