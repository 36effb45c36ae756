"""Which checkpoint an interrupted run goes on from."""

import json

import pytest

from distill.training.resume import drop_after, last_complete, problem, rotate, seal


def _checkpoint(folder, step, best=None, whole=True):
    path = folder / f"checkpoint-{step}"
    path.mkdir(parents=True)
    (path / "trainer_state.json").write_text(json.dumps({"global_step": step, "best_global_step": best}))
    (path / "optimizer.pt").write_text("moments")
    if whole:
        seal(path)
    return path


def _left(folder):
    return sorted(path.name for path in folder.iterdir())


def test_no_folder_or_no_checkpoint(tmp_path):
    assert last_complete(tmp_path / "absent") is None
    assert last_complete(tmp_path) is None
    assert drop_after(tmp_path / "absent", None) == []


def test_newest_by_number_not_by_name(tmp_path):
    for step in (9, 100, 20):
        _checkpoint(tmp_path, step)
    assert last_complete(tmp_path) == tmp_path / "checkpoint-100"


@pytest.mark.parametrize("file", ["trainer_state.json", "optimizer.pt"])
@pytest.mark.parametrize("content", [None, "", "null", "mom", "momentz"])
def test_a_missing_cut_or_changed_file_makes_the_older_one_the_last(tmp_path, file, content):
    older, newer = _checkpoint(tmp_path, 10), _checkpoint(tmp_path, 20)
    (newer / file).unlink()
    if content is not None:
        (newer / file).write_text(content)
    assert last_complete(tmp_path) == older
    assert drop_after(tmp_path, older) == [f"checkpoint-20 is damaged: {file}"] and _left(tmp_path) == ["checkpoint-10"]


def test_one_that_was_not_finished_is_passed_over(tmp_path):
    whole = _checkpoint(tmp_path, 10)
    _checkpoint(tmp_path, 20, whole=False)
    (tmp_path / "checkpoint-30").mkdir()
    assert last_complete(tmp_path) == whole
    assert all("not finished" in one for one in drop_after(tmp_path, whole)) and _left(tmp_path) == ["checkpoint-10"]


def test_without_a_whole_one_there_is_none(tmp_path):
    (_checkpoint(tmp_path, 10) / "manifest.json").write_text("[]")
    assert last_complete(tmp_path) is None
    assert len(drop_after(tmp_path, None)) == 1 and _left(tmp_path) == []


def test_one_whose_best_is_gone_would_keep_other_weights(tmp_path):
    best, older = _checkpoint(tmp_path, 10, best=10), _checkpoint(tmp_path, 5, best=5)
    newest = _checkpoint(tmp_path, 20, best=10)
    assert last_complete(tmp_path) == newest
    (best / "optimizer.pt").write_text("other")
    assert last_complete(tmp_path) == older and "checkpoint-10 is damaged" in problem(newest)


def test_other_names_are_passed_over(tmp_path):
    whole = _checkpoint(tmp_path, 10)
    _checkpoint(tmp_path, "best")
    (tmp_path / "checkpoint-99").write_text("a file")
    assert last_complete(tmp_path) == whole


@pytest.mark.parametrize(
    ("keep", "best", "left"), [(1, None, [40]), (2, 10, [10, 40]), (2, 40, [30, 40]), (2, None, [30, 40])]
)
def test_the_newest_and_the_best_are_kept(tmp_path, keep, best, left):
    for step in (10, 20, 30, 40):
        _checkpoint(tmp_path, step)
    rotate(tmp_path, keep, best)
    assert _left(tmp_path) == [f"checkpoint-{step}" for step in left]
