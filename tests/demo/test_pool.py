"""What the audit makes of the demo's pool."""

import json
from collections import Counter
from random import Random

import pytest

from distill.core.config import load_yaml, parse
from distill.core.project import Project
from distill.demo import junk_pages
from distill.demo.generate import Sizes, generate
from tests.core.record_fixtures import prepare_and_audit

REASONS = {
    "broken_json",
    "duplicate",
    "in_test",
    "in_train",
    "in_valid",
    "missing_field",
    "pattern",
    "repeated_text",
    "too_short",
}


def audited(folder, sizes, project="demo-full", **junk):
    """The audit's figures of a generated project, with rules of `data.junk` replaced."""
    generate(folder, sizes=sizes, project=project)
    settings = parse(Project, load_yaml(folder / "project.yaml"), "project.yaml")
    rules = settings.data.junk.model_copy(update=junk)
    settings = settings.model_copy(update={"data": settings.data.model_copy(update={"junk": rules})})
    return prepare_and_audit(settings, folder / "records", base=folder)


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    return audited(tmp_path_factory.mktemp("pool"), Sizes(train=300, valid=150, test=300, pool=6000))


def test_most_of_the_pool_goes_and_each_reason_takes_its_part(found):
    ledger = found["rows"]["by_source"]["pool.runtime"]
    assert ledger["read"] == 6006
    assert 0.27 < ledger["kept"] / ledger["read"] < 0.33
    assert set(ledger["dropped"]) == REASONS and min(ledger["dropped"].values()) >= 6
    assert ledger["dropped"]["pattern"] / 6006 == pytest.approx(0.34, abs=0.01)


def test_labelled_files_lose_no_row_and_nothing_leaks(found):
    for source, rows in (("train", 300), ("valid", 150), ("test.unseen", 300)):
        ledger = found["rows"]["by_source"][source]
        assert (ledger["read"], ledger["kept"], ledger["dropped"]) == (rows, rows, {})
    assert found["leak_rows"] == 0 and found["warnings"] == []


def test_without_the_junk_rules_the_junk_stays(tmp_path):
    found = audited(tmp_path, Sizes(train=60, valid=40, test=60, pool=1000), patterns=[], repeated=0.0)
    ledger = found["rows"]["by_source"]["pool.runtime"]
    assert ledger["kept"] > 0.6 * ledger["read"] and "pattern" not in ledger["dropped"]


def test_the_demo_keeps_a_sample_of_its_pool(tmp_path):
    found = audited(tmp_path, Sizes(train=60, valid=40, test=60, pool=13_000), project="demo")
    ledger = found["rows"]["by_source"]["pool.runtime"]
    assert ledger["kept"] == 3500 and ledger["dropped"]["not_sampled"] > 0


def test_a_small_pool_has_every_fault_too(tmp_path):
    found = audited(tmp_path, Sizes(train=40, valid=20, test=40, pool=60))
    ledger = found["rows"]["by_source"]["pool.runtime"]
    assert ledger["kept"] >= 15 and set(ledger["dropped"]) == REASONS


def test_clean_products_are_others_than_those_of_the_labelled_files(tmp_path):
    generate(tmp_path, sizes=Sizes(train=60, valid=40, test=60, pool=300))
    ids = {}
    for name in ("train", "valid", "test", "pool"):
        lines = (tmp_path / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
        rows = [json.loads(line) for line in lines if line.endswith("}}")]
        ids[name] = Counter(row["product"]["id"] for row in rows)
        assert name != "pool" or not any("label" in row for row in rows)
    # Only pairs that were leaked on purpose repeat a product: 4% of the pool.
    assert sum(ids["pool"][name] for name in ids["train"] | ids["valid"] | ids["test"]) <= 0.06 * 300


@pytest.mark.parametrize("page", [junk_pages.dead_page, junk_pages.off_topic_page, junk_pages.spam_page])
def test_junk_pages_have_their_slots_filled(page):
    for seed in range(30):
        texts = page(Random(seed))
        assert all(text and "{" not in text for text in texts.values())
