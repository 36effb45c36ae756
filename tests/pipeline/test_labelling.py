"""The section `labelling` of a project: who labels and where labels are kept, known before anything is trained."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from distill.cli.options import Options
from distill.core.config import load_yaml
from distill.core.errors import UserError
from distill.core.progress import Reporter
from distill.core.storage import storage
from distill.pipeline.execute import execute
from distill.pipeline.settings import resolve_settings
from teachers.engines import ray
from teachers.engines.local import Local
from tests.pipeline.seeds_project import write_project


@pytest.fixture
def project(tmp_path):
    """Words are the only teacher."""
    path = write_project(tmp_path)
    path.write_text(
        json.dumps({**load_yaml(path), "teachers": {"words": {"preset": "words"}}, "students": {}}), "utf-8"
    )
    return path


@pytest.fixture
def asked(monkeypatch):
    """What Ray's engine was asked for; this process labels in its place."""
    found = []

    class Noting(Local):
        name = "ray"

        def label(self, task, folder, told):
            found.append((self.asked.workers, self.asked.gpus, self.asked.deaths, task.how.threads))
            return super().label(task, folder, told)

    monkeypatch.setattr(ray, "Ray", Noting)
    monkeypatch.setattr(Noting, "__module__", ray.__name__)
    return found


def made(project, *sets):
    """The steps that a run up to its labels made."""
    done = []
    watch = Reporter()
    watch.step_ends = lambda name, status, seconds: done.append(name) if status == "done" else None
    execute(resolve_settings(project, project.parent / "run", sets=sets), watch, "label")
    return done


def test_a_run_labels_as_its_project_says_and_no_label_depends_on_it(project, asked, tmp_path):
    sets = ["labelling={engine: ray, workers: 3, gpus: 0.5, deaths: 2}", f"labelling.store={tmp_path}/shared"]
    assert made(project, *sets)[-1] == "label words" and asked == [(3, 0.5, 2, 1)]
    (place, *others) = (tmp_path / "shared" / "labels").iterdir()
    assert not others and place.name.startswith("words-") and len(storage(str(place)).names()) == 2
    assert made(project) == []
    settings = Options(config=project, out=tmp_path / "other", engine="ray").settings()
    assert settings.project.labelling.engine == "ray"
    assert Options(config=project, out=tmp_path / "other").settings().project.labelling.engine == "local"
    execute(replace(settings, run=tmp_path / "run"), Reporter(), "label")
    assert len(asked) == 1


def test_what_cannot_label_or_keep_labels_is_refused_before_a_teacher_is_trained(project, tmp_path):
    for store, told in (("zz://bucket", "unknown storage"), (f"file://{project}", "cannot write")):
        with pytest.raises(UserError, match=told):
            made(project, f"labelling.store={store}")
    with pytest.raises(UserError, match="only this process sees"):
        made(project, "labelling={engine: ray, store: 'memory://run'}")
    assert not (tmp_path / "run" / "teachers").exists()
    made(project)
    assert made(project, "labelling.store=zz://bucket") == []
