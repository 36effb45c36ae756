"""The tests of the fields of export targets for cards; a part of the table of `test_effects.py`."""

from __future__ import annotations

from collections.abc import Mapping

from distill.core.config import Config
from export.targets.onnx_cuda import OnnxCuda
from export.targets.onnx_fp16 import OnnxFp16
from export.targets.tensorrt_bf16 import TensorrtBf16
from export.targets.tensorrt_fp16 import TensorrtFp16
from tests.core.effects_losses import each

TARGETS = "export/test_second_target.py::test_one_class_and_one_yaml_go_all_the_way"
TARGET = {
    **each(TARGETS, "name", "target"),
    "parity_rows": "export/test_parity.py::test_rows_are_spread_evenly_and_needed",
}
CARD = "export/tensorrt/test_tensorrt_target.py"
HALF = {
    **TARGET,
    "tolerance": "export/test_half_targets.py::test_fp16_is_judged_by_the_tolerance_of_its_preset",
    "keep_fp32": "export/test_strong_types.py::test_a_product_that_would_overflow_is_refused_by_name",
    "largest_share": "export/test_half_targets.py::test_an_activation_over_the_declared_share_stops_the_export_by_name",
}
ENGINE = {
    **HALF,
    "engine": f"{CARD}::test_without_a_card_it_is_refused_before_training_with_what_to_install",
    **each(f"{CARD}::test_profiles_and_proof_are_as_the_preset_says", "most_rows", "least_share"),
}

EFFECTS: Mapping[type[Config], Mapping[str, str]] = {
    OnnxFp16: HALF,
    TensorrtFp16: ENGINE,
    TensorrtBf16: ENGINE,
    OnnxCuda: {
        **TARGET,
        **each(
            "export/test_half_targets.py::test_cuda_keeps_its_file_fused_where_logits_stay_and_plain_where_not",
            "fuse",
            "fused_difference",
        ),
    },
}
