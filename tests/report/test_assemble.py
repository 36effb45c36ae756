"""report.json gathered from the artifacts of a run, whole or half made."""

from __future__ import annotations

from distill.core.config import parse
from distill.core.files import write_json
from distill.core.project import Project
from distill.report.assemble import assemble, assemble_seeds

VIEW = {"left": ["product.title"], "right": ["page.title"], "max_tokens": 32}
PROJECT = parse(
    Project,
    {
        "task": {"labels": ["нет", "да"], "positive": "да"},
        "data": {"train": "train.jsonl", "test": {"unseen": "test.jsonl"}},
        "views": {"document": VIEW, "card": VIEW},
        "seed": 7,
    },
    "project.yaml",
)
STAGES = [{"name": "audit", "seconds": 1.5, "status": "done", "fingerprint": "0"}]


def test_a_run_that_has_made_nothing_has_empty_sections(tmp_path):
    report = assemble(PROJECT, tmp_path, [tmp_path / "export" / "8L" / "onnx"], [], {})
    assert report["schema"] == 1 and report["task"]["labels"] == ["нет", "да"] and report["task"]["rows"] == {}
    assert all(report[key] == [] for key in ("tests", "models", "comparisons", "latency", "parity", "stages"))
    assert [gate["name"] for gate in report["gates"]] == ["leak"]


def test_every_artifact_finds_its_section(tmp_path):
    audit = {"leak_rows": 3, "balance": {"classes": {"train": {"нет": 5, "да": 2}, "valid": {"да": 1}}}}
    model = {"name": "8L@card", "role": "student", "retention": {"card": {"low": 0.96}}}
    parity = {"name": "8L", "target": "onnx", "required": 1e-4, "max_abs_diff": 1e-6, "label_flips": 0, "passed": True}
    write_json(tmp_path / "records" / "audit.json", audit)
    evaluation = {"tests": ["unseen"], "models": [model], "comparisons": [{"a": "x"}]}
    write_json(tmp_path / "evaluation" / "evaluation.json", evaluation)
    latency = {"rows": [{"model": "8L@card"}], "environment": {"cpu": "x"}, "settings": {"requests": 9}}
    write_json(tmp_path / "latency" / "latency.json", latency)
    write_json(tmp_path / "onnx" / "parity.json", parity)
    report = assemble(PROJECT, tmp_path, [tmp_path / "onnx", tmp_path / "missing"], STAGES, {"python": "3"})
    assert report["task"]["rows"] == {"train": 7, "valid": 1}
    assert {key: report[key] for key in evaluation} == evaluation
    assert (report["latency"], report["parity"], report["audit"]) == (latency["rows"], [parity], audit)
    assert [(gate["name"], gate["passed"]) for gate in report["gates"]] == [
        ("leak", False),
        ("parity 8L.onnx", True),
        ("retention.card 8L@card", True),
    ]
    assert report["stages"] == [{"name": "audit", "seconds": 1.5, "status": "done"}]
    assert report["environment"] == {"python": "3", "cpu": "x", "seed": 7, "bench": {"requests": 9}}


def parity(difference, passed=True, flips=0.0):
    entry = {"name": "8L", "target": "onnx", "required": 1e-4, "label_flips": flips}
    return {**entry, "max_abs_diff": difference, "passed": passed}


def seed_report(entry, latency=(), low=0.97):
    retention = {"name": "retention.card 8L@card", "required": 0.95, "measured": low, "passed": low >= 0.95}
    audit = {"leak_rows": 0, "rows": {}}
    return {"latency": list(latency), "parity": [entry], "gates": [retention], "audit": audit, "task": {"rows": {}}}


def test_seeds_are_gathered_with_the_worst_parity_the_first_latency_and_gates_on_the_means(tmp_path):
    model = {"name": "8L@card", "role": "student", "retention": {"card": {"low": 0.96}}}
    evaluation = {"seeds": [4, 2], "tests": ["unseen"], "models": [model], "comparisons": []}
    write_json(tmp_path / "evaluation" / "evaluation.json", evaluation)
    reports = {4: seed_report(parity(1e-6), ["timed"]), 2: seed_report(parity(None, passed=False), low=0.94)}
    report = assemble_seeds(PROJECT, tmp_path, reports, [9], STAGES)
    assert (report["seeds"], report["stopped_seeds"]) == ([4, 2], [9])
    assert (report["models"], report["latency"]) == ([model], ["timed"])
    assert report["parity"] == [parity(None, passed=False)]
    assert [(gate["name"], gate["measured"], gate["passed"]) for gate in report["gates"]] == [
        ("leak", 0, True),
        ("parity 8L.onnx", None, False),
        ("retention.card 8L@card", 0.96, True),
        ("seed 2: retention.card 8L@card", 0.94, False),
    ]


def test_of_two_passing_exports_the_larger_deviation_is_shown(tmp_path):
    reports = {1: seed_report(parity(3e-6)), 2: seed_report(parity(9e-6)), 3: seed_report(parity(1e-6))}
    assert assemble_seeds(PROJECT, tmp_path, reports, [], [])["parity"] == [parity(9e-6)]
