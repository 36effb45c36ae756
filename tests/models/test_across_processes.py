"""Two processes that share a batch compute as one that has all of it."""

import multiprocessing
import os

import torch
from safetensors.torch import load_file, save_file
from torch import distributed

from distill.models.small.head import BatchNorm
from distill.training.fake_quantised import FakeQuantised

ROWS, FIRST = 7, 5  # of which the first process has five
STATE = ("running_mean", "running_var", "num_batches_tracked")


def _values():
    return torch.randn(ROWS, 3, generator=torch.Generator().manual_seed(1)) * 3 + 2


def _normed(part):
    """Outputs and gradients of some rows, in their order, and what the norm has measured."""
    norm, values = BatchNorm(3, follows=True).train(), _values()[part].requires_grad_()
    with torch.no_grad():
        norm.weight.copy_(torch.tensor([0.5, 1.0, 2.0]))
    found = norm(values)
    (found**3).sum().backward()
    return {"found": found.detach(), "gradient": values.grad, **{name: getattr(norm, name) for name in STATE}}


def _rounded(part):
    """The ends of what a layer that rounds has read of some rows, in the order of their size."""
    layer = torch.nn.Linear(3, 2).train()
    layer.__class__ = FakeQuantised
    for name in ("activation_low", "activation_high"):
        layer.register_buffer(name, torch.zeros(()))
    layer(_values().sort(0).values[part])
    return {"low": layer.activation_low, "high": layer.activation_high}


def _share(rank, work, folder):
    os.environ |= {"WORLD_SIZE": "2", "RANK": str(rank), "LOCAL_RANK": str(rank), "GLOO_SOCKET_IFNAME": "lo"}
    distributed.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    found = work(slice(FIRST, None) if rank else slice(FIRST))
    save_file({name: values.detach().contiguous() for name, values in found.items()}, folder / f"{rank}.safetensors")
    distributed.destroy_process_group()


def _by_two(work, folder):
    """What each of two processes finds."""
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_share, args=(rank, work, folder)) for rank in (0, 1)]
    for one in processes:
        one.start()
    for one in processes:
        one.join(120)
    assert [one.exitcode for one in processes] == [0, 0]
    return [load_file(folder / f"{rank}.safetensors") for rank in (0, 1)]


def test_a_shared_batch_is_normalised_as_a_whole(tmp_path):
    whole, parts = _normed(slice(None)), _by_two(_normed, tmp_path)
    for name in ("found", "gradient"):
        torch.testing.assert_close(torch.cat([part[name] for part in parts]), whole[name], atol=1e-4, rtol=1e-4)
    for part in parts:
        for name in STATE:
            torch.testing.assert_close(part[name], whole[name])


def test_a_rounding_layer_follows_what_all_have_read(tmp_path):
    whole, parts = _rounded(slice(None)), _by_two(_rounded, tmp_path)
    assert parts == [whole, whole]
    assert _rounded(slice(FIRST)) != whole != _rounded(slice(FIRST, None))
