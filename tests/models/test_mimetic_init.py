import pytest
import torch
from transformers import BertConfig, BertModel

from distill.models.mimetic_init import mimetic_init


def model(heads):
    torch.manual_seed(0)
    config = BertConfig(
        hidden_size=64, num_hidden_layers=2, num_attention_heads=4, intermediate_size=128, vocab_size=50
    )
    bert = BertModel(config, add_pooling_layer=False).eval()
    bert.set_attn_implementation("eager")
    mimetic_init(bert, heads)
    return bert


def share_on_equals(bert, head):
    """Attention of the 9 at place 6 to the 9s at places 1 and 6, in the first layer."""
    ids = torch.tensor([[2, 9, 10, 11, 3, 12, 9, 13, 3]])
    attention = bert(input_ids=ids, output_attentions=True).attentions[0]
    return float(attention[0, head, 6, [1, 6]].sum().detach())


def test_matching_heads_attend_to_equal_tokens_and_the_others_spread():
    bert = model(2)
    assert min(share_on_equals(bert, 0), share_on_equals(bert, 1)) > 0.6
    assert max(share_on_equals(bert, 2), share_on_equals(bert, 3)) < 0.4


def test_without_matching_heads_nothing_changes():
    bert = model(0)
    before = {name: value.clone() for name, value in bert.state_dict().items()}
    mimetic_init(bert, 0)
    assert all(torch.equal(value, before[name]) for name, value in bert.state_dict().items())
    mimetic_init(bert, 1)
    assert any(not torch.equal(value, before[name]) for name, value in bert.state_dict().items())


@pytest.mark.parametrize("heads", [1, 4])
def test_a_matching_heads_query_and_key_are_one_projection(heads):
    attention = model(heads).encoder.layer[1].attention.self
    same = attention.query.weight[: heads * 16]
    assert torch.equal(same, attention.key.weight[: heads * 16])
    assert torch.allclose(same[:16] @ same[:16].T, torch.eye(16), atol=1e-5)
