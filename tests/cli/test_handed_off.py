"""What a run hands over: the same bytes each time, and what the project says of licences and real texts."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from distill.core.record_store import read_records
from distill.pipeline import hand_off
from distill.pipeline.experiment import Experiment
from distill.pipeline.plan import bundles
from distill.pipeline.settings import resolve_settings
from export.verify import MEASURED
from tests.tiny_run import TINY

NAME = "3L_trunc"


def made(project, run, folder: Path, *sets: str) -> Path:
    """The bundle of a finished run, made once more in `folder`."""
    options = [option.removeprefix("--set=") for option in TINY]
    settings = resolve_settings(project / "project.yaml", run, students=[NAME], sets=[*options, *sets])
    folder.mkdir()
    next(bundles(Experiment(settings))).step.body(folder)
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    """Every file of a bundle; not the step's own record, which is no part of it, nor what Python wrote on import."""
    found = (path for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc")
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found if path.name != "step.json"}


@pytest.fixture(scope="module")
def asked(project, run, tmp_path_factory):
    """A bundle of a project that says licences and asks for real texts."""
    sets = ("bundle.license=apache-2.0", "bundle.data_licenses={pool: cc-by-4.0}", "bundle.golden=test")
    return made(project, run, tmp_path_factory.mktemp("asked") / "bundle", *sets)


def test_a_bundle_made_again_has_the_same_bytes_but_for_measured_times(project, run, tmp_path, monkeypatch):
    first = contents(run / "bundles" / NAME)
    assert contents(made(project, run, tmp_path / "again")) == first
    # Another run of the same project has other times and dates, and nothing else.
    real = hand_off._contents
    slower = {"latency": [{"model": "tiny", "p50_ms": 99.0}], "finished": {"records": "2001-01-01T00:00:00+00:00"}}
    monkeypatch.setattr(hand_off, "_contents", lambda *given: replace(real(*given), **slower))
    other = contents(made(project, run, tmp_path / "other"))
    assert {name for name in first if first[name] != other[name]} == {*MEASURED, "manifest.json"}
    before, after = (json.loads(one["manifest.json"]) for one in (first, other))
    assert before["content_sha256"] == after["content_sha256"] and before["run"] != after["run"]
    assert before["run"]["files"] == list(MEASURED)


def test_the_lineage_names_data_encoder_and_artifacts_without_places(project, run):
    files = contents(run / "bundles" / NAME)
    manifest = json.loads(files["manifest.json"])
    lineage = manifest["lineage"]
    rows = {source: held["files"][0]["rows"] for source, held in lineage["data"].items()}
    assert rows == {"train": 240, "valid": 120, "test.unseen": 160, "pool.runtime": 151}
    assert lineage["data"]["train"]["files"][0]["name"] == "train.jsonl"
    assert lineage["encoder"]["name"] == "random weights" and lineage["project"] == {"commit": None, "dirty": False}
    assert {"records", "teachers/base", "labels/base", f"students/{NAME}"} <= set(lineage["artifacts"])
    assert set(manifest["run"]["finished"]) == set(lineage["artifacts"])
    said = yaml.safe_load(files["project.yaml"])
    assert said["students"][NAME]["training"]["epochs"] == 2 and said["data"]["root"] == "."
    places = [str(place).encode() for place in (project, run, Path(__file__).parents[2])]
    assert not [name for name, content in files.items() for place in places if place in content]


def test_nothing_is_made_up_where_the_project_says_nothing(run):
    manifest = json.loads((run / "bundles" / NAME / "manifest.json").read_text())
    card = (run / "bundles" / NAME / "MODEL_CARD.md").read_text()
    assert manifest["license"] == "not stated" and card.startswith("---\nlicense: unknown\n")
    assert {one["license"] for one in manifest["lineage"]["data"].values()} == {"not stated"}
    assert manifest["holds"]["real_records"] == 0 and "real texts" not in card


def test_no_text_of_the_data_is_in_a_bundle_that_was_not_asked_for_any(run):
    """Whole values of 20 characters or more: a vocabulary learnt from the texts has their words."""
    texts = {
        value.encode()
        for split in ("train", "valid", "test.unseen", "pool.runtime")
        for record in read_records(run / "records", split)
        for value in record.fields.values()
        if len(value) >= 20
    }
    assert len(texts) > 100
    assert not [name for name, held in contents(run / "bundles" / NAME).items() if any(one in held for one in texts)]


def test_the_project_says_licences_and_asks_for_real_texts(asked, run):
    manifest = json.loads((asked / "manifest.json").read_text())
    assert manifest["license"] == "Apache-2.0"
    licences = {source: held["license"] for source, held in manifest["lineage"]["data"].items()}
    assert licences == {"train": "not stated", "valid": "not stated", "test.unseen": "not stated"} | {
        "pool.runtime": "CC-BY-4.0"
    }
    golden = [json.loads(line) for line in (asked / "golden.jsonl").read_bytes().splitlines()]
    real = [line for line in golden if line["id"].startswith("test.unseen/")]
    tests = {record.id: record.fields for record in read_records(run / "records", "test.unseen")}
    assert len(real) == manifest["holds"]["real_records"] == 100 and len(golden) == 220
    for line in real:
        fields = tests[line["id"].partition("/")[2]]
        assert line["record"] == {path: fields[path] for path in line["record"]}
        assert "page.body" not in line["record"], "what the student does not read"
    card = (asked / "MODEL_CARD.md").read_text()
    assert yaml.safe_load(card.split("---\n")[1])["license"] == "apache-2.0"
    assert "## Warning: real texts\n\ngolden.jsonl holds the texts of 100 test rows" in card
    assert "- license: Apache-2.0\n" in card and "; license CC-BY-4.0\n" in card


def test_a_licence_makes_the_bundle_anew_and_nothing_else(project, run, tiny, tmp_path):
    copy = Path(shutil.copytree(run, tmp_path / "run"))
    settings = [
        resolve_settings(
            project / "project.yaml", copy, students=[NAME], sets=[one.removeprefix("--set=") for one in TINY] + more
        )
        for more in ([], ["bundle.license=MIT"], ["report.texts=false"])
    ]
    plain, licensed, silent = (next(bundles(Experiment(one))).step.config for one in settings)
    assert licensed == {**plain, "bundle": {"license": "MIT"}} and silent == {**plain, "report": {"texts": False}}
