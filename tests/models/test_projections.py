"""Queries, keys and values are those that a layer's own attention uses, in every family that is known."""

import pytest
import torch
import transformers as hf

from distill.core.errors import UserError
from distill.models.projections import attention_modules, recorded, without_attention_dropout

FAMILIES = ["bert", "roberta", "electra", "distilbert", "deberta-v2", "modernbert", "mpnet"]


def _weights(family, layer):
    """The layer's linear maps to queries, keys and values, by the names that the family gives them."""
    names = {
        "distilbert": ("attention.q_lin", "attention.k_lin", "attention.v_lin"),
        "mpnet": ("attention.attn.q", "attention.attn.k", "attention.attn.v"),
        "deberta-v2": ("attention.self.query_proj", "attention.self.key_proj", "attention.self.value_proj"),
        "modernbert": ("attn.Wqkv",),
    }.get(family, ("attention.self.query", "attention.self.key", "attention.self.value"))
    return [layer.get_submodule(name) for name in names]


@pytest.mark.parametrize("family", FAMILIES)
def test_they_are_what_the_layers_maps_give_for_the_states_that_enter(make_model, make_inputs, family):
    model, inputs = make_model(family, layers=2), make_inputs([6, 4])
    layers = next(module for module in model.modules() if isinstance(module, torch.nn.ModuleList) and len(module) == 2)
    norms = {"modernbert": lambda states: layers[1].attn_norm(states)}
    with recorded(model) as triples, torch.no_grad():
        found = model(**inputs, output_hidden_states=True)
        kept = triples()
    assert len(kept) == 2 and all(part.shape == (2, 6, 24) for layer in kept for part in layer)
    entering = norms.get(family, lambda states: states)(found.hidden_states[1])
    expected = torch.cat([one(entering) for one in _weights(family, layers[1])], -1)
    torch.testing.assert_close(torch.cat(kept[1], -1), expected)
    assert not any(module._forward_hooks for layer in layers for module in _weights(family, layer))


def test_a_family_whose_maps_are_one_behind_the_other():
    config = hf.GPT2Config(vocab_size=60, n_embd=24, n_layer=2, n_head=3, num_labels=3, pad_token_id=0)
    model = hf.AutoModelForSequenceClassification.from_config(config).eval()
    with recorded(model) as triples, torch.no_grad():
        model(input_ids=torch.tensor([[5, 6, 7]]))
    assert [tuple(part.shape) for part in triples()[0]] == [(1, 3, 24)] * 3


def test_a_family_that_is_not_known_is_named():
    config = hf.FNetConfig(vocab_size=60, hidden_size=24, num_hidden_layers=2, intermediate_size=40, num_labels=3)
    model = hf.AutoModelForSequenceClassification.from_config(config)
    with pytest.raises(UserError, match="model_type 'fnet'"):
        attention_modules(model)


@pytest.mark.parametrize("family", FAMILIES)
def test_attention_weights_without_dropout_are_those_of_evaluation(make_model, make_inputs, family):
    model, inputs = make_model(family, attention="eager"), make_inputs([6, 4])
    first = lambda: model(**inputs, output_attentions=True).attentions[0]  # noqa: E731
    for module in model.modules():  # all dropout but the attention's, which would change what enters the layer
        if isinstance(module, torch.nn.Dropout) and not any(
            module in one.children() for one in attention_modules(model)
        ):
            module.p = 0.0
    plain = first()
    model.train()
    without_attention_dropout(model)
    torch.testing.assert_close(first(), plain)
