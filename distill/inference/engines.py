"""TensorRT engines of a strongly typed file: built where they run, kept for that card and these versions alone.

ONNX Runtime's TensorRT provider builds an engine when a session starts; without its precision flags, which are never
set here, the network is strongly typed: TensorRT computes in the types of the graph. The provider names a cached engine
after the graph and the compute capability, which cards of one kind with different memory share, and the driver is not
in the name. Here an engine lies in a folder for this file, card, driver, CUDA and versions, with a manifest; what has
another one is never loaded.

The provider (1.31) keeps to an engine's first shape profile. So each profile has an engine and a session of its own.

Shipped next to `runtime.py` in a bundle. Needs onnxruntime and TensorRT's libraries, nothing else.
"""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

Json = dict[str, Any]
Start = Callable[[dict[str, str]], Any]
FOLDER, MANIFEST = "DISTILL_ENGINES", "engine.json"
"""The variable that names where engines are kept, in place of the user's cache folder, and what describes each."""

_DRIVER = Path("/proc/driver/nvidia/version")
_MAJOR, _MINOR = 75, 76  # CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_…
_NAME_BYTES = 256
_KEY = 16


class NoGpu(ValueError):
    """There is no CUDA card, driver or TensorRT library here."""


def preload() -> None:
    """Load TensorRT's libraries from where pip put them; a system's are found without."""
    with contextlib.suppress(ImportError, OSError):
        import tensorrt  # noqa: F401


def machine() -> Json:
    """What an engine is made for: `gpu`, `sm`, `driver`, `cuda`, `tensorrt`, `onnxruntime`, each a text.

    `cuda` is the newest version that the driver runs. Raises: NoGpu naming what is missing.
    """
    import onnxruntime

    return {**_card(), "tensorrt": tensorrt_version(), "onnxruntime": onnxruntime.__version__}


def tensorrt_version() -> str:
    """The version of TensorRT's library. Raises: NoGpu without one."""
    preload()
    for major in (10, 11):
        with contextlib.suppress(OSError):
            number = int(ctypes.CDLL(f"libnvinfer.so.{major}").getInferLibVersion())
            return f"{number // 10000}.{number // 100 % 100}.{number % 100}"
    raise NoGpu("TensorRT's library libnvinfer.so is not here")


def engine_session(model: Path, profiles: Sequence[Mapping[str, Any]], start: Start) -> Engines:
    """A session over one engine for each shape profile; engines that are not here for this machine are built.

    Args: profiles: `{"inputs": [names], "batch": [least, usual, most], "tokens": [least, usual, most]}`, those of small
        batches first. start: a session of `model` with these options of the TensorRT provider.
    Raises: NoGpu; whatever ONNX Runtime raises.
    """
    here, digest = machine(), _sha256(model)
    made = [_engine({"model_sha256": digest, "profile": dict(one), "machine": here}, start) for one in profiles]
    return Engines(made, profiles)


class Engines:
    """Several sessions of one file, of which each takes the batches of its shape profile; as one session otherwise."""

    def __init__(self, sessions: Sequence[Any], profiles: Sequence[Mapping[str, Any]]) -> None:
        self._sessions, self._profiles = list(sessions), list(profiles)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sessions[0], name)

    def disable_fallback(self) -> None:
        """Keep every session from going on with another provider."""
        for session in self._sessions:
            session.disable_fallback()

    def run(self, names: Sequence[str] | None, feeds: Mapping[str, Any]) -> list[Any]:
        """As a session's. A batch larger than all profiles is read in parts.

        Raises: ValueError for a length that no profile has.
        """
        import numpy as np

        rows, tokens = next(iter(feeds.values())).shape
        for session, profile in zip(self._sessions, self._profiles, strict=True):
            if _within(rows, profile["batch"]) and _within(tokens, profile["tokens"]):
                return list(session.run(names, feeds))
        most = max((one["batch"][2] for one in self._profiles if _within(tokens, one["tokens"])), default=rows)
        if rows <= most:
            raise ValueError(f"a batch of {rows} × {tokens} tokens fits no shape profile of the engine")
        parts = [
            self.run(names, {name: value[first : first + most] for name, value in feeds.items()})
            for first in range(0, rows, most)
        ]
        return [np.concatenate(one) for one in zip(*parts, strict=True)]


