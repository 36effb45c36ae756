"""The card of a label store: what it says while it is made and in the end, and that no artifact depends on it."""

from __future__ import annotations

import sys

import pytest

from distill.core.files import write_json
from distill.core.label_counts import LabelCounts
from distill.core.manifest import digest, read_manifest
from distill.core.run_folder import LABEL_CARD
from distill.core.steps import Step, Steps
from teachers.config import LabellingConfig
from teachers.label_card import Facts, LabelCard, command, counted
from tests.teachers.shard_stubs import ORIGINS

SHARD = LabelCounts(100, 1000, {"ok": 98, "empty": 2}, 5)


class Clock:
    """Seconds that a test sets."""

    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def made(tmp_path, monkeypatch):
    """`made(done)`: a card of 400 rows at 3.60 an hour, its clock and the function that reads it."""
    monkeypatch.setattr(sys, "argv", ["/usr/bin/distill", "label", "--config", "a b.yaml"])
    write_json(tmp_path / "base" / "view.json", {"name": "document"})
    config = LabellingConfig(shard_rows=100)
    facts = Facts(tmp_path / "base", ORIGINS, config, {"train": 150, "pool.a|b": 250}, 4, 3.6)

    def make(done=None):
        clock = Clock()
        card = LabelCard(tmp_path, facts, done or LabelCounts(), clock)
        return card, clock, lambda: (tmp_path / LABEL_CARD).read_text()

    return make


def test_it_says_what_is_made_by_whom_and_how_to_go_on(made):
    _, _, text = made()
    assert "Running: 0 of 400 rows (0.0%). " in text() and "| none yet |" in text()
    for line in (
        f"| teacher | base, sha256 `{'t' * 16}` |",
        f"| view | document, sha256 `{'v' * 16}` |",
        "| logits | a, b, as float32 |",
        "| calculated in | fp32 |",
        "| rows | train 150, pool.a\\|b 250 |",
        "| shards | 4 of at most 100 rows |",
        "| made by | `distill label --config 'a b.yaml'` |",
    ):
        assert line in text()
    assert command() == "distill label --config 'a b.yaml'"


def test_rate_time_left_and_cost_are_of_this_run_alone(made):
    card, clock, text = made(LabelCounts(100, 900, {"ok": 100}))
    clock.now = 50.0
    card.add(SHARD)
    assert "Running: 200 of 400 rows (50.0%), 1m 40s left" in text()
    assert "| speed | 2.0 rows/s, 20 tokens/s |" in text() and "| before this run | 100 rows |" in text()
    assert "| rows by status, of 200 | empty 2, ok 198 |" in text() and "| scored once | 5 rows" in text()
    assert "| cost of a million rows | 500.00, at 3.6 an hour |" in text()
    clock.now = 100.0
    card.add(SHARD, own=False)
    card.close()
    assert "\n\nFinished: 400 rows.\n\n" in text() and "| finished | 20" in text() and "left" not in text()


def test_it_is_written_every_few_seconds_at_most(made):
    card, clock, text = made()
    for now, rows in ((1.0, 10), (2.9, 20)):
        clock.now = now
        card.advance(rows)
        assert "Running: 0 of 400" in text()
    clock.now = 3.0
    card.advance(30)
    assert "Running: 30 of 400 rows" in text() and "10.0 rows/s" in text() and "tokens/s" not in text()


def test_what_is_no_label_is_told_on_the_screen_and_a_clean_store_says_nothing():
    assert counted(LabelCounts(10, 5, {"ok": 10})) == []
    bad, spared = counted(LabelCounts(1200, 5, {"ok": 1100, "nonfinite": 60, "empty": 40}, 7))
    assert bad == "of 1,200 labelled rows 40 empty, 60 nonfinite: no model learns from these"
    assert spared.startswith("7 of 1,200 rows read like another one")


def test_equal_stores_with_unlike_cards_are_equal_artifacts_and_both_whole(tmp_path):
    def body(folder, told):
        (folder / "shard-00000.parquet").write_text("logits")
        (folder / LABEL_CARD).write_text(told)

    for name in ("one", "two"):
        step = Step("label base", "labels/base", lambda folder, name=name: body(folder, name), apart=(LABEL_CARD,))
        folder = Steps(tmp_path / name, {}, {}).run(step)
        assert (folder / LABEL_CARD).read_text() == name and list(read_manifest(folder)["files"]) == [
            "shard-00000.parquet"
        ]
    assert digest(tmp_path / "one" / "labels" / "base") == digest(tmp_path / "two" / "labels" / "base")
    (tmp_path / "one" / "labels" / "base" / LABEL_CARD).write_text("changed since")
    assert Steps(tmp_path / "one", {}, {}).is_done(step)
