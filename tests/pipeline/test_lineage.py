"""Where a model comes from, as its bundle says it: commit, encoder, and a project without places and secrets."""

import os
import subprocess
from types import SimpleNamespace

import pytest
import yaml

from distill.pipeline.experiment import Experiment
from distill.pipeline.lineage import _encoder, commit_of, stated_of
from distill.pipeline.published_project import LEFT_OUT, published_project
from distill.pipeline.settings import resolve_settings
from tests.cli.planted_project import write_project


def git(folder, *arguments):
    plain = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    who = ("-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false")
    done = subprocess.run(["git", *who, *arguments], cwd=folder, env=plain, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_the_commit_is_that_of_the_repository_that_tracks_the_project(tmp_path):
    file, folder = tmp_path / "work" / "project.yaml", tmp_path / "work"
    folder.mkdir()
    file.write_text("task: {}\n")
    assert commit_of(file) == {"commit": None, "dirty": False}
    git(tmp_path, "init", "-q")
    (tmp_path / "other").write_text("1")
    git(tmp_path, "add", "other")
    git(tmp_path, "commit", "-qm", "other")
    assert commit_of(file)["commit"] is None, "a repository around it, which does not know it"
    git(tmp_path, "add", "work")
    git(tmp_path, "commit", "-qm", "project")
    (folder / "runs").mkdir()
    (folder / "runs" / "report.json").write_text("{}")
    assert commit_of(file) == {"commit": git(tmp_path, "rev-parse", "HEAD"), "dirty": False}
    file.write_text("task: {labels: auto}\n")
    assert commit_of(file)["dirty"] is True


def test_without_git_there_is_no_commit(tmp_path, monkeypatch):
    (tmp_path / "project.yaml").write_text("")
    monkeypatch.setenv("PATH", "")
    assert commit_of(tmp_path / "project.yaml") == {"commit": None, "dirty": False}


@pytest.mark.parametrize(
    ("readme", "config", "stated"),
    [
        ("---\nlicense: apache-2.0\ntags: [x]\n---\n# Model\n", "{}", {"license": "apache-2.0"}),
        ("---\nlicense: other\nlicense_name: ours\n---\n", "{}", {"license": "ours"}),
        ("# Model\nlicense: mit\n", '{"license": "mit"}', {"license": "mit"}),
        ("---\n[broken\n---\n", "{}", {}),
        (None, "{", {}),
    ],
)
def test_an_encoder_says_its_licence_by_readme_or_config(tmp_path, readme, config, stated):
    (tmp_path / "config.json").write_text(config)
    if readme is not None:
        (tmp_path / "README.md").write_text(readme)
    assert dict(stated_of(tmp_path)) == stated


def test_a_snapshot_of_the_hub_says_its_revision(tmp_path):
    folder = tmp_path / "snapshots" / ("0123456789" * 4)
    folder.mkdir(parents=True)
    assert dict(stated_of(folder)) == {"revision": folder.name}


def published(tmp_path, texts=True, **teacher):
    content = {"data": {"root": str(tmp_path), "train": [f"{tmp_path}/in/train.jsonl"], "against": "/old/run"}}
    project = SimpleNamespace(report=SimpleNamespace(texts=texts), data=SimpleNamespace(root=str(tmp_path)))
    settings = SimpleNamespace(project=project, as_json=lambda: {**content, "teachers": {"llm": teacher}})
    return published_project(settings)


def test_the_published_project_has_no_places_of_the_machine_and_no_secrets(tmp_path):
    teacher = {
        "checkpoint": "/models/ours/encoder",
        "url": "https://me:pass@host:8000/v1?key=1",
        "key_from": "SERVER_KEY",
        "parameters": {"api_key": "s3cret", "Authorization": "s3cret", "session_token": "s3cret", "max_tokens": 4},
        "prompt": "/not/a/place\n{record}",
    }
    text = published(tmp_path, **teacher)
    found = yaml.safe_load(text)
    assert found["data"] == {"root": ".", "train": ["in/train.jsonl"], "against": "run"}
    llm = found["teachers"]["llm"]
    assert llm["checkpoint"] == "encoder" and llm["url"] == "https://host:8000/v1" and llm["key_from"] == "SERVER_KEY"
    secrets = dict.fromkeys(("api_key", "Authorization", "session_token"), LEFT_OUT)
    assert llm["parameters"] == {**secrets, "max_tokens": 4} and llm["prompt"].startswith("/not/a/place\n")
    assert "s3cret" not in text and str(tmp_path) not in text and "pass" not in text


def test_examples_of_a_prompt_are_texts(tmp_path):
    shown = [{"record": "MARKER", "label": "a"}]
    assert "MARKER" in published(tmp_path, examples=shown)
    assert yaml.safe_load(published(tmp_path, texts=False, examples=shown))["teachers"]["llm"]["examples"] == [LEFT_OUT]


@pytest.fixture(scope="module")
def project_file(tmp_path_factory):
    return write_project(tmp_path_factory.mktemp("project"))


def encoder(project_file, *sets):
    settings = resolve_settings(project_file, project_file.parent / "run", sets=sets)
    experiment = Experiment(settings)
    return _encoder(experiment, experiment.models["small"])


def test_a_student_goes_back_to_the_checkpoint_of_its_teacher(project_file, tmp_path):
    folder = tmp_path / "rubert"
    folder.mkdir()
    (folder / "README.md").write_text("---\nlicense: mit\n---\n")
    unset = "teachers.base.fresh=null"
    unstated = {"revision": "not stated", "license": "not stated"}
    assert encoder(project_file) == {"name": "random weights", **unstated}
    assert encoder(project_file, unset, f"teachers.base.checkpoint={folder}") == {
        "name": "rubert",
        "revision": "not stated",
        "license": "mit",
    }
    assert encoder(project_file, unset, "teachers.base.checkpoint=owner/name@v1") == {
        "name": "owner/name",
        "revision": "v1",
        "license": "not stated",
    }
    assert encoder(project_file, f"students.small.start={folder}")["name"] == "rubert"
