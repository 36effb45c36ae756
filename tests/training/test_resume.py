"""Which checkpoint an interrupted run goes on from."""

import json

import pytest

from distill.training.resume import last_complete


def _checkpoint(folder, step, state=None):
    path = folder / f"checkpoint-{step}"
    path.mkdir(parents=True)
    (path / "trainer_state.json").write_text(json.dumps({"global_step": step}) if state is None else state)
    return path


def test_no_folder_or_no_checkpoint(tmp_path):
    assert last_complete(tmp_path / "absent") is None
    assert last_complete(tmp_path) is None


def test_newest_by_number_not_by_name(tmp_path):
    for step in (9, 100, 20):
        _checkpoint(tmp_path, step)
    assert last_complete(tmp_path) == tmp_path / "checkpoint-100"


@pytest.mark.parametrize("state", ["", '{"global_step": 2', "\x00" * 30])
def test_half_written_checkpoints_are_passed_over(tmp_path, state):
    whole = _checkpoint(tmp_path, 10)
    _checkpoint(tmp_path, 20, state)
    (tmp_path / "checkpoint-30").mkdir()
    assert last_complete(tmp_path) == whole


def test_only_half_written_checkpoints(tmp_path):
    _checkpoint(tmp_path, 10, "{")
    assert last_complete(tmp_path) is None


def test_other_names_are_passed_over(tmp_path):
    whole = _checkpoint(tmp_path, 10)
    _checkpoint(tmp_path, "best")
    (tmp_path / "checkpoint-99").write_text("a file")
    assert last_complete(tmp_path) == whole
