"""The bundle's Triton models, read by the protobuf that Triton publishes (tritonclient)."""

from pathlib import Path

import onnxruntime
import pytest

from tests.clients.environments import SERVING, needs_serving, run
from tests.export.tiny_bundle import LABELS, shared_bundle

pytestmark = needs_serving
CLIENT = Path(__file__).with_name("triton_client.py")
TYPES = {"tensor(int64)": "TYPE_INT64", "tensor(float)": "TYPE_FP32"}


@pytest.fixture(scope="module")
def configs():
    files = sorted((shared_bundle() / "triton").glob("*/config.pbtxt"))
    return {one["name"]: one for one in run(SERVING, CLIENT, *files)}


def test_each_is_a_model_under_the_name_of_its_folder(configs):
    assert sorted(configs) == ["tiny_fp32", "tiny_int8", "tiny_text"]
    assert {name: one["backend"] for name, one in configs.items()} == {
        "tiny_fp32": "onnxruntime",
        "tiny_int8": "onnxruntime",
        "tiny_text": "python",
    }


@pytest.mark.parametrize(("artifact", "file"), [("fp32", "model.onnx"), ("int8", "model.int8.onnx")])
def test_inputs_and_outputs_are_those_of_the_file(configs, artifact, file):
    """Triton checks each tensor at loading: its name, type and shape, without the axis of the batch."""
    session = onnxruntime.InferenceSession(str(shared_bundle() / file), providers=["CPUExecutionProvider"])
    config = configs[f"tiny_{artifact}"]
    for held, told in ((session.get_inputs(), config["input"]), (session.get_outputs(), config["output"])):
        assert [one["name"] for one in told] == [one.name for one in held]
        assert [one["data_type"] for one in told] == [TYPES[one.type] for one in held]
        free = [[size if isinstance(size, int) else -1 for size in one.shape[1:]] for one in held]
        assert [[int(size) for size in one["dims"]] for one in told] == free
    assert config["output"][0]["dims"] == [str(len(LABELS))]


def test_rows_share_a_run_only_where_that_changes_no_answer(configs):
    fp32, int8, text = (configs[f"tiny_{name}"] for name in ("fp32", "int8", "text"))
    assert fp32["max_batch_size"] == text["max_batch_size"] == 64 and int8["max_batch_size"] == 1
    assert "dynamic_batching" in fp32 and "dynamic_batching" not in int8


def test_the_text_model_takes_records_and_says_which_artifact_answers(configs):
    config = configs["tiny_text"]
    assert [(one["name"], one["data_type"]) for one in (*config["input"], *config["output"])] == [
        ("RECORD", "TYPE_STRING"),
        ("ANSWER", "TYPE_STRING"),
    ]
    assert config["parameters"]["precision"] == {"string_value": "fp32"}


def test_a_config_that_is_none_is_refused(tmp_path):
    wrong = tmp_path / "config.pbtxt"
    wrong.write_text('name: "a" max_batch: 3', encoding="utf-8")
    with pytest.raises(AssertionError, match="max_batch"):
        run(SERVING, CLIENT, wrong)
