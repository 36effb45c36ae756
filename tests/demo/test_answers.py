"""Questions with two answers each, and the embedded project of them."""

from collections import Counter

from distill.core.config import load_yaml, parse
from distill.core.project import Project
from distill.demo.answers import LABELS, compared
from distill.demo.generate import Sizes, generate
from distill.demo.projects import sizes_of

PARTS = ("train", "valid", "test", "pool")


def test_rows_depend_on_the_seed_alone_and_no_two_files_share_a_question():
    rows = {part: list(compared(part, 300, 1)) for part in PARTS}
    assert list(compared("train", 50, 1)) == rows["train"][:50] and list(compared("train", 9, 2)) != rows["train"][:9]
    assert max(Counter(row["prompt"] for part in PARTS for row in rows[part]).values()) == 1
    assert all(("label" in row) == (part != "pool") for part in PARTS for row in rows[part])
    assert min(Counter(row["label"] for row in rows["train"]).values()) > 60
    assert not any("{" in text for row in rows["train"] for text in (row["prompt"], *row["answer"].values()))


def test_raters_prefer_the_better_answer_whichever_place_it_has():
    better = {"Sorry, I": 0, "I know": 0, "Please": 0, "It depe": 1, "Maybe": 1, "Some": 1}

    def worth(row, answer):
        if not any(thing in row["prompt"] and thing in answer for thing in answer.rstrip(".").split()):
            return 0
        return next((value for start, value in better.items() if answer.startswith(start)), 2)

    rows = list(compared("train", 600, 1))
    said = [(worth(row, row["answer"]["a"]), worth(row, row["answer"]["b"]), row["label"]) for row in rows]
    agreed = [label == ("tie" if a == b else "A" if a > b else "B") for a, b, label in said]
    assert 0.75 < sum(agreed) / len(rows)


def test_the_project_reads_its_files_and_exchanges_the_answers(tmp_path):
    generate(tmp_path, sizes=Sizes(train=30, valid=10, test=20, pool=15), project="demo-preference")
    project = parse(Project, load_yaml(tmp_path / "project.yaml"), "project.yaml")
    assert tuple(project.task.labels) == LABELS and project.quality.metric == "log_loss"
    assert all(view.swap.order == [1, 0, 2] for view in project.views.values())
    weights = [project.teachers[name]["weight"] for name in ("one", "two")]
    assert weights == [0.8, 0.2] and sizes_of("demo-preference").train <= 600
    lines = {part: len((tmp_path / f"{part}.jsonl").read_text(encoding="utf-8").splitlines()) for part in PARTS}
    assert lines == {"train": 30, "valid": 10, "test": 20, "pool": 15}
