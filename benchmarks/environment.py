"""The machine and the library versions behind a measured figure, without names of hosts or users."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Any

from distill.core.versions import versions_of

_CPU_INFO = Path("/proc/cpuinfo")
# int8 and bf16 speed hangs on these.
_X86_FLAGS = ("avx2", "avx_vnni", "avx512f", "avx512_vnni", "avx512_bf16", "amx_int8", "amx_bf16")
_ARM_FLAGS = ("asimddp", "i8mm", "bf16")
_PACKAGES = ("numpy", "onnxruntime", "onnxruntime-gpu", "tokenizers", "torch", "transformers")


def environment() -> dict[str, Any]:
    """Processor with its flags for int8 and bf16, usable cores, load of the last minute, system, versions."""
    info = _cpu_info(_CPU_INFO.read_text(encoding="utf-8", errors="replace") if _CPU_INFO.exists() else "")
    flags = set((info.get("flags") or info.get("Features") or "").split())
    versions = versions_of(_PACKAGES)
    return {
        "cpu": info.get("model name") or platform.processor() or platform.machine(),
        "cpu_flags": sorted(flags & {*_X86_FLAGS, *_ARM_FLAGS}),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "load_1min": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
        "system": f"{platform.system()} {platform.machine()}",
        "python": versions.pop("python"),
        "versions": versions,
    }


def _cpu_info(text: str) -> dict[str, str]:
    """The fields of the first processor in the content of `/proc/cpuinfo`."""
    first = text.strip().split("\n\n")[0]
    pairs = (line.partition(":") for line in first.splitlines())
    return {key.strip(): value.strip() for key, colon, value in pairs if colon}
