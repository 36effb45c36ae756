"""Classes with few training rows are merged or left out, counted and named."""

from __future__ import annotations

import numpy as np
import pytest

from distill.core.config import merge, parse
from distill.core.errors import UserError
from distill.core.files import read_json, write_json
from distill.core.intake.rare_classes import without_rare
from distill.core.objectives.multi_label import MultiLabel
from distill.core.objectives.single_label import SINGLE
from distill.core.project import Rare
from distill.core.record_store import read_records
from distill.pipeline.settings import resolve_settings
from distill.report.audit_lines import audit_lines
from tests.core.record_fixtures import PROJECT, prepare_and_audit, row, write

COUNTS = {"мимо": 30, "рядом": 25, "точно": 20, "опечатка": 4, "прочее": 2}


def rows(prefix, counts, start):
    labels = [label for label, count in counts.items() for _ in range(count)]
    return [row(f"{prefix}{index}", start + index, label) for index, label in enumerate(labels)]


@pytest.fixture
def root(tmp_path):
    write(tmp_path / "train.jsonl", rows("т", COUNTS, 0))
    write(tmp_path / "valid.jsonl", rows("в", {"мимо": 3, "рядом": 3, "точно": 3, "опечатка": 1}, 200))
    write(tmp_path / "test.jsonl", rows("э", {"мимо": 3, "рядом": 3, "точно": 3, "опечатка": 60, "прочее": 50}, 300))
    write(tmp_path / "pool.jsonl", [row(f"п{i}", 900 + i) for i in range(5)])
    return tmp_path


def settings(root, task, **data):
    plan = merge(PROJECT, {"task": {"labels": list(COUNTS), **task}, "data": data})
    write_json(root / "project.yaml", plan)  # JSON is YAML
    return resolve_settings(root / "project.yaml", root / "run")


def made(root, task, **data):
    project = settings(root, task, **data).project
    return project, prepare_and_audit(project, root / "records")


def gold(root, split, labels):
    return [labels[int(record.target.argmax())] for record in read_records(root / "records", split)]


def test_rare_classes_become_a_new_one_in_every_split_and_are_named(root):
    project, audit = made(root, {"rare": {"under": 5, "into": "другое"}})
    assert project.task.labels == ["мимо", "рядом", "точно", "другое"]
    assert project.task.rare.classes == {"опечатка": 4, "прочее": 2}, "a class frequent in test is rare all the same"
    assert gold(root, "train", project.task.labels).count("другое") == 6
    assert gold(root, "test.seen", project.task.labels).count("другое") == 110
    assert audit["rare"]["rows"]["test.seen"] == {"опечатка": 60, "прочее": 50}
    assert audit["balance"]["classes"]["valid"] == {"мимо": 3, "рядом": 3, "точно": 3, "другое": 1}
    lines = "\n".join(audit_lines(audit, {"document": 32, "card": 16}))
    assert "merged into другое, under 5 training rows: опечатка (4), прочее (2)" in lines
    assert "train 6, valid 1, test.seen 110" in lines
    assert not any("under 5 itself" in warning for warning in audit["warnings"])
    _, audit = made(root, {"rare": {"under": 20, "into": "другое"}})
    assert "'другое' has 6 training rows with all rare classes in it, under 20 itself" in audit["warnings"]


def test_rare_classes_are_left_out_with_their_rows_and_the_ledger_says_so(root):
    project, audit = made(root, {"rare": {"under": 5, "into": "drop"}})
    assert project.task.labels == ["мимо", "рядом", "точно"]
    assert audit["rows"]["dropped"]["rare_class"] == 6 + 1 + 110
    assert audit["rows"]["by_source"]["train"]["dropped"] == {"rare_class": 6}
    assert "left out, under 5" in "\n".join(audit_lines(audit, {"card": 16}))
    account = read_json(root / "records" / "ledger.json")["train"]
    assert len(account["examples"]["rare_class"]) == 6 and account["rare"] == {"опечатка": 4, "прочее": 2}
    assert not any("quarantine" in warning for warning in audit["warnings"])


def test_with_labels_auto_and_a_class_that_is_there_already(root):
    project, _ = made(root, {"labels": "auto", "rare": {"under": 22, "into": "рядом"}, "positive": "рядом"})
    assert project.task.labels == ["мимо", "рядом"]
    assert project.task.rare.classes == {"опечатка": 4, "прочее": 2, "точно": 20}
    assert gold(root, "train", project.task.labels).count("рядом") == 25 + 26


