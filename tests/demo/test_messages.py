"""Letters to a Russian shop, and the embedded project of them."""

from collections import Counter

import pytest

from distill.core.config import load_yaml, parse
from distill.core.project import Project
from distill.core.rendering import field_text
from distill.demo.generate import Sizes, generate
from distill.demo.messages import messages, messages_wording

PARTS = ("train", "valid", "test", "pool")
TOPICS = set(messages_wording().topics)


@pytest.fixture(scope="module")
def letters():
    return {part: list(messages(part, 600, 1)) for part in PARTS}


def said(row):
    return row["message"]["subject"], row["message"]["body"]


def test_the_same_seed_gives_the_same_letters_and_another_one_others(letters):
    assert (
        list(messages("train", 100, 1)) == letters["train"][:100]
        and list(messages("train", 9, 2)) != letters["train"][:9]
    )


def test_no_two_files_share_a_subject_and_the_pool_has_no_label(letters):
    subjects = Counter(said(row)[0] for part in PARTS for row in letters[part])
    assert max(subjects.values()) == 1 and len(subjects) == 2400
    assert all(("label" in row) == (part != "pool") for part in PARTS for row in letters[part])


def test_every_topic_comes_up_and_is_asked_for_in_the_body(letters):
    rows = letters["train"]
    assert {row["label"] for row in rows} == TOPICS
    assert min(Counter(row["label"] for row in rows).values()) > 60
    ends = {name: [ask.rpartition("}")[2] for ask in topic.asks] for name, topic in messages_wording().topics.items()}
    asked = [any(end in said(row)[1] for end in ends[row["label"]]) for row in rows]
    assert 0.85 < sum(asked) / len(rows) < 0.99  # the others have a wrong label, or a letter lost


def test_half_of_the_subjects_name_their_topic_and_the_others_none(letters):
    own = {
        name: [s.partition("{")[0] for s in topic.subjects if s[0] != "{"]
        for name, topic in messages_wording().topics.items()
    }
    starts = tuple(start for listed in own.values() for start in listed)
    telling = [row for row in letters["train"] if said(row)[0].startswith(starts)]
    assert 0.4 < len(telling) / 600 < 0.6
    right = sum(said(row)[0].startswith(tuple(own[row["label"]])) for row in telling)
    assert 0.93 < right / len(telling) < 1


def test_verbs_and_products_agree(letters):
    texts = " ".join(" ".join(said(row)) for part in PARTS for row in letters[part])
    assert "Сломался паяльник" in texts and "Сломалась дрель" in texts and "{" not in texts
    assert "Сломалась паяльник" not in texts and "Сломался дрель" not in texts


def test_the_project_reads_its_files(tmp_path):
    generate(tmp_path, sizes=Sizes(train=60, valid=20, test=30, pool=50), project="demo-ru")
    project = parse(Project, load_yaml(tmp_path / "project.yaml"), "project.yaml")
    assert set(project.task.labels) == TOPICS
    lines = {part: (tmp_path / f"{part}.jsonl").read_text(encoding="utf-8").splitlines() for part in PARTS}
    assert {part: len(found) for part, found in lines.items()} == {"train": 60, "valid": 20, "test": 30, "pool": 50}
    row = next(messages("train", 1, 1))
    fields = {*project.views["document"].fields, *project.views["card"].fields, project.data.slice}
    assert all(field_text(row, name) for name in fields)
