"""report.json gathered from the artifacts of a run, whole or half made."""

from __future__ import annotations

from distill.core.config import parse
from distill.core.current import Current
from distill.core.project import Project
from distill.core.publishing import ReportConfig
from distill.core.record_store import write_records
from distill.core.records import Record
from distill.report.assemble import Exported, assemble, assemble_seeds
from tests.core.step_fixtures import left

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
GOLD = {"twin": "8L-gold@card", "metric": "f1_macro", "difference": -0.02, "low": -0.03, "high": -0.01}
STAGES = [{"name": "audit", "seconds": 1.5, "status": "done", "fingerprint": "0"}]


def chosen(taken, high=-0.2):
    """The choice of a candidate whose log loss is at best by this much above that of the priors."""
    names = ("document", "card", "mean")
    candidates = [{"name": name, "over_priors": {"high": high if name == taken else 0.3}} for name in names]
    return {"asked": "auto", "taken": taken, "teachers": {f"base@{taken}": 1.0}, "candidates": candidates}


def made(run):
    """A run all of whose artifacts are current."""
    return Current(run, {str(path.parent.relative_to(run)) for path in run.rglob("manifest.json")})


def test_a_run_that_has_made_nothing_has_empty_sections(tmp_path):
    report = assemble(PROJECT, made(tmp_path), {"8L@card.onnx": Exported(tmp_path / "onnx")}, [], {}, {})
    assert report["schema"] == 1 and report["task"]["labels"] == ["нет", "да"] and report["task"]["rows"] == {}
    assert all(report[key] == [] for key in ("tests", "models", "comparisons", "training_history", "latency", "parity"))
    assert report["asked_twins"] is None
    assert (report["twins"], report["choice"], report["stages"], report["gates_off"]) == ({}, None, [], [])
    assert [gate["name"] for gate in report["gates"]] == ["leak"]


def test_every_artifact_finds_its_section(tmp_path):
    sources = {"a": {"kept_in": {"train": 5, "valid": 99}}, "b": {"kept_in": {"train": 2, "pool.urls": 4}}}
    audit = {"leak_rows": 3, "rows": {"by_source": sources}}
    model = {"name": "8L@card", "role": "student", "retention": {"card": {"low": 0.96}}, "over_gold": GOLD}
    figures = {"name": "8L", "target": "onnx", "criterion": "parity", "max_abs_diff": 1e-6, "label_flips": 0}
    parity = {**figures, "finite": True}
    left(tmp_path / "audit" / "audit.json", audit)
    twins = {"8L@card": {"best": "8L-gold@card", "other": []}}
    keys = [{"name": "product.id", "values": {"all": 40}, "left_out": []}]
    evaluation = {"tests": ["unseen"], "keys": keys, "models": [model], "twins": twins, "comparisons": [{"a": "x"}]}
    left(tmp_path / "evaluation" / "evaluation.json", evaluation)
    latency = {"rows": [{"model": "8L@card"}], "environment": {"cpu": "x"}, "settings": {"requests": 9}}
    left(tmp_path / "latency" / "latency.json", latency)
    left(tmp_path / "onnx" / "parity.json", parity)
    left(tmp_path / "choice" / "choice.json", chosen("card"))
    asked = {"labels": "card", "rows": 1, "comparisons": []}
    left(tmp_path / "twins" / "twins.json", asked)
    fit = {"step": 20, "steps": 30, "ended": "converged", "reason": "converged: no lower log loss in 4 evaluations"}
    left(tmp_path / "students" / "8L" / "training_history.json", fit)
    folders = {"8L@card": tmp_path / "students" / "8L"}
    exports = {f"8L@card.{name}": Exported(tmp_path / name, {}) for name in ("onnx", "onnx-int8")}
    report = assemble(PROJECT, made(tmp_path), exports, STAGES, {"python": "3"}, folders)
    assert (report["keys"], report["training_seed"]) == (keys, PROJECT.seed)
    assert report["choice"] == chosen("card") and report["asked_twins"] == asked and report["metric"] == "f1_macro"
    assert [(one["model"], one["steps"], one["step"]) for one in report["training_history"]] == [("8L@card", 30, 20)]
    assert report["task"]["rows"] == {"train": 7, "valid": 99}
    assert {key: report[key] for key in evaluation} == evaluation
    judged = {**parity, "model": "8L@card.onnx", "required": 1e-4, "passed": True}
    assert (report["latency"], report["parity"], report["audit"]) == (latency["rows"], [judged], audit)
    assert [(gate["name"], gate["passed"]) for gate in report["gates"]] == [
        ("leak", False),
        ("validation_rows", True),
        ("teacher_over_priors card", True),
        ("parity 8L.onnx", True),
        ("retention.card 8L@card", True),
        ("over_gold 8L@card", False),
    ]
    assert report["stages"] == [{"name": "audit", "seconds": 1.5, "status": "done"}]
    assert report["environment"] == {"python": "3", "cpu": "x", "seed": 7, "bench": {"requests": 9}}


