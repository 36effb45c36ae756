"""Finished models read through other views: nothing is trained, nothing is judged by it."""

from __future__ import annotations

import json
import shutil

import pytest
from typer.testing import CliRunner

from distill.cli.app import app
from distill.core.errors import UserError
from distill.core.files import read_json
from distill.pipeline.experiment import Experiment
from distill.pipeline.finished import require_models
from distill.pipeline.remeasure import as_setting, remeasured
from distill.pipeline.settings import resolve_settings
from distill.report.page import page

JUDGED = ("retention", "over_majority", "over_gold", "over_controls", "quality")


def asked(project, **views):
    return Experiment(resolve_settings(project, project.parent, sets=[f"quality.remeasure={json.dumps(views)}"]))


def test_a_row_for_each_view_and_every_other_figure_as_before(words, tmp_path):
    project, made, before = words
    folder = shutil.copytree(made, tmp_path / "run")
    options = ["evaluate", f"--config={project}", f"--out={folder}", "--view=card", "--view=titles", "--json"]
    done = CliRunner().invoke(app, options)
    assert done.exit_code == 0, done.output
    report = read_json(folder / "report.json")
    rows = {model["name"]: model for model in report["models"]}
    new = set(rows) - {model["name"] for model in before["models"]}
    assert new == {"words@document>titles", "cards@card>titles"}, "words@document>card is there in any case"
    assert {rows[name]["role"] for name in new} == {"remeasured"}
    assert all(rows[name]["over_majority"] is None for name in new), "a further row would change p-values of others"
    assert rows["words@document>titles"]["made_from"] == "words@document"
    assert rows["words@document>titles"]["quality"]["accuracy"] != rows["words@document"]["quality"]["accuracy"]
    for model in before["models"]:
        assert {key: rows[model["name"]].get(key) for key in JUDGED} == {key: model.get(key) for key in JUDGED}
    assert report["gates"] == before["gates"] and report["comparisons"] == before["comparisons"]
    remade = {one["name"] for one in report["stages"] if one["status"] != "skipped"}
    assert remade == {"evaluate", *(f"predict {name}" for name in new)}
    assert (folder / "predictions" / "cards@card>titles" / "test.unseen.parquet").is_file()
    assert "On another view" in page(report)


def test_a_view_that_came_after_the_run_trains_nothing(words, tmp_path):
    project, made, before = words
    folder = shutil.copytree(made, tmp_path / "run")
    short = "--set=views.short={left: [page.title], max_tokens: 8}"
    done = CliRunner().invoke(app, ["evaluate", f"--config={project}", f"--out={folder}", short, "--view=short"])
    assert done.exit_code == 0, done.output
    report = read_json(folder / "report.json")
    new = {model["name"] for model in report["models"]} - {model["name"] for model in before["models"]}
    assert new == {"words@document>short", "cards@card>short"}
    remade = {one["name"] for one in report["stages"] if one["status"] != "skipped"}
    assert remade == {"audit", "evaluate", *(f"predict {name}" for name in new)}
    assert "short" in read_json(folder / "audit.json")["tokens"]
    other = ["views.short={left: [page.title], max_tokens: 8}", "teachers.words.ngrams=1", *as_setting(["short"], [])]
    with pytest.raises(UserError, match="(?s)nothing is trained for it.*settings: teach words@document"):
        require_models(resolve_settings(project, folder, sets=other))


def test_models_are_named_by_either_name_and_their_own_view_adds_nothing(words):
    project = words[0]
    assert [one.name for one in remeasured(asked(project, document=["cards@card", "words"]))] == ["cards@card>document"]
    assert [one.name for one in remeasured(asked(project, titles=["words"]))] == ["words@document>titles"]
    assert remeasured(asked(project)) == []


@pytest.mark.parametrize(
    ("views", "message"),
    [
        ({"cart": []}, "unknown view.*cart.*did you mean 'card'"),
        ({"card": ["word"]}, "unknown model.*word.*did you mean 'words'"),
    ],
)
def test_what_the_project_has_not_is_named(words, views, message):
    with pytest.raises(UserError, match=f"(?s){message}"):
        remeasured(asked(words[0], **views))


def test_a_model_needs_a_view_and_a_finished_fit(words, tmp_path):
    with pytest.raises(UserError, match="give --view too"):
        as_setting([], ["words"])
    sets = as_setting(["titles"], [])
    require_models(resolve_settings(words[0], words[1], sets=sets))
    with pytest.raises(UserError, match="(?s)nothing is trained for it.*teach words@document"):
        require_models(resolve_settings(words[0], tmp_path / "new", sets=sets))


def test_an_audit_is_laid_beside_an_earlier_run(words, tmp_path):
    project, made, _ = words
    options = [f"--config={project}", f"--out={tmp_path / 'new'}", f"--against={made}", "--json"]
    done = CliRunner().invoke(app, ["audit", *options])
    assert done.exit_code == 0, done.output
    audit = read_json(tmp_path / "new" / "audit.json")
    assert audit["against"]["sources"]["pool.urls"]["same"] == 20
    assert audit["against"]["identical"] == [["pool.urls", "pool.urls"]]
    assert "pool.urls holds the same texts as pool.urls of run" in done.output and "Gone" in done.output
    with pytest.raises(UserError, match="no records to compare with"):
        CliRunner().invoke(app, ["audit", *options[:2], f"--against={tmp_path}"], catch_exceptions=False)
