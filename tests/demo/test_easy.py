from collections import Counter

from distill.core.config import load_yaml, parse
from distill.core.project import Project
from distill.core.record_store import read_records
from distill.demo.generate import Sizes
from tests.core.record_fixtures import prepare_and_audit
from tests.demo.easy import generate_easy


def test_easy_files_are_short_and_balanced_and_the_pool_keeps_its_faults(tmp_path):
    generate_easy(tmp_path, Sizes(train=240, valid=60, test=160, pool=300))
    project = parse(Project, load_yaml(tmp_path / "project.yaml"), "project.yaml")
    found = prepare_and_audit(project, tmp_path / "records", base=tmp_path)
    for split, rows in (("train", 240), ("valid", 60), ("test.unseen", 160)):
        records = read_records(tmp_path / "records", split)
        labels = Counter(int(record.target.argmax()) for record in records)
        assert len(records) == rows and min(labels.values()) > 0.2 * rows
        hints = {(record.fields["page.url"], int(record.target.argmax())) for record in records}
        assert len(hints) == 3
    ledger = found["rows"]["by_source"]["pool.runtime"]
    assert 0.25 < ledger["kept"] / 300 < 0.35
    assert {"broken_json", "duplicate", "in_test", "pattern", "repeated_text", "too_short"} <= set(ledger["dropped"])
