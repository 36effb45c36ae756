"""The picture of a page: a PNG of one screen, or an error that names what is missing."""

import shutil

import pytest

from benchmarks import picture

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.mark.skipif(not any(map(shutil.which, picture.BROWSERS)), reason="no Chromium here")
def test_the_first_screen_is_a_picture(tmp_path):
    (tmp_path / "docs").mkdir()
    (tmp_path / "report.html").write_text("<!doctype html><h1>Report</h1>", encoding="utf-8")
    assert picture.main([str(tmp_path), "--root", str(tmp_path)]) == 0
    found = (tmp_path / picture.PICTURE).read_bytes()
    assert found.startswith(PNG)
    assert [int.from_bytes(found[at : at + 4], "big") for at in (16, 20)] == [1200, 900]


def test_a_folder_without_a_report_is_named(tmp_path, capsys):
    assert picture.main([str(tmp_path)]) == 2
    assert "report.html" in capsys.readouterr().err


def test_a_machine_without_a_browser_is_told_what_to_install(tmp_path, monkeypatch, capsys):
    (tmp_path / "report.html").touch()
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert picture.main([str(tmp_path)]) == 2
    assert "Chromium" in capsys.readouterr().err
