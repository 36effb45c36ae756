"""The tests of the fields of export targets; a part of the table of `test_effects.py`."""

from __future__ import annotations

from collections.abc import Mapping

from distill.core.config import Config
from distill.core.limits import Limits
from export.quantised_fit import QuantisedFit
from export.targets.onnx_cuda import OnnxCuda
from export.targets.onnx_fp16 import OnnxFp16
from export.targets.onnx_fp32 import OnnxFp32
from export.targets.onnx_int8_dynamic import OnnxInt8Dynamic
from export.targets.onnx_int8_qat import OnnxInt8Qat
from export.targets.onnx_int8_static import OnnxInt8Static
from export.targets.tensorrt_bf16 import TensorrtBf16
from export.targets.tensorrt_fp16 import TensorrtFp16
from tests.core.effects_losses import each

STATIC, GATES = "export/test_int8_static.py", "evaluation/test_changes_gates.py"
TARGET = {
    **each("export/test_second_target.py::test_one_class_and_one_yaml_go_all_the_way", "name", "target"),
    "parity_rows": "export/test_parity.py::test_rows_are_spread_evenly_and_needed",
    "falls_back": "pipeline/test_ladders.py::test_a_file_that_fails_its_gates_is_followed_by_the_next_target",
    "gates": "export/test_build.py::test_a_rung_that_changes_decisions_or_classes_is_not_taken",
}
INT8 = {
    **TARGET,
    "keep_fp32": "export/test_int8.py::test_kept_products_stay_fp32",
    "max_flips": "export/test_build.py::test_the_ladder_is_climbed_until_few_enough_labels_flip",
    "reduce_range": "export/test_int8.py::test_seven_bit_weights_use_half_the_range",
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
    Limits: {
        **each(
            "evaluation/test_changes_gates.py::test_what_a_target_declares_is_asked",
            "shift_max",
            "decisions",
            "class_f1",
        ),
        "flips": "evaluation/test_changes_gates.py::test_of_two_limits_of_labels_the_smaller_counts",
    },
    OnnxFp32: {
        **TARGET,
        "exporter": "export/test_exporters.py::test_what_comes_back_is_named_and_checked_as_our_own",
        "exporter_python": "export/test_exporters.py::test_an_exporter_and_its_python_belong_together",
    },
    OnnxInt8Dynamic: INT8,
    OnnxInt8Static: {
        **INT8,
        **each(
            f"{STATIC}::test_the_target_calibrates_on_other_records_than_judge_and_says_what_it_took",
            "calibration_rows",
            "methods",
        ),
        "percentile": f"{STATIC}::test_ranges_hold_every_value_and_methods_cut_the_outermost",
    },
    QuantisedFit: {
        **each(
            "export/test_int8_qat.py::test_it_takes_a_share_of_the_students_steps_at_a_share_of_its_rate",
            "share",
            "least_steps",
            "rate",
        ),
        "labels": "pipeline/test_ladders.py::test_a_target_learns_the_students_own_labels_or_its_teachers",
    },
    OnnxInt8Qat: {**INT8, "fit": "pipeline/test_ladders.py::test_the_training_of_a_target_is_a_step_of_its_own"},
}
