"""Scenarios beyond one request after another, on fake models and clocks."""

import threading
from dataclasses import replace

import numpy as np
import pytest

from benchmarks import bench
from benchmarks.bench import Bench
from benchmarks.config import BenchConfig
from benchmarks.intervals import spread
from benchmarks.latency import scenario_lines
from benchmarks.layouts import BATCHES, BOTH, ONE, SESSIONS
from benchmarks.queueing import arrivals, highest_rate, serve, simulate
from benchmarks.scenario import Served, entries, scenario_named
from benchmarks.scenarios.open import HIGHEST
from distill.core.errors import UserError
from distill.core.rendering import Encoded, Window
from distill.inference.scorer import Scorer


class Machine:
    """A clock that sleep and answers move."""

    def __init__(self):
        self.now, self.opened = 0.0, []

    def clock(self):
        return int(self.now * 1e9)

    def sleep(self, seconds):
        self.now += seconds


class Model(Scorer):
    """Each record has `tokens`, and takes a millisecond for each; a batch takes what its longest one does."""

    def __init__(self, machine):
        self.machine = machine

    def prepare(self, rows):
        return [Encoded([Window([0] * row["tokens"], [0] * row["tokens"])], row["tokens"], 0) for row in rows]

    def answer(self, prepared, on_progress=None):
        self.machine.now += max(item.read_tokens for item in prepared) / 1000
        return np.zeros((len(prepared), 2), np.float32)


def served(rows, threads=1, **more):
    machine = Machine()

    def open_with(budget):
        machine.opened.append(budget)
        return Model(machine)

    config = BenchConfig(**{"warmup": 1, **more})
    return machine, Served(open_with, rows, threads, config, machine.clock, machine.sleep)


def test_a_grid_has_a_cell_for_each_batch_and_length():
    rows = [{"tokens": tokens} for tokens in (10, 11, 12, 30, 31, 100)]
    _, given = served(rows, grid_batch=[1, 2], grid_tokens=[11, 30, 60])
    cells = scenario_named("grid").measure(given)
    assert [(cell["kind"], cell["p50_ms"]) for cell in cells] == [
        ("1 × 11", pytest.approx(11)),
        ("2 × 11", pytest.approx(11)),
        ("1 × 30", pytest.approx(30)),
        ("2 × 30", pytest.approx(31)),
    ]
    (first, *_) = entries(scenario_named("grid"), "m", [cells, cells])
    assert (first["model"], first["processes"], first["batch"]) == ("m", 2, 1)
    assert first["per_s"] == pytest.approx(1000 / 11)


def test_offline_compares_layouts_of_one_budget_of_threads():
    machine, given = served([{"tokens": 10}] * 64, threads=2, throughput_batch=32)
    cells = {cell["kind"]: cell for cell in scenario_named("offline").measure(given)}
    assert set(cells) == {ONE, BATCHES, SESSIONS, BOTH} and machine.opened == [2, 1, 1]
    assert cells[ONE]["per_s"] == pytest.approx(100) and cells[ONE]["ratio"] == 1
    assert cells[BATCHES]["ratio"] == pytest.approx(32)


def test_sessions_that_share_one_pool_of_threads_are_not_laid_beside_each_other():
    machine, given = served([{"tokens": 10}] * 64, threads=2)
    found = scenario_named("offline").measure(replace(given, several=False))
    assert [cell["kind"] for cell in found] == [ONE, BATCHES] and machine.opened == [2]


def test_latency_counts_from_when_a_request_was_due():
    """Three arrive at once and are answered one after another: the third has waited for both."""
    machine = Machine()
    found = serve([1.0, 1.0, 1.0, 9.0], [lambda at: machine.sleep(2.0)], machine.clock, machine.sleep)
    assert found.latencies.tolist() == pytest.approx([2, 4, 6, 2])
    assert found.services.tolist() == pytest.approx([2] * 4)
    assert simulate([1.0, 1.0, 1.0, 9.0], [2.0] * 4, 1).tolist() == [2, 4, 6, 2]
    assert simulate([1.0, 1.0, 1.0, 9.0], [2.0] * 4, 2).tolist() == [2, 2, 4, 2]


def test_each_request_is_answered_once_by_several_servers():
    answered, lock = [], threading.Lock()

    def server(at):
        with lock:
            answered.append(at)

    serve(arrivals(1e5, 200, 1), [server] * 3, Machine().clock, lambda seconds: None)
    assert sorted(answered) == list(range(200))


def test_arrivals_are_seeded_and_have_their_rate():
    due = arrivals(50.0, 20_000, 1)
    assert np.array_equal(due, arrivals(50.0, 20_000, 1)) and not np.array_equal(due, arrivals(50.0, 20_000, 2))
    assert due[-1] == pytest.approx(400, rel=0.03) and np.diff(due).std() == pytest.approx(1 / 50, rel=0.05)


def test_open_loop_queues_as_the_simulated_one():
    _, given = served([{"tokens": 8}, {"tokens": 12}] * 10)
    half, more, highest = scenario_named("open").measure(given)
    assert (half["kind"], more["kind"], highest["kind"]) == ("50% load", "70% load", HIGHEST)
    assert half["over_simulated"] == pytest.approx(1) == more["over_simulated"]
    assert half["over_alone"] == pytest.approx(1) == more["over_alone"]
    assert 0 < half["p99_ms"] < more["p99_ms"] and highest["capacity_per_s"] == pytest.approx(100)
    entry = entries(scenario_named("open"), "m", [[half], [half]])[0]
    assert entry["over_simulated"]["low"] == pytest.approx(1)


