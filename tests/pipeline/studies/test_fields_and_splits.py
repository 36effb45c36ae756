"""`ablate --fields`, `split-study` and `diagnose-selection` on words alone."""

from __future__ import annotations

import json
from collections import Counter
from functools import partial
from pathlib import Path

import pytest
from typer.testing import CliRunner

from distill.cli.app import app
from distill.core.errors import UserError
from distill.core.files import read_json
from distill.core.progress import Reporter
from distill.core.record_store import read_records
from distill.evaluation.selection import diagnose
from distill.pipeline.execute import execute
from distill.pipeline.studies.diagnosis import diagnosed
from distill.pipeline.studies.fields import fields_study
from distill.pipeline.studies.frontier import frontier_study
from distill.pipeline.studies.outlook import study_lines
from distill.pipeline.studies.splits import split_study
from distill.pipeline.studies.sweep import sweep_study
from tests.pipeline.studies.study_project import resolver, write_project


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Path:
    return write_project(tmp_path_factory.mktemp("project"))


@pytest.fixture(scope="module")
def ablated(project, tmp_path_factory):
    run = tmp_path_factory.mktemp("runs") / "run"
    study = fields_study(resolver(project, run))
    return run, study, study.find(Reporter())


@pytest.fixture(scope="module")
def split(project, tmp_path_factory):
    run = tmp_path_factory.mktemp("runs") / "run"
    study = split_study(resolver(project, run))
    return run, study, study.find(Reporter())


def cell_of(found, value):
    (cell,) = [one for one in found["cells"] if list(one["values"].values()) == [value]]
    return cell


def test_a_field_that_repeats_another_is_named_and_costs_nothing(ablated):
    _, _, finding = ablated
    found = finding.content
    assert [one["values"]["without"] for one in found["cells"]] == ["nothing", "page.title", "page.body"]
    uses = {use["field"]: use for use in found["uses"]}
    assert uses["page.body"]["shared"] == 1.0 and uses["page.body"]["most_like"] == ("page.title", 1.0)
    assert uses["product.title"]["shared"] == 0.0 and uses["page.body"]["tokens"] == 2 * uses["page.title"]["tokens"]
    assert cell_of(found, "nothing")["over"] == {} and found["lead"] == cell_of(found, "nothing")["name"]
    without = cell_of(found, "page.body")["over"]["valid"]["f1_macro"]
    assert without["paired"] and abs(without["difference"]) < 0.1
    rows = finding.parts[-2].rows
    assert rows[-1]["values"]["without"] == "product.title" and "cannot be left out" in rows[-1]["error"]
    assert "product.title is the only field of its side, which cannot be left out." in finding.parts


def test_the_records_stay_and_only_the_model_reads_less(ablated):
    run, study, _ = ablated
    assert len({read_json(cell.settings.run / "records" / "manifest.json")["fingerprint"] for cell in study.cells}) == 1
    stored = read_json(study.cells[2].settings.run / "teachers" / "base" / "view.json")
    assert stored["right"] == ["page.title"] and stored["left"] == ["product.title"]
    assert all("made" in line for line in study_lines(study)[1:4])
    assert "page.body" in (run / "ablate-fields.html").read_text(encoding="utf-8")


