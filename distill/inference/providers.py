"""What runs an exported file: execution providers of ONNX Runtime by short names, and sessions that keep to them.

ONNX Runtime goes on with the processor when a provider is absent or does not start. Here that is an error, or, where
the choice was left to us, a choice that can be read off the session.

Shipped next to `runtime.py` in a bundle. Needs onnxruntime and, for TensorRT, `engines.py` beside it.
"""

from __future__ import annotations

import contextlib
import importlib.util
import sys
import warnings
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

AUTO, CPU, CUDA, TENSORRT = "auto", "CPUExecutionProvider", "CUDAExecutionProvider", "TensorrtExecutionProvider"
NAMES = {"cpu": CPU, "cuda": CUDA, "tensorrt": TENSORRT}
"""The short names that users give, besides `auto`."""

_INSTALL = {
    CPU: "pip install onnxruntime",
    CUDA: "pip install onnxruntime-gpu, in place of onnxruntime, and CUDA with cuDNN",
    TENSORRT: "pip install onnxruntime-gpu, in place of onnxruntime, and tensorrt-cu13",
}
# TensorFloat-32 is ONNX Runtime's default for fp32 products and is off by 1e-3 of a logit: another model's answers.
_OPTIONS: dict[str, dict[str, str]] = {CUDA: {"use_tf32": "0"}}
# What TensorRT leaves of a graph goes to CUDA, not to the processor.
_BESIDE = {TENSORRT: (CUDA,)}
# PyTorch on cards and processors, Arrow and NumPy, ONNX Runtime's arena, cuBLAS and cuDNN.
_NO_MEMORY = (
    *("out of memory", "can't allocate memory", "bad allocation", "bad_alloc", "realloc of size"),
    *("failed to allocate memory", "smaller than requested bytes", "status_alloc_failed"),
)


class ProviderError(ValueError):
    """The provider that was asked for is absent, did not start, or must not run the file."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether there was too little memory, here or on a card: libraries with a core of their own say it in words."""
    said = str(error).lower()
    return isinstance(error, MemoryError) or any(words in said for words in _NO_MEMORY)


def require_known(asked: str) -> None:
    """Check the name of a provider. Raises: ValueError with the known ones."""
    if asked != AUTO and asked not in NAMES:
        raise ValueError(f"no provider '{asked}'; known: {', '.join((AUTO, *NAMES))}")


def candidates(asked: str, entry: Mapping[str, Any], available: Sequence[str]) -> list[str]:
    """The providers to try, best first.

    Args: asked: `auto`, or a short name. entry: `providers`, those that may run the file, best first, and where it says
        so `elsewhere`, why no other one may. available: those of this ONNX Runtime.
    Raises: ProviderError when there is none, with why, or with what to install. ValueError for an unknown name.
    """
    allowed = list(entry["providers"])
    require_known(asked)
    if asked != AUTO and NAMES[asked] not in allowed:
        why = entry.get("elsewhere") or "it was not made for it"
        raise ProviderError(f"must not run on {asked}: {why}; it runs on {', '.join(map(short, allowed))}")
    wanted = allowed if asked == AUTO else [NAMES[asked]]
    found = [name for name in wanted if name in available]
    if not found:
        needed = f"needs {' or '.join(wanted)}, which ONNX Runtime does not have here (it has {', '.join(available)})"
        install = next((_INSTALL[name] for name in wanted if name in _INSTALL), "install a build that has it")
        raise ProviderError(f"{needed}: {install}")
    return found


def can_run(asked: str, entry: Mapping[str, Any]) -> bool:
    """Whether ONNX Runtime has a provider here that may run the file. Args: as `candidates`."""
    import onnxruntime

    try:
        return bool(candidates(asked, entry, onnxruntime.get_available_providers()))
    except ProviderError:
        return False


def recorded_on(entry: Mapping[str, Any]) -> str:
    """What a file's answers are recorded on: the processor wherever it may run there, so that no card is in them."""
    return "cpu" if CPU in entry["providers"] else AUTO


def short(provider: str) -> str:
    """The short name of a provider, or its own where it has none."""
    return next((name for name, full in NAMES.items() if full == provider), provider)


def used_by(session: Any) -> str:
    """The provider that runs a session."""
    return str(session.get_providers()[0])


def tolerance(entry: Mapping[str, Any], provider: str) -> float:
    """How far a logit may be off where `provider` runs the file. Args: entry: of the manifest."""
    return float(entry.get("tolerances", {}).get(provider, entry["tolerance"]))


def open_session(
    model: Path,
    entry: Mapping[str, Any],
    asked: str = AUTO,
    threads: int | None = None,
    level: Any = None,
    spinning: bool = True,
) -> Any:
    """An ONNX Runtime session on the provider that was asked for, or with `auto` on the first that starts.

    Args: entry: as in `candidates`. threads: of one operator; None leaves the choice to the runtime. level: of graph
        optimisation; None is all. spinning: whether threads without work wait in a loop for a while before they sleep.
    Raises: ProviderError; whatever ONNX Runtime raises for the file itself.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = threads or 0, 3
    options.inter_op_num_threads = 1  # operators come one after another: no second pool
    options.add_session_config_entry("session.intra_op.allow_spinning", str(int(spinning)))
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL if level is None else level
    available = onnxruntime.get_available_providers()
    problems = []
    found = candidates(asked, entry, available)
    for provider in found:
        _preload(provider, onnxruntime)
        beside = [name for name in _BESIDE.get(provider, ()) if name in available]
        chain = [(name, _options(entry, name)) for name in (provider, *beside)]
        start = partial(_start, onnxruntime, model, options, chain)
        try:
            engines = provider == TENSORRT and entry.get("profiles")
            session = _engines().engine_session(model, engines, start) if engines else start()
        except Exception as error:
            if provider == CPU:
                raise
            problems.append(f"{provider}: {str(error).partition(chr(10))[0]}")
            continue
        if used_by(session) == provider:
            session.disable_fallback()
            for text in problems:
                warnings.warn(f"{model.name}: {text}; {provider} runs it", stacklevel=2)
            return session
        problems.append(f"{provider} did not start: ONNX Runtime went on with {used_by(session)}")
    do = _INSTALL.get(found[0], "see its requirements")
    raise ProviderError(f"cannot run here: {'; '.join(problems)}: {do}, and look whether nvidia-smi shows a card")


def _start(onnxruntime: Any, model: Path, options: Any, chain: Any, more: Mapping[str, str] | None = None) -> Any:
    """A session. Args: chain: providers with their options. more: options of the first of them."""
    (first, said), *rest = chain
    providers = [(first, {**said, **(more or {})}), *rest]
    return onnxruntime.InferenceSession(str(model), options, providers=providers, enable_fallback=0)


def _engines() -> Any:
    """The module beside this one that keeps TensorRT's engines."""
    if __package__ == "distill.inference":
        from distill.inference import engines

        return engines
    path = Path(__file__).resolve().with_name("engines.py")  # in a bundle
    spec = importlib.util.spec_from_file_location(f"{__name__}_engines", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _preload(provider: str, onnxruntime: Any) -> None:
    """Load CUDA's libraries from where pip put them, PyTorch's own among them; a system's are found without."""
    if provider != CPU and hasattr(onnxruntime, "preload_dlls"):
        with contextlib.redirect_stdout(sys.stderr):  # it prints what it misses
            onnxruntime.preload_dlls()


def _options(entry: Mapping[str, Any], provider: str) -> dict[str, str]:
    return {**_OPTIONS.get(provider, {}), **entry.get("provider_options", {}).get(provider, {})}
