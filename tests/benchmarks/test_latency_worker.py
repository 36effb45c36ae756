import subprocess
import sys

import numpy as np

from benchmarks.config import BenchConfig
from benchmarks.latency_worker import Classifier, measure, run_job
from benchmarks.subjects import Subject
from distill.core.view import View


class LengthRunner:
    """Class 0 wins in windows of 8 tokens, class 1 in shorter ones; every batch is recorded."""

    def __init__(self):
        self.shapes = []

    def logits(self, batch):
        self.shapes.append(batch["input_ids"].shape)
        lengths = batch["attention_mask"].sum(1)
        return np.stack([lengths, np.full(len(lengths), 7.8), np.zeros(len(lengths))], 1).astype(np.float32)


def test_windows_of_a_record_run_as_one_batch_and_are_pooled(model_folder):
    runner = LengthRunner()
    classifier = Classifier(View.load(model_folder), runner)
    encoded = classifier.tokenise([{"product.title": "перфоратор", "page.title": "arm " * 6}, {"page.title": "arm"}])
    counts = [len(item.windows) for item in encoded]
    assert counts == [2, 1]
    # Windows of 8 and 7 tokens: under their maximum class 0 wins with 8, under their mean class 1 would.
    assert classifier.answer(encoded) == [0, 1]
    assert runner.shapes == [(3, 8)]


def test_the_label_is_the_most_probable_class(model_folder):
    classifier = Classifier(View.load(model_folder), LengthRunner())
    assert classifier.answer(classifier.tokenise([{"product.title": "", "page.title": ""}])) == [1]


def test_every_request_is_sampled_once_per_batch_size(model_folder, rows):
    runner, ticks = LengthRunner(), iter(range(0, 10_000, 7))
    config = BenchConfig(warmup=3, batch=[1, 5], throughput_batch=4)
    result = measure(Classifier(View.load(model_folder), runner), rows, config, lambda: next(ticks))
    one, five = result["batches"]["1"], result["batches"]["5"]
    assert one == {"total_ns": [14] * 12, "tokenise_ns": [7] * 12}
    assert len(five["total_ns"]) == 2
    assert result["throughput_per_s"] == 12 * 1e9 / 7
    assert len(result["tokens"]) == 12 and max(result["tokens"]) > 8
    # Warm-up and samples at each batch size, the largest batch off the clock, then twelve records in batches of four.
    assert len(runner.shapes) == (3 + 12) + (3 + 2) + 1 + 3


def test_a_job_runs_an_exported_model(onnx_subject, rows):
    config = BenchConfig(warmup=1, throughput_batch=4).model_dump(mode="json")
    result = run_job({"subject": onnx_subject.as_json(), "rows": rows, "threads": 1, "config": config})
    assert len(result["batches"]["1"]["total_ns"]) == 12
    assert all(0 < part < total for part, total in zip(*reversed(result["batches"]["1"].values()), strict=True))


def test_a_job_runs_a_model_folder_in_pytorch(model_folder, rows):
    from transformers import BertConfig, BertForSequenceClassification

    sizes = {"hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 8}
    config = BertConfig(vocab_size=8, max_position_embeddings=16, num_labels=3, **sizes)
    BertForSequenceClassification(config).save_pretrained(model_folder)
    teacher = Subject("base@document", "document", "pytorch", "fp32", model_folder, "teacher")
    job = {"subject": teacher.as_json(), "rows": rows, "threads": 1, "config": {"warmup": 1}}
    assert len(run_job(job)["batches"]["1"]["total_ns"]) == 12


def test_the_worker_loads_no_library_but_the_runtime_it_measures():
    code = "import sys, benchmarks.latency_worker; print(*{'torch', 'transformers', 'onnxruntime'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == ""