def test_as_a_command(ablated, project):
    options = ["--config", str(project), "--out", str(ablated[0])]
    done = CliRunner().invoke(app, ["ablate", "--fields", *options, "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout.splitlines()[-1])["lead"] == ablated[2].content["lead"]
    assert "nothing says what to leave out" in str(CliRunner().invoke(app, ["ablate", *options]).exception)


def test_another_view_and_another_model_can_be_asked_for(project, tmp_path):
    study = fields_study(resolver(project, tmp_path / "run"), view="card")
    assert [cell.settings.project.views["ablated"].right for cell in study.cells] == [["page.title"], []]
    with pytest.raises(UserError, match="unknown view"):
        fields_study(resolver(project, tmp_path / "run"), view="cart")
    single = "views.card={left: [product.title], right: []}"
    with pytest.raises(UserError, match="no field of this view can be left out"):
        fields_study(resolver(project, tmp_path / "run", single), view="card")


def test_a_cell_that_changes_nothing_is_no_further_model_of_a_diagnosis(ablated):
    run, study, _ = ablated
    execute(study.base, Reporter(), "evaluate")
    names = [one["name"] for one in diagnose([run])["models"]]
    assert names[0] == "base@document" and not [name for name in names if "without_nothing" in name]
    assert [name for name in names if "without_page.title" in name]


def test_what_a_view_says_of_a_field_goes_with_it(project, tmp_path):
    view = "{left: [product.title], right: [page.title, page.body], max_tokens: 24, budgets: {page.body: 5}"
    sets = f"views.document={view}, prefixes: {{page.title: 'стр. ', page.body: 'текст '}}}}"
    cells = fields_study(resolver(project, tmp_path / "run", sets)).cells
    views = {cell.values["without"]: cell.settings.project.views["ablated"] for cell in cells}
    assert views["page.title"].prefixes == {"page.body": "текст "} and views["page.title"].budgets == {"page.body": 5}
    assert views["page.body"].prefixes == {"page.title": "стр. "} and views["page.body"].budgets == {}


def test_fields_that_the_task_exchanges_are_in_every_view(project, tmp_path):
    view = "{left: [product.title, product.id], right: [page.title, page.body], max_tokens: 24}"
    sets = [f"views.{name}={view}" for name in ("document", "card")] + ["task.swap.fields=[[page.title, page.body]]"]
    study = fields_study(resolver(project, tmp_path / "run", *sets))
    assert [cell.values["without"] for cell in study.cells] == ["nothing", "product.title", "product.id"]
    assert all(cell.settings.project.views["ablated"].swap for cell in study.cells)
    shorter = frontier_study(resolver(project, tmp_path / "run", *sets)).cells
    fields = {cell.values["fields"] for cell in shorter}
    assert fields == {"all", "product.title | page.title, page.body"}


def test_a_full_split_shares_no_key_and_counts_what_crosses(split):
    _, study, finding = split
    found = finding.content
    names = [one["values"]["split"] for one in found["cells"]]
    assert names == ["random", "by product.id", "by page.id", "full"] and found["lead"] == found["cells"][0]["name"]
    shared = {cell.values["split"]: _shared(cell.settings.run / "records") for cell in study.cells}
    assert shared["random"]["product.id"] and shared["random"]["page.id"]
    assert not shared["by product.id"]["product.id"] and not shared["by page.id"]["page.id"]
    assert not any(shared["full"].values())
    assert all(sum(one["parts"].values()) + sum(one["dropped"].values()) == 480 for one in found["cells"])
    over = cell_of(found, "full")["over"]["test"]["f1_macro"]
    assert over["low"] < over["difference"] < over["high"] and not over["paired"]


def test_a_split_study_needs_keys(project, tmp_path):
    options = ["--config", str(project), "--out", str(tmp_path / "run"), "--set=data.keys=[]"]
    refused = CliRunner().invoke(app, ["split-study", *options]).exception
    assert isinstance(refused, UserError) and "the split study needs the identity column" in str(refused)
    one = split_study(resolver(project, tmp_path / "run", "data.keys=[product.id]"))
    assert [cell.values["split"] for cell in one.cells] == ["random", "by product.id"]


def test_a_model_that_is_not_fitted_here_is_not_studied(split, project, tmp_path):
    finished = split[1].cells[0].settings.run / "teachers" / "base"
    given = f"teachers={{base: {{preset: base, finished: {finished}}}, words: {{preset: words, weight: 0}}, "
    given += "both: {preset: ensemble, members: {base: 1, words: 1}, weight: 0}}"
    resolve = resolver(project, tmp_path / "run", given, "students={small: {preset: words}}")
    rate = ["teachers.base.training.learning_rate=1e-5,2e-5"]
    for study in (split_study, fields_study, partial(sweep_study, over=rate), partial(frontier_study, model="base")):
        with pytest.raises(UserError, match="made elsewhere, so there is nothing to fit"):
            study(resolve)
    for name in ("small", "both"):  # what they are made of has learned the rows of all tests
        with pytest.raises(UserError, match="may have learned the rows of every test(.|\n)*base"):
            split_study(resolve, name)
    assert split_study(resolve, "words").model == "words"
    assert frontier_study(resolve, model="small").model == "small"


def test_a_study_of_views_needs_a_model_that_reads_one(project, tmp_path):
    given = "teachers={other: {preset: words, weight: 0}, "
    given += "both: {preset: ensemble, members: {base: 1, other: 1}, weight: 0}}"
    for study in (fields_study, partial(frontier_study, views=())):
        with pytest.raises(UserError, match="no view but those of its members(.|\n)*base, other"):
            study(resolver(project, tmp_path / "run", given), model="both")
        with pytest.raises(UserError, match="no entry of its own"):
            study(resolver(project, tmp_path / "run"), model="tfidf")


def test_a_split_study_takes_what_is_made_of_models_that_learn(project, tmp_path):
    asked = "llm: {preset: http_llm, url: 'http://127.0.0.1:9/v1', model: m, weight: 0}"
    given = "teachers={base: {preset: words, weight: 0}, other: {preset: words, weight: 0}, "
    given += "both: {preset: ensemble, members: {base: 1, other: 1}, weight: 0}, "
    given += f"folds: {{preset: words, cross_fit: 2, kfold: true}}, {asked}}}"
    resolve = resolver(project, tmp_path / "run", given)
    assert [split_study(resolve, name).model for name in ("both", "folds-kfold")] == ["both", "folds-kfold"]
    with pytest.raises(UserError, match="the model learns no rows"):
        split_study(resolve, "llm")


def test_a_diagnosis_needs_models_of_the_same_rows(split):
    run, cells = split[0], split[1].cells
    with pytest.raises(UserError, match="a ranking needs at least 3 models"):
        diagnose([cells[0].settings.run])
    with pytest.raises(UserError, match="on the same rows only"):
        diagnose([cell.settings.run for cell in cells])
    with pytest.raises(UserError, match="no run here"):
        diagnose([run / "nowhere"])


def test_a_diagnosis_leaves_out_and_names_answers_that_are_out_of_date(project, tmp_path):
    other = "teachers.other={preset: words, view: card, ngrams: 3, weight: 0}"
    sets = ["students={small: {preset: words}}", "labels=document", other]
    resolve = resolver(project, tmp_path / "run", *sets)
    execute(resolve([]), Reporter(), "evaluate")
    fresh = {one["name"] for one in diagnose([tmp_path / "run"])["models"]}
    assert "small@card" in fresh
    execute(resolve(["views.document.max_tokens=12"]), Reporter(), "teach")
    finding = diagnosed([tmp_path / "run"], Reporter())
    kept = {one["name"] for one in finding.content["models"]}
    assert kept == fresh - {*finding.content["left_out"]} and "base@document" in kept
    assert finding.content["left_out"]["small@card"] == "teachers/base"
    assert any("Left out: small@card, since teachers/base was made anew" in str(part) for part in finding.parts)


def _shared(records: Path) -> dict[str, int]:
    """How many values of each key are in more than one part."""
    parts = [read_records(records, part) for part in ("train", "valid", "test.unseen")]
    keys = parts[0][0].keys
    counts = {key: Counter(value for part in parts for value in {row.keys[key] for row in part}) for key in keys}
    return {key: sum(times > 1 for times in own.values()) for key, own in counts.items()}
