import copy

import pytest
import torch
from transformers import AutoModelForSequenceClassification, RoFormerConfig

from distill.models import first_token
from distill.models.encoder import layer_stack
from distill.models.first_token import first_token_only

SUPPORTED = ["bert", "roberta", "xlm-roberta", "electra", "distilbert"]
UNSUPPORTED = ["deberta-v2", "modernbert", "mpnet", "roberta-prelayernorm", "albert"]


LENGTHS = [[1], [2], [13], [7, 7], [9, 3, 1], [31, 17, 5, 2, 2]]


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("family", SUPPORTED)
@torch.no_grad()
def test_logits_are_exact(family, attention, make_model, make_inputs):
    whole = make_model(family, attention=attention)
    fast = copy.deepcopy(whole)
    assert first_token_only(fast)
    for dtype, tolerance in ((torch.float32, 1e-6), (torch.float64, 1e-10)):
        for model in (whole, fast):
            model.to(dtype)
        for inputs in map(make_inputs, LENGTHS):
            torch.testing.assert_close(fast(**inputs).logits, whole(**inputs).logits, atol=tolerance, rtol=0)


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("family", SUPPORTED)
def test_gradients_are_exact(family, attention, make_model, make_inputs):
    whole = make_model(family, attention=attention).to(torch.float64)
    fast = copy.deepcopy(whole)
    assert first_token_only(fast)
    for model in (whole, fast):
        model(**make_inputs([9, 4, 1])).logits.square().sum().backward()
    expected = {name: weight.grad for name, weight in whole.named_parameters()}
    assert any(grad is not None and grad.abs().max() > 1e-3 for grad in expected.values())
    for name, weight in fast.named_parameters():
        torch.testing.assert_close(weight.grad, expected[name], atol=1e-9, rtol=1e-6)


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("family", SUPPORTED)
@torch.no_grad()
def test_padding_leaves_rows_alone(family, attention, make_model, make_inputs):
    model = make_model(family, attention=attention)
    assert first_token_only(model)
    alone = model(**make_inputs([5])).logits
    padded = model(**make_inputs([5], pad_to=33)).logits
    torch.testing.assert_close(padded, alone, atol=1e-5, rtol=0)


@torch.no_grad()
def test_mask_is_read(make_model, make_inputs):
    model = make_model("bert")
    assert first_token_only(model)
    inputs = make_inputs([5], pad_to=9)
    unmasked = inputs | {"attention_mask": torch.ones_like(inputs["attention_mask"])}
    assert (model(**inputs).logits - model(**unmasked).logits).abs().max() > 1e-3


@torch.no_grad()
def test_only_the_first_position_is_computed(make_model, make_inputs):
    model = make_model("bert")
    assert first_token_only(model)
    assert model.bert(**make_inputs([9, 4])).last_hidden_state.shape == (2, 1, 24)


@pytest.mark.parametrize("family", UNSUPPORTED)
@torch.no_grad()
def test_other_families_stay_as_they_are(family, make_model, make_inputs):
    model, inputs = make_model(family, attention="eager"), make_inputs([9, 4])
    before = model(**inputs).logits
    if family == "albert":
        model.config.num_hidden_layers = 1  # one group of shared layers, so that a stack is found
    assert not first_token_only(model)
    model.config.num_hidden_layers = 4
    assert torch.equal(model(**inputs).logits, before)


def test_head_over_all_tokens_is_put_back(make_model, make_inputs):
    model, inputs = make_model("bert"), make_inputs([9, 4])

    class MeanPooler(torch.nn.Module):
        def forward(self, hidden):
            return hidden.mean(1)

    model.bert.pooler = MeanPooler()
    before, layer = model(**inputs).logits, layer_stack(model)[-1]
    assert not first_token_only(model)
    assert layer_stack(model)[-1] is layer
    assert torch.equal(model(**inputs).logits, before)


def test_a_near_relative_of_bert_keeps_its_layer(make_inputs):
    size = {"hidden_size": 24, "num_attention_heads": 3, "intermediate_size": 40, "max_position_embeddings": 40}
    config = RoFormerConfig(vocab_size=60, num_hidden_layers=2, **size)
    model, inputs = AutoModelForSequenceClassification.from_config(config).eval(), make_inputs([9, 4])
    before, layer = model(**inputs).logits, layer_stack(model)[-1]
    assert not first_token_only(model) and layer_stack(model)[-1] is layer
    assert torch.equal(model(**inputs).logits, before)


@pytest.mark.parametrize("error", [IndexError, AttributeError, ValueError, RuntimeError])
def test_any_exception_of_the_rewritten_layer_puts_it_back(error, make_model, make_inputs, monkeypatch):
    def fail(*_, **__):
        raise error("no such shape")

    model, inputs = make_model("bert"), make_inputs([9, 4])
    before = model(**inputs).logits
    monkeypatch.setattr(first_token._BertLayer, "forward", fail)
    assert not first_token_only(model) and torch.equal(model(**inputs).logits, before)


def test_state_dict_and_training_flag_are_kept(make_model):
    model = make_model("bert").train()
    keys = list(model.state_dict())
    assert first_token_only(model) and first_token_only(model)
    assert list(model.state_dict()) == keys
    assert all(module.training for module in model.modules())


def test_gradients_are_those_of_the_whole_layer(make_model, make_inputs):
    whole, inputs = make_model("bert").double(), make_inputs([6, 3])
    fast = copy.deepcopy(whole)
    assert first_token_only(fast)
    for model in (whole, fast):
        model(**inputs).logits.square().sum().backward()
    for (name, weight), other in zip(whole.named_parameters(), fast.parameters(), strict=True):
        torch.testing.assert_close(other.grad, weight.grad, msg=name)


def test_dynamo_export_agrees_at_other_shapes(make_model, make_inputs, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    model = make_model("bert", layers=2, attention="eager")
    assert first_token_only(model)
    path, dynamic = tmp_path / "model.onnx", {0: torch.export.Dim.DYNAMIC, 1: torch.export.Dim.DYNAMIC}
    torch.onnx.export(
        model,
        (),
        path,
        kwargs=make_inputs([7, 4]),
        dynamo=True,
        verbose=False,
        output_names=["logits"],
        dynamic_shapes={"input_ids": dynamic, "attention_mask": dynamic},
    )
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    for lengths in ([1], [11], [3, 9, 5]):
        inputs = make_inputs(lengths)
        feeds = {name: tensor.numpy() for name, tensor in inputs.items()}
        with torch.no_grad():
            expected = model(**inputs).logits
        torch.testing.assert_close(torch.from_numpy(session.run(None, feeds)[0]), expected, atol=1e-4, rtol=1e-5)


def test_layers_that_share_weights_stay_as_they_are():
    from transformers import AlbertConfig, AlbertForSequenceClassification

    sizes = {"vocab_size": 50, "hidden_size": 16, "embedding_size": 8, "intermediate_size": 32}
    config = AlbertConfig(**sizes, num_attention_heads=2, num_hidden_layers=3)
    assert first_token_only(AlbertForSequenceClassification(config)) is False
