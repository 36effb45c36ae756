"""What the fields of configs of export, benchmark, teachers of any family and phases refuse; see `test_project`."""

from __future__ import annotations

from typing import Any

from benchmarks.config import BenchConfig
from distill.core.config import Config
from export.targets.onnx_cuda import OnnxCuda
from export.targets.onnx_fp16 import OnnxFp16
from export.targets.onnx_fp32 import OnnxFp32
from export.targets.onnx_int8_dynamic import OnnxInt8Dynamic
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

HALF: dict[str, Any] = {
    "name": "",
    "target": "",
    "parity_rows": 0,
    "tolerance": 0,
    "keep_fp32": "head",
    "largest_share": 2,
}
TENSORRT: dict[str, Any] = {**HALF, "engine": "there", "most_rows": 0, "least_share": 2}

REJECTED: dict[type[Config], dict[str, Any]] = {
    TeacherEntry: TEACHER,
    PhaseConfig: {
        "rows": {"old": -1},
        "epochs": 0,
        "learning_rate": 2,
        "final_learning_rate": -1,
        "batch_size": 0,
        "layers": 0,
        "keep": "middle",
    },
    OnnxFp32: {"name": "", "target": "", "parity_rows": 0, "exporter": "optimun", "exporter_python": "python"},
    OnnxFp16: HALF,
    TensorrtFp16: TENSORRT,
    TensorrtBf16: TENSORRT,
    OnnxCuda: {"name": "", "target": "", "parity_rows": 0, "fuse": "maybe", "fused_difference": 0},
    OnnxInt8Dynamic: {
        "name": "",
        "target": "",
        "parity_rows": 0,
        "keep_fp32": "head",
        "max_flips": 2,
        "reduce_range": "maybe",
    },
    BenchConfig: {
        "requests": 0,
        "warmup": -1,
        "processes": 0,
        "threads": 0,
        "batch": [],
        "throughput_batch": 0,
        "tail_samples": 0,
        "seed": -1,
    },
}
