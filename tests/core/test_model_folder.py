"""Layers and parameters of a model folder, and damage that is named."""

from __future__ import annotations

import json

import pytest

from distill.core.errors import UserError
from distill.core.files import write_json
from distill.core.model_folder import layer_count, parameter_count


def safetensors(header: object, data: bytes = b"") -> bytes:
    """A file in the safetensors format."""
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


@pytest.mark.parametrize(
    ("config", "layers"),
    [
        ({"num_hidden_layers": 8}, 8),
        ({"n_layers": 6}, 6),
        ({"num_layers": 4}, 4),
        ({"family": "mlp"}, None),
    ],
)
def test_layers_by_the_config(tmp_path, config, layers):
    write_json(tmp_path / "config.json", config)
    assert layer_count(tmp_path) == layers


def test_parameters_are_counted_over_all_files(tmp_path):
    first = {"__metadata__": {"format": "pt"}, "w": {"dtype": "F32", "shape": [3, 4], "data_offsets": [0, 48]}}
    second = {"b": {"dtype": "F32", "shape": [5]}, "scale": {"dtype": "F32", "shape": []}}
    (tmp_path / "model-1.safetensors").write_bytes(safetensors(first, b"\0" * 48))
    (tmp_path / "model-2.safetensors").write_bytes(safetensors(second, b"\0" * 24))
    assert parameter_count(tmp_path) == 12 + 5 + 1


def test_a_folder_without_weights_is_named(tmp_path):
    with pytest.raises(UserError, match="no safetensors weights"):
        parameter_count(tmp_path)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff" * 20,
        (1 << 45).to_bytes(8, "little") + b"{}",
        safetensors({"w": {"shape": [1]}})[:-3],
        safetensors([]),
        safetensors(None),
        safetensors({"w": {}}),
        safetensors({"w": [1]}),
        safetensors({"w": {"shape": ["x", 2]}}),
    ],
    ids=range(9),
)
def test_a_damaged_header_is_named(tmp_path, data):
    (tmp_path / "model.safetensors").write_bytes(data)
    with pytest.raises(UserError, match=r"damaged safetensors file[\s\S]*model\.safetensors"):
        parameter_count(tmp_path)
