"""Curves of each class and confusion matrices, against scikit-learn and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics

from distill.core.activations import softmax
from distill.core.label_space import LabelSpace
from distill.evaluation.confusions import confusion_matrix
from distill.evaluation.disagreements import disagreements
from distill.evaluation.over_seeds import Seeded
from distill.evaluation.precision_recall import precision_recall
from distill.evaluation.scored import Scored
from distill.report.confusion_matrix_table import confusion_matrix_sheet
from distill.report.disagreement_tables import right_sheet
from distill.report.precision_recall_plot import average_precision_sheet, drawings

ROWS = 400
SPACE = LabelSpace(("мимо", "рядом", "точно"), positive="точно")
GOLD = np.random.default_rng(1).integers(0, 3, ROWS)


def scored(name, seed, space=SPACE, gold=GOLD):
    target = np.eye(len(space.labels))[gold]
    logits = np.random.default_rng(seed).normal(size=target.shape) + 1.2 * target
    return Scored(name, space, [f"r{i}" for i in range(len(gold))], logits, target, clusters=np.arange(len(gold)) // 2)


STUDENT, TEACHER = scored("8L@card", 2), scored("base@document", 3)


def test_every_class_has_its_curve_and_its_average_precision():
    found = precision_recall(STUDENT)
    assert list(found) == list(SPACE.labels)
    for at, label in enumerate(SPACE.labels):
        expected = metrics.average_precision_score(GOLD == at, softmax(STUDENT.logits)[:, at])
        assert found[label]["average_precision"] == pytest.approx(expected)
        recall, precision = zip(*found[label]["points"], strict=True)
        assert list(recall) == sorted(recall) and recall[-1] == 1 and len(recall) <= 60
        assert precision[-1] == pytest.approx(np.mean(GOLD == at), abs=1e-4)


def test_of_many_classes_only_the_positive_one_is_there_and_absent_labels_are_not():
    space = LabelSpace(tuple(f"c{i}" for i in range(11)), positive="c2")
    assert list(precision_recall(scored("8L@card", 1, space))) == ["c2"]
    gold = np.where(GOLD == 2, 1, GOLD)
    assert list(precision_recall(scored("8L@card", 1, gold=gold))) == ["мимо", "рядом"]


def test_a_confusion_matrix_is_that_of_scikit_learn_and_the_table_has_the_models_of_a_class_together():
    matrices = {one.name: confusion_matrix(Seeded([one], one.bootstrap(100))) for one in (TEACHER, STUDENT)}
    assert matrices["8L@card"] == metrics.confusion_matrix(GOLD, STUDENT.logits.argmax(1)).tolist()
    sheet = confusion_matrix_sheet({"task": {"labels": list(SPACE.labels)}, "confusion_matrix": matrices})
    assert [(row[0], row[1]) for row in sheet.rows[:2]] == [("мимо", "base@document"), ("мимо", "8L@card")]
    first = matrices["base@document"][0]
    assert sheet.columns[1].cell(sheet.rows[0]) == f"{first[0]:.0f} ({100 * first[0] / sum(first):.1f})"


def test_every_row_is_in_one_cell_of_who_was_right():
    found = disagreements(STUDENT, TEACHER)
    own, its = (one.logits.argmax(1) for one in (STUDENT, TEACHER))
    expected = {
        "both_right": (own == GOLD) & (its == GOLD),
        "only_student": (own == GOLD) & (its != GOLD),
        "only_teacher": (own != GOLD) & (its == GOLD),
        "wrong_alike": (own != GOLD) & (its == own),
        "wrong_apart": (own != GOLD) & (its != GOLD) & (its != own),
    }
    assert {name: cell["rows"] for name, cell in found["cells"].items()} == {
        name: rows.sum() for name, rows in expected.items()
    }
    assert sum(cell["rows"] for cell in found["cells"].values()) == ROWS
    assert found["both_wrong"] == found["cells"]["wrong_apart"]["rows"]
    for cell in found["cells"].values():
        assert cell["low"] < cell["value"] == cell["rows"] / ROWS < cell["high"]
    sheet = right_sheet({"disagreements": [found]})
    both = found["cells"]["both_right"]
    assert sheet.columns[1].cell(found).startswith(f"{both['rows']}: {100 * both['value']:.1f} (")


def test_the_page_draws_each_class_and_escapes_its_name():
    space = LabelSpace(("<b>", "да"))
    model = scored("8L@card", 4, space, GOLD % 2)
    models = [{"name": "8L@card", "role": "student", "view": "card", "quality": {"f1_macro": {"value": 0.7}}}]
    report = {"models": models, "precision_recall": {"8L@card": precision_recall(model)}}
    drawn = drawings(report)
    assert drawn.count("<figure>") == drawn.count("<polyline") == 2 and "<b>" not in drawn
    assert average_precision_sheet(report).rows == ["<b>", "да"]
