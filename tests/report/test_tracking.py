"""Figures of a finished run in TensorBoard and MLflow: once, without a network, and never at the run's cost."""

from __future__ import annotations

import os
import sys
from types import ModuleType, SimpleNamespace

import pytest

from distill.core.errors import MissingExtra, UserError
from distill.core.progress import Reporter, reporting
from distill.report.trackers.mlflow import MLflow
from distill.report.tracking import Tracked, figures_of, track, trackers
from tests.report.sample import sample_report

CONFIG = {"seed": 1, "teachers": {"base": {"training": {"epochs": 2.0}}}}


class Told(Reporter):
    """Keeps the notes."""

    def __init__(self):
        self.notes = []

    def note(self, text):
        self.notes.append(text)


def test_figures_are_those_of_the_report():
    found = {(one.name, one.step): one.value for one in figures_of(sample_report())}
    assert found["quality/f1_macro/8L_trunc@card", 0] == 0.7506
    assert found["latency/p50_ms/8L_trunc@card.onnx-int8", 0] == 14.2
    assert found["gates/failed", 0] == 0
    assert found["training/log_loss/base@document", 6000] == 0.52
    assert list(figures_of({})) == []


def test_a_run_gives_its_figures_to_the_trackers_that_are_named(tmp_path):
    event_file_loader = pytest.importorskip("tensorboard.backend.event_processing.event_file_loader")
    for _ in range(2):  # told twice, the figures are there once
        track(trackers(["tensorboard"]), tmp_path, sample_report(), CONFIG)
    (file,) = (tmp_path / "logs" / "figures").iterdir()
    events = event_file_loader.EventFileLoader(str(file)).Load()
    values = {value.tag: value.tensor.float_val[0] for event in events for value in event.summary.value}
    assert values["quality/accuracy/base@document"] == pytest.approx(0.7883)
    track(trackers([]), tmp_path / "other", sample_report(), CONFIG)
    assert not (tmp_path / "other").exists()


def test_unknown_and_missing_trackers_are_told_before_a_run(monkeypatch):
    with pytest.raises(UserError, match="did you mean 'mlflow'"):
        trackers(["mlflw"])
    monkeypatch.setattr("distill.report.trackers.mlflow.find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"distill\[mlflow\]"):
        trackers(["mlflow"])


def test_a_tracker_that_fails_is_told_and_stops_nothing(tmp_path):
    class Broken(MLflow):
        def write(self, run, figures, config):
            raise RuntimeError("no such server")

    with reporting(told := Told()):
        track([Broken()], tmp_path, sample_report(), CONFIG)
    assert told.notes == ["the figures did not reach mlflow: no such server"]


class Store:
    """What MLflow's client is asked for."""

    def __init__(self):
        self.runs, self.places, self.experiments = [], set(), {}
        self.telemetry = None

    def client(self, tracking_uri):
        self.telemetry = os.environ.get("MLFLOW_DISABLE_TELEMETRY")
        self.places.add(tracking_uri)
        return self

    def get_experiment_by_name(self, name):
        return self.experiments.get(name)

    def create_experiment(self, name):
        self.experiments[name] = SimpleNamespace(experiment_id=name)
        return name

    def search_runs(self, experiments, filter_string, max_results):
        return [run for run in self.runs if any(tag in filter_string for tag in run["tags"].values())]

    def create_run(self, experiment, run_name):
        self.runs.append({"name": run_name, "metrics": {}, "params": {}, "tags": {}, "ended": False})
        return SimpleNamespace(info=SimpleNamespace(run_id=len(self.runs) - 1))

    def log_batch(self, run, metrics=(), params=(), tags=()):
        assert len(metrics) <= 1000 and len(params) <= 100
        self.runs[run]["metrics"] |= {(one[0], one[3]): one[1] for one in metrics}
        self.runs[run]["params"] |= dict(params)
        self.runs[run]["tags"] |= dict(tags)

    def set_terminated(self, run):
        self.runs[run]["ended"] = True


@pytest.fixture
def store(monkeypatch):
    """A stand-in for the library, which need not be installed."""
    made = Store()
    entities, tracking = ModuleType("mlflow.entities"), ModuleType("mlflow.tracking")
    entities.Metric = entities.Param = entities.RunTag = lambda *parts: parts
    tracking.MlflowClient = made.client
    modules = {"mlflow": ModuleType("mlflow"), "mlflow.entities": entities, "mlflow.tracking": tracking}
    for name, module in modules.items():
        monkeypatch.setitem(sys.modules, name, module)
    for name in ("MLFLOW_DISABLE_TELEMETRY", "MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    return made


def test_mlflow_gets_figures_and_settings_once_in_the_runs_own_database(store, tmp_path):
    figures = [Tracked("quality/f1_macro/8L@card>x", 0.5), Tracked("training/log_loss/8L@card", 0.7, 30)]
    places = [MLflow().write(tmp_path, figures, CONFIG) for _ in range(2)]
    assert places == [f"sqlite:///{tmp_path / 'mlflow.db'}"] * 2 and store.places == {places[0]}
    (run,) = store.runs
    assert run["metrics"] == {("quality/f1_macro/8L_card_x", 0): 0.5, ("training/log_loss/8L_card", 30): 0.7}
    assert run["params"] == {"seed": "1", "teachers.base.training.epochs": "2"}
    assert run["ended"] and list(store.experiments) == [tmp_path.name] and store.telemetry == "true"
    MLflow().write(tmp_path, figures[:1], CONFIG)
    assert len(store.runs) == 2


def test_mlflow_goes_to_the_server_that_is_named(store, tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://tracking.example")
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "relevance")
    assert MLflow().write(tmp_path, [Tracked("a", 1.0)], CONFIG) == "http://tracking.example"
    assert list(store.experiments) == ["relevance"] and not (tmp_path / "mlflow.db").exists()
