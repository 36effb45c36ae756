"""Steps replace and remove their own folders only, and a kill on the way never makes them foreign."""

from __future__ import annotations

from pathlib import Path

import pytest

from distill.core.errors import UserError
from distill.core.steps import Step
from tests.core.step_fixtures import Body, after_kill, killed, step, steps

CUT_OFF = {
    "before the marker": "steps.write_json = kill",
    "inside the marker": "import distill.core.files as files\nfiles._sync = kill",
    "setting the work of another config aside": "from distill.core import folders\nfolders._remove = kill",
    "removing its first file": "from distill.core import folders\nfolders.remove = kill",
    "removing its marker": "remove = folders.remove\n"
    "folders.remove = lambda path: kill() if path.is_dir() else remove(path)",
}


@pytest.mark.parametrize("before", CUT_OFF.values(), ids=CUT_OFF)
@pytest.mark.parametrize("name", ["manifest.json", "step.json"])
def test_a_kill_while_a_folder_is_cleared_never_stops_the_next_start(tmp_path, before, name):
    """The unfinished work of another config is there, whole but for its name."""
    files = {"first.txt": "1", "second.txt": "2"} | ({"manifest.json": "[]"} if name == "step.json" else {})
    broken = Body(**files)

    def failing(folder: Path) -> None:
        broken(folder)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        steps(tmp_path).run(step(failing, 1, manifest=name))
    killed(tmp_path, "pass", f"from distill.core import folders\n{before}")
    body, folder = after_kill(tmp_path)
    assert body.calls == 1 and "first.txt" not in body.found
    assert sorted(path.name for path in folder.parent.iterdir()) == ["base"]


def mine(folder: Path) -> Path:
    """A folder of the user's, whose manifest is of another tool."""
    folder.mkdir(parents=True)
    (folder / "train.jsonl").write_text("{}")
    (folder / "manifest.json").write_text('["train.jsonl"]')
    return folder


def refused(run: Path, made: Step, folder: Path) -> None:
    """The step is refused by the folder's name before its body, and the folder stays as it is."""
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    with pytest.raises(UserError, match=r"nothing was changed[\s\S]*--out") as caught:
        steps(run).run(made)
    assert str(run / made.artifact) in str(caught.value) and made.body.calls == 0
    assert before == {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("artifact", ["students/../../data", "students/..", ".", "../run"])
def test_nothing_outside_the_run_folder_is_replaced(tmp_path, artifact):
    data = mine(tmp_path / "data")
    refused(tmp_path / "run", Step("train", artifact, Body()), data)


def test_an_artifact_of_another_run_is_not_replaced_through_a_link(tmp_path):
    other = steps(tmp_path / "other").run(step(Body()))
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "teachers").symlink_to(other.parent)
    refused(tmp_path / "run", step(Body(), 2), other)


@pytest.mark.parametrize("name", ["base", "base.partial", "base.replaced"])
def test_a_folder_without_our_manifest_is_not_replaced(tmp_path, name):
    refused(tmp_path, step(Body()), mine(tmp_path / "teachers" / name))


def test_a_file_and_a_link_in_the_place_of_an_artifact_stay(tmp_path):
    data = mine(tmp_path / "run" / "data")
    (tmp_path / "run" / "teachers").mkdir()
    place = tmp_path / "run" / "teachers" / "base"
    place.write_text("notes")
    refused(tmp_path / "run", step(Body()), data)
    assert place.read_text() == "notes"
    place.unlink()
    place.symlink_to(data)
    refused(tmp_path / "run", step(Body()), data)
    assert place.is_symlink()


def test_an_empty_folder_is_in_nobodys_way(tmp_path):
    (tmp_path / "teachers" / "base").mkdir(parents=True)
    assert (steps(tmp_path).run(step(Body())) / "model.txt").exists()


def test_a_run_folder_may_be_a_link(tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "run").symlink_to(tmp_path / "disk")
    steps(tmp_path / "run").run(step(Body()))
    steps(tmp_path / "run").run(step(Body(), 2))
    assert (tmp_path / "disk" / "teachers" / "base" / "model.txt").exists()
