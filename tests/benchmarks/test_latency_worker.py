import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.blocks import LEAST
from benchmarks.config import BenchConfig
from benchmarks.disturbance import Accounts, Watch
from benchmarks.latency_worker import measure, opened, run_job
from benchmarks.layouts import BATCHES, LAYOUTS
from benchmarks.process import run_process
from benchmarks.scenario import Served
from benchmarks.subjects import Subject, trained_subject
from benchmarks.weights import require_precision
from distill.core.errors import UserError
from distill.core.files import read_json, write_json
from distill.core.label_space import LabelSpace
from distill.core.rendering import Encoded
from distill.core.view import View
from distill.families.tfidf import Tfidf, fit_words, save_words
from distill.inference.onnx_runner import OnnxRunner
from distill.inference.runner_scorer import RunnerScorer
from distill.inference.scorer import Scorer
from distill.inference.token_budget import NO_LIMIT


def quiet():
    """A watch on a machine that does nothing else."""
    return Watch(lambda: 1.0, lambda: Accounts(0.0, 0.0, 0, 0.0, 0.0, 0.0))


def served(rows, config, clock, seconds=None):
    """What is asked of a scorer that is open already."""
    return Served(lambda threads: None, rows, 1, config, clock, time.sleep, seconds)


class LengthRunner:
    """Class 0 wins in windows of 8 tokens, class 1 in shorter ones; every batch is recorded."""

    def __init__(self):
        self.shapes = []

    def logits(self, batch):
        self.shapes.append(batch["input_ids"].shape)
        lengths = batch["attention_mask"].sum(1)
        return np.stack([lengths, np.full(len(lengths), 7.8), np.zeros(len(lengths))], 1).astype(np.float32)


@pytest.fixture
def runner():
    return LengthRunner()


@pytest.fixture
def scorer(model_folder, runner):
    return RunnerScorer(runner, View.load(model_folder).renderer(), batch_tokens=NO_LIMIT, max_rows=NO_LIMIT)


def test_every_request_is_sampled_once_per_batch_size(scorer, runner, rows):
    ticks = iter(range(0, 10_000, 7))
    config = BenchConfig(warmup=3, batch=[1, 5], throughput_batch=4)
    result = measure(scorer, served(rows, config, lambda: next(ticks)), quiet())
    one, five = result["batches"]["1"], result["batches"]["5"]
    assert one == {"total_ns": [14] * 12, "tokenise_ns": [7] * 12}
    assert len(five["total_ns"]) == 2
    assert result["layouts"][BATCHES] == 12 * 1e9 / 7
    assert result["tokens"] == [sum(len(w.ids) for w in item.windows) for item in scorer.prepare(rows)]
    assert max(result["tokens"]) > 8
    # Warm-up and samples at each batch size, the largest batch off the clock, then twelve records in batches of four.
    assert len(runner.shapes) == (3 + 12) + (3 + 2) + 1 + 3
    # Throughput in length order: the last batch has the most windows, and was read once before.
    windows = [shape[0] for shape in runner.shapes[-4:]]
    assert windows[1:] == sorted(windows[1:]) and windows[0] == windows[-1] > windows[1]


def test_preparing_is_timed_apart_from_answering(rows):
    """A clock that only preparing moves: all of a request's time is the part that the table calls tokenising."""
    now = 0

    class Slow(Scorer):
        def prepare(self, rows):
            nonlocal now
            now += 5 * len(rows)
            return [Encoded([], 1, 0) for _ in rows]

        def answer(self, prepared, on_progress=None):
            return np.zeros((len(prepared), 3), np.float32)

    result = measure(Slow(), served(rows, BenchConfig(warmup=1, batch=[2]), lambda: now), quiet())
    assert result["batches"]["2"] == {"total_ns": [10] * 6, "tokenise_ns": [10] * 6}
    assert result["tokens"] == [0] * 12 and result["layouts"][BATCHES] == 1e9 / 5


def test_a_process_with_little_time_answers_the_least_requests_and_fewer_rows_at_once(scorer, runner, rows):
    now = 0

    def clock():
        nonlocal now
        now += 50_000_000
        return now

    result = measure(scorer, served(rows * 10, BenchConfig(warmup=3, throughput_batch=4), clock, 4.0), quiet())
    assert len(result["batches"]["1"]["total_ns"]) == LEAST and len(result["tokens"]) == 120
    assert result["layouts"][BATCHES] == 10 / 0.05  # a quarter of 4 s, at 0.1 s each


