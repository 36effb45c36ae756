"""How models are opened to label, and opened again as a shard's file says that they were."""

from __future__ import annotations

import pytest

from distill.core.errors import UserError
from distill.families.family import Opening
from distill.inference.backends.pytorch import Torch
from distill.training import device
from teachers.opening import arithmetic, opening_of


class OwnBackend(Torch):
    """A backend of the user's own."""

    name, devices = "own", ("cpu",)


@pytest.fixture(autouse=True)
def on_cuda(monkeypatch):
    monkeypatch.setattr(device, "device", lambda: "cuda")


@pytest.mark.parametrize(
    ("how", "place"),
    [
        (Opening(1), "cuda"),
        (Opening(1, "bf16"), "cuda"),
        (Opening(1, "bf16", exact_layers=12), "cuda"),
        (Opening(1, "bf16", backend="openvino"), "cpu"),
        (Opening(1, backend=f"{__name__}:OwnBackend"), "cpu"),
        (Opening(1, "bf16", backend=f"{__name__}:OwnBackend", exact_layers=2), "cpu"),
    ],
)
def test_a_model_is_opened_again_as_its_shard_says(how, place):
    found = opening_of(arithmetic(how), 3)
    assert (found.precision, found.exact_layers, found.backend) == (how.precision, how.exact_layers, how.backend)
    assert (found.threads, found.device) == (3, place)


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ("", ""),
        ("bf16 but some layers", "bf16 but some layers"),
        ("fp32 in", "fp32 in"),
        ("int4", "int4, with backend torch"),
        ("bf16 in onnx", "bf16, with backend onnx"),
        ("fp32 in onyx", "onyx"),
    ],
)
def test_what_no_model_is_opened_in_is_named(said, found):
    with pytest.raises(UserError) as caught:
        opening_of(said, 1)
    assert caught.value.found == found and caught.value.exit_code == 2
