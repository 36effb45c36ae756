"""What the fields of configs of export, benchmark, teachers of any family and phases refuse; see `test_project`."""

from __future__ import annotations

from typing import Any

from benchmarks.config import BenchConfig
from distill.core.budget import Budget
from distill.core.config import Config
from distill.core.labelling import Labelling
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
from teachers.config import TeacherEntry
from teachers.phases import PhaseConfig

TEACHER: dict[str, Any] = {
    "preset": 5,
    "family": 5,
    "view": 5,
    "weight": -1,
    "slices": [],
    "learns_from": [],
    "rows": {},
    "allow_missing": "maybe",
    "labelling": 5,
    "cross_fit": 1,
    "kfold": "perhaps",
    "export": 5,
}

TARGET: dict[str, Any] = {"name": "", "target": "", "parity_rows": 0, "gates": {"decisions": 2}, "falls_back": "onnx"}
INT8: dict[str, Any] = {**TARGET, "keep_fp32": "head", "max_flips": 2, "reduce_range": "maybe"}
HALF: dict[str, Any] = {
    **TARGET,
    "tolerance": 0,
    "keep_fp32": "head",
    "largest_share": 2,
}
TENSORRT: dict[str, Any] = {**HALF, "engine": "there", "most_rows": 0, "least_share": 2}

REJECTED: dict[type[Config], dict[str, Any]] = {
    TeacherEntry: TEACHER,
    Labelling: {"engine": 5, "workers": 0, "gpus": -1, "deaths": 0, "store": "bucket/run"},
    PhaseConfig: {
        "rows": {"old": -1},
        "epochs": 0,
        "learning_rate": 2,
        "final_learning_rate": -1,
        "batch_size": 0,
        "layers": 0,
        "keep": "middle",
    },
    Limits: {"flips": 2, "shift_max": -1, "decisions": "few", "class_f1": 1.5},
    OnnxFp32: {**TARGET, "exporter": "optimun", "exporter_python": "python"},
    OnnxInt8Dynamic: INT8,
    OnnxInt8Static: {**INT8, "calibration_rows": 0, "methods": ["max"], "percentile": 101},
    QuantisedFit: {"labels": "gold", "share": 0, "least_steps": 0, "rate": 2},
    OnnxInt8Qat: {**INT8, "fit": 5},
    OnnxFp16: HALF,
    TensorrtFp16: TENSORRT,
    TensorrtBf16: TENSORRT,
    OnnxCuda: {**TARGET, "fuse": "maybe", "fused_difference": 0},
    Budget: {
        "ms": 0,
        "percentile": "p95",
        "layers": [],
        "widths": [0],
        "bag": "often",
        "max_tokens": [3],
        "threads": [0],
        "train": 0,
        "requests": 99,
        "processes": 1,
    },
    BenchConfig: {
        "requests": 0,
        "warmup": -1,
        "processes": 0,
        "minutes": -1,
        "within": 0,
        "spinning": "often",
        "layouts": "often",
        "trained_students": "often",
        "int8_teachers": "often",
        "openvino": "often",
        "compiled": "often",
        "scenarios": ["closed"],
        "grid_batch": [0],
        "grid_tokens": [],
        "sessions": 0,
        "arrivals": 999,
        "p99_ms": 0,
        "threads": 0,
        "batch": [],
        "throughput_batch": 0,
        "tail_samples": 0,
        "seed": -1,
    },
}