def test_what_is_no_longer_current_is_left_out(tmp_path):
    left(tmp_path / "audit" / "audit.json", {"rows": {}, "leak_rows": 3})
    left(tmp_path / "evaluation" / "evaluation.json", {"models": [{"name": "8L@card", "role": "student"}]})
    left(tmp_path / "latency" / "latency.json", {"rows": [{"model": "8L@card"}], "environment": {}, "settings": {}})
    left(tmp_path / "choice" / "choice.json", chosen("card"))
    report = assemble(PROJECT, Current(tmp_path, {"audit"}), {}, [], {}, {})
    assert (report["models"], report["latency"], report["choice"]) == ([], [], None)
    assert [(gate["name"], gate["passed"]) for gate in report["gates"]] == [("leak", False)]


def parity(difference, passed=True, flips=0.0):
    entry = {"name": "8L", "target": "onnx", "criterion": "parity", "required": 1e-4, "label_flips": flips}
    return {**entry, "max_abs_diff": difference, "passed": passed}


def seed_report(entry, latency=(), low=0.97):
    retention = {"name": "retention.card 8L@card", "required": 0.95, "measured": low, "passed": low >= 0.95}
    report = {"audit": {"leak_rows": 0, "rows": {}}, "task": {"rows": {}}, "gates_off": ["int8_flips"]}
    fits = [{"model": "8L@card", "steps": len(latency)}]
    choice = chosen("card" if latency else "document", -0.2 if latency else 0.1)
    return {
        **report,
        "latency": list(latency),
        "parity": [entry],
        "gates": [retention],
        "training_history": fits,
        "choice": choice,
    }


def test_seeds_are_gathered_with_the_worst_parity_the_first_latency_and_gates_on_the_means(tmp_path):
    model = {"name": "8L@card", "role": "student", "retention": {"card": {"low": 0.96}}}
    evaluation = {"seeds": [4, 2], "tests": ["unseen"], "models": [model], "comparisons": []}
    left(tmp_path / "evaluation" / "evaluation.json", evaluation)
    reports = {4: seed_report(parity(1e-6), ["timed"]), 2: seed_report(parity(None, passed=False), low=0.94)}
    report = assemble_seeds(PROJECT, made(tmp_path), reports, [9], STAGES)
    assert (report["seeds"], report["stopped_seeds"]) == ([4, 2], [9])
    assert (report["models"], report["latency"]) == ([model], ["timed"])
    assert [(fit["seed"], fit["model"], fit["steps"]) for fit in report["training_history"]] == [
        (4, "8L@card", 1),
        (2, "8L@card", 0),
    ]
    assert report["choice"] == {**chosen("card", -0.2), "taken_by_seed": {"4": "card", "2": "document"}}
    assert report["gates_off"] == ["int8_flips"]
    assert report["parity"] == [parity(None, passed=False)]
    assert [(gate["name"], gate["measured"], gate["passed"]) for gate in report["gates"]] == [
        ("leak", 0, True),
        ("teacher_over_priors card", 0.2, True),
        ("parity 8L.onnx", None, False),
        ("retention.card 8L@card", 0.96, True),
        ("seed 2: retention.card 8L@card", 0.94, False),
    ]


def test_of_two_passing_exports_the_larger_deviation_is_shown(tmp_path):
    reports = {1: seed_report(parity(3e-6)), 2: seed_report(parity(9e-6)), 3: seed_report(parity(1e-6))}
    assert assemble_seeds(PROJECT, made(tmp_path), reports, [], [])["parity"] == [parity(9e-6)]


def test_a_price_is_in_the_report_where_one_is_given(tmp_path):
    priced = PROJECT.model_copy(update={"report": ReportConfig(price_per_hour=0.4)})
    assert "price_per_hour" not in assemble(PROJECT, made(tmp_path), {}, [], {}, {})
    assert assemble(priced, made(tmp_path), {}, [], {}, {})["price_per_hour"] == 0.4


def test_disagreements_have_the_texts_of_cards_where_texts_may_be_shown(tmp_path):
    fields = {"product.title": "Дрель" * 100, "page.title": "Drill", "page.body": "never on a card"}
    write_records(tmp_path / "records" / "test.unseen.parquet", [Record("t-1", fields), Record("t-2", fields)])
    found = [{"student": "8L@card", "examples": [{"id": "t-2"}, {"id": "gone"}]}]
    left(tmp_path / "evaluation" / "evaluation.json", {"disagreements": found, "reliability": {"8L@card": []}})

    def shown(project):
        report = assemble(project, made(tmp_path), {}, [], {}, {})
        assert report["reliability"] == {"8L@card": []}
        return [row.get("texts") for row in report["disagreements"][0]["examples"]]

    assert shown(PROJECT) == [{"product.title": "Дрель" * 60 + "…", "page.title": "Drill"}, None]
    assert shown(PROJECT.model_copy(update={"report": ReportConfig(texts=False)})) == [None, None]
    (tmp_path / "records" / "test.unseen.parquet").write_bytes(b"broken")
    assert shown(PROJECT) == [None, None]


def test_the_views_tell_where_texts_are_cut(tmp_path):
    report = assemble(PROJECT, made(tmp_path), {}, [], {}, {})
    assert report["views"] == {"document": {"max_tokens": 32}, "card": {"max_tokens": 32}}
