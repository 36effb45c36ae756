"""`distill scale` on a tiny project, from imported labels, so that no teacher is trained."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import pytest

from distill.core.errors import UserError
from distill.core.predictions import read_predictions
from distill.core.progress import Reporter
from distill.core.selection.store import selected_ids
from distill.pipeline import findings
from distill.pipeline.experiment import Experiment
from distill.pipeline.scale import Scaling, curve_students, scale
from distill.pipeline.scale_outlook import scale_lines
from distill.pipeline.settings import Settings, resolve_settings
from distill.report.scaling import with_scaling
from tests.cli.planted_project import read_rows
from tests.cli.test_kill import command
from tests.tiny_run import distill

TRAINING = "students.small.training={max_steps: 25, batch_size: 4, learning_rate: 5e-3, save_steps: 5, precision: fp32}"
FACTORS = "0.1,4"


def ids_in(folder: Path) -> set[str]:
    return set(selected_ids(folder).to_pylist())


@pytest.fixture(scope="module")
def project(planted, tmp_path_factory):
    """The file of a project of 90 gold rows and 40 rows of the pool, beside it `labels.jsonl` that know the answer."""
    folder = shutil.copytree(planted.parent, tmp_path_factory.mktemp("scale") / "project")
    ids = [row["id"] for split in ("train", "pool") for row in read_rows(folder, split)]
    logits = [[4.0 * (index == int(name.split("-")[1]) % 3) for index in range(3)] for name in ids]
    lines = [{"id": name, "logits": own} for name, own in zip(ids, logits, strict=True)]
    (folder / "labels.jsonl").write_text("\n".join(map(json.dumps, lines)) + "\n", encoding="utf-8")
    return folder / planted.name


def sets(project: Path) -> list[str]:
    return [f"teachers.base.labels={project.parent / 'labels.jsonl'}", TRAINING]


def settings_of(project: Path, run: Path, *more: str) -> Settings:
    return resolve_settings(project, run, sets=[*sets(project), *more])


def arguments(project: Path, run: Path) -> list[str]:
    given = [f"--set={one}" for one in sets(project)]
    return ["scale", f"--factors={FACTORS}", f"--config={project}", f"--out={run}", *given]


@pytest.fixture(scope="module")
def scaled(project, tmp_path_factory):
    """A finished run, and its result."""
    run = tmp_path_factory.mktemp("runs") / "run"
    done = distill(*arguments(project, run), "--price-per-hour=3", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Test rows were read once" in done.stderr
    return run, json.loads(done.stdout.splitlines()[-1])


def statuses(run: Path) -> dict[str, str]:
    return {one["name"]: one["status"] for one in json.loads((run / "run.json").read_text())["stages"]}


def test_samples_are_nested_and_the_largest_factor_is_what_the_pool_has(scaled):
    run, found = scaled
    (student,) = found["students"]
    assert [(one["name"], one["rows"]) for one in student["points"]] == [("0.1x", 9), ("all", 40)]
    assert student["points"][-1]["factor"] == pytest.approx(40 / 90) and found["pool"] == 40 and found["gold"] == 90
    few, whole = (ids_in(run / "scale" / name / "rows") for name in ("0.1x", "all"))
    assert few < whole and (len(few), len(whole)) == (9, 40)
    assert student["points"][0]["over_previous"] is None and student["points"][1]["over_previous"]["test"]["f1_macro"]
    assert all(one["cost"] == pytest.approx(3 * one["hours"]) and one["hours"] > 0 for one in student["points"])
    assert json.loads((run / "scale.json").read_text())["students"] == found["students"]
    assert "<svg" in (run / "scale.html").read_text(encoding="utf-8")


def test_test_rows_are_read_after_the_last_fit(scaled):
    names = list(statuses(scaled[0]))
    fits = [names.index(name) for name in names if name.startswith("train small-")]
    predicted = [names.index(name) for name in names if name.startswith("predict small-")]
    assert len(fits) == len(predicted) == 2 and max(fits) < min(predicted)


def test_a_further_factor_redoes_no_point_and_a_further_seed_no_fit_of_the_first(scaled, project):
    run, _ = scaled
    copy = shutil.copytree(run, run.parent / "further")
    found = scale(settings_of(project, copy), Scaling.of("0.1,0.2,4", "1,2", None), Reporter())
    fits = {name: status for name, status in statuses(copy).items() if name.startswith("train ")}
    before = {f"train small-{name}, seed 1" for name in ("0.1x", "all")}
    assert {name for name, status in fits.items() if status == "skipped"} == before and len(fits) == 6
    few, more, whole = (ids_in(copy / "scale" / name / "rows") for name in ("0.1x", "0.2x", "all"))
    assert few < more < whole
    assert statuses(copy)["label base"] == "skipped" and found["seeds"] == [1, 2]
    assert "spread" in found["students"][0]["points"][0]["test"]["f1_macro"]


def test_the_plan_names_points_and_their_time(scaled, project, tmp_path):
    early = scale_lines(settings_of(project, tmp_path / "nowhere"), Scaling([1, 4]))
    assert early[0] == "points 1×, 4× the gold rows" and "known once the rows are counted" in early[1]
    lines = scale_lines(settings_of(project, scaled[0]), Scaling.of("0.1,0.3,9", None, 3000.0))
    assert lines[0] == "points of small@card: 90 gold rows and rows of the pool"
    assert [line.split()[0] for line in lines[1:4]] == ["0.1×", "0.3×", "0.444×"]
    assert all("about" in line and "cost" in line for line in lines[1:4])
    assert "for 1 fits, 2 are made" in lines[5] and "teacher and labels are made" in lines[6]
    assert lines[-1] == "test   read once, after the last fit"


def test_killed_in_a_fit_it_goes_on_and_comes_to_the_same(scaled, project, tmp_path):
    run, again = scaled[0], tmp_path / "run"
    begun, limit = again / "scale" / "all" / "seed-1" / "small.partial", time.monotonic() + 200
    with subprocess.Popen(command(arguments(project, again)), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                          start_new_session=True) as process:  # fmt: skip
        while process.poll() is None and time.monotonic() < limit and not begun.exists():
            time.sleep(0.01)
        os.killpg(process.pid, signal.SIGKILL)
    assert not (again / "scale.json").exists() and not begun.with_name("small").exists()
    done = distill(*arguments(project, again))
    assert done.returncode == 0, done.stdout + done.stderr
    assert statuses(again)["train small-0.1x, seed 1"] == "skipped"
    predicted, figures = "predictions/seed-1/small-all@card/test.unseen.parquet", "figures/small/figures.json"
    one, other = (read_predictions(folder / "scale" / predicted) for folder in (run, again))
    assert (one.logits == other.logits).all()
    assert len({(folder / "scale" / figures).read_text(encoding="utf-8") for folder in (run, again)}) == 1


def test_a_selection_is_the_pool_of_every_point(scaled, project):
    run, _ = scaled
    copy = shutil.copytree(run, run.parent / "selected")
    found = scale(settings_of(project, copy, "select={rows: 15}"), Scaling([0.1, 4]), Reporter())
    assert [one["rows"] for one in found["students"][0]["points"]] == [9, 15]
    assert ids_in(copy / "scale" / "all" / "rows") == ids_in(copy / "selection")


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (("4,1", None, None), "the factors do not increase"),
        (("1,4", "1,1", None), "the seeds are no list of different numbers"),
        (("1,4", "-1", None), "the seeds are no list of different numbers"),
        (("1,4", None, -1.0), "a price is at least 0"),
    ],
)
def test_options_that_are_refused(asked, message):
    with pytest.raises(UserError, match=message):
        Scaling.of(*asked)


def test_over_several_seeds_the_curves_are_in_the_folder_above_the_seeds(scaled, project, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(scaled[0], run / "seed-1")
    for name in ("scale.json", "scale.html"):
        (run / "seed-1" / name).unlink()
    told = findings.scaled(settings_of(project, run, "seeds=[1, 2]"), Scaling.of(FACTORS, "1", None), Reporter())
    found = told.content
    assert json.loads((run / "scale.json").read_text())["students"] == found["students"]
    assert told.parts[-1] == f"page:   {run / 'scale.html'}" and "<svg" in (run / "scale.html").read_text(
        encoding="utf-8"
    )
    assert not (run / "seed-1" / "scale.json").exists() and (run / "seed-1" / "scale" / "all").is_dir()
    report = {"task": {"rows": {"train": 90, **dict.fromkeys(found["tests"], 1)}}}
    assert with_scaling(report, run)["scaling"]["students"] == found["students"]


def test_a_project_without_a_pool_or_a_student_is_refused(project, tmp_path):
    settings = settings_of(project, tmp_path / "run")
    no_pool = settings.project.model_copy(update={"data": settings.project.data.model_copy(update={"pool": {}})})
    split = settings.project.data.split.model_copy(update={"valid": 0})
    no_valid = settings.project.data.model_copy(update={"valid": None, "split": split})
    unseen = replace(settings, project=settings.project.model_copy(update={"data": no_valid}))
    own = settings_of(project, tmp_path / "run", "students.small.learns_from=[base]")
    gold = settings_of(project, tmp_path / "run", "students.small.rows=train")
    nobody = "no student learns from the labels of the run alone"
    for one, message in (
        (replace(settings, project=no_pool), "there is no pool to take rows of"),
        (unseen, "the curves flatten by validation rows, and there are none"),
        (replace(settings, students={}), nobody),
        (own, nobody),
        (gold, nobody),
    ):
        with pytest.raises(UserError, match=message):
            curve_students(Experiment(one))


def test_the_command_says_what_is_wrong_and_ends_with_2(project, tmp_path):
    done = distill(*arguments(project, tmp_path / "run"), "--factors=4,4")
    assert done.returncode == 2 and "the factors do not increase" in done.stderr and "Traceback" not in done.stderr
