import pytest

from distill.core.errors import UserError
from export.config import TargetConfig, load_target, target_names


def test_the_two_targets_of_the_default_project_load():
    assert {"onnx", "onnx-int8"} <= set(target_names())
    assert load_target("onnx").precision == "fp32"
    assert load_target("onnx-int8").precision == "int8"


@pytest.mark.parametrize("name", target_names())
def test_every_preset_carries_its_own_name(name):
    assert load_target(name).name == name


def test_an_unknown_target_names_the_nearest():
    with pytest.raises(UserError, match="did you mean 'onnx-int8'"):
        load_target("onnx_int8")


REJECTED = {
    "name": "",
    "runtime": "tflite",
    "precision": "int4",
    "parity_rows": 0,
    "keep_fp32": "layer.0",
    "max_flips": 1.5,
    "reduce_range": "perhaps",
}


def test_every_field_has_a_rejected_value():
    assert REJECTED.keys() == TargetConfig.model_fields.keys()


@pytest.mark.parametrize(("field", "value"), REJECTED.items())
def test_a_bad_value_is_named_with_its_field(field, value):
    with pytest.raises(UserError, match=field):
        load_target("onnx-int8", {field: value})


@pytest.mark.parametrize(("field", "value"), [("keep_fp32", []), ("max_flips", 0.5), ("reduce_range", True)])
def test_int8_settings_are_refused_for_fp32(field, value):
    with pytest.raises(UserError, match=f"{field}: only for precision int8"):
        load_target("onnx", {field: value})


def test_overrides_lie_on_top_of_the_preset():
    target = load_target("onnx-int8", {"max_flips": 0.02})
    assert (target.max_flips, target.parity_rows) == (0.02, load_target("onnx-int8").parity_rows)
