"""Versions are those of the packages that are installed."""

from __future__ import annotations

import platform
from importlib.metadata import version

from distill.core.versions import versions_of


def test_what_is_not_installed_is_left_out():
    found = versions_of(("numpy", "no-such-package"))
    assert found == {"python": platform.python_version(), "numpy": version("numpy")}
