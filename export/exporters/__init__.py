"""What traces a model into ONNX, one class in one file each: the toolkit's own way, and others to compare it with.

To add one, write `export/exporters/<name>.py` with one subclass of `Exporter`.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from distill.core.siblings import siblings

if TYPE_CHECKING:
    from export.exporters.base import Exporter


def known_exporters() -> dict[str, type[Exporter]]:
    """The classes of all exporters by name."""
    from export.exporters.base import Exporter

    return {found.name: found for found in siblings(sys.modules[__name__], Exporter)}
