"""When an embedded project is generated again."""

import json
from importlib.resources import files

import pytest

from distill.core.errors import UserError
from distill.demo import keeping
from distill.demo.keeping import keep
from distill.demo.projects import settings_of


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A kept project; `generate` is replaced by one that only writes the settings and counts."""
    made = []

    def generate(folder, project):
        folder.mkdir(exist_ok=True)
        (folder / "project.yaml").write_text(settings_of(project) + f"# {len(made)}\n", encoding="utf-8")
        made.append(project)

    monkeypatch.setattr(keeping, "generate", generate)
    keep(tmp_path / "project", "demo")
    return tmp_path / "project", made


def other_version(folder):
    stamp = json.loads((folder / ".generated.json").read_text())
    (folder / ".generated.json").write_text(json.dumps({**stamp, "made_by": "another"}))


def test_it_is_generated_once(folder):
    path, made = folder
    assert keep(path, "demo") == path / "project.yaml" and made == ["demo"]


def test_another_version_generates_it_again(folder):
    path, made = folder
    other_version(path)
    keep(path, "demo")
    keep(path, "demo")
    assert made == ["demo", "demo"]


def test_an_edited_file_is_kept_whatever_the_version(folder):
    path, made = folder
    (path / "project.yaml").write_text("task: {}\n")
    keep(path, "demo")
    other_version(path)
    keep(path, "demo")
    assert made == ["demo"] and (path / "project.yaml").read_text() == "task: {}\n"


def test_a_folder_that_was_cut_off_is_generated_again(folder):
    path, made = folder
    (path / "project.yaml").unlink()
    (path / ".generated.json").write_text("{}")
    (path / "train.jsonl").write_text("half")
    keep(path, "demo")
    assert made == ["demo", "demo"]


def test_what_was_not_generated_is_never_overwritten(folder):
    path, made = folder
    (path / ".generated.json").unlink()
    with pytest.raises(UserError, match=r"would overwrite[\s\S]*--out"):
        keep(path, "demo")
    assert made == ["demo"] and not (path / ".generated.json").exists()


def test_the_sources_are_modules_and_wording():
    names = set(dict(keeping._sources(files("distill.demo"))))
    assert {"pages.py", "wording.py", "wording/filler.yaml", "wording/slices/diy.yaml"} <= names
    assert not any(name.startswith("projects/") for name in names)


def test_the_digest_covers_settings_sizes_and_sources(monkeypatch):
    first = keeping._digest("demo")
    assert first == keeping._digest("demo") and first != keeping._digest("demo-full")
    with monkeypatch.context() as patch:
        patch.setattr(keeping, "settings_of", lambda project: "other")
        assert keeping._digest("demo") != first
    monkeypatch.setattr(keeping, "_sources", lambda folder: [("wording/filler.yaml", "other")])
    assert keeping._digest("demo") != first
