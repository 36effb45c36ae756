import pytest

from distill.core.errors import UserError
from export.config import load_target, parse_target, target_names
from export.targets import known_targets, target_class


def test_the_two_targets_of_the_default_project_load():
    assert {"onnx", "onnx-int8"} <= set(target_names())
    assert load_target("onnx").precision == "fp32"
    assert load_target("onnx-int8").precision == "int8"


@pytest.mark.parametrize("name", target_names())
def test_every_preset_carries_its_own_name(name):
    assert load_target(name).name == name


def test_an_unknown_preset_names_the_nearest():
    with pytest.raises(UserError, match="did you mean 'onnx-int8'"):
        load_target("onnx_int8")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"target": "onnx_fp23"}, "target: unknown 'onnx_fp23', did you mean 'onnx_fp32'?"),
        ({"target": "base"}, "target: unknown 'base', known: onnx_cuda, onnx_fp16, onnx_fp32, onnx_int8_dynamic"),
        ({"target": None}, "target: unknown 'None', known: onnx_cuda, onnx_fp16, onnx_fp32"),
        ({"parity_row": 5}, "parity_row: unknown, did you mean 'parity_rows'?"),
        ({"precision": "int8"}, "precision: unknown, known: name, target, parity_rows"),
    ],
)
def test_a_preset_that_names_what_there_is_not_is_told_the_nearest(change, message):
    with pytest.raises(UserError) as caught:
        load_target("onnx", change)
    assert message in str(caught.value) and "export/presets/onnx.yaml" in str(caught.value)


def test_a_preset_without_a_target_is_told_which_there_are():
    with pytest.raises(UserError, match="target: missing, known: onnx_cuda, onnx_fp16, onnx_fp32, onnx_int8_dynamic"):
        parse_target({"name": "mine"}, "mine.yaml")


def test_every_class_of_targets_says_its_facts_and_no_two_share_a_file():
    classes = [target_class(name) for name in known_targets()]
    assert len({one.file for one in classes}) == len(classes) >= 2
    assert all(one.starts_from is None or target_class(one.starts_from) for one in classes)


def test_an_unknown_class_names_the_nearest():
    with pytest.raises(UserError, match="did you mean 'onnx_int8_dynamic'"):
        target_class("onnx_int8_dynamc")


@pytest.mark.parametrize(("field", "value"), [("keep_fp32", []), ("max_flips", 0.5), ("reduce_range", True)])
def test_int8_settings_are_refused_for_fp32(field, value):
    with pytest.raises(UserError, match=f"{field}: unknown"):
        load_target("onnx", {field: value})


def test_overrides_go_on_top_of_the_preset():
    target = load_target("onnx-int8", {"max_flips": 0.02})
    assert (target.max_flips, target.parity_rows) == (0.02, load_target("onnx-int8").parity_rows)
