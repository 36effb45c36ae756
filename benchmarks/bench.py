"""One measurement of any list of subjects, from the choice of requests to the content of `latency.json`."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks.config import BenchConfig
from benchmarks.environment import environment
from benchmarks.factors import factors
from benchmarks.latency_rows import Round, centres_of, latency_rows, wanted_pairs
from benchmarks.process import run_process
from benchmarks.requests import Row, choose_positions
from benchmarks.sampling import Limits, Sampler
from benchmarks.scenario import entries, scenario_named
from benchmarks.subjects import Subject
from benchmarks.weights import file_bytes, require_precision, weights_of
from distill.core.files import Json

Progress = Callable[[int, int, str], None]
"""Called before each process with: processes done, processes in all as far as is known, name of the next subject; and
once at the end."""

_SECONDS = 60
_FURTHER = 1.5
"""Processes that there is to be time for, over those that are asked for at least: intervals are over processes, so
several short ones say more than a few long ones."""
_WAITING = {
    True: "threads without work wait in a loop for as long as their runtime does by itself, then sleep",
    False: "threads without work sleep at once",
}


@dataclass(frozen=True)
class Bench:
    """Subjects measured side by side on the same requests.

    Each process answers requests of one subject and no two run at once; see `benchmarks.sampling` for their order and
    number.

    Args: rows_by_view: view name to record fields, the same records in the same order under each name; the requests
        are drawn from them. threads: of every subject. left_out: models that are not among the subjects, by name, with
        the reason. keep: whether the processes tell the logits of their requests.
    """

    subjects: Sequence[Subject]
    rows_by_view: Mapping[str, Sequence[Row]]
    config: BenchConfig
    threads: int
    left_out: Mapping[str, str] = field(default_factory=dict)
    keep: bool = False

    def run(self, on_progress: Progress | None = None) -> Measured:
        """Measure.

        Raises: UserError when a process fails or a subject is not in the precision of its row; ValueError when two
            subjects have one name or views differ in records.
        """
        by_name = {subject.name: subject for subject in self.subjects}
        if len(by_name) != len(self.subjects):
            raise ValueError(f"two subjects have one name: {[subject.name for subject in self.subjects]}")
        machine, positions, config = environment(), self._positions(), self.config
        requests = {view: [rows[position] for position in positions] for view, rows in self.rows_by_view.items()}
        least, limit = len(by_name) * config.processes, config.minutes * _SECONDS
        more: dict[str, Any] = {"seconds": limit / max(1, least) / _FURTHER} if limit else {}
        more |= {"keep": True} if self.keep else {}
        weights: dict[str, dict[str, int]] = {}

        def run(name: str) -> Round:
            subject = by_name[name]
            found = run_process(subject, requests[subject.view], config, self.threads, more)
            if name not in weights:
                weights[name] = weights_of(subject, found.get("weights", {}))
                require_precision(subject, weights[name])
            if (quickest := found.get("quickest")) is not None:
                more["quickest"] = min(quickest, more.get("quickest", quickest))
            return found

        def told(done: int, name: str) -> None:
            if on_progress:
                on_progress(done, max(least, done + 1), name)

        sampler = Sampler(run, centres_of, lambda found: wanted_pairs(self.subjects, found), time.monotonic, told)
        rounds = sampler.sample(list(by_name), Limits(config.processes, limit, config.within))
        if on_progress:
            made = sum(map(len, rounds.values()))
            on_progress(max(least, made), max(least, made), "")
        return Measured(self, rounds, positions, weights, machine, self._scenarios(requests, limit, on_progress))

    def _scenarios(
        self, requests: Mapping[str, Sequence[Row]], limit: float, on_progress: Progress | None
    ) -> dict[str, list[Json]]:
        """The entries of each further scenario; its processes are interleaved, and have the minutes once more."""
        found: dict[str, list[Json]] = {}
        for name in self.config.scenarios:
            cells: dict[str, list[list[Json]]] = {subject.name: [] for subject in self.subjects}
            more: dict[str, Any] = {"scenario": name}
            more |= {"seconds": limit / (len(cells) * self.config.processes)} if limit else {}
            for number in range(self.config.processes):
                for at, one in enumerate(self.subjects):
                    if on_progress:
                        done = number * len(cells) + at
                        on_progress(done, len(cells) * self.config.processes, f"{name}: {one.name}")
                    process = run_process(one, requests[one.view], self.config, self.threads, more)
                    cells[one.name].append(process["cells"])
            kind = scenario_named(name)
            found[name] = [entry for model, own in cells.items() for entry in entries(kind, model, own)]
        return found

    def _positions(self) -> list[int]:
        return choose_positions(self.rows_by_view, self.config.requests, self.config.seed)


@dataclass(frozen=True)
class Measured:
    """What a bench has measured: the processes that count by subject, and where the requests came from."""

    bench: Bench
    rounds: Mapping[str, Sequence[Round]]
    positions: Sequence[int]
    weights: Mapping[str, Mapping[str, int]]
    machine: Json
    scenarios: Mapping[str, list[Json]] = field(default_factory=dict)

    def result(self) -> Json:
        """The content of `latency.json`: `rows` (as in `report.json`), `factors`, `settings`, `environment`, and
        `scenarios` where any were asked for, entries by name.
        """
        bench = self.bench
        rows = latency_rows(bench.subjects, self.rounds, bench.config, bench.threads)
        by_name = {subject.name: subject for subject in bench.subjects}
        for row in rows:
            subject = by_name[row["model"]]
            row["file_mib"] = file_bytes(subject) / 2**20
            row["weights"] = _main(self.weights[subject.name])
        centres = centres_of(self.rounds)
        apart = factors(bench.subjects, centres) if centres else []
        found = {"rows": rows, "factors": apart, "settings": self._settings(), "environment": self.machine}
        return {**found, "scenarios": dict(self.scenarios)} if self.scenarios else found

    def _settings(self) -> Json:
        bench, config = self.bench, self.bench.config
        runtimes = {name: own[0]["runtime"] for name, own in self.rounds.items() if own[0].get("runtime")}
        found = {
            **config.model_dump(mode="json"),
            "threads": bench.threads,
            "distinct_requests": len(set(self.positions)),
            "loop": "closed: one request after another, service times without queueing",
            "latency": "from record to label: render, tokenise, pad, run; the windows of a request in one batch, "
            "or one by one where a target must not share it",
            "tokenise": "the part of it before the model runs: render and tokenise, or weigh the terms of TF-IDF",
            "throughput": f"tokenisation included: of a student's file by its fastest layout of sessions, of others by "
            f"one session with batches of {config.throughput_batch} records in length order",
            "tokens": "median tokens that the model reads per record: all windows, special tokens included",
            "speedup_vs_teacher": "p50 of the document teacher in PyTorch eager fp32 over p50 of the row, at batch 1",
            "speedup_vs_best_teacher": "the same against the fastest artifact of a document teacher",
            "interval": "95%, by fresh processes on the same requests; moderated variances, Student's t, Welch's "
            "degrees of freedom",
            "pools": {
                "within_operators": bench.threads,
                "between_operators": 1,
                "waiting": _WAITING[config.spinning],
                "told": runtimes,
            },
        }
        return {**found, "left_out": dict(bench.left_out)} if bench.left_out else found


def _main(weights: Mapping[str, int]) -> str | None:
    """The types that hold at least a hundredth of the weights, the commonest first."""
    total = sum(weights.values())
    common = sorted(weights.items(), key=lambda pair: -pair[1])
    return ", ".join(name for name, count in common if count >= total / 100) or None
