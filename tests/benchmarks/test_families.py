import json

import pytest

from benchmarks import families
from benchmarks.family_checkpoints import FAMILIES
from benchmarks.result_kinds import kind_of
from distill.core.files import read_json
from tests.benchmarks.test_publish import DOCS, RESULTS


def test_the_stored_table_has_every_family_once():
    stored = read_json(RESULTS / "families.json")
    assert [row["family"] for row in stored["rows"]] == list(FAMILIES)
    assert {row["result"] for row in stored["rows"]} == {"works", "refused"}
    page = (DOCS / "families.md").read_text(encoding="utf-8")
    assert kind_of(stored).readme(stored) in page


def test_a_family_is_taken_through_a_run_and_another_is_refused(tmp_path, capsys):
    out = tmp_path / "families.json"
    assert families.main(["DistilBERT", "T5", "--out", str(out)]) == 0
    works, refused = read_json(out)["rows"]
    assert works["result"] == "works" and works["max_abs_diff"] < 1e-4 and works["model_type"] == "distilbert"
    assert refused["result"] == "refused" and "encoder-decoder" in refused["reason"]
    assert [json.loads(line)["family"] for line in capsys.readouterr().out.splitlines()] == ["DistilBERT", "T5"]
    short, full = kind_of(read_json(out)).short(read_json(out), []), kind_of(read_json(out)).full(read_json(out))
    assert "T5" in short and "DistilBERT" not in short and "| DistilBERT | `distilbert` | works |" in full


def test_an_unknown_family_is_told_the_nearest(tmp_path, capsys):
    assert families.main(["DistilBRT", "--out", str(tmp_path / "families.json")]) == 2
    assert "did you mean 'DistilBERT'" in capsys.readouterr().err


@pytest.mark.parametrize("name", FAMILIES)
def test_every_family_is_a_class_of_transformers(name):
    import transformers

    assert hasattr(transformers, FAMILIES[name].config)
