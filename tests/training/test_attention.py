"""The attention kernel of a training run."""

from copy import deepcopy

import pytest
import torch

from distill.models.encoder import load_classifier
from distill.training import device as device_module
from distill.training.attention import PLAIN_UP_TO, choose_attention
from tests.training.toy import LABELS


@pytest.mark.parametrize(
    ("arithmetic", "longest", "kernel"),
    [("bf16", PLAIN_UP_TO, "eager"), ("bf16", PLAIN_UP_TO + 1, "sdpa"), ("fp32", 48, "sdpa")],
)
def test_plain_operators_for_short_inputs_in_bf16(encoder, monkeypatch, arithmetic, longest, kernel):
    monkeypatch.setattr(device_module, "device", lambda: "cpu")
    model = load_classifier(encoder, LABELS)
    choose_attention(model, arithmetic, longest)
    assert model.config._attn_implementation == kernel


def test_a_graphics_card_keeps_the_fused_kernel(encoder, monkeypatch):
    monkeypatch.setattr(device_module, "device", lambda: "cuda")
    model = load_classifier(encoder, LABELS)
    choose_attention(model, "bf16", 48)
    assert model.config._attn_implementation == "sdpa"


def test_the_choice_changes_no_answer(encoder, monkeypatch):
    monkeypatch.setattr(device_module, "device", lambda: "cpu")
    fused = load_classifier(encoder, LABELS)
    plain = deepcopy(fused)
    choose_attention(plain, "bf16", 16)
    ids = torch.arange(5, 17).reshape(2, 6)
    mask = torch.tensor([[1] * 6, [1] * 4 + [0] * 2])
    with torch.inference_mode():
        answers = [model(input_ids=ids, attention_mask=mask).logits for model in (fused, plain)]
    assert plain.config._attn_implementation == "eager"
    torch.testing.assert_close(*answers, atol=1e-5, rtol=1e-4)
