import pytest
import torch

from distill.core.errors import UserError
from distill.models.encoder import layer_stack, load_classifier
from distill.models.truncation import keep_layers

FAMILIES = ["bert", "roberta", "electra", "distilbert", "deberta-v2", "modernbert", "mpnet"]


@pytest.mark.parametrize("family", FAMILIES)
def test_saved_student_is_an_ordinary_model_of_that_depth(family, make_model, make_inputs, tmp_path):
    model, inputs = make_model(family, layers=6), make_inputs([7, 3])
    keep_layers(model, [0, 2, 5])
    model.save_pretrained(tmp_path)
    again = load_classifier(tmp_path)
    assert len(layer_stack(again)) == again.config.num_hidden_layers == 3
    torch.testing.assert_close(again(**inputs).logits, model(**inputs).logits)


@pytest.mark.parametrize("family", FAMILIES)
def test_layers_are_the_chosen_ones(family, make_model):
    source, student = make_model(family, layers=6), make_model(family, layers=6)
    keep_layers(student, [0, 3, 5])
    for kept, index in zip(layer_stack(student), [0, 3, 5], strict=True):
        for name, weight in kept.state_dict().items():
            assert torch.equal(weight, layer_stack(source)[index].state_dict()[name])


def test_all_layers_change_nothing(make_model, make_inputs):
    model, inputs = make_model("bert", layers=3), make_inputs([5])
    before = model(**inputs).logits
    keep_layers(model, [0, 1, 2])
    assert torch.equal(model(**inputs).logits, before)


def test_kinds_of_layers_follow_them(make_model):
    model = make_model("modernbert", layers=6)
    kinds = list(model.config.layer_types)
    keep_layers(model, [0, 2, 3])
    assert model.config.layer_types == [kinds[0], kinds[2], kinds[3]]
    assert [layer.attention_type for layer in layer_stack(model)] == model.config.layer_types


@pytest.mark.parametrize("kept", [[1, 2], [3, 4, 5]])
def test_layers_that_would_not_come_back_as_they_are_are_refused(kept, make_model, make_inputs):
    """The first of ModernBERT has no norm before its attention."""
    model, inputs = make_model("modernbert", layers=6), make_inputs([5])
    before, generator = model(**inputs).logits, torch.random.get_rng_state()
    with pytest.raises(UserError, match=rf"layer {kept[0]} of the encoder cannot be layer 0[\s\S]*attn_norm\.weight"):
        keep_layers(model, kept)
    assert len(layer_stack(model)) == model.config.num_hidden_layers == 6
    assert torch.equal(model(**inputs).logits, before) and torch.equal(torch.random.get_rng_state(), generator)


def test_layers_are_renumbered(make_model):
    model = make_model("bert", layers=4)
    keep_layers(model, [1, 3])
    assert [layer.attention.self.layer_idx for layer in layer_stack(model)] == [0, 1]


@pytest.mark.parametrize("indices", [[], [0, 0], [1, 0], [-1, 2], [0, 4]])
def test_other_choices_are_refused_and_leave_the_model_alone(indices, make_model):
    model = make_model("bert", layers=4)
    with pytest.raises(ValueError, match="4 layers"):
        keep_layers(model, indices)
    assert len(layer_stack(model)) == 4
