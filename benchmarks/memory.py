"""The most memory that this process has had."""

from __future__ import annotations

import re
import sys
from pathlib import Path

_STATUS = Path("/proc/self/status")
_PEAK = re.compile(r"^VmHWM:\s*(\d+) kB", re.MULTILINE)
_UNIT = 1024 if sys.platform != "darwin" else 1  # of ru_maxrss in bytes


def peak_bytes() -> int:
    """Bytes of the peak of resident memory.

    On Linux from the account of this program: `ru_maxrss` starts with the peak of the process that started it.
    """
    if _STATUS.exists() and (found := _PEAK.search(_STATUS.read_text())):
        return int(found[1]) * 1024
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _UNIT