def test_an_export_is_opened_as_it_is_served(onnx_subject, rows, monkeypatch):
    """All windows of a request in one batch; one by one where a record must not share it."""
    shapes = []

    def read(self, batch):
        shapes.append(batch["input_ids"].shape[0])
        return np.zeros((shapes[-1], 3), np.float32)

    monkeypatch.setattr(OnnxRunner, "logits", read)
    int8 = replace(onnx_subject, target="onnx_int8_dynamic")
    for subject in (onnx_subject, int8):
        scorer = opened(subject, threads=1)
        scorer.answer(scorer.prepare(rows))
    windows = shapes[0]
    assert windows > 12 and shapes[1:] == [1] * windows


def test_a_job_runs_an_exported_model(onnx_subject, rows):
    config = BenchConfig(warmup=1, throughput_batch=4).model_dump(mode="json")
    result = run_job({"subject": onnx_subject.as_json(), "rows": rows, "threads": 1, "config": config})
    assert len(result["batches"]["1"]["total_ns"]) == 12
    assert all(0 < part < total for part, total in zip(*reversed(result["batches"]["1"].values()), strict=True))


def test_only_a_students_file_is_laid_out_in_several_ways(onnx_subject, rows):
    config = BenchConfig(warmup=1, throughput_batch=4, spinning=False).model_dump(mode="json")
    job = {"rows": rows, "threads": 2}
    for role, asked, kinds in (
        ("student", True, LAYOUTS),
        ("student", False, (BATCHES,)),
        ("teacher", True, (BATCHES,)),
    ):
        own = {"subject": replace(onnx_subject, role=role).as_json(), "config": {**config, "layouts": asked}}
        found = run_job({**job, **own})
        assert tuple(found["layouts"]) == kinds and min(found["layouts"].values()) > 0
        assert found["memory_bytes"] > 0 and "peak_bytes" not in found


def test_a_job_runs_a_model_folder_in_pytorch_as_float32_however_it_is_stored(model_folder, rows):
    from transformers import BertConfig, BertForSequenceClassification

    sizes = {"hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 8}
    config = BertConfig(vocab_size=8, max_position_embeddings=16, num_labels=3, **sizes)
    BertForSequenceClassification(config).half().save_pretrained(model_folder)
    teacher = Subject("base@document", "document", "pytorch", "fp32", model_folder, "teacher")
    assert read_json(model_folder / "config.json")["dtype"] == "float16"
    job = {"subject": teacher.as_json(), "rows": rows, "threads": 1, "config": {"warmup": 1}, "keep": True}
    found = run_job({**job, "started_ns": time.monotonic_ns()})
    assert len(found["batches"]["1"]["total_ns"]) == 12 == len(found["logits"])
    assert set(found["weights"]) == {"float32"} and found["start_ms"] > 0
    require_precision(teacher, found["weights"])
    with pytest.raises(UserError, match="is not in fp32, as its row would say[^.]*float16"):
        require_precision(teacher, {"float16": 100})


def test_a_job_runs_words(model_folder, rows):
    words = fit_words([row["page.title"] for row in rows], np.eye(3)[[0, 1, 2] * 4], Tfidf.Settings())
    save_words(words, LabelSpace(("нет", "упомянут", "да")), model_folder)
    stored = read_json(model_folder / "config.json")
    write_json(model_folder / "config.json", {**stored, "distill": {**stored["distill"], "family": "tfidf"}})
    subject = trained_subject("words@card", "card", model_folder, "student", Tfidf())
    result = run_process(subject, rows, BenchConfig(warmup=1, throughput_batch=4), threads=1)
    assert len(result["batches"]["1"]["total_ns"]) == 12 and result["layouts"][BATCHES] > 0
    assert result["tokens"] == [1 + len(row["page.title"].split()) for row in rows]


def test_the_worker_loads_no_library_but_the_runtime_it_measures():
    code = "import sys, benchmarks.latency_worker; print(*{'torch', 'transformers', 'onnxruntime'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == ""
