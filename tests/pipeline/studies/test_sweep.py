"""`distill sweep` on words alone: cells, the choice on validation, what fails, what is kept, what is read when."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from distill.cli.app import app
from distill.core.errors import GateFailed, UserError
from distill.core.manifest import read_manifest
from distill.core.progress import Reporter
from distill.core.sealed import read_sealed, write_sealed
from distill.evaluation import calibrated_predictions
from distill.evaluation.selection import single_runs
from distill.families.tfidf import Tfidf
from distill.inference import predict
from distill.pipeline.studies.outlook import study_lines
from distill.pipeline.studies.sweep import shipped_grids, sweep_study
from tests.pipeline.studies.study_project import resolver, write_project
from tests.tiny_run import distill

OVER = ["teachers.base.ngrams=1,2", "teachers.base.inverse_penalty=1e-3,1.0,1e6"]
KEPT = [OVER[0], "teachers.base.inverse_penalty=1e-3,1.0"]


class Heard(Reporter):
    """Keeps what is told, and which steps were made."""

    def __init__(self) -> None:
        self.made: list[str] = []
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)

    def step_ends(self, name: str, status: str, seconds: float) -> None:
        if status == "done":
            self.made.append(name)


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Path:
    return write_project(tmp_path_factory.mktemp("project"))


@pytest.fixture(scope="module")
def swept(project, tmp_path_factory):
    """A finished sweep, whose cells of the largest penalty diverge, with the order in which test files were read."""
    run, heard, read = tmp_path_factory.mktemp("runs") / "run", Heard(), []
    study = sweep_study(resolver(project, run), OVER)
    fit, seen, scored = Tfidf.fit, calibrated_predictions.read_predictions, predict.iter_records

    def diverging(self, config, lesson, folder):
        if config.inverse_penalty > 1e5:
            raise GateFailed("training diverged: logits are not finite", do="lower the learning rate")
        fit(self, config, lesson, folder)

    def exploding(kind, real):
        def call(first, *rest):
            name = rest[0] if rest else first.stem
            if str(name).startswith("test"):
                assert (run / "sweep" / "chosen.json").exists(), f"{kind} of test rows before the choice"
                read.append(kind)
            return real(first, *rest)

        return call

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Tfidf, "fit", diverging)
        patch.setattr(calibrated_predictions, "read_predictions", exploding("figures", seen))
        patch.setattr(predict, "iter_records", exploding("rows", scored))
        found = study.find(heard)
    return run, study, found, heard, read


def test_the_best_on_validation_is_marked_and_test_stands_beside_it(swept):
    run, _, finding, _, _ = swept
    found = finding.content
    done = [cell for cell in found["cells"] if cell["status"] == "done"]
    best = max(done, key=lambda cell: (cell["valid"]["f1_macro"]["value"], -cell["valid"]["log_loss"]["value"]))
    assert found["lead"] == best["name"] and found["columns"] == [one.partition("=")[0] for one in OVER]
    assert all(cell["test"]["f1_macro"]["low"] < cell["test"]["f1_macro"]["high"] for cell in done)
    assert all(("over" in cell) and (cell["over"] == {}) == (cell is best) for cell in done)
    assert json.loads((run / "sweep.json").read_text())["lead"] == found["lead"]
    assert best["values"]["teachers.base.inverse_penalty"] == 1.0 and "best" in (run / "sweep.html").read_text("utf-8")


def test_a_cell_that_diverges_is_told_of_and_the_others_go_on(swept):
    _, _, finding, heard, _ = swept
    failed = [cell for cell in finding.content["cells"] if cell["status"] == "failed"]
    assert [cell["values"]["teachers.base.inverse_penalty"] for cell in failed] == [1e6, 1e6]
    assert all("training diverged" in cell["error"] and "valid" not in cell for cell in failed)
    assert any("2 of 6 cells failed" in part for part in finding.parts if isinstance(part, str))
    assert sum("the other cells go on" in note for note in heard.notes) == 2


def test_test_rows_are_read_after_the_choice(swept):
    assert set(swept[-1]) == {"rows", "figures"}  # each was seen, none of them before `chosen.json`


def test_cells_share_what_does_not_change(swept):
    run, study, _, heard, _ = swept
    assert heard.made.count("records") == heard.made.count("audit") == 1
    fingerprints = {read_manifest(cell.settings.run / "records")["fingerprint"] for cell in study.cells}
    assert len(fingerprints) == 1 and heard.made.count("teach base@document") == 4
    assert "predictions" in {path.name for path in study.cells[0].settings.run.iterdir()}


def test_again_nothing_is_made_and_a_further_value_adds_its_cells(swept, project):
    run = swept[0]
    heard = Heard()
    again = sweep_study(resolver(project, run), KEPT)
    again.find(heard)
    assert heard.made == []
    lines = study_lines(sweep_study(resolver(project, run), ["teachers.base.ngrams=1,3"]))
    assert [line.split()[0] for line in lines[1:3]] == ["to", "to"] and "about" in lines[3]
    assert all("made" in line for line in study_lines(again)[1:5])


def test_cut_off_in_a_fit_it_goes_on_from_there(project, tmp_path, monkeypatch):
    study, fit, fitted = sweep_study(resolver(project, tmp_path / "run"), [OVER[0]]), Tfidf.fit, []

    def cut_off(self, config, lesson, folder):
        fitted.append(config.ngrams)
        if len(fitted) == 2:
            raise KeyboardInterrupt
        fit(self, config, lesson, folder)

    monkeypatch.setattr(Tfidf, "fit", cut_off)
    with pytest.raises(KeyboardInterrupt):
        study.find(Reporter())
    assert not (tmp_path / "run" / "sweep.json").exists() and not (tmp_path / "run" / "sweep" / "chosen.json").exists()
    found = study.find(Reporter()).content
    assert fitted == [1, 2, 2] and [cell["status"] for cell in found["cells"]] == ["done", "done"]


def test_a_grid_of_rows_with_names_of_its_own(project, tmp_path):
    grid = tmp_path / "grid.yaml"
    grid.write_text(
        "columns: [words, c]\nrows: [[1, 0.5], [2, 1.0]]\n"
        "sets: ['teachers.base={ngrams: $words, inverse_penalty: $c}']\n"
        "over: {teachers.base.max_features: [50, 60]}\n",
        encoding="utf-8",
    )
    study = sweep_study(resolver(project, tmp_path / "run"), file=grid)
    settings = [cell.settings.teachers["base"] for cell in study.cells]
    assert [(one.ngrams, one.inverse_penalty, one.max_features) for one in settings] == [
        (1, 0.5, 50), (1, 0.5, 60), (2, 1.0, 50), (2, 1.0, 60)
    ]  # fmt: skip
    section = "sweep={over: {teachers.base.ngrams: [1, 2]}}"
    assert len(sweep_study(resolver(project, tmp_path / "run", section)).cells) == 2


def test_the_shipped_grids_hold_with_an_encoder(project, tmp_path):
    assert shipped_grids() == ["old_then_new"]
    study = sweep_study(resolver(project, tmp_path / "run", "data.extra={old: old.jsonl}"), file=Path("old_then_new"))
    assert list(study.cells[0].values) == ["epochs1", "lr1", "final_lr1", "epochs2", "lr2"]
    assert len(study.cells) == 20 and study.model == "old_then_new"
    phases = study.cells[2].settings.teachers["old_then_new"].in_phases()
    rates = {name: (one.training.learning_rate, one.training.final_learning_rate) for name, one in phases.items()}
    assert rates == {"old": (7e-6, 3e-6), "new": (2e-5, 0)}


@pytest.mark.parametrize(
    ("over", "message"),
    [
        ([], "nothing says what to sweep over"),
        (["teachers.base.ngrams"], "--over needs a field and its values"),
        (["teachers.base.ngrams=1", "teachers.base.ngrams=2"], "names a field twice"),
        (["teachers.base.ngram=1,2"], "did you mean 'ngrams'"),
        (["teachers.base.ngrams=1,0"], "ngrams 0"),
    ],
)
def test_grids_that_are_refused_before_anything_is_made(project, tmp_path, over, message):
    with pytest.raises(UserError, match=message):
        sweep_study(resolver(project, tmp_path / "run"), over)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("over", "where", "own", "known"),
    [
        ("task.rare.under=1,70", "under 70", "мимо, рядом (kind single)", "мимо, рядом, точно (kind single)"),
        ("task.kind=multi", "kind multi", "точно (kind multi)", "точно (kind single)"),
        ("task.positive=рядом", "positive рядом", "точно (kind single, positive рядом)", "точно (kind single)"),
    ],
)
def test_a_cell_of_another_task_is_refused_before_anything_is_made(project, tmp_path, over, where, own, known):
    resolve = resolver(project, tmp_path / "run", "task.positive=null", "task.rare={under: 1, into: drop}")
    with pytest.raises(UserError, match="has another task") as refused:
        sweep_study(resolve, [over])
    assert refused.value.where == where
    assert re.search(f"{re.escape(own)}; in the project .*{re.escape(known)}$", str(refused.value.found))
    assert not (tmp_path / "run").exists()


def test_a_grid_that_is_not_there_is_told_of_with_those_that_are(project, tmp_path):
    with pytest.raises(UserError, match="no such grid[^$]*old_then_new"):
        sweep_study(resolver(project, tmp_path / "run"), file=Path("old_then_nwe"))


def test_another_model_may_be_asked_for(project, tmp_path):
    assert sweep_study(resolver(project, tmp_path / "run"), [OVER[0]], model="tfidf").model == "tfidf"
    with pytest.raises(UserError, match="did you mean 'base'"):
        sweep_study(resolver(project, tmp_path / "run"), [OVER[0]], model="bas")


def test_a_cell_that_fails_by_any_error_is_recorded_and_quotes_rows_only_where_it_may(project, tmp_path, monkeypatch):
    fit = Tfidf.fit

    def broken(self, config, lesson, folder):
        if config.ngrams == 2:
            raise KeyError("a word of a row")
        fit(self, config, lesson, folder)

    monkeypatch.setattr(Tfidf, "fit", broken)
    for texts, error in (("true", "KeyError: 'a word of a row'"), ("false", "KeyError")):
        resolve = resolver(project, tmp_path / texts, f"report.texts={texts}")
        cells = sweep_study(resolve, ["teachers.base.ngrams=2,1"]).find(Reporter()).content["cells"]
        assert [cell["status"] for cell in cells] == ["failed", "done"] and cells[0]["error"] == error


def test_where_every_cell_fails_the_first_error_is_told(project, tmp_path):
    study = sweep_study(resolver(project, tmp_path / "run"), ["teachers.base.slices=[ghost]"])
    with pytest.raises(UserError, match="unknown slice"):
        study.find(Reporter())
    assert not (tmp_path / "run" / "sweep.json").exists()


def test_as_a_command(swept, project):
    options = ["--config", project, "--out", swept[0], *(part for one in KEPT for part in ("--over", one)), "--json"]
    done = distill("sweep", *options)
    assert done.returncode == 0, done.stderr
    assert len(json.loads(done.stdout.splitlines()[-1])["cells"]) == 4 and "Best of 4 on validation" in done.stderr


def test_the_diagnosis_of_a_sweep_ranks_its_cells(swept):
    done = CliRunner().invoke(app, ["diagnose-selection", str(swept[0]), "--json"])
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout.splitlines()[-1])
    assert len(found["models"]) == 4 and set(found["by"]) == {"f1_macro", "log_loss"}
    by = found["by"]["log_loss"]
    assert -1 <= by["spearman"]["low"] <= by["spearman"]["high"] <= 1 and by["lost"]["value"] >= 0
    assert "better than chance" in done.stderr and "Nothing is said of checkpoints" in done.stderr


def test_the_diagnosis_of_a_sweep_takes_the_seeds_that_its_cells_were_last_made_with(project, tmp_path):
    run, over = tmp_path / "run", ["teachers.base.ngrams=1,2"]
    by_seed = sweep_study(resolver(project, run, "seeds=[1, 2]"), over)
    by_seed.find(Reporter())
    assert single_runs([run]) == [one.run for cell in by_seed.cells for one in cell.runs]
    alone = sweep_study(resolver(project, run, "views.document.right=[page.title]"), over)
    alone.find(Reporter())
    assert single_runs([run]) == [cell.settings.run for cell in alone.cells] == [c.settings.run for c in by_seed.cells]
    stored = read_sealed(run / "sweep.json")
    for cell in stored["cells"]:
        del cell["runs"]
    write_sealed(run / "sweep.json", stored)
    with pytest.raises(UserError, match="an earlier version stored a study"):
        single_runs([run])
