"""The running average of weights against a float64 reference, and what checkpoints hold of it."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from distill.models.small.head import BatchNorm
from distill.training.averaging import FILE, WeightAverage


def _walk(average, layer, steps, start=0):
    """Random weights step by step, taken in by the average; returns the weights of each step."""
    seen = []
    for step in range(start + 1, start + steps + 1):
        generator = torch.Generator().manual_seed(step)
        with torch.no_grad():
            layer.weight.copy_(torch.randn(layer.weight.shape, generator=generator))
        seen.append(layer.weight.detach().numpy().astype(np.float64))
        average.on_step_end(None, SimpleNamespace(global_step=step), None)
    return seen


def _applied(average, layer):
    with average.applied():
        return layer.weight.detach().numpy().copy()


@pytest.mark.parametrize("power", [0, 3, 7])
def test_the_weights_of_step_t_count_as_t_to_the_power(power):
    layer = torch.nn.Linear(3, 2)
    average = WeightAverage(layer, power)
    seen = _walk(average, layer, 40)
    # β_t = (1 − 1/t)^(power + 1), unrolled: step t keeps the share (1 − β_t) of what the steps after it leave.
    betas = np.array([(1 - 1 / t) ** (power + 1) for t in range(1, 41)])
    shares = [(1 - betas[t]) * np.prod(betas[t + 1 :]) for t in range(40)]
    assert sum(shares) == pytest.approx(1)
    assert _applied(average, layer) == pytest.approx(np.tensordot(shares, seen, 1), abs=1e-5)
    # The shares grow as t^power.
    assert shares[39] / shares[19] == pytest.approx(2**power, rel=0.15)


def test_the_first_step_replaces_the_weights_that_the_run_starts_from():
    layer = torch.nn.Linear(3, 2)
    average = WeightAverage(layer, 7)
    (first,) = _walk(average, layer, 1)
    assert _applied(average, layer) == pytest.approx(first, abs=1e-6)


def test_the_model_has_its_own_weights_again_after_an_evaluation():
    layer = torch.nn.Linear(3, 2)
    average = WeightAverage(layer, 7)
    last = _walk(average, layer, 5)[-1]
    with pytest.raises(RuntimeError), average.applied():
        raise RuntimeError
    assert layer.weight.detach().numpy() == pytest.approx(last)


def test_an_average_goes_on_from_a_checkpoint(tmp_path):
    whole, layer = torch.nn.Linear(3, 2), torch.nn.Linear(3, 2)
    undisturbed = WeightAverage(whole, 7)
    _walk(undisturbed, whole, 9)
    cut = WeightAverage(layer, 7)
    _walk(cut, layer, 6)
    cut.save(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [FILE]
    resumed = WeightAverage(layer, 7)
    resumed.load(tmp_path)
    _walk(resumed, layer, 3, start=6)
    assert np.array_equal(_applied(resumed, layer), _applied(undisturbed, whole))


def test_an_exponential_average_looks_back_over_a_fixed_number_of_steps():
    model = torch.nn.Linear(1, 1, bias=False)
    average, expected = WeightAverage(model, 7, 0.75), 0.0
    for step, value in enumerate([4.0, 0.0, 8.0, 2.0, 6.0, 1.0], start=1):
        with torch.no_grad():
            model.weight.fill_(value)
        average.take(step)
        share = max(0.25, 1 / step)
        expected += share * (value - expected)
    with average.applied():
        assert float(model.weight.detach()) == pytest.approx(expected)


def test_what_a_norm_behind_trained_weights_has_measured_is_averaged_with_them(tmp_path):
    """Otherwise the averaged weights would be read through the mean and variance of the last ones."""
    before, behind = BatchNorm(1, follows=False), BatchNorm(1, follows=True)
    model = torch.nn.Sequential(before, torch.nn.Linear(1, 1), behind)
    average = WeightAverage(model, 0)
    for step, value in enumerate([2.0, 4.0, 9.0], start=1):
        before.running_mean.fill_(value)
        behind.running_mean.fill_(value)
        average.take(step)
    with average.applied():
        assert (float(before.running_mean), float(behind.running_mean)) == (9, pytest.approx(5))
    assert float(behind.running_mean) == 9
    average.save(tmp_path)
    again = WeightAverage(model, 0)
    again.load(tmp_path)
    with again.applied():
        assert float(behind.running_mean) == pytest.approx(5)
