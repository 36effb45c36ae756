"""Messages of user errors: what, where, found, do; and nearest names."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from distill.core.errors import GateFailed, MissingExtra, UserError, nearest, unknown_name


def test_a_message_holds_only_what_is_known():
    assert str(UserError("broken")) == "broken"
    full = UserError("broken", where="train.jsonl, line 3", found=0, do="mend it")
    assert str(full) == "broken\n  where: train.jsonl, line 3\n  found: 0\n  do:    mend it"
    assert full.brief == "broken (0)" and GateFailed("a\nb", do="c").brief == "a b"
    assert (full.exit_code, GateFailed("x").exit_code) == (2, 3)


ERRORS = (UserError("broken", where="a", found=0, do="mend it"), MissingExtra("teach", "train"))


def fail(error):
    raise error


def test_an_error_comes_whole_from_another_process():
    with ProcessPoolExecutor(1, get_context("fork")) as other:
        told_of = {error: other.submit(fail, error).exception() for error in ERRORS}
    for error, told in told_of.items():
        assert (type(told), str(told), told.where, told.do) == (type(error), str(error), error.where, error.do)


def test_a_missing_extra_answers_with_its_pip_line():
    assert "pip install 'distill[train]'" in str(MissingExtra("teach", "train"))


def test_unknown_names_get_the_nearest_one_and_the_list():
    found = str(unknown_name("student preset", "8L_trnc", ["8L_trunc", "6L"], "--student"))
    assert "did you mean '8L_trunc'? known: 6L, 8L_trunc" in found and "where: --student" in found
    assert "known: none" in str(unknown_name("split", "x", []))
    assert nearest("temprature", ["temperature", "alpha"]) == "temperature"
    assert nearest("xyz", ["temperature", "alpha"]) is None
