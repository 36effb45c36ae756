"""Entries of all families and what they say of each other: what is refused, and with which words."""

from __future__ import annotations

import sys

import pytest

from distill.core.errors import UserError
from distill.pipeline.circles import circle
from distill.pipeline.settings import resolve_settings
from distill.training.losses.term import HIDDEN_STATES, Term
from students.config import StudentConfig
from tests.tiny_run import distill

WORDS = "teachers.words={preset: words, weight: 0}"
BOTH = "teachers.both={preset: ensemble, members: {base: 1, words: 1}, weight: 0}"
OF_STUDENT = "teachers.both={preset: ensemble, members: {base: 1, small: 1}, weight: 0}"
READS_LAYERS = f"{__name__}:ReadsLayers"
OWN = "from distill.families.family import Family\nclass Own(Family):\n    name = 'own'\nclass Other: ...\n"


class ReadsLayers(Term):
    """A term that a model without layers cannot have."""

    needs = frozenset({HIDDEN_STATES})

    def __call__(self, student, teacher, batch):
        raise NotImplementedError


def resolved(project, *sets):
    return resolve_settings(project, project.parent / "run", sets=sets)


def test_each_entry_is_of_the_class_of_its_family(planted):
    words = "students.words_small={preset: words, ngrams: 3}"
    found = resolved(planted, WORDS, BOTH, words)
    assert [one.family for one in found.teachers.values()] == ["encoder", "tfidf", "ensemble"]
    assert found.teachers["both"].members == {"base": 1, "words": 1}
    assert found.students["words_small"].ngrams == 3 and isinstance(found.students["small"], StudentConfig)
    assert found.as_json()["teachers"]["words"]["inverse_penalty"] == 1


@pytest.mark.parametrize(
    ("sets", "parts"),
    [
        (["teachers.base.family=tfdif"], ["unknown family", "teachers.base.family", "did you mean 'tfidf'"]),
        (["students.w={preset: words, family: ensembel}"], ["students.w.family", "did you mean 'ensemble'"]),
        (
            ["teachers.base.family=tfidf"],
            ["preset 'base' has keys that the family 'tfidf' has not", "teachers.base.family"],
        ),
        ([WORDS, "teachers.words.training={epochs: 1}"], ["teachers.words.training: unknown"]),
        ([WORDS, "teachers.words.max_feature=5"], ["did you mean 'max_features'"]),
        ([WORDS, "teachers.words.ngrams=0"], ["teachers.words.ngrams"]),
        (["students.w={preset: words, layers: 3}"], ["students.w.layers: unknown"]),
        (["students.b={preset: bag, layers: 3}"], ["students.b.layers: unknown"]),
        (["students.b={preset: bag}", "students.small.source=b"], ["'b' is of the family bag, which has no layers"]),
        (
            [f"students.b={{preset: lstm, losses: {{'{READS_LAYERS}': {{}}}}}}"],
            [f"students.b.losses: {READS_LAYERS} reads layers, and the family lstm has none"],
        ),
        (["teachers.both={preset: ensemble}"], ["teachers.both.members: missing"]),
        (["teachers.both={preset: ensemble, members: {base: 1}}"], ["teachers.both.members", "at least 2"]),
        ([WORDS, BOTH, "teachers.both.members.words=-1"], ["teachers.both.members.words"]),
        ([BOTH], ["teachers.both.members: no such model 'words', known: base, small"]),
        ([WORDS, BOTH, "teachers.both.members.bsae=1"], ["no such model 'bsae', did you mean 'base'?"]),
        (
            [OF_STUDENT, "teachers.both.weight=1"],
            ["teachers.both.weight: 'small' is a student, which is fitted after the labels are chosen"],
        ),
        ([OF_STUDENT, "labels=both"], ["teachers.both.weight: 'small' is a student"]),
        (
            [OF_STUDENT, "students.w={preset: words, learns_from: [both]}"],
            ["students.w.learns_from: 'small' is a student", "'both' is made of it"],
        ),
        ([WORDS, BOTH, "teachers.both.slices=[a]"], ["teachers.both.slices: the family ensemble is not trained"]),
        (["teachers.base.view=cadr"], ["teachers.base.view: unknown view 'cadr', did you mean 'card'?"]),
        (["teachers.base.family=finished"], ["teachers.base.family", "leave family out and give finished"]),
        (["students.w={preset: words, family: imported}"], ["students.w.family", "leave family out and give labels"]),
        (["students.w={preset: words, family: ensemble}"], ["students.w.family", "would learn nothing"]),
        (
            ["students.small.learns_from=[bsae]"],
            ["students.small.learns_from: no such model 'bsae', did you mean 'base'?"],
        ),
        (["students.small.learns_from=[small]"], ["no such model 'small', known: base"]),
        (["students.small.learns_from=[]"], ["students.small.learns_from"]),
        (["students.small.source=bsae"], ["students.small.source: no such model 'bsae', did you mean 'base'?"]),
        (
            [WORDS, "students.small.source=words"],
            ["'words' is of the family tfidf, which has no layers", "known: base"],
        ),
        (
            ["students.w={preset: words}", "students.small.source=w"],
            ["'w' is of the family tfidf, which has no layers"],
        ),
        (
            [WORDS, BOTH, "teachers.base.weight=0", "teachers.both.weight=1"],
            ["students.small.source: 'both' is of the family ensemble", "known: base"],
        ),
        (
            [
                WORDS,
                BOTH,
                "teachers.base.weight=0",
                "teachers.both.weight=1",
                "labels=card",
                "students.small.source=base",
            ],
            ["labels: card needs a card teacher", "a teacher of the family ensemble is not trained"],
        ),
        (["controls.card_teachr=false"], ["controls.card_teachr: unknown, did you mean 'card_teacher'?"]),
        (["controls.card_teacher=false", "labels=card"], ["controls.card_teacher leaves it out"]),
    ],
)
def test_mistakes_are_named(planted, sets, parts):
    with pytest.raises(UserError) as found:
        resolved(planted, *sets)
    assert all(part in str(found.value) for part in parts), str(found.value)


