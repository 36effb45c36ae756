"""Stored results and the pages made from them."""

from __future__ import annotations

import json

import pytest

from benchmarks import publish
from distill.core.errors import UserError
from tests.report.sample import sample_report


@pytest.fixture
def root(tmp_path):
    (tmp_path / "benchmarks" / "results").mkdir(parents=True)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "report.json").write_text(json.dumps(sample_report(), ensure_ascii=False), encoding="utf-8")
    block = "before\n<!-- results:wdc -->\nstale table\n<!-- /results -->\nafter\n"
    (tmp_path / "README.md").write_text(block, encoding="utf-8")
    return tmp_path


def test_a_run_becomes_json_page_and_readme_table(root):
    options = ["--name", "wdc", "--title", "WDC", "--command", "distill --config wdc.yaml", "--root", str(root)]
    assert publish.main([str(root / "run"), *options]) == 0
    stored = json.loads((root / "benchmarks" / "results" / "wdc.json").read_text(encoding="utf-8"))
    readme, page = ((root / name).read_text(encoding="utf-8") for name in ("README.md", "docs/results.md"))
    assert stored["models"] == sample_report()["models"] and "audit" not in stored
    assert "stale table" not in readme and readme.startswith("before\n") and readme.endswith("after\n")
    assert all(f"`{model['name']}`" in page and f"`{model['name']}`" in readme for model in stored["models"])
    assert "distill --config wdc.yaml" in page


def test_pages_are_stable(root):
    publish.main([str(root / "run"), "--name", "wdc", "--root", str(root)])
    first = (root / "README.md").read_text(encoding="utf-8")
    publish.main(["--root", str(root)])
    assert (root / "README.md").read_text(encoding="utf-8") == first


def test_run_without_models_is_refused(root):
    (root / "run" / "report.json").write_text('{"models": []}')
    with pytest.raises(UserError, match="no evaluated models"):
        publish.store(root / "run", "wdc", "", "", root / "benchmarks" / "results")


def test_block_without_a_stored_result_is_an_error(root):
    assert publish.main(["--root", str(root)]) == 2
