"""A batch read without padding gives the padded model's logits, of any mix of lengths."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
import transformers
from torch import nn

from distill.core.errors import UserError
from distill.models import packed
from distill.models.packed import PackedClassifier
from distill.models.small.frozen_mlp import FrozenMlp, FrozenMlpConfig

LENGTHS = ([7], [1, 1, 1], [12, 12, 5, 5, 5, 1], [3, 12, 3], [20, 19])
SMALL = {
    "vocab_size": 60,
    "hidden_size": 16,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "num_hidden_layers": 3,
    "max_position_embeddings": 30,
    "num_labels": 3,
}


def _model(family, **changes):
    config = transformers.AutoConfig.for_model(family, **{**SMALL, **changes})
    torch.manual_seed(3)
    model = transformers.AutoModelForSequenceClassification.from_config(config).eval()
    with torch.no_grad():
        for weight in model.parameters():
            weight.normal_(0, 0.3)
    return model


def _batch(lengths, pad):
    """Ids, mask and segments; the padding token is among the ids of a row too."""
    rng, shape = np.random.default_rng(4), (len(lengths), max(lengths))
    ids, mask, types = (np.full(shape, value) for value in (pad, 0, 0))
    for row, length in enumerate(lengths):
        ids[row, :length], mask[row, :length] = rng.integers(4, 60, length), 1
        types[row, length // 2 : length] = 1
    ids[-1, lengths[-1] // 2] = pad
    return ids, mask, types


@torch.no_grad()
def _padded(model, ids, mask, types):
    inputs = {"input_ids": ids, "attention_mask": mask, "token_type_ids": types}
    if model.config.type_vocab_size < 2:
        del inputs["token_type_ids"]
    return model(**{name: torch.from_numpy(array) for name, array in inputs.items()}).logits.numpy()


@pytest.mark.parametrize("family", ["bert", "electra", "roberta"])
def test_logits_are_the_padded_models(family):
    changes = {"type_vocab_size": 1, "pad_token_id": 1} if family == "roberta" else {}
    model = _model(family, **changes)
    pad = model.config.pad_token_id
    batches = [_batch(lengths, pad) for lengths in LENGTHS]
    expected = [_padded(model, *batch) for batch in batches]
    reading = PackedClassifier(model)
    for batch, logits in zip(batches, expected, strict=True):
        with torch.no_grad():
            found = reading.logits(*batch).numpy()
        assert np.abs(logits).max() > 0.1
        np.testing.assert_allclose(found, logits, atol=1e-4)


@pytest.mark.parametrize("fault", ["positions", "segments", "neighbours"])
def test_a_planted_fault_is_seen(fault, monkeypatch):
    """Positions that run on, segments that are lost, rows that attend to each other: each moves a logit."""
    model = _model("bert")
    ids, mask, types = _batch([9, 6, 6], 0)
    expected, reading = _padded(model, ids, mask, types), PackedClassifier(model)
    if fault == "positions":
        monkeypatch.setattr(PackedClassifier, "_positions", lambda self, ids, lengths: np.arange(len(ids)))
    elif fault == "segments":
        types = np.zeros_like(types)
    else:
        monkeypatch.setattr(packed.Packing, "runs", lambda self: [(1, sum(self.lengths))])
        monkeypatch.setattr(packed, "_first_tokens", lambda query, key, value, _: value[: len(query)])
    with torch.no_grad():
        found = reading.logits(ids, mask, types).numpy()
    assert np.abs(found - expected).max() > 1e-2


def test_the_kernel_is_given_where_rows_begin(monkeypatch):
    """FlashAttention's kernel for rows of any length, by a stand-in with its signature: (T, heads, H / heads)."""
    calls = []

    def varlen_attn(query, key, value, from_query, from_key, most_query, most_key):
        calls.append((from_query.tolist(), from_key.tolist(), most_query, most_key))
        assert from_query.dtype == from_key.dtype == torch.int32
        parts = []
        bounds = zip(from_query, from_query[1:], from_key, from_key[1:], strict=False)
        for first, last, low, high in bounds:
            shaped = (one.transpose(0, 1) for one in (query[first:last], key[low:high], value[low:high]))
            parts.append(nn.functional.scaled_dot_product_attention(*shaped).transpose(0, 1))
        return torch.cat(parts)

    monkeypatch.setattr("torch.nn.attention.varlen.varlen_attn", varlen_attn)
    monkeypatch.setattr(packed, "_has_kernel", lambda query: True)
    model = _model("bert")
    batch = _batch([9, 4, 4], 0)
    expected, reading = _padded(model, *batch), PackedClassifier(model)
    calls.clear()  # of the batch that is tried
    with torch.no_grad():
        np.testing.assert_allclose(reading.logits(*batch).numpy(), expected, atol=1e-4)
    starts = [0, 9, 13, 17]
    assert calls == [(starts, starts, 9, 9)] * 2 + [([0, 1, 2, 3], starts, 1, 9)]


