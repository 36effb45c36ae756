"""Our sides of the labelling benchmark, each in a process of its own.

`python -m benchmarks.labelling_sides FOLDER SIDE` speaks as `benchmarks/peers/labelling_peer.py` does. A side is a
backend and a precision, `torch-bf16`, with the number of last layers that stay in fp32 where some do, `torch-bf16-2`;
what is timed is what `distill label` does for a shard: rendering, tokenising, scoring and writing. `peak` is none: it
multiplies large matrices and answers with what the processor can do at best.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import cast

import numpy as np

from benchmarks.gpu.flops import product_rate
from distill.core.files import Json, read_json, read_object
from distill.core.soft_labels import SoftLabels, statuses, write_shard
from distill.families.family import Opening, open_model
from distill.inference.backends.backend import Precision

PEAK = "peak"
_SIZE, _PRODUCTS = 2048, 5
_WARM = 32


def serve(folder: Path, side: str, lines: Sequence[str] | None = None) -> None:
    """Load, say so, and answer each line. Args: lines: of standard input."""
    job = read_object(folder / "job.json")
    answer, about = _peak(job) if side == PEAK else _labeller(folder, side, job)
    print(json.dumps(about), flush=True)
    for line in sys.stdin if lines is None else lines:
        print(json.dumps(answer(int(line))), flush=True)


def _peak(job: Json) -> tuple[Callable[[int], Json], Json]:
    import torch

    torch.set_num_threads(job["threads"])
    exported = _OnnxProduct(job["threads"])

    def answer(_: int) -> Json:
        bf16, fp32 = (product_rate("cpu", kind, _SIZE, _PRODUCTS) for kind in (torch.bfloat16, torch.float32))
        return {"bf16": bf16, "fp32": max(fp32, exported.rate())}

    return answer, {"dtype": "float32+bfloat16", "threads": torch.get_num_threads()}


class _OnnxProduct:
    """A product of two matrices in ONNX Runtime: on some processors it is the faster one in fp32."""

    def __init__(self, threads: int) -> None:
        import onnxruntime
        from onnx import TensorProto, helper, numpy_helper

        chance, shape = np.random.default_rng(1), (_SIZE, _SIZE)
        self._left, right = (chance.standard_normal(shape).astype(np.float32) for _ in range(2))
        sides = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in ("left", "product")]
        node = helper.make_node("MatMul", ["left", "right"], ["product"])
        weights = numpy_helper.from_array(right, "right")
        graph = helper.make_graph([node], "product", sides[:1], sides[1:], [weights])
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # the next side shall not be disturbed
        self._session = onnxruntime.InferenceSession(model.SerializeToString(), options)

    def rate(self) -> float:
        """TFLOP/s of the median, after three that warm up."""
        seconds = []
        for _ in range(3 + _PRODUCTS):
            started = time.perf_counter()
            self._session.run(None, {"left": self._left})
            seconds.append(time.perf_counter() - started)
        return float(2 * _SIZE**3 / median(seconds[3:]) / 1e12)


def _labeller(folder: Path, side: str, job: Json) -> tuple[Callable[[int], Json], Json]:
    import torch

    backend, precision, *exact = side.split("-")
    how = Opening(job["threads"], cast(Precision, precision), batch_tokens=job["batch_tokens"], backend=backend)
    how = replace(how, exact_layers=int(exact[0]) if exact else 0)
    scorer, blocks, store = open_model(folder / "model", how), read_json(folder / "rows.json"), folder / "labels" / side
    scorer.score(blocks[0][:_WARM])

    def answer(number: int) -> Json:
        rows = blocks[number]
        started, used = time.perf_counter(), time.process_time()
        found = scorer.score(rows)
        tokens, cut = found.tokens.astype(np.int32), found.cut_tokens.astype(np.int32)
        ids, sources = [f"{number}-{row}" for row in range(len(rows))], ["pool.rows"] * len(rows)
        part = SoftLabels(ids, sources, found.logits, tokens, cut, statuses(found.logits, tokens))
        write_shard(store, number, part)
        seconds = {"seconds": time.perf_counter() - started, "cpu_seconds": time.process_time() - used}
        np.save(folder / f"{side}-{number}.npy", found.logits)
        return seconds

    return answer, {"dtype": {"fp32": "float32", "bf16": "bfloat16"}[precision], "threads": torch.get_num_threads()}


if __name__ == "__main__":
    serve(Path(sys.argv[1]), sys.argv[2])
