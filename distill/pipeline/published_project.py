"""The resolved project as others may read it: without places of this machine, secrets, and texts where asked."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from distill.core.run_folder import PROJECT_FILE
from distill.pipeline.settings import Settings

LEFT_OUT = "(left out)"
_SECRET = re.compile(r"(^|_)(secret|password|passwd|authorization|credentials?|token|api_?key|access_?key)$", re.I)
_IN_URL = re.compile(r"(?<=://)[^/@\s]+@|(?<=\S)\?\S*$")
_HEAD = """\
# The project that this model was made by, resolved: presets, project file and --set merged, every option written out.
# Folders of the machine are left out, and values whose names say that they are secret.
"""


def published_project(settings: Settings) -> str:
    """The resolved project as YAML: paths inside `data.root` from there, others by their name alone."""
    texts, root = settings.project.report.texts, Path(settings.project.data.root)
    stored = {key: value for key, value in settings.as_json().items() if key != PROJECT_FILE}
    content = {key: _published(value, key, root, texts) for key, value in stored.items()}
    content["data"] = {**content["data"], "root": "."}
    return _HEAD + yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=120)


def _published(value: Any, key: str, root: Path, texts: bool) -> Any:
    if _SECRET.search(key) and value is not None:
        return LEFT_OUT
    if isinstance(value, dict):
        return {str(name): _published(inner, str(name), root, texts) for name, inner in value.items()}
    if isinstance(value, list):
        if key == "examples" and not texts:
            return [LEFT_OUT] * len(value)
        return [_published(inner, "", root, texts) for inner in value]
    return _without_places(value, root) if isinstance(value, str) else value


def _without_places(text: str, root: Path) -> str:
    if "\n" in text:
        return text
    if "://" in text:
        return _IN_URL.sub("", text)
    if not text.startswith(("/", "~")):
        return text
    path = Path(text)
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.name
