"""The table of systems on real data: its grades, its command, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import systems
from benchmarks.datasets import GRADED_OFFERS, prepare_set
from benchmarks.results_page import pages
from distill.core.config import load_yaml
from distill.core.files import read_json
from distill.core.intake.prepare import prepare
from distill.core.record_store import read_records, splits
from distill.core.sealed import write_sealed
from distill.pipeline.models import table
from distill.pipeline.settings import resolve_settings
from tests.benchmarks.raw_sets import write
from tests.report.sample import sample_report

LABELLED = ("train_medium", "valid_medium", "test_seen", "test_unseen")


@pytest.fixture
def raw(tmp_path):
    folder = tmp_path / "raw" / "wdc_products"
    for split in LABELLED:
        write(folder / f"{split}.jsonl.gz", [offer(f"{split}-{n}", n % 2, n % 4 == 0) for n in range(8)])
    for model in ("a", "b"):
        write(folder / "llm_labelled" / f"{model}.jsonl.gz", [pair(f"made-{n}", n % 2) for n in range(4)])
    return folder.parent


def pair(name, label):
    """As a language model labelled it: nobody knows of which products its offers are."""
    other = dict.fromkeys(("brand", "price", "priceCurrency", "description"))
    sides = {side: {"title": f"{side} {name}", **other} for side in ("left", "right")}
    return {"id": name, **sides, "label": label}


def offer(name, label, near):
    row = pair(name, label)
    products = {side: {**row[side], "cluster_id": f"{side} {name}"} for side in ("left", "right")}
    return {**row, **products, "is_hard_negative": near}


def test_offers_have_three_grades_and_the_pool_none(raw, tmp_path):
    folder = prepare_set(GRADED_OFFERS, raw, tmp_path / "out")
    rows = {path.stem: [json.loads(line) for line in path.open(encoding="utf-8")] for path in folder.iterdir()}
    assert set(rows) == {"train", "valid", "test_seen", "test_unseen", "extra", "pool"}
    assert [row["label"] for row in rows["train"]] == ["near", "match", "random", "match"] * 2
    assert [row["label"] for row in rows["extra"]] == ["near", "match"] * 2
    assert all("label" not in row for row in rows["pool"]) and len(rows["pool"]) == 4


def test_its_project_reads_every_file_of_the_set(raw, tmp_path):
    root = prepare_set(GRADED_OFFERS, raw, tmp_path / "data")
    settings = resolve_settings(systems.PROJECTS / f"{systems.NAME}.yaml", tmp_path / "run", sets=[f"data.root={root}"])
    prepare(settings.project, tmp_path / "records")
    rows = {split: len(read_records(tmp_path / "records", split)) for split in splits(tmp_path / "records")}
    assert rows == {"train": 8, "valid": 8, "test.seen": 8, "test.unseen": 8, "extra.old": 4, "pool.llm": 4}


def test_the_command_makes_every_system_read_the_view_with_three_seeds(raw, tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(systems, "run_logged", lambda name, command, *rest: asked.append(command) or "stopped")
    encoder = tmp_path / "encoder"
    encoder.mkdir()
    start = ["--data", str(raw), "--encoder", str(encoder), "--work", str(tmp_path / "work")]
    assert systems.main([*start, "--view", "document", "--student"]) == 1
    given = asked[0][asked[0].index("evaluate") :]
    named = [given[at + 1] for at, part in enumerate(given) if part == "--teacher"]
    students = [given[at + 1] for at, part in enumerate(given) if part == "--student"]
    sets = [given[at + 1] for at, part in enumerate(given) if part == "--set"]
    config = systems.PROJECTS / f"{systems.NAME}.yaml"
    assert named == list(load_yaml(config)["teachers"])
    settings = resolve_settings(config, tmp_path / "run", teachers=named, students=students, sets=sets)
    models = table(settings)
    assert {models[name].view for name in named} == {"document"} and settings.project.seeds == [1, 2, 3]
    assert all(models[f"3L_of_{name}"].learns_from == (name,) for name in named)


def test_without_data_the_systems_are_laid_over_the_embedded_project(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(systems, "run_logged", lambda name, command, *rest: asked.append(command) or "stopped")
    assert systems.main(["--work", str(tmp_path), "--teacher", "msetarget", "--seeds", "1"]) == 1
    project = Path(asked[0][asked[0].index("--config") + 1])
    written = load_yaml(project)
    assert written["students"] == {} and set(written["teachers"]) == {"onetarget", "msetarget"}
    assert (project.parent / written["data"]["train"]).is_file() and written["task"]["ordered"]
    everything = systems._chosen(systems._parser().parse_args([]))
    assert "old_then_new" not in everything and {"lora", "mlp", "words"} <= set(everything)


def test_its_figures_are_kept_under_a_kind_of_their_own(tmp_path, monkeypatch):
    def made(name, command, *rest):
        run = Path(command[command.index("--out") + 1])
        write_sealed(run / "report.json", sample_report())

    monkeypatch.setattr(systems, "run_logged", made)
    options = ["--work", str(tmp_path / "work"), "--results", str(tmp_path / "results"), "--seeds", "1"]
    assert systems.main(options) == 0
    stored = read_json(tmp_path / "results" / "systems_generated_card.json")
    assert stored["kind"] == "systems" and stored["command"] == "python -m benchmarks.systems --view card --seeds 1"
    overview, page = (pages(tmp_path / "results")[name] for name in ("results.md", "results/systems_generated_card.md"))
    assert "systems that read the card" in page and "systems that read the card" not in overview


@pytest.mark.parametrize(
    ("given", "said"), [(["--teacher", "mslp"], "did you mean 'mlp'"), (["--encoder", "nowhere"], "no such encoder")]
)
def test_what_is_not_there_is_named(raw, tmp_path, capsys, given, said):
    start = ["--data", str(raw), "--encoder", str(tmp_path), "--work", str(tmp_path / "work")]
    assert systems.main([*start, *given]) == 2
    assert said in capsys.readouterr().err