@pytest.mark.parametrize(
    ("card", "kind", "width", "capability", "reads"),
    [
        (True, torch.bfloat16, 64, (8, 0), True),
        (True, torch.float16, 256, (9, 0), True),
        (True, torch.bfloat16, 26, (8, 0), False),  # 312 / 12
        (True, torch.bfloat16, 264, (8, 0), False),
        (True, torch.float16, 64, (7, 5), False),
        (True, torch.float32, 64, (8, 0), False),
        (False, torch.bfloat16, 64, (8, 0), False),
    ],
)
def test_the_kernel_is_given_the_heads_and_cards_that_it_takes(monkeypatch, card, kind, width, capability, reads):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    query = SimpleNamespace(is_cuda=card, dtype=kind, shape=torch.Size([5, 12, width]), device=torch.device("cuda"))
    assert packed._has_kernel(query) == reads


@pytest.mark.parametrize(
    ("family", "changes", "why"),
    [
        ("distilbert", {"n_layers": 2, "dim": 16, "n_heads": 2, "hidden_dim": 24}, "not built as BERT's"),
        ("albert", {"embedding_size": 8}, "no stack of layers"),
        ("roformer", {"embedding_size": 16}, "answers otherwise, or not at all"),
        ("bert", {"distill": {"token_schedule": [1, 1, 2]}}, "several tokens as one"),
    ],
)
def test_what_cannot_be_read_so_is_refused_and_left_as_it_was(family, changes, why):
    model = _model(family, **changes)
    before = [type(module) for module in model.modules()]
    with pytest.raises(UserError, match=why):
        PackedClassifier(model)
    assert [type(module) for module in model.modules()] == before


def test_a_head_over_all_tokens_is_refused_and_the_model_left_as_it_was():
    encoder, sizes = _model("bert").bert, {"hidden_size": 16, "num_hidden_layers": 3, "vocab_size": 60, "num_labels": 3}
    over = FrozenMlpConfig(encoder={**encoder.config.to_diff_dict(), "model_type": "bert"}, **sizes)
    model = FrozenMlp(over).eval()
    before = [type(module) for module in model.modules()]
    with pytest.raises(UserError, match="answers otherwise, or not at all"):
        PackedClassifier(model)
    assert [type(module) for module in model.modules()] == before


@pytest.mark.gpu
def test_flash_attention_answers_within_a_thousandth_of_padded():
    model = _model("bert", hidden_size=128).cuda()
    batch = _batch([25, 17, 17, 3, 1], 0)
    inputs = dict(zip(("input_ids", "attention_mask", "token_type_ids"), map(torch.from_numpy, batch), strict=True))
    with torch.inference_mode(), torch.autocast("cuda", torch.float16):
        padded = model(**{name: array.cuda() for name, array in inputs.items()}).logits.float()
        found = PackedClassifier(model).logits(*batch).float()
    assert (found - padded).abs().max() <= 1e-3 * padded.abs().max().clamp(min=1)
