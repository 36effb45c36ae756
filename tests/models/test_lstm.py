"""The arithmetic of LSTMs."""

import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

from distill.models.small.lstm import read_tokens


def test_autocast_reaches_no_lstm_on_a_card():
    """cuDNN's LSTMs are cast to fp16 by autocast of any type. Tensors of a card without the card stand in for one."""
    given = []

    def lstm(values):
        given.append((values.dtype, torch.is_autocast_enabled("cuda")))
        return values, None

    with FakeTensorMode():
        values = torch.ones(2, 5, 4, dtype=torch.bfloat16, device="cuda")
        mask = torch.ones(2, 5, dtype=torch.int64, device="cuda")
        torch.set_autocast_enabled("cuda", True)
        try:
            features = read_tokens(values, mask, lstm, lstm)
            assert torch.is_autocast_enabled("cuda")
        finally:
            torch.set_autocast_enabled("cuda", False)
    assert given == [(torch.float32, False)] * 2 and features.dtype == torch.float32


def test_a_processor_computes_in_the_type_that_it_is_told():
    lstm = nn.LSTM(4, 3, batch_first=True)
    values, mask = torch.randn(2, 5, 4), torch.ones(2, 5, dtype=torch.int64)
    with torch.autocast("cpu", torch.bfloat16):
        assert read_tokens(values, mask, lstm, None).dtype == torch.bfloat16
    assert read_tokens(values, mask, lstm, None).dtype == torch.float32


@pytest.mark.gpu
def test_gradients_on_a_card_in_bf16_are_those_of_float32():
    torch.manual_seed(0)
    lstm = nn.LSTM(16, 8, batch_first=True).cuda()
    values, mask = torch.randn(4, 40, 16).cuda(), torch.ones(4, 40, dtype=torch.int64).cuda()
    found = []
    for mixed in (False, True):
        lstm.zero_grad()
        with torch.autocast("cuda", torch.bfloat16, enabled=mixed):
            loss = read_tokens(values, mask, lstm, None).float().square().mean() * 1e-6
        loss.backward()
        found.append(lstm.weight_hh_l0.grad.clone())
    torch.testing.assert_close(found[1], found[0], rtol=1e-3, atol=0)
