import copy

import torch

from distill.inference.bf16 import has_bf16, to_bf16
from distill.models.encoder import load_classifier


def test_only_the_last_layer_and_the_norms_stay_float32(folder):
    model = load_classifier(folder)
    to_bf16(model)
    kinds = {name: weight.dtype for name, weight in model.named_parameters()}
    assert kinds["classifier.weight"] == kinds["bert.embeddings.word_embeddings.weight"] == torch.float32
    assert kinds["bert.encoder.layer.0.output.LayerNorm.weight"] == torch.float32
    assert (
        kinds["bert.encoder.layer.1.attention.self.query.weight"] == kinds["bert.pooler.dense.weight"] == torch.bfloat16
    )


@torch.no_grad()
def test_hidden_states_are_those_of_autocast(folder):
    plain = load_classifier(folder)
    cast = copy.deepcopy(plain)
    to_bf16(cast)
    ids = torch.arange(5, 25).reshape(2, 10)
    with torch.autocast("cpu", torch.bfloat16):
        expected = plain.bert(input_ids=ids).pooler_output
        assert torch.equal(cast.bert(input_ids=ids).pooler_output, expected)


def test_has_bf16_answers_for_this_processor():
    assert isinstance(has_bf16(), bool)
