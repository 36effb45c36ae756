"""A file with a seal is read as it was written, or not at all."""

from __future__ import annotations

import pytest

from distill.core.errors import UserError
from distill.core.files import read_json, write_json
from distill.core.sealed import read_sealed, write_sealed

CONTENT = {"f1": 18.18, "имя": ["a", None, {"b": 1e-300}], "by_seed": {2: True}}


def test_what_is_written_is_read_without_its_seal(tmp_path):
    write_sealed(tmp_path / "report.json", CONTENT)
    assert read_sealed(tmp_path / "report.json") == {**CONTENT, "by_seed": {"2": True}}


def test_one_changed_digit_is_named(tmp_path):
    path = tmp_path / "report.json"
    write_sealed(path, CONTENT)
    path.write_text(path.read_text(encoding="utf-8").replace("18.18", "98.18"), encoding="utf-8")
    assert read_json(path)["f1"] == 98.18
    with pytest.raises(UserError, match=r"changed since[\s\S]*report\.json"):
        read_sealed(path)


def test_a_file_without_its_seal_is_refused(tmp_path):
    write_json(tmp_path / "report.json", {"a": 1})
    with pytest.raises(UserError, match=r"changed since[\s\S]*report\.json"):
        read_sealed(tmp_path / "report.json")


@pytest.mark.parametrize("content", ["[]", "null", "{", ""])
def test_something_else_is_named(tmp_path, content):
    (tmp_path / "report.json").write_text(content)
    with pytest.raises(UserError, match=r"report\.json"):
        read_sealed(tmp_path / "report.json")
