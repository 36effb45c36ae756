"""The step contract: what is skipped, what is redone, what a kill leaves, and what a damaged artifact stops."""

from __future__ import annotations

import errno
import json
import os
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from safetensors.numpy import save_file

from distill.core.errors import UserError
from distill.core.files import read_json
from distill.core.manifest import digest, read_manifest, require_whole
from distill.core.steps import Read, Step, Steps, files_by_source, working_folder
from tests.core.step_fixtures import Body, after_kill, killed, step, steps


def test_a_finished_step_is_skipped(tmp_path):
    body = Body()
    folder = steps(tmp_path).run(step(body))
    again = steps(tmp_path)
    assert not again.is_done(step(body, 2)) and again.is_done(step(body))
    assert again.run(step(body)) == folder
    assert body.calls == 1 and again.stages[-1]["status"] == "skipped"
    assert sorted(path.name for path in folder.iterdir()) == ["manifest.json", "model.txt"]
    assert not working_folder(folder).exists()


def test_an_equal_artifact_of_another_run_is_taken_over_and_a_damaged_or_other_one_is_not(tmp_path):
    body, near = Body(), tmp_path / "near"
    steps(near).run(step(body, 2))

    def beside(name):
        made = steps(tmp_path / name)
        made.alike = [tmp_path / "nowhere", near]
        return made

    folder = beside("own").run(step(body, 2))
    assert body.calls == 1 and (folder / "model.txt").read_text(encoding="utf-8") == "веса"
    assert read_manifest(folder) == read_manifest(near / "teachers/base") and not (folder / "step.json").exists()
    assert steps(tmp_path / "own").is_done(step(body, 2))
    beside("other").run(step(body, 3))
    assert body.calls == 2
    (near / "teachers/base/model.txt").unlink()
    beside("late").run(step(body, 2))
    assert body.calls == 3 and (folder / "model.txt").exists()


def test_what_a_kill_left_of_taking_over_is_done_again(tmp_path):
    body, near, own = Body(), tmp_path / "near", tmp_path / "own"
    source = steps(near).run(step(body))
    half = working_folder(own / "teachers/base")
    half.mkdir(parents=True)
    (half / "step.json").write_text('{"fingerprint": "taken over"}', encoding="utf-8")
    again = steps(own)
    again.alike = [near]
    again.run(step(body))
    assert body.calls == 1 and not half.exists()
    shutil.copytree(source, half)
    (half / "step.json").write_text('{"fingerprint": "taken over"}', encoding="utf-8")
    steps(own).run(step(body, 2))
    assert body.calls == 2


def test_a_changed_config_or_version_is_redone(tmp_path):
    body = Body()
    for made in (step(body), step(body, 2), step(body, 2, version=2)):
        steps(tmp_path).run(made)
    assert body.calls == 3


def test_an_input_file_counts_by_content_and_not_by_place(tmp_path):
    body, data, moved = Body(), tmp_path / "train.jsonl", tmp_path / "elsewhere.jsonl"
    data.write_text("ряд 1", encoding="utf-8")
    steps(tmp_path / "run").run(step(body, files=(data,)))
    moved.write_bytes(data.read_bytes())
    steps(tmp_path / "run").run(step(body, files=(moved,)))
    assert body.calls == 1
    data.write_text("ряд 2", encoding="utf-8")
    steps(tmp_path / "run").run(step(body, files=(data,)))
    assert body.calls == 2


def test_files_of_several_sources_are_told_apart_where_their_names_do_not():
    a, b, c = map(Path, "abc")
    plain = {"train": [a], "test.seen": [b], "pool.x": [c]}
    assert files_by_source(plain) == {} == files_by_source({})
    several = [{"train": [a, b], "valid": [c]}, {"train": [a], "valid": [b, c]}, {"pool.y": [a], "pool.x": [b]}]
    found = [files_by_source(sources)["sources"] for sources in several]
    assert found == [[["train", 2], ["valid", 1]], [["train", 1], ["valid", 2]], [["pool.y", 1], ["pool.x", 1]]]


def test_an_input_file_that_is_missing_is_named(tmp_path):
    with pytest.raises(UserError, match=r"nowhere\.jsonl"):
        steps(tmp_path).run(step(Body(), files=(tmp_path / "nowhere.jsonl",)))


