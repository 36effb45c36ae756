"""What a bundle says of its origin: data, project, encoder, artifacts; the same for every run of equal inputs."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import yaml

from distill.core import manifest
from distill.core.files import Json, read_object
from distill.core.intake.ledger import Ledger
from distill.core.intake.sources import data_files
from distill.core.publishing import NOT_STATED
from distill.core.run_folder import RECORDS
from distill.pipeline.experiment import Experiment
from distill.pipeline.models import ModelSpec
from teachers.embedded import local_folder

_COMMIT = re.compile(r"[0-9a-f]{40}")
_GIT_SECONDS = 10


def lineage(experiment: Experiment, spec: ModelSpec, artifacts: Sequence[str]) -> Json:
    """What a student was made from.

    Args: artifacts: of the run, named with the digest of their files.
    Returns: `{"project": {"commit", "dirty"}, "data": {source: {"license", "kept": {split: rows}, "files": [{"name",
        "sha256", "rows"}]}}, "encoder": {"name", "revision", "license"}, "artifacts": {name: digest}}`; what nobody
        stated is "not stated", a project in no repository has the commit null. No times, no absolute paths.
    """
    return {
        "project": commit_of(Path(experiment.settings.where)),
        "data": _data(experiment),
        "encoder": _encoder(experiment, spec),
        "artifacts": {name: manifest.digest(experiment.run / name) for name in artifacts},
    }


def finished(run: Path, artifacts: Sequence[str]) -> dict[str, str]:
    """When each artifact was finished, in UTC; of those made by earlier versions nothing is known."""
    found = {name: manifest.read_manifest(run / name).get("finished") for name in artifacts}
    return {name: str(date) for name, date in found.items() if date}


def commit_of(file: Path) -> Json:
    """The commit of the repository that tracks a file, and whether tracked files differ from it.

    `{"commit": None, "dirty": False}` for a file that no repository tracks, or without git.
    """
    tracked = _git(file.parent, "ls-files", "--error-unmatch", "--", file.name) is not None
    commit = _git(file.parent, "rev-parse", "HEAD") if tracked else None
    changed = _git(file.parent, "status", "--porcelain", "--untracked-files=no") if commit else ""
    return {"commit": commit, "dirty": changed != ""}


def stated_of(folder: Path) -> Iterator[tuple[str, str]]:
    """What a model folder says of itself: `license` by README or config, `revision` by its place in the hub's cache."""
    said = {**read_object(folder / "config.json"), **_front_matter(folder / "README.md")}
    license_ = said.get("license_name") if said.get("license") == "other" else said.get("license")
    if isinstance(license_, str) and license_.strip():
        yield "license", license_.strip()
    if folder.resolve().parent.name == "snapshots" and _COMMIT.fullmatch(folder.resolve().name):
        yield "revision", folder.resolve().name


def _data(experiment: Experiment) -> Json:
    project, folder = experiment.project, experiment.run / RECORDS
    sources, accounts, root = data_files(project, Path()), Ledger.load(folder).accounts, Path(project.data.root)
    # By order: a project that was moved since has other paths, and the same files.
    read = dict.fromkeys(path for paths in sources.values() for path in paths)
    hashes = dict(zip(read, manifest.read_manifest(folder)["inputs"].values(), strict=True))
    found: Json = {}
    for source, account in accounts.items():
        paths = {path: _inside(path, root) for path in sources.get(source, ())}
        found[source] = {
            "license": project.bundle.license_of(source),
            "kept": dict(sorted(account.kept.items())),
            "files": [
                {"name": name or path.name, "sha256": hashes[path], "rows": account.of_file(name or path.as_posix())}
                for path, name in paths.items()
            ],
        }
    return found


def _inside(path: Path, root: Path) -> str | None:
    """A path from the project's folder; None for one outside."""
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else None


def _encoder(experiment: Experiment, spec: ModelSpec) -> Json:
    """The checkpoint that a student's weights go back to."""
    entry = _root(experiment, spec)
    config = experiment.settings.entry(entry) if entry else None
    given = next((one for key in ("finished", "checkpoint", "start") if (one := getattr(config, key, None))), None)
    if given is None:
        return {"name": "random weights" if config else "none", "revision": NOT_STATED, "license": NOT_STATED}
    local = local_folder(given)
    name, _, revision = (given, "", "") if local else given.partition("@")
    stated = dict(stated_of(local)) if local else {}
    shown = local.resolve().name if local and Path(given).expanduser().is_dir() else name
    return {"name": shown, "revision": revision or NOT_STATED, "license": NOT_STATED, **stated}


def _root(experiment: Experiment, spec: ModelSpec) -> str | None:
    """The entry that brings the encoder of a model; None for families that start from nothing."""
    start = experiment.start(spec)
    while start is not None and start.untrimmed is not None:
        start = start.untrimmed
    if start is None:
        return None
    if start.checkpoint_of is not None:
        return start.checkpoint_of
    source = next((one for one in experiment.models.values() if one.artifact == start.artifact), None)
    if source is None or source.name == spec.name:
        return None
    return (
        experiment.settings.root_of(source.entry)
        if source.entry in experiment.settings.teachers
        else _root(experiment, source)
    )


def _git(folder: Path, *arguments: str) -> str | None:
    """What git says in a folder; None where it says no, or is not there."""
    # A hook of another repository names that one to every git below it.
    plain = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    command = ["git", "-C", str(folder), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_GIT_SECONDS, env=plain, check=False)
    except (OSError, subprocess.TimeoutExpired, UnicodeDecodeError):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _front_matter(path: Path) -> Mapping[str, object]:
    """The YAML between the two lines `---` at the head of a README; empty where there is none."""
    try:
        text = path.read_text(encoding="utf-8")
        head = text.split("\n---", 1)[0] if text.startswith("---\n") else ""
        found = yaml.safe_load(head.removeprefix("---\n")) if head else None
    except (OSError, ValueError, yaml.YAMLError):
        return {}
    return found if isinstance(found, dict) else {}
