import copy

import pytest
import torch

from distill.inference.bf16 import has_bf16, to_bf16
from distill.models.encoder import load_classifier
from distill.models.first_token import first_token_only


@pytest.mark.parametrize("rewritten", [False, True])
def test_what_reads_one_token_and_the_norms_stay_float32(folder, rewritten):
    model = load_classifier(folder)
    assert not rewritten or first_token_only(model)
    to_bf16(model)
    kinds = {name: weight.dtype for name, weight in model.named_parameters()}
    exact = [name for name, kind in kinds.items() if kind == torch.float32]
    assert {"classifier.weight", "bert.pooler.dense.weight", "bert.embeddings.word_embeddings.weight"} <= set(exact)
    assert kinds["bert.encoder.layer.0.output.LayerNorm.weight"] == torch.float32
    assert kinds["bert.encoder.layer.0.output.dense.weight"] == torch.bfloat16
    last = f"bert.encoder.layer.{model.config.num_hidden_layers - 1}"
    for name in ("attention.self.query", "intermediate.dense", "output.dense", "attention.output.dense"):
        assert (f"{last}.{name}.weight" in exact) == rewritten
    assert f"{last}.attention.self.key.weight" not in exact


@pytest.mark.parametrize("rewritten", [False, True])
def test_exact_layers_calculate_in_float32_attention_included(folder, rewritten):
    model = load_classifier(folder)
    assert not rewritten or first_token_only(model)
    seen = []
    to_bf16(model, exact_layers=1)
    for layer in model.bert.encoder.layer:
        layer.attention.self.key.register_forward_hook(lambda *given: seen.append(given[2].dtype))
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        model(input_ids=torch.arange(5, 25).reshape(2, 10))
    depth = model.config.num_hidden_layers
    assert seen == [torch.bfloat16] * (depth - 1) + [torch.float32]
    kinds = {name: weight.dtype for name, weight in model.named_parameters()}
    assert kinds[f"bert.encoder.layer.{depth - 1}.attention.self.key.weight"] == torch.float32
    assert kinds["bert.encoder.layer.0.output.dense.weight"] == torch.bfloat16


@torch.no_grad()
def test_hidden_states_are_those_of_autocast(folder):
    plain = load_classifier(folder)
    cast = copy.deepcopy(plain)
    to_bf16(cast)
    ids = torch.arange(5, 25).reshape(2, 10)
    with torch.autocast("cpu", torch.bfloat16):
        expected = plain.bert(input_ids=ids).last_hidden_state
        assert torch.equal(cast.bert(input_ids=ids).last_hidden_state, expected)


def test_has_bf16_answers_for_this_processor():
    assert isinstance(has_bf16(), bool)