def test_open_loop_tells_waiting_from_answers_that_take_longer_under_load():
    """Alone a request takes 10 ms, under load 12: the queue of these is as expected, that of those alone is shorter."""
    machine, given = served([{"tokens": 10}] * 20)
    asked, open_with = [], given.open

    def slower(budget):
        model = open_with(budget)
        answer = model.answer

        def later(prepared, on_progress=None):
            asked.append(1)
            machine.now += 0.002 * (len(asked) > 21)  # after one that warms up and twenty alone
            return answer(prepared)

        model.answer = later
        return model

    half, more, _ = scenario_named("open").measure(replace(given, open=slower))
    assert half["over_simulated"] == pytest.approx(1) == more["over_simulated"]
    assert 1.1 < half["over_alone"] < more["over_alone"]


def test_open_loop_finds_the_highest_rate_under_the_bound():
    rates = []
    for bound in (30.0, 60.0):
        _, given = served([{"tokens": 10}], p99_ms=bound, arrivals=1500)
        rates.append(scenario_named("open").measure(given)[-1]["rate_per_s"])
    assert 0 < rates[0] < rates[1] < 100
    assert highest_rate(lambda rate: rate, 40.0, 64.0, lambda: True) == 40.0
    assert highest_rate(lambda rate: rate, 0.1, 64.0, lambda: True) == 0.0
    assert highest_rate(lambda rate: rate, 40.0, 64.0, lambda: False) == 0.0


def test_sessions_share_the_threads():
    machine, given = served([{"tokens": 10}], threads=4, sessions=2)
    scenario_named("open").measure(given)
    assert machine.opened == [2, 2]


def test_a_model_too_slow_for_its_seconds_has_no_cells():
    _, given = served([{"tokens": 100}])
    slow = Served(given.open, given.rows, 1, given.config, given.clock, given.sleep, seconds=10.0)
    assert scenario_named("open").measure(slow) == []


@pytest.mark.parametrize(("name", "kinds"), [("grid", 9), ("offline", 4), ("open", 0)])
def test_a_slow_model_keeps_to_its_seconds(name, kinds):
    """Its requests take 34 seconds one by one, the largest cell of the grid 57 and the layouts over 130."""
    rows = [{"tokens": 64 + 8 * (number % 9)} for number in range(350)]
    machine, given = served(rows, threads=2, grid_tokens=[64, 96, 128], grid_batch=[1, 8, 32], warmup=20)
    cells = scenario_named(name).measure(replace(given, open=added_up(given.open), seconds=20.0))
    assert len(cells) == kinds and machine.now < 22


def added_up(open_with):
    """Models for which a batch takes what its records would one after another."""

    def opened(budget):
        model = open_with(budget)

        def answer(prepared, on_progress=None):
            model.machine.now += sum(item.read_tokens for item in prepared) / 1000
            return np.zeros((len(prepared), 2), np.float32)

        model.answer = answer
        return model

    return opened


def test_cells_of_the_grid_that_do_not_fit_into_the_seconds_are_named():
    machine, given = served([{"tokens": 100}] * 40, grid_tokens=[100], grid_batch=[1, 32, 2])
    grid, slow = scenario_named("grid"), replace(given, open=added_up(given.open), seconds=10.0)
    cells = grid.measure(slow)
    assert machine.now == pytest.approx(14 * 0.1 + 14 * 0.2)
    assert cells[1] == {"kind": "32 × 100", "left_out": "no time in 10 s"}
    found = entries(grid, "m", [cells, [{**cells[0], "p50_ms": 100.0}, *cells[1:]], cells[:1]])
    assert [(one["kind"], one["processes"]) for one in found] == [("1 × 100", 3), ("32 × 100", 0), ("2 × 100", 2)]
    assert list(scenario_lines({"grid": found}))[1] == "grid  m  32 × 100  no time in 10 s"


def test_scenarios_are_measured_where_they_are_asked(subject, monkeypatch):
    """Interleaved processes of their own, after the single requests; their entries are in the result and printed."""
    ran = []

    def process(one, rows, config, threads, more):
        ran.append((one.name, more.get("scenario")))
        if "scenario" in more:
            return {"cells": [{"kind": "1 × 16", "batch": 1, "tokens": 16, "p50_ms": 2.0 if one.name == "a" else 4.0}]}
        sample = {"total_ns": [10**6] * len(rows), "tokenise_ns": [1] * len(rows)}
        return {"batches": {"1": sample}, "tokens": [16], "layouts": {BATCHES: 1.0}}

    monkeypatch.setattr(bench, "run_process", process)
    config = BenchConfig(processes=2, minutes=0, scenarios=["grid"])
    result = Bench([subject("a"), subject("b")], {"card": [{}] * 4}, config, 1).run().result()
    assert ran == [("a", None), ("b", None)] * 2 + [("a", "grid"), ("b", "grid")] * 2
    first, second = result["scenarios"]["grid"]
    assert (first["model"], first["p50_ms"]["value"], second["p50_ms"]["low"]) == ("a", 2.0, pytest.approx(4.0))
    assert list(scenario_lines(result["scenarios"]))[0] == "grid  a  1 × 16  p50_ms 2"
    assert "scenarios" not in Bench([subject("a")], {"card": [{}]}, BenchConfig(minutes=0), 1).run().result()


def test_an_unknown_scenario_and_one_process():
    with pytest.raises(UserError, match="scenario"):
        scenario_named("closed")
    assert spread([3.0])["value"] == pytest.approx(3) and spread([3.0])["low"] is None