def options(profile: Mapping[str, Any], engine: Path, timing: Path) -> dict[str, str]:
    """What the TensorRT provider is told: the shapes, and in which folders engine and timing cache are."""
    shapes = {
        kind: ",".join(f"{name}:{profile['batch'][index]}x{profile['tokens'][index]}" for name in profile["inputs"])
        for index, kind in enumerate(("min", "opt", "max"))
    }
    return {
        **{f"trt_profile_{kind}_shapes": text for kind, text in shapes.items()},
        "trt_engine_cache_enable": "1",
        "trt_engine_cache_path": str(engine),
        "trt_timing_cache_enable": "1",
        "trt_timing_cache_path": str(timing),
    }


def engines_folder() -> Path:
    """Where engines are kept: `DISTILL_ENGINES`, or below the user's cache folder."""
    if own := os.environ.get(FOLDER):
        return Path(own)
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "distill" / "engines"


def timing_folder(here: Json) -> Path:
    """Where the timing cache of a machine is, which all engines share that are built on it."""
    return engines_folder() / f"timing-{_digest(here)}"


def timing_file(here: Json) -> Path:
    """The timing cache in it, by the name that the provider gives it."""
    return timing_folder(here) / f"TensorrtExecutionProvider_cache_sm{here['sm'].replace('.', '')}.timing"


def _engine(wanted: Json, start: Start) -> Any:
    """A session whose engine is the stored one for exactly `wanted`, or is built now."""
    profile, timing = wanted["profile"], timing_folder(wanted["machine"])
    folder = engines_folder() / wanted["model_sha256"][:_KEY] / _digest(wanted)
    timing.mkdir(parents=True, exist_ok=True)
    if _manifest(folder) == wanted:
        with contextlib.suppress(Exception):  # a damaged engine is built again, as any that does not fit
            return start(options(profile, folder, timing))
    shutil.rmtree(folder, ignore_errors=True)
    # Under another name until it is whole: a process that is killed here leaves nothing that looks finished.
    building = folder.with_name(f"{folder.name}.{os.getpid()}")
    shutil.rmtree(building, ignore_errors=True)
    building.mkdir(parents=True)
    session = start(options(profile, building, timing))
    (building / MANIFEST).write_text(json.dumps(wanted, indent=2) + "\n", encoding="utf-8")
    with contextlib.suppress(OSError):  # another process was faster: this session keeps the engine that it has
        building.rename(folder)
    shutil.rmtree(building, ignore_errors=True)
    return session


def _manifest(folder: Path) -> Any:
    try:
        return json.loads((folder / MANIFEST).read_bytes())
    except (OSError, ValueError):
        return None


def _card() -> Json:
    """The first card of CUDA and its driver. Raises: NoGpu."""
    try:
        cuda = ctypes.CDLL("libcuda.so.1")
    except OSError:
        raise NoGpu("there is no CUDA driver here (libcuda.so.1)") from None
    device, name, found = ctypes.c_int(), ctypes.create_string_buffer(_NAME_BYTES), ctypes.c_int()
    if cuda.cuInit(0) or cuda.cuDeviceGet(ctypes.byref(device), 0):
        raise NoGpu("the CUDA driver finds no card here")
    cuda.cuDeviceGetName(name, _NAME_BYTES, device)
    capability = []
    for attribute in (_MAJOR, _MINOR):
        cuda.cuDeviceGetAttribute(ctypes.byref(found), attribute, device)
        capability.append(str(found.value))
    cuda.cuDriverGetVersion(ctypes.byref(found))
    version = f"{found.value // 1000}.{found.value % 1000 // 10}"
    return {"gpu": name.value.decode(), "sm": ".".join(capability), "driver": _driver(), "cuda": version}


def _driver(path: Path = _DRIVER) -> str:
    """The kernel driver's version; `unknown` where the system does not tell."""
    text = path.read_text() if path.is_file() else ""
    found = re.search(r"\s(\d{3,}\.\d+(?:\.\d+)?)\s", text)
    return found.group(1) if found else "unknown"


def _digest(content: Json) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:_KEY]


def _within(value: int, bounds: Sequence[int]) -> bool:
    return bounds[0] <= value <= bounds[2]


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
