"""Teachers that the command line names, alone or with the weight of their labels."""

import pytest

from distill.core.errors import UserError
from distill.pipeline.named_models import first_named_teacher, named_teachers, split_weight

KNOWN = ["base", "words"]


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project file, with two folders of finished teachers next to it, one of them with a colon in its name."""
    for name in ("bought", "with:0.5"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "project.yaml"
    path.write_text("teachers: {old: {preset: base, weight: 3, view: card}, new: {preset: base}}\n", "utf-8")
    return path


def named(project, *wanted):
    return named_teachers({"old": {"preset": "base", "weight": 3, "view": "card"}}, wanted, project)


def test_names_presets_and_folders_have_weights(project):
    found = named(project, "old:0.8", "words:2e-1", f"{project.parent}/bought:1")
    assert found["old"] == {"preset": "base", "view": "card", "weight": 0.8} and found["words"] == {"weight": 0.2}
    assert found["bought"] == {"preset": "base", "finished": str(project.parent / "bought"), "weight": 1}
    assert named(project, "old", "old")["old"]["weight"] == 3 and named(project, "base") == {"base": {}}


def test_a_colon_inside_a_path_is_no_weight(project):
    assert split_weight("with:0.5", KNOWN) == ("with:0.5", None)
    assert split_weight("with:0.5:2", KNOWN) == ("with:0.5", 2)
    assert split_weight(r"C:\models\bought", KNOWN) == (r"C:\models\bought", None)
    assert split_weight(r"C:\models\bought:0.5", KNOWN) == (r"C:\models\bought", 0.5)


@pytest.mark.parametrize("weight", ["", "0", "-1", "nan", "inf", "much", "0,8"])
def test_a_weight_is_a_number_above_0(project, weight):
    with pytest.raises(UserError, match="weight of a teacher is a number above 0") as caught:
        named(project, f"old:{weight}", "words")
    assert caught.value.exit_code == 2 and caught.value.where == "--teacher old"


def test_unknown_and_repeated_names_are_told_apart(project):
    with pytest.raises(UserError, match="did you mean 'words'"):
        named(project, "wrods:0.8")
    with pytest.raises(UserError, match="unknown teacher") as caught:
        named(project, r"C:\models\none")
    assert caught.value.found == r"C:\models\none"
    with pytest.raises(UserError, match="named with two weights"):
        named(project, "old:0.8", "old:0.2")


def test_imported_labels_take_the_place_of_the_first_name_without_its_weight(project):
    assert first_named_teacher(project, ["old:0.8", "new"]) == "old" and first_named_teacher(project) == "old"