def test_a_family_of_the_users_own_is_named_by_module_and_class(planted, tmp_path, monkeypatch):
    (tmp_path / "our_families.py").write_text(OWN, encoding="utf-8")
    entry = "teachers.own={preset: words, family: %s}"
    with pytest.raises(UserError, match=r"cannot import .our_families[\s\S]*PYTHONPATH[\s\S]*teachers.own.family"):
        resolved(planted, entry % "'our_families:Own'")
    monkeypatch.syspath_prepend(tmp_path)
    assert resolved(planted, entry % "'our_families:Own'").teachers["own"].family == "our_families:Own"
    for name in ("Other", "Absent"):
        with pytest.raises(UserError, match="a class that extends Family"):
            resolved(planted, entry % f"'our_families:{name}'")
    sys.modules.pop("our_families")


CIRCLES = {
    "learns_from": ["students.big={preset: 4L, layers: 2, learns_from: [small]}", "students.small.learns_from=[big]"],
    "source": ["students.big={preset: 4L, layers: 2, source: small}", "students.small.learns_from=[big]"],
    "members": [WORDS, BOTH, "teachers.more={preset: ensemble, members: {both: 1, base: 1}, weight: 0}",
                "teachers.both.members.more=1"],
}  # fmt: skip


@pytest.mark.parametrize("kind", CIRCLES)
def test_models_that_wait_for_each_other_are_named_before_anything_is_made(planted, tmp_path, kind):
    with pytest.raises(UserError) as found:
        resolved(planted, *CIRCLES[kind])
    way = "both → more → both" if kind == "members" else "small → big → small"
    assert f"waits for itself, {way}; change" in str(found.value), str(found.value)
    if kind == "source":
        done = distill(f"--config={planted}", f"--out={tmp_path / 'run'}", *[f"--set={one}" for one in CIRCLES[kind]])
        assert done.returncode == 2 and way in done.stderr and not (tmp_path / "run").exists()


def test_a_circle_is_a_way_back_to_its_beginning():
    assert circle({"a": ["b", "gone"], "b": ["c"], "c": []}) == []
    assert circle({"d": ["a"], "a": ["b"], "b": ["a"], "e": []}) == ["a", "b", "a"]
    assert circle({"a": ["a"]}) == ["a", "a"]


def test_a_diamond_is_no_circle(planted):
    sets = [
        "students.one={preset: 4L, layers: 2}",
        "students.two={preset: 4L, layers: 2, learns_from: [one, base]}",
        "students.small.learns_from=[one, two]",
    ]
    assert list(resolved(planted, *sets).students) == ["small", "one", "two"]
