"""A run whose steps are made gives its figures to the trackers of its project, and one that stopped gives none."""

from __future__ import annotations

import pytest

from distill.core.errors import GateFailed, UserError
from distill.core.progress import Reporter
from distill.pipeline import execute as one
from distill.pipeline.settings import resolve_settings
from distill.report.trackers.tensorboard import TensorBoard
from tests.pipeline.seeds_project import write_project
from tests.report.sample import sample_report


@pytest.fixture
def made(tmp_path, monkeypatch):
    """`made(*sets)` executes a run whose steps are left out; returns what its tracker was given."""
    given = []
    monkeypatch.setattr(one, "_make", lambda experiment, steps, until: None)
    monkeypatch.setattr(one, "_hand_off", lambda experiment, steps, gates: None)
    monkeypatch.setattr(one, "_write_report", lambda experiment, steps, outcome=None: sample_report())
    monkeypatch.setattr(TensorBoard, "write", lambda self, *asked: given.append(asked) or "there")

    def execute(*sets):
        one.execute(resolve_settings(write_project(tmp_path), tmp_path / "run", sets=list(sets)), Reporter())
        return given

    return execute


def test_a_finished_run_is_tracked_where_its_project_says_so(made, tmp_path):
    assert made() == []
    ((run, figures, config),) = made("report.trackers=[tensorboard]")
    assert run == tmp_path / "run" and config["report"]["trackers"] == ["tensorboard"]
    assert "quality/f1_macro/8L_trunc@card" in [figure.name for figure in figures]


def test_a_run_without_a_bundle_for_its_failed_gates_is_tracked(made, monkeypatch):
    def refuse(experiment, steps, gates):
        raise GateFailed("1 of 5 gates failed")

    with monkeypatch.context() as failing:
        failing.setattr(one, "_hand_off", refuse)
        with pytest.raises(GateFailed):
            made("report.trackers=[tensorboard]")
    ((_, figures, _),) = made()
    assert {"quality/f1_macro/8L_trunc@card", "gates/failed"} <= {figure.name for figure in figures}


def test_a_run_that_a_gate_stops_is_not(made, monkeypatch):
    def stop(experiment, steps, until):
        raise GateFailed("1 of 5 gates failed")

    monkeypatch.setattr(one, "_make", stop)
    with pytest.raises(GateFailed):
        made("report.trackers=[tensorboard]")
    monkeypatch.setattr(one, "_make", lambda experiment, steps, until: None)
    assert made() == []


def test_an_unknown_tracker_is_refused_before_anything_is_made(made, tmp_path):
    with pytest.raises(UserError, match=r"report\.trackers.*tensorbord|tensorbord"):
        made("report.trackers=[tensorbord]")
    assert not (tmp_path / "run").exists()
