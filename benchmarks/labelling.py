"""How fast a teacher labels pairs of offers on the processor, against what else scores pairs with the same model.

`python -m benchmarks.labelling --against cross-encoder pipeline --peer-python PATH --data FOLDER --encoder ENCODER`
labels rows of WDC Products, read as documents, by each of our backends and precisions and by the peers in their own
environment: sentence-transformers' `CrossEncoder.predict` and transformers' `text-classification` pipeline, 32 pairs in
a batch. All read the same tokens with the same threads. Rows are dealt into blocks; each side is a process that has
loaded its model, and in each round all of them label the same block, tokenisation, and of ours writing, included. A
ratio is the median over rounds, with its interval. Logits are compared with PyTorch's in fp32, and the rate with that
of a large product of matrices in the same round.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from benchmarks.environment import environment
from benchmarks.gpu.flops import forward_flops
from benchmarks.labelling_inputs import Job, export
from benchmarks.labelling_sides import PEAK
from benchmarks.rounds import ratio
from distill.core.errors import DistillError, UserError
from distill.core.files import Json, write_json
from distill.families.checked_opening import largest_change

_PEERS = Path(__file__).resolve().parent / "peers"
_NAME, _EXACT = "labelling_speed", "torch-fp32"
PEERS = {"cross-encoder": "fp32", "cross-encoder-bf16": "bf16", "pipeline": "fp32"}
OURS = ("torch-fp32", "torch-bf16", "torch-bf16-2", "onnx-fp32", "openvino-fp32", "openvino-bf16")
"""Backend, precision, and how many of the last layers stay in fp32, as `precision_limit` makes them."""
_TYPES = {"fp32": "float32", "bf16": "bfloat16"}
_LIMITS = {"fp32": 1e-4, "bf16": 1e-2}
BOUNDS = (("bf16", "cross-encoder", 2.0), ("bf16", "pipeline", 3.0), ("fp32", "cross-encoder", 1.25))
"""What is asked of our fastest side: its precision, the peer, and how many times as fast it has to be."""
_UNITS = {"avx512_bf16", "amx_bf16", "bf16"}
_INSTALL = "install requirements/sentence_transformers.txt in the environment of --peer-python"


class Side:
    """A process that labels blocks.

    Args: command: that starts it. precision: that it has to compute in; None: in any.
    Raises: UserError when it cannot be started.
    """

    def __init__(self, name: str, command: Sequence[str], job: Job, precision: str | None) -> None:
        root, own = str(_PEERS.parents[1]), command[0] == sys.executable
        threads = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), str(job.threads))
        kept = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
        quiet = {"HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1", "TOKENIZERS_PARALLELISM": "true"}
        env = {**kept, **threads, **quiet, **({"PYTHONPATH": root} if own else {})}
        self.name, self._errors = name, tempfile.TemporaryFile("w+")
        try:
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors, text=True, env=env
            )
        except OSError as error:
            raise UserError("cannot run the peer", where=command[0], found=error.strerror, do=_INSTALL) from None
        self._expected = {"threads": job.threads, **({"dtype": _TYPES[precision]} if precision else {})}

    def wait(self) -> None:
        """Until its model is loaded. Raises: UserError when it ends, or computes in other numbers or threads."""
        about = self._line()
        if any(about[key] != value for key, value in self._expected.items()):
            told = " and ".join(f"{key} {value}" for key, value in self._expected.items())
            raise UserError(
                "a side does not compute as it should", where=self.name, found=about, do=f"it has to have {told}"
            )

    def label(self, block: int) -> Json:
        """Seconds of one block. Raises: UserError when the process ends."""
        assert self._process.stdin is not None
        with suppress(OSError):  # it has ended, which is told where its answer is read
            print(block, file=self._process.stdin, flush=True)
        return self._line()

    def _line(self) -> Json:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if line:
            found: Json = json.loads(line)
            return found
        self._process.wait()
        self._errors.seek(0)
        told = "\n".join(self._errors.read().strip().splitlines()[-8:])
        raise UserError(f"the side '{self.name}' ended without a result", found=told, do=_INSTALL)

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the process."""
        for stream in (self._process.stdin, self._process.stdout, self._errors):
            if stream is not None:
                with suppress(OSError):  # of one that has ended there is something left to be written
                    stream.close()
        self._process.wait()


def measure(job: Job, ours: Sequence[str], peers: Sequence[str], peer_python: Path | None, work: Path) -> Json:
    """Cells by side, ratios with their intervals, changes of logits, shares of the peak and the bounds.

    Raises: UserError as `export` and `Side`.
    """
    inputs = export(job, work)
    rounds: dict[str, list[Json]] = {}
    with ExitStack() as stack:
        sides = {name: stack.enter_context(_started(name, job, peer_python, work)) for name in (PEAK, *ours, *peers)}
        for side in sides.values():
            side.wait()
        for block in range(job.blocks):
            # Each round begins with another side, so that none is always first.
            turn = block % len(sides)
            for name in (*list(sides)[turn:], *list(sides)[:turn]):
                rounds.setdefault(name, []).append(sides[name].label(block))
            print(f"round {block + 1} of {job.blocks}", file=sys.stderr)
    changes = {name: _change(work, name, job.blocks) for name in (*ours, *peers) if name != _EXACT}
    return {"cells": cells(rounds, inputs, changes), **compared(rounds, changes)}


