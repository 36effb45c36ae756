"""An embedded project in a run folder, generated once and again when the package generates another one."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from distill.core.errors import UserError
from distill.core.files import read_object, sha256, sha256_json, write_json
from distill.core.folders import is_empty
from distill.core.progress import note
from distill.demo.generate import generate
from distill.demo.projects import settings_of, sizes_of

PROJECT, _STAMP = "project.yaml", ".generated.json"


def keep(folder: Path, project: str) -> Path:
    """The project file of an embedded project in `folder`, up to date.

    One that another version of the package generated is written again, unless its project file was edited since: then
    all of it stays as it is, and a note says so.

    Raises: as `generate`. UserError for a folder with files that were not generated.
    """
    path, stamp = folder / PROJECT, folder / _STAMP
    made_by = _digest(project)
    known = read_object(stamp)
    if path.exists() and known.get("made_by") == made_by:
        return path
    if path.exists() and "file" in known and known["file"] != sha256(path):
        note(f"{path} was edited after another version of distill generated it: left as it is")
        return path
    if folder.exists() and not stamp.exists() and not is_empty(folder):
        raise UserError(
            "the embedded project would overwrite files that were not generated",
            where=str(folder),
            do="move them away, or choose another run folder with --out",
        )
    write_json(stamp, {})  # from here on the folder is ours, also after a kill
    generate(folder, project=project)
    write_json(stamp, {"made_by": made_by, "file": sha256(path)})
    return path


def _digest(project: str) -> str:
    """Of everything that the generated files depend on."""
    sources = dict(_sources(files("distill.demo")))
    return sha256_json({"settings": settings_of(project), "sizes": vars(sizes_of(project)), "sources": sources})


def _sources(folder: Traversable, at: str = "") -> Iterator[tuple[str, str]]:
    """Path and text of every module and every file of wording, in no particular order."""
    for path in folder.iterdir():
        name = f"{at}{path.name}"
        if path.is_dir() and path.name not in ("projects", "__pycache__"):
            yield from _sources(path, f"{name}/")
        elif path.name.endswith((".py", ".yaml")):
            yield name, path.read_text(encoding="utf-8")
