"""Which file is what: no labelled file is a pool in silence, and validation has the rows that its gate asks for."""

import pytest

from distill.core.config import parse, parse_yaml
from distill.core.guessing.file_roles import role_by_name
from distill.core.guessing.starter import guess, starter_yaml
from distill.core.project import Gates, Project
from tests.core.record_fixtures import write


def starter(root, rows, unlabelled=(), **more):
    """What is guessed of files by name. Args: rows: of each file. unlabelled: those without labels."""
    paths = []
    for name, count in rows.items():
        lines = [{"text": f"{name} ёж {i}", "label": i % 2, **more} for i in range(count)]
        for line in lines if name in unlabelled else []:
            del line["label"]
        paths.append(write(root / f"{name}.jsonl", lines))
    return guess(paths, root)


def data(found):
    return parse(Project, parse_yaml(starter_yaml(found), "init"), "init").data


@pytest.mark.parametrize(
    ("name", "role"),
    [
        *[(name, "train") for name in ("train-00000", "my_training", "обучение", "Обучающая_выборка")],
        *[(name, "valid") for name in ("valid", "val", "dev_1", "валидация")],
        *[(name, "test") for name in ("test", "тест", "eval", "holdout", "hold_out", "gs", "x_gold", "test_pool")],
        *[(name, "pool") for name in ("pool", "unlabeled", "unlabelled_2")],
        *[(name, None) for name in ("part-00001", "support_2022", "retrieval", "golden", "bugs", "intervals")],
    ],
)
def test_names_tell_the_role(tmp_path, name, role):
    assert role_by_name(tmp_path / f"{name}.jsonl") == role


def test_labelled_files_of_any_name_are_for_training_and_said(tmp_path):
    found = starter(tmp_path, {f"part-{i}": 100 for i in range(7)} | {"raw": 30}, unlabelled=("raw",))
    assert data(found).train == [f"part-{i}.jsonl" for i in range(7)] and list(data(found).pool) == ["raw"]
    assert found.counts == {"0": 350, "1": 350} and data(found).split.mode == "keys"
    said = "# (?) Labelled, and no file is named as for training, so for training: part-0.jsonl, part-1.jsonl"
    assert said in starter_yaml(found) and "part-4.jsonl and 2 more.\n" in starter_yaml(found)


def test_a_file_without_labels_that_comes_first_is_not_asked_for_the_label(tmp_path):
    found = starter(tmp_path, {"archive": 90, "part": 100}, unlabelled=("archive",))
    assert data(found).train == ["part.jsonl"] and list(data(found).pool) == ["archive"]


def test_beside_a_training_file_a_labelled_one_of_another_name_is_left_out_and_said(tmp_path):
    found = starter(tmp_path, {"train": 300, "support_2024": 100, "eval": 60})
    assert data(found).train == ["train.jsonl"] and data(found).test == {"eval": ["eval.jsonl"]}
    assert not data(found).pool and sum(found.counts.values()) == 360
    said = "# (?) Labelled, role unknown, so left out; add each to train, valid or test: support_2024.jsonl.\n"
    assert said in starter_yaml(found)


def test_a_labelled_pool_and_a_test_that_is_alone_are_said(tmp_path):
    text = starter_yaml(starter(tmp_path, {"train": 300, "pool": 100, "test": 60}))
    assert "# (?) Labelled, but a pool by their names, so their labels are not read: pool.jsonl." in text
    alone = starter(tmp_path, {"test": 300})
    assert data(alone).train == ["test.jsonl"] and "so for training: test.jsonl." in starter_yaml(alone)


def test_files_that_say_their_role_leave_nothing_open(tmp_path):
    found = starter(tmp_path, {"train": 300, "valid": 60, "test": 60, "raw": 60}, unlabelled=("raw",))
    assert found.doubts == {} and "split:" not in starter_yaml(found)


@pytest.mark.parametrize(
    ("rows", "share", "warned"),
    [
        ({"train": 900}, 0.1, None),
        ({"train": 300}, 0.23, None),
        ({"train": 200}, 0.3, "About 60"),
        ({"train": 100, "valid": 40}, 0.3, "About 42"),
        ({"train": 300, "test": 60}, 0.23, None),
        ({"train": 120, "test": 60}, 0.3, "About 36"),
        ({"train": 300, "valid": 40, "test": 60}, None, "40"),
        ({"train": 300, "valid": 50, "test": 60}, None, None),
    ],
)
def test_validation_has_the_rows_that_its_gate_asks_for_or_the_file_says_so(tmp_path, rows, share, warned):
    found = starter(tmp_path, rows)
    text = starter_yaml(found)
    assert share is None or data(found).split.valid == share
    assert (share is None) == ("split:" not in text)
    said = f"# (?) {warned} validation rows, and gates.validation_rows asks for {Gates().validation_rows} before"
    assert said in text if warned else "gates.validation_rows" not in text


@pytest.mark.parametrize(
    ("rows", "rare", "share", "warned"),
    [
        ({"train": 4000}, 200, 0.1, None),
        ({"train": 4000}, 100, 0.2, None),
        ({"train": 4000}, 23, 0.3, 'About 7 validation rows of "1"'),
        ({"train": 2000, "valid": 1000, "test": 1000}, 23, None, 'About 6 validation rows of "1"'),
        ({"train": 2000, "test": 2000}, 160, 0.25, None),
    ],
)
def test_validation_has_enough_of_the_rarer_class_or_the_file_says_so(tmp_path, rows, rare, share, warned):
    total, paths, start = sum(rows.values()), [], 0
    for name, count in rows.items():
        lines = [
            {"text": f"{name} ёж {i}", "label": int(i * rare // total != (i - 1) * rare // total)}
            for i in range(start, start + count)
        ]
        paths, start = [*paths, write(tmp_path / f"{name}.jsonl", lines)], start + count
    found = guess(paths, tmp_path)
    text = starter_yaml(found)
    assert found.counts["1"] == rare and (share is None or data(found).split.valid == share)
    assert f"# (?) {warned}: thresholds and checkpoints" in text if warned else "thresholds and" not in text


@pytest.mark.parametrize(
    ("rows", "share", "gates"),
    [
        ({"train": 300}, 0.2, ["over_gold", "retention_card"]),
        ({"train": 1000}, 0.2, ["over_gold", "retention_card"]),
        ({"train": 1500}, 0.24, []),
        ({"train": 4000}, 0.2, []),
        ({"train": 900, "test": 100}, None, ["over_gold", "retention_card"]),
        ({"train": 900, "test": 300}, None, ["retention_card"]),
    ],
)
def test_a_test_too_small_for_the_gates_is_made_larger_or_said(tmp_path, rows, share, gates):
    found = starter(tmp_path, rows)
    said = " ".join(line.strip(" #") for line in starter_yaml(found).splitlines())
    assert share is None or data(found).split.test == share
    assert [name for name in ("over_gold", "retention_card") if f"gates.{name} about" in said] == gates
    assert ("give more test rows, or set the gate to null" in said) == (len(gates) > 0)


def test_rows_of_two_keys_of_which_some_cross_have_more_validation(tmp_path):
    pairs = [
        {
            "product": {"id": f"п{i % 90}", "t": f"дрель {i}"},
            "page": {"id": f"с{i % 99}", "t": f"дом {i}"},
            "label": i % 2,
        }
        for i in range(400)
    ]
    found = guess([write(tmp_path / "train.jsonl", pairs)], tmp_path)
    assert found.keys == ["page.id", "product.id"] and data(found).split.valid == 0.3