def _started(name: str, job: Job, peer_python: Path | None, work: Path) -> Side:
    if name in PEERS:
        if peer_python is None:
            raise UserError("the peer has an environment of its own", where="--peer-python", found=name, do=_INSTALL)
        command = [str(peer_python), str(_PEERS / "labelling_peer.py"), str(work), "--side", name]
        return Side(name, command, job, PEERS[name])
    command = [sys.executable, "-P", "-m", "benchmarks.labelling_sides", str(work), name]
    return Side(name, command, job, None if name == PEAK else _precision(name))


def _precision(side: str) -> str:
    return PEERS.get(side) or side.split("-")[1]


def _change(work: Path, side: str, blocks: int) -> float:
    """The largest change of a logit against PyTorch in fp32, which was measured with the others."""
    pairs = ((work / f"{side}-{block}.npy", work / f"{_EXACT}-{block}.npy") for block in range(blocks))
    return max(largest_change(np.load(one), np.load(other)) for one, other in pairs)


def cells(rounds: Mapping[str, Sequence[Json]], inputs: Json, changes: Mapping[str, float]) -> dict[str, Json]:
    """By side, rows per second of wall and of processor time, the share of the peak, the change of logits.

    Args: rounds: seconds by side, of `peak` TFLOP/s by precision. inputs: as `export` returns them.
    """
    found = {}
    flops = [forward_flops(lengths, inputs["layers"], inputs["width"]) for lengths in inputs["lengths"]]
    rows = sum(map(len, inputs["lengths"]))
    for name, told in rounds.items():
        if name == PEAK:
            continue
        rates = [work / one["seconds"] / 1e12 for work, one in zip(flops, told, strict=True)]
        best = [one[_precision(name)] for one in rounds[PEAK]]
        found[name] = {
            "pairs_per_s": round(rows / sum(one["seconds"] for one in told), 1),
            "pairs_per_cpu_s": round(rows / sum(one["cpu_seconds"] for one in told), 1),
            "share_of_peak": round(float(np.median(np.divide(rates, best))), 3),
            "largest_change": changes.get(name, 0.0),
        }
    return found


def compared(rounds: Mapping[str, Sequence[Json]], changes: Mapping[str, float]) -> Json:
    """`ratios` of each of our sides to each peer and their `intervals`, `cpu_ratios`, and the `bounds`."""
    walls, used = (
        {name: np.array([one[key] for one in told]) for name, told in rounds.items() if name != PEAK}
        for key in ("seconds", "cpu_seconds")
    )
    ours, peers = [name for name in walls if name not in PEERS], [name for name in walls if name in PEERS]
    pairs = {f"{one}_vs_{peer}": (peer, one) for one in ours for peer in peers}
    found = {name: ratio(walls[peer], walls[one]) for name, (peer, one) in pairs.items()}
    bounds: list[Json] = []
    for precision, peer, required in BOUNDS:
        able = [name for name in ours if _precision(name) == precision and changes.get(name, 0) <= _LIMITS[precision]]
        if peer in peers:
            best = max((found[f"{name}_vs_{peer}"]["value"] for name in able), default=0.0)
            own: Json = {"precision": precision, "peer": peer, "required": required, "measured": round(best, 3)}
            bounds.append({**own, "passed": best >= required})
    return {
        "ratios": {name: round(one["value"], 3) for name, one in found.items()},
        "intervals": {name: [round(one["low"], 3), round(one["high"], 3)] for name, one in found.items()},
        "cpu_ratios": {name: round(ratio(used[peer], used[one])["value"], 3) for name, (peer, one) in pairs.items()},
        "bounds": bounds,
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns the exit code."""
    options = _parser().parse_args(arguments)
    job = Job(options.data, options.encoder, options.rows, options.blocks, options.threads, options.batch_tokens)
    try:
        with tempfile.TemporaryDirectory(prefix="distill-labelling-") as work:
            sides = list(dict.fromkeys((_EXACT, *options.sides)))
            found = measure(job, sides, options.against, options.peer_python, Path(work))
    except DistillError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    here = environment()
    about = {
        "kind": _NAME,
        "title": "Speed of labelling",
        "command": f"python -m benchmarks.labelling --against {' '.join(options.against)} --peer-python PATH",
        **{name: getattr(job, name) for name in ("rows", "blocks", "threads", "batch_tokens")},
        "bf16_units": bool(_UNITS & set(here["cpu_flags"])),
    }
    if not about["bf16_units"]:
        print("this processor has no bf16 units: bf16 is emulated, and its bounds say nothing", file=sys.stderr)
    result = {**about, **found, "environment": here}
    if options.results:
        write_json(options.results / f"{_NAME}.json", result)
    print(json.dumps(result))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.labelling", description=__doc__)
    add = parser.add_argument
    here = [name for name in OURS if name.partition("-")[0] != "openvino" or find_spec("openvino")]
    add("--against", nargs="+", choices=PEERS, default=list(PEERS), help="the peers")
    add("--peer-python", type=Path, help="interpreter of an environment with requirements/sentence_transformers.txt")
    add("--data", type=Path, required=True, help="folder of all data sets")
    add("--encoder", type=Path, required=True, help="folder of an encoder, which gets a head, or of a classifier")
    add("--sides", nargs="+", choices=OURS, default=here, help="ours; torch-fp32 is always among them")
    add("--rows", type=int, default=3000)
    add("--blocks", type=int, default=6, help="of rows, one for each round")
    add("--threads", type=int, default=2)
    add("--batch-tokens", type=int, default=4096, help="padded tokens of a batch of ours")
    add("--results", type=Path, help="folder for the result's file; none: it is only printed")
    return parser


if __name__ == "__main__":
    sys.exit(main())
