"""Cheap dropout: how often and how strongly, in attention as the function that it stands for, resumed bit for bit."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from distill.core.progress import reporting
from distill.training import dropout
from distill.training.dropout import CheapDropout, kept
from tests.training.toy import Watch, fit_toy, interrupted, same_weights


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.999])
def test_a_value_is_dropped_at_the_rate_and_the_mean_stays(rate):
    torch.manual_seed(3)
    factors = kept(torch.empty(401, 1003), rate)
    dropped = (factors == 0).float()
    sure = 5 * (rate * (1 - rate) / factors.numel()) ** 0.5  # five standard errors
    assert dropped.mean().item() == pytest.approx(rate, abs=sure + 2**-17)
    assert factors.unique().tolist() == pytest.approx([0, 1 / (1 - rate)], rel=0.02 if rate > 0.9 else 1e-4)
    # Neighbours share a draw and are independent all the same.
    for step in (1, 2, 3, 4):
        both = (dropped.flatten()[step:] * dropped.flatten()[:-step]).mean().item()
        assert both == pytest.approx(rate**2, abs=5 * (rate**2 * (1 - rate**2) / factors.numel()) ** 0.5 + 2**-16)


def test_it_is_drawn_by_the_generator_and_only_where_something_is_dropped():
    values, layer = torch.randn(7, 9, requires_grad=True), torch.nn.Dropout(0.3)
    found = []
    for _ in range(2):
        torch.manual_seed(1)
        with CheapDropout():
            found.append(layer(values))
    found[0].sum().backward()
    assert torch.equal(*found)
    torch.testing.assert_close(values.grad * values, found[0])
    state = torch.get_rng_state()
    with CheapDropout():
        assert torch.equal(layer.train(False)(values), values) and functional.dropout(values, 0.0) is not None
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("masked", [None, torch.bool, torch.float32])
def test_attention_is_that_of_pytorch_but_for_what_is_dropped(monkeypatch, masked):
    torch.manual_seed(2)
    query, key, value = torch.randn(3, 2, 4, 5, 8).unbind()
    on = torch.ones(2, 1, 5, 5, dtype=torch.bool)
    on[1, ..., 3:] = False
    mask = {None: None, torch.bool: on, torch.float32: torch.zeros(2, 1, 5, 5).masked_fill(~on, -1e30)}[masked]
    for rate, planted in ((0.0, False), (0.5, True), (0.5, False)):
        if planted:
            monkeypatch.setattr(dropout, "kept", lambda values, rate: torch.ones_like(values))
        with CheapDropout():
            found = functional.scaled_dot_product_attention(query, key, value, mask, dropout_p=rate, scale=0.3)
        monkeypatch.undo()
        expected = functional.scaled_dot_product_attention(query, key, value, mask, scale=0.3)
        assert torch.allclose(found, expected, atol=1e-5) == (planted or not rate)


def test_a_fit_draws_other_numbers_and_goes_on_where_it_was_cut_off(encoder, tmp_path):
    settings = {"max_steps": 6, "dropout": 0.3, "may_collapse": True}
    plain = fit_toy(encoder, tmp_path / "plain", **settings)
    whole = fit_toy(encoder, tmp_path / "whole", cheap_dropout=True, **settings)
    interrupted(encoder, tmp_path / "cut", 5, cheap_dropout=True, **settings)
    watch = Watch()
    with reporting(watch):
        cut = fit_toy(encoder, tmp_path / "cut", cheap_dropout=True, **settings)
    assert watch.resumed_from == 4 and same_weights(whole, cut) and not same_weights(whole, plain)
