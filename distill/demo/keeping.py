"""An embedded project in a run folder, generated once and again when the package generates another one."""

from __future__ import annotations

from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from distill.core.files import read_json, sha256, sha256_json, write_json
from distill.core.progress import note
from distill.demo.generate import generate
from distill.demo.projects import settings_of, sizes_of

_PROJECT, _STAMP = "project.yaml", ".generated.json"


def keep(folder: Path, project: str) -> Path:
    """The project file of an embedded project in `folder`, up to date.

    One that another version of the package generated is written again, unless its project file was edited since: then
    all of it stays as it is, and a note says so.

    Raises: as `generate`.
    """
    path, stamp = folder / _PROJECT, folder / _STAMP
    made_by = _digest(project)
    known = read_json(stamp) if stamp.exists() and path.exists() else {}
    if known.get("made_by") == made_by:
        return path
    if known and known["file"] != sha256(path):
        note(f"{path} was edited after another version of distill generated it: left as it is")
        return path
    generate(folder, project=project)
    write_json(stamp, {"made_by": made_by, "file": sha256(path)})
    return path


def _digest(project: str) -> str:
    """Of everything that the generated files depend on."""
    sources = {path.name: path.read_text(encoding="utf-8") for path in _sources()}
    return sha256_json({"settings": settings_of(project), "sizes": vars(sizes_of(project)), "sources": sources})


def _sources() -> list[Traversable]:
    return sorted((p for p in files("distill.demo").iterdir() if p.name.endswith(".py")), key=lambda path: path.name)
