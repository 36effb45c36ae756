"""Files of the quality benchmark, from small files in the formats of the raw sets."""

import json

import pytest

from benchmarks.datasets import DATA_SETS, PROJECTS, gold_and_pool, prepare
from distill.core.config import load_yaml, parse
from distill.core.errors import UserError
from distill.core.project import Project
from distill.pipeline.settings import resolve_settings
from tests.benchmarks.raw_sets import write_news, write_posts, write_requests, write_searches
from tests.core.record_fixtures import prepare_and_audit

WRITERS = {
    "clinc150": write_requests,
    "home_depot": write_searches,
    "ru_sentirueval": write_posts,
    "bbc_news": write_news,
}


def parts(folder):
    return {path.stem: [json.loads(line) for line in path.open(encoding="utf-8")] for path in folder.glob("*.jsonl")}


@pytest.mark.parametrize("name", WRITERS)
def test_the_same_bytes_each_time_and_an_audit_without_leaks(name, tmp_path):
    WRITERS[name](tmp_path / "raw")
    for out in ("a", "b"):
        assert prepare(name, tmp_path / "raw", tmp_path / out) == tmp_path / out
    files = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert files == ["pool.jsonl", "test.jsonl", "train.jsonl", "valid.jsonl"]
    assert all((tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes() for file in files)
    values = load_yaml(PROJECTS / f"{name}.yaml")
    project = parse(Project, {**values, "data": {**values["data"], "root": str(tmp_path / "a")}}, name)
    audit = prepare_and_audit(project, tmp_path / "records")
    assert audit["leak_rows"] == 0 and not audit["rows"]["dropped"].get("in_test")
    assert set(audit["balance"]["classes"]) == {"train", "valid", "test.given"}


def test_gold_pool_and_what_stands_in_another_part(tmp_path):
    write_requests(tmp_path / "raw")
    found = parts(prepare("clinc150", tmp_path / "raw", tmp_path / "out"))
    gold, pool = ({row["id"] for row in found[part]} for part in ("train", "pool"))
    assert len(gold) == 3000 and len(pool) == 50 and not gold & pool and "leak" not in gold | pool
    assert all(set(row) == {"id", "text"} for row in found["pool"])
    assert len(found["valid"]) == 30 and len(found["test"]) == 40


def test_all_forms_of_a_post_count_as_one(tmp_path):
    write_posts(tmp_path / "raw")
    found = parts(prepare("ru_sentirueval", tmp_path / "raw", tmp_path / "out"))
    assert "train-4" not in {row["id"] for row in [*found["train"], *found["pool"]]}
    assert "valid-1" not in {row["id"] for row in found["valid"]} and len(found["valid"]) == 29
    assert len(found["train"]) == 2000 and len(found["pool"]) == 49 and len(found["test"]) == 40


def test_newswire_begins_with_its_title_and_short_items_stay_out(tmp_path):
    write_news(tmp_path / "raw")
    pool = parts(prepare("bbc_news", tmp_path / "raw", tmp_path / "out"))["pool"]
    assert len(pool) == 40 and all(row["text"].startswith(row["title"] + "\n") for row in pool)


def test_a_sample_hardly_changes_when_rows_come_or_go():
    rows = [{"id": f"r{number}"} for number in range(200)]
    gold, pool = gold_and_pool(rows, gold=50, pool=100)
    assert len(gold) == 50 and len(pool) == 100 and gold == sorted(gold, key=rows.index)
    fewer, _ = gold_and_pool(rows[1:], gold=50)
    assert len({row["id"] for row in gold} & {row["id"] for row in fewer}) >= 49
    other, _ = gold_and_pool(rows, gold=50, seed=2)
    assert other != gold
    larger, _ = gold_and_pool(rows, gold=80)
    assert {row["id"] for row in gold} < {row["id"] for row in larger}


@pytest.mark.parametrize("name", DATA_SETS)
def test_projects_run_with_defaults(name, tmp_path):
    settings = resolve_settings(PROJECTS / f"{name}.yaml", tmp_path)
    for package, entries in (("teachers", settings.teachers), ("students", settings.students)):
        written = load_yaml(PROJECTS / f"{name}.yaml")[package]
        assert entries and all(set(written[entry]) == {"preset", "view"} for entry in entries)
    assert settings.project.gates == type(settings.project.gates)()


def test_unknown_sets_and_missing_files_are_named(tmp_path):
    with pytest.raises(UserError, match="clinc150"):
        prepare("clinc15", tmp_path, tmp_path / "out")
    with pytest.raises(UserError, match="is not there"):
        prepare("clinc150", tmp_path, tmp_path / "out")
    (tmp_path / "clinc150").mkdir()
    with pytest.raises(UserError, match=r"train\.jsonl\.gz"):
        prepare("clinc150", tmp_path, tmp_path / "out")


def test_a_set_that_its_project_reads_as_it_is_has_no_files_of_its_own(tmp_path):
    (tmp_path / "raw" / "wdc_products").mkdir(parents=True)
    assert prepare("wdc_products", tmp_path / "raw", tmp_path / "out") == tmp_path / "raw" / "wdc_products"
    assert not (tmp_path / "out").exists()