def test_an_upstream_artifact_counts_by_content(tmp_path):
    def upstream(text, config):
        steps(tmp_path).run(Step("audit", "records", Body(**{"train.txt": text}), config))

    body = Body()
    consumer = step(body, reads=(Read("records"),))
    upstream("один", 1)
    steps(tmp_path).run(consumer)
    upstream("один", 2)
    assert steps(tmp_path).is_done(consumer)
    upstream("два", 2.5)
    steps(tmp_path).run(consumer)
    assert body.calls == 2


def test_a_missing_upstream_artifact_is_an_error_that_says_what_to_do(tmp_path):
    consumer = step(Body(), reads=(Read("records"),))
    assert not steps(tmp_path).is_done(consumer)
    with pytest.raises(UserError, match="run its step first"):
        steps(tmp_path).run(consumer)


def test_a_failing_body_leaves_the_earlier_artifact_and_its_own_work(tmp_path):
    def failing(folder: Path) -> None:
        (folder / "first.txt").write_text("1")
        raise ZeroDivisionError("planted")

    folder = steps(tmp_path).run(step(Body()))
    with pytest.raises(ZeroDivisionError):
        steps(tmp_path).run(step(failing, 2))
    require_whole(folder)
    assert read_json(tmp_path / "run.json")["stages"][-1]["status"] == "failed"
    resumed = Body(**{"second.txt": "2"})
    steps(tmp_path).run(step(resumed, 2))
    assert "first.txt" in resumed.found
    assert set(read_json(folder / "manifest.json")["files"]) == {"first.txt", "second.txt"}


def test_unfinished_work_of_another_config_is_cleared(tmp_path):
    def failing(folder: Path) -> None:
        (folder / "first.txt").write_text("1")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        steps(tmp_path).run(step(failing, 1))
    body = Body()
    folder = steps(tmp_path).run(step(body, 2))
    assert "first.txt" not in body.found and not (folder / "first.txt").exists()


def test_after_a_kill_the_body_finds_its_finished_files_only(tmp_path):
    killed(
        tmp_path,
        """
        write_text(folder / "first.txt", "1")
        (folder / ".tmp8Ohbv2").touch()  # as safetensors names a file until it is whole
        with replacing(folder / "half.txt") as partial:
            partial.write_text("half")
            kill()
        """,
    )
    assert not (tmp_path / "teachers" / "base").exists()
    assert read_json(tmp_path / "run.json")["stages"][-1]["status"] == "running"
    body, folder = after_kill(tmp_path)
    assert body.found == ["first.txt", "step.json"]
    assert sorted(path.name for path in folder.iterdir()) == ["first.txt", "manifest.json", "second.txt"]


def test_all_files_have_the_rights_of_new_ones(tmp_path):
    """Weights too, which safetensors leaves to their owner alone: who serves a model is often somebody else."""

    def body(folder: Path) -> None:
        save_file({"weights": np.zeros(3, np.float32)}, folder / "model.safetensors")
        (folder / "inner").mkdir()
        (folder / "inner" / "config.json").write_text("{}")
        (folder / "inner" / "config.json").chmod(0o600)

    folder = steps(tmp_path).run(step(body))
    (tmp_path / "new").touch()
    rights = {path.stat().st_mode for path in folder.rglob("*") if path.is_file()}
    assert rights == {(tmp_path / "new").stat().st_mode} and len(list(folder.rglob("*.*"))) == 3


def test_after_a_kill_before_the_manifest_the_work_is_still_there(tmp_path):
    killed(tmp_path, 'write_text(folder / "first.txt", "1")', "manifest.sha256 = kill")
    body, _ = after_kill(tmp_path)
    assert "first.txt" in body.found


BETWEEN = """
replace = os.replace
os.replace = lambda a, b: kill() if str(b).endswith("teachers/base") else replace(a, b)
"""


@pytest.mark.parametrize(("before", "earlier_in_place"), [("steps.replace_folder = kill", True), (BETWEEN, False)])
def test_a_complete_artifact_without_its_name_is_promoted(tmp_path, before, earlier_in_place):
    """Killed before the first of the two renames, then between them."""
    steps(tmp_path).run(step(Body()))
    killed(tmp_path, 'write_text(folder / "first.txt", "1")', before)
    assert (tmp_path / "teachers" / "base").exists() == earlier_in_place
    body, folder = after_kill(tmp_path)
    assert body.calls == 0
    assert sorted(path.name for path in folder.iterdir()) == ["first.txt", "manifest.json"]
    assert sorted(path.name for path in folder.parent.iterdir()) == ["base"]


