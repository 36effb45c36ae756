"""Leak checks as siblings: what they are called, in which order they come, and that one more is one file."""

import unicodedata

import pytest

from distill.core.config import merge
from distill.core.files import read_json
from distill.core.intake import leaks
from distill.core.intake.audit import audit, audit_config
from distill.core.intake.compared_text import compared
from distill.core.intake.key_column import KeyColumn
from distill.core.intake.leak_check import among
from distill.core.intake.overlaps import SplitChecks, leak_checks, leaked_rows, overlaps
from distill.core.records import Record
from tests.core.record_fixtures import prepare_and_audit, project, row, rows, write_all

SAME_LENGTH = """
from distill.core.intake.leak_check import TextCheck

class SameLength(TextCheck):
    name, gate, place = "title length", {gate}, 25

    def texts(self, record):
        return (str(len(record.fields["product.title"])),)
"""
NEAR = '''
import numpy as np
from distill.core.intake.leak_check import LeakCheck

class NearDuplicate(LeakCheck):
    """Rows most of whose words a row of the other split has too: needs all rows of both splits."""

    name, gate = "near", True

    def __init__(self, project):
        super().__init__(project)
        self.words = []

    def add(self, record):
        self.words.append({word for text in record.fields.values() for word in text.split()})

    def found_in(self, other):
        return np.array([any(len(a & b) > 0.8 * len(a | b) for b in other.words) for a in self.words], np.bool_)
'''


def nfd(text):
    return unicodedata.normalize("NFD", text)


@pytest.fixture
def add_check(tmp_path, monkeypatch):
    """`add_check(name, source)` puts one more file into the package of leak checks."""
    folder = tmp_path / "more"
    folder.mkdir()
    monkeypatch.setattr(leaks, "__path__", [*leaks.__path__, str(folder)])

    def add(name, source):
        (folder / f"{name}.py").write_text(source, encoding="utf-8")

    return add


def names():
    return [check.name for check in leak_checks(project())]


def test_the_checks_in_the_order_of_the_audit():
    assert names() == ["row", "document", "card", "swapped card", "side", "key:product.id", "key:page.id"]
    assert [check.name for check in leak_checks(project()) if check.gate] == ["row", "document", "card"]
    kept = leak_checks(project(on_card_leak="keep"))
    assert [check.name for check in kept if check.gate] == ["row", "document"]


@pytest.mark.parametrize(("gate", "rows_leaked"), [(True, 6), (False, 0)])
def test_one_more_check_is_one_class_and_shows_in_the_audit_and_in_the_gate(tmp_path, add_check, gate, rows_leaked):
    # Titles of train have 16 or 17 signs, those of valid, of the pool and of six test rows 18.
    short = [row(f"к{i}", 600 + i, "мимо", product={"title": "Пила" + "1" * i}) for i in range(3)]
    plan = project(root=str(write_all(tmp_path, test=[*short, *rows("э", 6, 200)])))
    before, config = prepare_and_audit(plan, tmp_path / "records"), audit_config(plan)
    assert before["leak_rows"] == 0 and before["leaks"] == []
    add_check(f"same_length_{gate}".lower(), SAME_LENGTH.format(gate=gate))
    assert names()[2] == "title length" and audit_config(plan) != config
    audit(plan, tmp_path / "records", tmp_path / "audit")
    found = read_json(tmp_path / "audit" / "audit.json")
    hits = {tuple(leak["between"]): (leak["rows"], leak["gate"]) for leak in found["leaks"]}
    assert hits == {
        ("valid", "pool.urls"): (6, False),
        ("test.seen", "valid"): (6, gate),
        ("test.seen", "pool.urls"): (6, gate),
    }
    assert {leak["kind"] for leak in found["leaks"]} == {"title length"} and found["leak_rows"] == rows_leaked


def test_a_check_may_need_all_rows_of_a_split(tmp_path, add_check):
    add_check("near_duplicate", NEAR)
    near = row("э9", 900, "мимо", product={"title": "Дрель ударная №5"}, page={"title": "Купить дрель 5 штук"})
    near["page"]["body"] = "Описание товара 5. " * 3
    found = prepare_and_audit(project(root=str(write_all(tmp_path, test=[near]))), tmp_path / "records")
    assert [leak["rows"] for leak in found["leaks"] if leak["kind"] == "near"] == [1]
    assert found["leak_rows"] == 1


def test_a_row_that_two_gated_checks_find_counts_once():
    plan = project()
    record = Record("а", {path: "ё" for path in ("product.title", "page.title", "page.body")})
    splits = [SplitChecks(name, plan) for name in ("train", "valid", "test.a", "pool.b")]
    for split in splits:
        split.add(record)
    found = overlaps(splits)
    assert leaked_rows(found) == {"test.a": ["а"]}
    assert [(overlap.a, overlap.b) for overlap in found] == [
        ("valid", "train"),
        ("valid", "pool.b"),
        ("test.a", "train"),
        ("test.a", "valid"),
        ("test.a", "pool.b"),
    ]


def test_empty_texts_are_never_shared():
    assert among(KeyColumn([0, 1, 2]), KeyColumn([0]), KeyColumn([2])).tolist() == [False, False, True]


@pytest.mark.parametrize(
    "change",
    [
        *(str.upper, lambda text: text.replace(" ", " \u200b"), lambda text: nfd(text)),
        lambda text: text.replace("ё", "е").replace("и", "И"),
    ],
)
def test_what_a_lower_casing_model_reads_alike_is_one_text(tmp_path, change):
    """Leaks, duplicates and the pool are found by what the model reads, not by how it is typed."""

    def changed(name, number, label=None):
        values = row(name, number, label)
        values["page"] = {**values["page"], "title": change(values["page"]["title"]), "body": ""}
        values["product"] = {**values["product"], "title": change(values["product"]["title"])}
        return values

    train = [*(merge(values, {"page": {"body": ""}}) for values in rows("т", 12, 0)), changed("снова", 1, "рядом")]
    found = prepare_and_audit(
        project(root=str(tmp_path)),
        tmp_path / "records",
        base=write_all(
            tmp_path,
            train=train,
            test=[*rows("э", 6, 200), changed("утечка", 2, "точно")],
            pool=[*rows("п", 9, 300, labelled=False), changed("из теста", 2)],
        ),
    )
    assert found["duplicates"]["by_reason"] == {"duplicate": 1, "in_test": 1}
    assert found["leak_examples"] == {"test.seen": ["утечка"]}


def test_other_letters_stay_other_texts():
    assert compared("Ёлка и йод") == compared("Елка и йод") == "елка и йод" != compared("Ёлка и иод")
    assert compared("a\u00a0b") == compared("A b") and compared("ﬁn") == compared("fin")
