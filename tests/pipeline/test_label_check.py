"""`distill label --verify RUN`: whole stores pass, and every way in which one can be wrong is told apart."""

from __future__ import annotations

import dataclasses
import json
import shutil

import numpy as np
import pytest

from distill.core.errors import UserError
from distill.core.label_origin import origin_of_file
from distill.core.manifest import MANIFEST, read_manifest, write_manifest
from distill.core.progress import Reporter
from distill.core.run_folder import LABEL_CARD
from distill.core.soft_labels import read_shard, shard_files, shard_path, write_shard
from distill.families.family import open_model
from distill.pipeline.label_check import verified
from distill.pipeline.seeds import execute_run
from distill.pipeline.settings import resolve_settings
from teachers import verify_labels
from teachers.engines import local
from tests.pipeline.word_project import write_project
from tests.tiny_run import distill

TEACHERS = (
    "teachers={words: {preset: words, cross_fit: 2, labelling: {shard_rows: 30, precision: fp32}}, "
    "cards: {preset: words, view: card, weight: 1, labelling: {shard_rows: 30, half: true, precision: fp32}}}"
)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A run up to its labels: one teacher with models of folds, one whose logits are stored in half precision."""
    folder = write_project(tmp_path_factory.mktemp("checked") / "project").parent
    add_equal_cards(folder)
    return label(folder / "run")


def add_equal_cards(folder, count=15):
    """Rows of the pool that differ from training rows in their pages alone, which cards do not show."""
    rows = [json.loads(line) for line in (folder / "train.jsonl").read_text(encoding="utf-8").splitlines()]
    with (folder / "pool.jsonl").open("a", encoding="utf-8") as file:
        for number, row in enumerate(rows[:count]):
            page = {**row["page"], "body": f"{row['page']['body']} вновь {number}"}
            file.write(json.dumps({"id": f"again-{number}", "product": row["product"], "page": page}) + "\n")


@pytest.fixture
def run(made, tmp_path):
    """A copy to be spoilt, beside its project."""
    return shutil.copytree(made.parent, tmp_path / "project") / "run"


def label(run):
    """The command that makes the labels, and goes on with them."""
    project = run.parent / "project.yaml"
    settings = resolve_settings(project, run, sets=[TEACHERS, "labels=document"], until="label")
    execute_run(settings, Reporter(), "label")
    return run


def check(run):
    """What is found of each store, by name, and the failure."""
    finding = verified(run, Reporter())
    return {one["store"]: one for one in finding.content["stores"]}, finding.failed


def rewrite(run, store, index, change, **stored):
    """Change a shard as a step would have written it, with its manifest."""
    folder = run / "labels" / store
    path = shard_path(folder, index)
    labels, origin = read_shard(path), origin_of_file(path)
    write_shard(folder, index, change(labels), origin=dataclasses.replace(origin, **stored), half=store == "cards")
    content = {name: value for name, value in read_manifest(folder).items() if name not in ("files", "schema")}
    write_manifest(folder, content, leave_out=(LABEL_CARD,))


def test_whole_stores_are_their_teachers_with_models_of_folds_and_half_precision(made):
    found, failed = check(made)
    assert failed is None and set(found) == {"words", "cards"}
    assert all(one["passed"] and one["scored"] == 64 and one["rows"] == 125 for one in found.values())
    assert "15 rows that read like another one" in (made / "labels" / "cards" / LABEL_CARD).read_text()
    assert found["words"]["largest"] < 1e-5 and 0 < found["cards"]["largest"] < 1e-2
    factors = {origin_of_file(path).factor for path in (made / "labels" / "words").glob("shard-*")}
    assert None in factors and len(factors) == 3
    card = (made / "labels" / "words" / LABEL_CARD).read_text()
    assert "Finished: 125 rows." in card and "train 90, pool.urls 35" in card


def test_what_other_models_leave_in_a_run_is_no_store(run):
    """Encoded rows of a fit have a manifest that names no step."""
    encoded = run / ".cache" / "encoded" / "0123"
    encoded.mkdir(parents=True)
    write_manifest(encoded, {"fingerprint": "0123"})
    assert check(run)[1] is None


def test_logits_of_another_model_fail_and_so_does_a_lost_scale_or_a_number_that_is_none(run):
    def shifted(labels, by=0.01):
        return dataclasses.replace(labels, logits=labels.logits + np.float32([by, 0, 0]))

    rewrite(run, "words", 0, shifted)
    found, failed = check(run)
    assert failed is not None and failed.exit_code == 3 and "words: 0.01" in str(failed)
    assert not found["words"]["passed"] and found["cards"]["passed"]
    done = distill("label", "--verify", run, "--json")
    assert done.returncode == 3 and json.loads(done.stdout)["stores"][1]["passed"] is False
    rewrite(run, "words", 0, lambda labels: shifted(labels, -0.01))
    assert check(run)[1] is None
    rewrite(run, "words", 0, lambda labels: labels, factor=None)
    assert check(run)[1] is not None
    rewrite(run, "cards", 0, lambda labels: dataclasses.replace(labels, logits=np.full_like(labels.logits, np.nan)))
    found, _ = check(run)
    assert found["cards"]["largest"] is None and not found["cards"]["passed"]


def test_each_shard_is_scored_as_its_file_says_and_its_precision_sets_the_tolerance(run, monkeypatch):
    """The models are of words, which have one arithmetic whatever they are opened in."""
    opened = []
    monkeypatch.setattr(verify_labels, "open_model", lambda folder, how: opened.append(how) or open_model(folder))
    exact = {name: one["tolerance"] for name, one in check(run)[0].items()}
    opened.clear()
    for store, said in (("words", "bf16 but 2 layers"), ("cards", "fp32 in onnx")):
        for index in range(len(list((run / "labels" / store).glob("shard-*")))):
            rewrite(run, store, index, lambda labels: labels, precision=said)
    found, failed = check(run)
    assert failed is None and found["words"]["precision"] == "bf16 but 2 layers"
    ways = {(how.precision, how.exact_layers, how.backend) for how in opened}
    assert ways == {("bf16", 2, "torch"), ("fp32", 0, "onnx")}
    assert found["words"]["tolerance"] == pytest.approx(200 * exact["words"])
    assert found["cards"]["tolerance"] == exact["cards"]


def test_changed_missing_and_strange_shards_are_unreadable(run):
    path = shard_path(run / "labels" / "words", 2)
    whole = path.read_bytes()
    path.write_bytes(whole[:-9] + bytes([whole[-9] ^ 1]) + whole[-8:])
    with pytest.raises(UserError, match=r"damaged[\s\S]*shard-00002"):
        check(run)
    done = distill("label", "--verify", run)
    assert done.returncode == 2 and "shard-00002" in done.stderr and "Traceback" not in done.stderr
    path.write_bytes(whole)
    shutil.copy(path, shard_path(path.parent, 7))
    with pytest.raises(UserError, match=r"no step has written[\s\S]*shard-00007"):
        check(run)


def test_a_teacher_that_was_fitted_again_since_is_another_one(run):
    folder = run / "teachers" / "words"
    (folder / "config.json").write_text((folder / "config.json").read_text() + " ")
    content = read_manifest(folder)
    write_manifest(folder, {name: value for name, value in content.items() if name not in ("files", "schema")})
    with pytest.raises(UserError, match=r"a shard is of another teacher[\s\S]*shard-00000[\s\S]*the run has words "):
        check(run)


def test_a_store_that_does_not_say_what_made_it_is_hashed_and_not_scored(run):
    folder = run / "labels" / "words"
    for index, path in enumerate(shard_files(folder)):
        write_shard(folder, index, read_shard(path))
    content = {name: value for name, value in read_manifest(folder).items() if name not in ("files", "schema")}
    write_manifest(folder, content, leave_out=(LABEL_CARD,))
    found, failed = check(run)
    assert failed is None and found["words"]["scored"] == 0 and "do not say" in found["words"]["note"]


def test_where_no_labels_are_it_says_what_to_run_and_other_options_are_refused(run):
    shutil.rmtree(run / "labels")
    with pytest.raises(UserError, match="no finished soft labels here"):
        check(run)
    done = distill("label", "--verify", run, "--out", run)
    assert done.returncode == 2 and "needs no options" in done.stderr


@pytest.mark.parametrize("keep", [0, 40])
def test_an_unreadable_manifest_is_an_error_and_nothing_is_labelled_again(run, keep):
    """Neither by the check nor by the command that made the labels."""
    path = run / "labels" / "words" / MANIFEST
    path.write_text(path.read_text()[:keep])
    before = {one.name: one.stat().st_mtime_ns for one in path.parent.iterdir()}
    for go_on in (lambda: check(run), lambda: label(run)):
        with pytest.raises(UserError, match=r"labels/words"):
            go_on()
    assert {one.name: one.stat().st_mtime_ns for one in path.parent.iterdir()} == before


def test_the_command_again_labels_nothing_again(run, monkeypatch):
    monkeypatch.setattr(local, "label_shards", pytest.fail)
    label(run)