def test_a_complete_artifact_of_another_config_is_not_promoted(tmp_path):
    killed(tmp_path, 'write_text(folder / "first.txt", "1")', "steps.replace_folder = kill")
    body = Body()
    folder = steps(tmp_path).run(step(body, {"epochs": 2}))
    assert body.calls == 1 and not (folder / "first.txt").exists()


@pytest.mark.parametrize("damage", [Path.unlink, lambda path: path.write_text("в", encoding="utf-8")])
def test_a_damaged_artifact_is_neither_skipped_nor_overwritten(tmp_path, damage):
    body = Body()
    folder = steps(tmp_path).run(step(body))
    damage(folder / "model.txt")
    with pytest.raises(UserError, match=r"damaged[\s\S]*model\.txt"):
        steps(tmp_path).run(step(body))
    assert body.calls == 1


@pytest.mark.parametrize("content", ["[]", "null", "garbage", '{"files": []}'])
def test_a_manifest_that_no_step_wrote_is_named_and_nothing_overwritten(tmp_path, content):
    body = Body()
    folder = steps(tmp_path).run(step(body))
    (folder / "manifest.json").write_text(content)
    for one in (step(body), Step("next", "next", body, reads=(Read("teachers/base"),))):
        with pytest.raises(UserError, match="teachers/base"):
            steps(tmp_path).run(one)
    assert body.calls == 1


@pytest.mark.parametrize("content", ["[]", "garbage"])
def test_an_unfinished_folder_with_a_broken_marker_is_named(tmp_path, content):
    partial = working_folder(tmp_path / "teachers" / "base")
    partial.mkdir(parents=True)
    (partial / "step.json").write_text(content)
    with pytest.raises(UserError, match=r"base\.partial"):
        steps(tmp_path).run(step(Body()))


def test_a_flipped_bit_in_a_large_file_is_noticed_at_the_next_start(tmp_path):
    body = Body(**{"model.bin": "x" * (2**20 + 1)})
    folder = steps(tmp_path).run(step(body))
    steps(tmp_path).run(step(body))
    (folder / "model.bin").write_text("y" + "x" * 2**20)
    with pytest.raises(UserError, match=r"model\.bin"):
        steps(tmp_path).run(step(body))


def test_one_changed_byte_upstream_stops_the_consumer_before_its_body(tmp_path):
    folder = steps(tmp_path).run(Step("audit", "records", Body(**{"train.txt": "abc", "valid.txt": "abc"})))
    (folder / "train.txt").write_text("abd")
    body = Body()
    with pytest.raises(UserError, match=r"damaged[\s\S]*train\.txt") as caught:
        steps(tmp_path).run(step(body, reads=(Read("records"),)))
    assert body.calls == 0 and "valid.txt" not in str(caught.value)


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), "free space"),
        (OSError(errno.EDQUOT, os.strerror(errno.EDQUOT)), "check the disk"),
        (RuntimeError("I/O error: No space left on device (os error 28)"), "free space"),
    ],
)
def test_a_full_disk_is_the_users_to_mend_whichever_library_met_it(tmp_path, error, advice):
    def full(folder: Path) -> None:
        raise error

    with pytest.raises(UserError, match=advice) as caught:
        steps(tmp_path).run(step(full))
    assert caught.value.exit_code == 2 and str(tmp_path / "teachers" / "base") in str(caught.value)


def test_a_riddle_on_a_full_disk_is_the_disk(tmp_path, monkeypatch):
    def full(folder: Path) -> None:
        raise RuntimeError("unexpected pos 93760 vs 93648")

    with pytest.raises(RuntimeError, match="unexpected pos"):
        steps(tmp_path).run(step(full))
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=4096))
    with pytest.raises(UserError, match=r"No space left[\s\S]*free space"):
        steps(tmp_path).run(step(full))