def test_rows_that_only_some_models_learn_are_merged_too(root):
    write(root / "more.jsonl", rows("д", {"мимо": 2, "опечатка": 3}, 600))
    for into, left in (("рядом", ["мимо"] * 2 + ["рядом"] * 3), ("drop", ["мимо"] * 2)):
        project, audit = made(root, {"rare": {"under": 5, "into": into}}, extra={"more": "more.jsonl"})
        assert gold(root, "extra.more", project.task.labels) == left
        assert audit["rare"]["rows"]["extra.more"] == {"опечатка": 3}


def test_a_task_without_rare_classes_stays_as_it_is(root):
    project, audit = made(root, {"labels": [*COUNTS], "rare": {"under": 2, "into": "другое"}})
    assert project.task.labels == list(COUNTS) and project.task.rare.classes == {}
    assert "no class has under 2 training rows" in "\n".join(audit_lines(audit, {"card": 16}))
    assert "rare" not in read_json(root / "records" / "ledger.json")["train"]
    assert "rare" not in made(root, {})[1]


def test_no_test_file_is_opened_to_count_and_held_out_rows_do_not_count(root):
    (root / "test.jsonl").write_bytes(b"\xff\xfe exploding")
    assert settings(root, {"rare": {"under": 5}}).project.task.labels == ["мимо", "рядом", "точно", "other"]
    task = {"rare": {"under": 15}, "positive": None}
    assert set(settings(root, task).project.task.rare.classes) == {"опечатка", "прочее"}
    half = settings(root, task, valid=None, split={"valid": 0.5}).project.task
    assert half.labels == ["мимо", "other"] and half.rare.classes["рядом"] < 15


@pytest.mark.parametrize(
    ("task", "message"),
    [
        ({"rare": {"under": 21}}, r"the positive class 'точно' is rare.*точно \(20\), опечатка \(4\), прочее \(2\)"),
        ({"rare": {"under": 5}, "ordered": True}, r"the labels are a scale.*опечатка \(4\), прочее \(2\).*into: drop"),
        (
            {"rare": {"under": 26, "into": "drop"}, "positive": None},
            r"under two classes are left.*рядом \(25\).*left: мимо \(30\)",
        ),
        ({"rare": {"under": 5, "classes": {"прочее": 2}}}, "task.rare.classes: is counted by the run itself"),
        ({"labels": ["мимо", "drop"], "positive": "мимо", "rare": {"under": 5, "into": "drop"}}, "'drop' is a label"),
        ({"rare": {"under": 2, "into": "другое"}, "positive": "другое"}, "positive.*другое"),
        ({"rare": {"undr": 2}}, "did you mean 'under'"),
    ],
)
def test_what_leaves_no_task_is_refused_with_names_and_counts(root, task, message):
    with pytest.raises(UserError, match=f"(?s){message}"):
        settings(root, task)


def test_a_scale_keeps_its_order_without_its_rare_labels(root):
    assert made(root, {"rare": {"under": 5, "into": "drop"}, "ordered": True})[0].task.labels == [*COUNTS][:3]


@pytest.mark.parametrize(
    ("into", "objective", "target", "expected"),
    [
        ("c", SINGLE, [0.2, 0, 0.3, 0.5, 0], [0.2, 0, 0.8]),
        ("c", MultiLabel(), [1, 0, 0.4, 0.9, 0.6], [1, 0, 0.9]),
        ("drop", SINGLE, [0.3, 0.1, 0.2, 0.4, 0], None),
        ("drop", SINGLE, [0.6, 0.2, 0, 0.2, 0], [0.75, 0.25, 0]),
        ("drop", MultiLabel(), [1, 0, 0, 1, 1], [1, 0, 0]),
        ("drop", MultiLabel(), [0, 0, 0, 1, 0], None),
        ("drop", MultiLabel(), [0, 0, 0, 0, 0], [0, 0, 0]),
    ],
)
def test_votes_and_lists_of_labels(into, objective, target, expected):
    rare = parse(Rare, {"under": 5, "into": into, "classes": {"d": 1, "e": 2}}, "project.yaml")
    found = without_rare(np.array(target, np.float32), rare, ["a", "b", "c"], objective)
    if expected is None:
        assert found is None
    else:
        np.testing.assert_allclose(found, expected, rtol=1e-6)
