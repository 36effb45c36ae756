"""The benchmark of the cascade: its texts, its server, its figures."""

from __future__ import annotations

import gzip
import json
import urllib.request

import pytest

from benchmarks import cascade_texts
from benchmarks.cascade import agreement, fixed_table
from benchmarks.cascade_tables import markdown_cascade
from benchmarks.cascade_texts import LABELS, write_texts
from benchmarks.fixed_answers import answering, key_of
from distill.core.errors import UserError
from distill.evaluation.proportions import wilson
from tests.pipeline.sampling.labelled_run import write_run

SOURCES = {"imdb_reviews_a": "imdb", "reuters21578": "reuters", "nltk_misc_english": "nltk_abc/science"}


@pytest.fixture
def raw(tmp_path, monkeypatch):
    """A tiny folder `pool_text`, and so few rows of each kind."""
    monkeypatch.setattr(cascade_texts, "ROWS", {name: dict.fromkeys(LABELS, 2) for name in cascade_texts.ROWS})
    for name, source in SOURCES.items():
        sources = [source, "nltk_inaugural/1789"] if name.startswith("nltk") else [source]
        rows = [
            {"id": f"{one}-{number}", "source": one, "text": f"{one} {number} " + "word " * 30}
            for one in sources
            for number in range(9)
        ]
        with gzip.open(tmp_path / f"{name}.jsonl.gz", "wt", encoding="utf-8") as file:
            file.writelines(json.dumps(row) + "\n" for row in rows)
    return tmp_path


def test_no_text_is_in_two_splits_and_the_pool_has_no_labels(raw, tmp_path):
    (tmp_path / "out").mkdir()
    kinds = write_texts(raw, tmp_path / "out")
    rows = {
        name: [json.loads(line) for line in (tmp_path / "out" / f"{name}.jsonl").read_text().splitlines()]
        for name in ("train", "valid", "test", "pool")
    }
    ids = [row["id"] for own in rows.values() for row in own]
    assert len(ids) == len(set(ids)) == 32 and not any("label" in row for row in rows["pool"])
    assert {row["label"] for row in rows["valid"]} == set(LABELS) == set(kinds.values())
    assert kinds == {row["id"]: kinds[row["id"]] for row in rows["pool"]}
    with pytest.raises(UserError, match="--data"):
        write_texts(tmp_path / "gone", tmp_path / "out")


def test_the_server_answers_from_its_table_whatever_examples_come_before():
    table = fixed_table({f"text {number} " + "word " * 30: "film" for number in range(300)})
    wrong = sum(max(words, key=words.get) != "film" for words in table.values())
    assert 10 < wrong < 40 and all(sum(words.values()) == pytest.approx(1) for words in table.values())
    key, words = next(iter(table.items()))
    prompt = f"Text: an example\nAnswer: film\n\nText: {key} word\n\nAnswer with film or science"
    body = {"model": "m", "messages": [{"role": "user", "content": prompt}]}
    with answering(table) as url:
        request = urllib.request.Request(f"{url}/chat/completions", json.dumps(body).encode())
        said = json.loads(urllib.request.urlopen(request, timeout=10).read())["choices"][0]
    assert said["message"]["content"] == max(words, key=words.get) and key_of(f"  {key}\n") == key.strip()
    assert len(said["logprobs"]["content"][0]["top_logprobs"]) == 4


def test_agreement_is_counted_on_rows_with_a_label(tmp_path):
    run = write_run(tmp_path / "run", "cascade")
    found = {one["stage"]: one for one in agreement(run, {f"п{number}": LABELS[number % 3] for number in range(90)})}
    assert (found["one"]["rows"], found["one"]["agreement"]["value"]) == (60, 1.0)
    assert found["two"]["agreement"]["value"] == pytest.approx(1 / 3) and found["all"]["of"] == 90


def test_the_page_has_every_stage_and_says_what_was_not_there():
    cost = {"seconds": 1.0, "requests": 2, "money": 0.5}
    stages = [{"name": name, "threshold": None, "problem": "no model", "chosen": None} for name in ("a", "b")]
    stages[0] |= {"threshold": 0.8}
    share = wilson(0.9, 20)
    judged = {"rows": 20, "accuracy": share, "kappa": 0.8}
    result = {
        "title": "A cascade",
        "encoders": {"embeddings": "base", "zero_shot": None},
        "seconds": 12.0,
        "environment": {"cores": 2, "load_1min": 7.5},
        "coverage": {"stages": [{"stage": one["name"], **cost} for one in stages]},
        "thresholds": stages,
        "agreement": [{"stage": name, "rows": 10, "of": 20, "agreement": share} for name in ("a", "all")],
        "sheet": {
            **judged,
            "stages": [{"stage": "a", **judged}],
            "second": judged,
            "judges": {"rows": 20, "agreement": share, "kappa": 0.7},
            "shares": [{"label": "film", "labels": 0.5, "judged": share}],
        },
    }
    page = markdown_cascade(result)
    assert "| `a` | 0.8, given | 10 | 50.0% | 90.00 (69.9–97.2) | 1.0 | 2 | 0.50 |" in page
    assert "| `b` | no model | 0 | 0.0% |" in page and "| all | – | 10 | 50.0% |" in page and "passed by name" in page
    assert "| Between the judges | 20 | 90.00 (69.9–97.2) | 0.700 |" in page and "| film | 50.0 |" in page