def test_a_step_that_ends_by_an_interrupt_or_a_disk_too_full_for_its_record(tmp_path, monkeypatch):
    def interrupted(folder: Path) -> None:
        raise KeyboardInterrupt

    work = steps(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        work.run(step(interrupted))
    assert work.stages[-1]["status"] == "interrupted"

    def unwritable(folder: Path) -> None:
        monkeypatch.setattr("distill.core.steps.write_json", refuse)
        raise ValueError("the body's own error")

    def refuse(path: Path, value: object) -> None:
        raise UserError("cannot write", where=str(path))

    with pytest.raises(ValueError, match="own error"):
        work.run(step(unwritable))


def test_other_errors_of_a_body_stay_what_they_are(tmp_path):
    def broken(folder: Path) -> None:
        (folder / "nowhere" / "file").read_bytes()

    with pytest.raises(FileNotFoundError):
        steps(tmp_path).run(step(broken))


def test_published_files_stand_in_the_run_folder(tmp_path):
    report = step(Body(**{"report.html": "первый"}), publish=("report.html",))
    folder = steps(tmp_path).run(report)
    public = tmp_path / "report.html"
    public.unlink()
    steps(tmp_path).run(report)
    assert public.read_bytes() == (folder / "report.html").read_bytes()
    steps(tmp_path).run(step(Body(**{"report.html": "второй"}), 2, publish=("report.html",)))
    assert public.read_text(encoding="utf-8") == "второй"


def test_an_artifact_may_have_a_manifest_of_its_own(tmp_path):
    body = Body(**{"manifest.json": '{"files": {}, "own": true}', "model.onnx": "graph"})
    bundle = Step("bundle", "bundles/8L", body, manifest="step.json")
    folder = steps(tmp_path).run(bundle)
    steps(tmp_path).run(bundle)
    assert body.calls == 1 and read_json(folder / "manifest.json")["own"]
    assert set(read_json(folder / "step.json")["files"]) == {"manifest.json", "model.onnx"}


def test_run_json_and_the_manifest_say_what_was_made_from_what(tmp_path):
    told = []
    run = Steps(tmp_path, {"имя": "проект"}, {"numpy": "2"}, told.append, lambda *end: told.append(end[:2]))
    records = run.run(Step("audit", "records", Body()))
    folder = run.run(step(Body(), reads=(Read("records"),)))
    content = json.loads((tmp_path / "run.json").read_text(encoding="utf-8"))
    assert {key: content[key] for key in ("schema", "config", "versions")} == {
        "schema": 1,
        "config": {"имя": "проект"},
        "versions": {"numpy": "2"},
    }
    assert [(stage["name"], stage["status"]) for stage in content["stages"]] == [
        ("audit", "done"),
        ("teach/base", "done"),
    ]
    assert told == ["audit", ("audit", "done"), "teach/base", ("teach/base", "done")]
    manifest = read_json(folder / "manifest.json")
    assert manifest["fingerprint"] == content["stages"][1]["fingerprint"]
    assert manifest["inputs"] == {"records": digest(records)}
    assert manifest["files"]["model.txt"]["bytes"] == len("веса".encode())


def test_a_step_that_names_its_files_is_redone_for_those_only(tmp_path):
    def records(**files):
        steps(tmp_path).run(Step("records", "records", Body(**files), files))

    body = Body()
    trains = step(body, reads=(Read("records", ("train.txt",)),))
    records(**{"train.txt": "a", "pool.txt": "b"})
    steps(tmp_path).run(trains)
    records(**{"train.txt": "a", "pool.txt": "c"})
    assert steps(tmp_path).is_done(trains)
    records(**{"train.txt": "d", "pool.txt": "c"})
    assert not steps(tmp_path).is_done(trains)


def test_two_reads_of_one_artifact_count_apart(tmp_path):
    steps(tmp_path).run(Step("records", "records", Body(**{"train.txt": "a", "valid.txt": "b"})))
    reads = (Read("records", ("train.txt",)), Read("records", ("valid.txt",)))
    run = steps(tmp_path)
    run.run(step(Body(), reads=reads))
    inputs = read_manifest(tmp_path / "teachers" / "base")["inputs"]
    assert list(inputs) == ["records: train.txt", "records: valid.txt"] and len(set(inputs.values())) == 2


def test_a_file_that_the_artifact_lacks_is_named(tmp_path):
    steps(tmp_path).run(Step("records", "records", Body(**{"train.txt": "a"})))
    wants = step(Body(), reads=(Read("records", ("pool.txt",)),))
    assert not steps(tmp_path).is_done(wants)
    with pytest.raises(UserError, match=r"no pool\.txt"):
        steps(tmp_path).run(wants)


def test_of_an_artifact_only_the_files_that_are_read_have_to_be_whole(tmp_path):
    steps(tmp_path).run(Step("records", "records", Body(**{"train.txt": "a", "pool.txt": "b"})))
    (tmp_path / "records" / "pool.txt").write_text("x")
    steps(tmp_path).run(step(Body(), reads=(Read("records", ("train.txt",)),)))
    with pytest.raises(UserError, match=r"damaged[\s\S]*pool\.txt"):
        steps(tmp_path).run(Step("all", "all", Body(), reads=(Read("records"),)))
