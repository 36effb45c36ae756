"""What `distill predict` says of its answers."""

from __future__ import annotations

import json

from distill.core.progress import Reporter
from distill.pipeline.bundle_findings import answered
from export.predict_options import PredictOptions
from tests.export.tiny_bundle import shared_bundle


class Told(Reporter):
    def __init__(self):
        self.tasks, self.units = [], []

    def start(self, name, total, done, at_most, unit="rows"):
        self.tasks.append((name, total, done, at_most))

    def advance(self, done):
        self.units.append(done)


def test_rows_rejects_and_conflicts_are_counted(tmp_path):
    made = [{"key": "a", "page.title": "drill"}, {"key": "a", "page.title": "дрель " * 9}, {"page.title": "x"}]
    source, out, told = tmp_path / "in.jsonl", tmp_path / "out.csv", Told()
    source.write_text("\n".join([*map(json.dumps, made), "{broken"]), encoding="utf-8")
    plain = answered(shared_bundle(), [str(source)], PredictOptions(out=out), told)
    first, pace, rejects = plain.parts[0]
    assert first == f"3 records answered in {out}" and pace.endswith(" rows/s")
    assert rejects == f"1 row that cannot be read, with the reason, in {tmp_path / 'out.csv.rejects.jsonl'}"
    assert told.tasks == [("answering", 4, 0, True)] and told.units == [4]
    options = PredictOptions(out=out, key="key", conflicts="mean")
    first, differ, _, empty, _ = answered(shared_bundle(), [str(source)], options, told).parts[0]
    assert first == f"1 key of 2 records answered in {out}" and empty == "1 row with an empty key, left out"
    assert differ.startswith("1 key whose rows have different answers") and differ.endswith("--conflicts mean")
