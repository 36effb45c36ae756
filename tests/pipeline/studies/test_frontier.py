"""`distill frontier` on words alone, with a machine of known speed in place of processes."""

from __future__ import annotations

import copy
from io import StringIO

import pytest
from rich.console import Console
from tokenizers import processors
from typer.testing import CliRunner

from benchmarks.subjects import Subject
from distill.cli.app import app
from distill.core.errors import UserError
from distill.core.files import read_json
from distill.core.intake.words import word_tokenizer
from distill.core.progress import Reporter
from distill.core.view import View
from distill.pipeline.studies.frontier import frontier_study
from distill.report.studies.frontier_table import frontier_sentences
from distill.report.tables import rich_tables
from tests.pipeline.studies.study_project import resolver, write_project
from tests.pipeline.test_budget import ENCODER

LENGTHS = [24, 18, 12, 9, 6]
TEXTS = {"product.title | page.title", "product.title"}


class Machine:
    """Takes a millisecond for each token that the view may have, and a fifth of one for each field."""

    def __init__(self):
        self.asked = []

    def __call__(self, subjects: list[Subject], rows, config, threads):
        self.asked.append([subject.name for subject in subjects])
        assert threads == 1 and all(len(own) == config.requests for own in rows.values())
        views = {one.name: View.load(one.model_folder).config for one in subjects}
        return {name: [self.process(view, factor) for factor in (0.99, 1.01)] for name, view in views.items()}

    def process(self, view, factor):
        ms = factor * (view.max_tokens + 0.2 * len(view.fields))
        return {"batches": {"1": {"total_ns": [1e6 * ms] * 5}}, "tokens": [1]}


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    return write_project(tmp_path_factory.mktemp("project"))


@pytest.fixture(scope="module")
def studied(project, tmp_path_factory):
    resolve = resolver(project, tmp_path_factory.mktemp("runs") / "run", "bench.requests=100")
    machine = Machine()
    study = frontier_study(resolve, time=machine)
    return resolve, machine, study, study.find(Reporter())


def test_shorter_and_narrower_views_are_compared_with_the_longest_in_quality_tokens_and_ms(studied):
    _, machine, study, finding = studied
    found = finding.content
    values = [(cell["values"]["fields"], cell["values"]["max_tokens"]) for cell in found["cells"]]
    assert [tokens for fields, tokens in values if fields == "all"] == LENGTHS and len(values) == 7
    assert {fields for fields, tokens in values if fields != "all"} == TEXTS
    first, *others = found["cells"]
    assert found["lead"] == first["name"] and first["over"] == {}
    assert all(cell["over"]["valid"]["f1_macro"]["paired"] for cell in others)
    narrow = next(cell for cell in others if cell["values"]["fields"] == "product.title")
    assert narrow["over"]["valid"]["f1_macro"]["high"] < 0 and narrow["tokens"] < first["tokens"]
    speed = found["speed"]["cells"]
    assert speed[first["name"]]["p50"]["value"] == pytest.approx(24.6, rel=0.01)
    assert (
        speed[narrow["name"]]["times"]["value"] == pytest.approx(24.6 / 24.2) and speed[first["name"]]["times"] is None
    )
    shortest = found["cells"][4]
    assert shortest["cut"] > first["cut"] and shortest["tokens"] < first["tokens"]
    assert machine.asked == [[cell.name for cell in study.cells]]


def test_a_cheaper_view_that_is_shown_to_be_better_is_the_cheapest_that_is_not_worse(studied):
    found = copy.deepcopy(studied[3].content)
    shortest = found["cells"][4]
    better = {"difference": 0.05, "low": 0.04, "high": 0.06, "p_value": 0.001, "p_holm": 0.001}
    shortest["over"]["valid"]["f1_macro"] |= better
    tokens = f"{shortest['tokens']:.1f} tokens a row"
    named = [sentence for sentence in frontier_sentences(found) if tokens in sentence]
    assert len(named) == 1 and named[0].startswith("Cheapest that is not shown to be worse: ")
    shortest["over"]["valid"]["f1_macro"] |= {"difference": -0.05, "low": -0.06, "high": -0.04}
    assert not any(sentence.startswith("Cheapest") and tokens in sentence for sentence in frontier_sentences(found))


def test_a_second_start_makes_and_times_nothing_and_what_cells_share_is_made_once(studied):
    resolve, machine, study, finding = studied
    again = frontier_study(resolve, time=machine).find(Reporter())
    assert again.content == finding.content and len(machine.asked) == 1
    assert len({read_json(cell.settings.run / "records" / "manifest.json")["fingerprint"] for cell in study.cells}) == 1


def test_it_is_told_in_80_columns_and_drawn(studied):
    resolve, _, _, finding = studied
    sentences = [part for part in finding.parts if isinstance(part, str)]
    assert sentences[0].startswith("Macro F1 of base on the longest view (fields all, max_tokens 24)")
    assert any(line.startswith("Cheapest that is not shown to be worse: ") for line in sentences)
    assert any("product.title, max_tokens 24: −" in line and "as fast" in line for line in sentences)
    console = Console(width=80, file=StringIO())
    console.print(rich_tables(finding.parts[-2], console.width))
    assert max(map(len, console.file.getvalue().splitlines())) <= 80
    page = (resolve([]).run / "frontier.html").read_text(encoding="utf-8")
    assert "What a shorter card costs" in page and page.count("<circle") == 2 * 7  # for wide and narrow screens


def test_lengths_without_room_for_text_are_left_out(project, tmp_path):
    tokenizer = word_tokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] [SEP] $B [SEP] [SEP]", special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
    )
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    encoder = f"teachers.base={{preset: base, checkpoint: {tmp_path}}}"

    def lengths(tokens, *sets):
        study = frontier_study(resolver(project, tmp_path / "run", f"views.document.max_tokens={tokens}", *sets))
        return [cell.values["max_tokens"] for cell in study.cells if cell.values["fields"] == "all"]

    assert lengths(32) == [32, 24, 16, 12, 8]  # 4 is three special tokens, and one for two sides
    assert lengths(40) == [40, 30, 20, 15, 10, 5]
    assert lengths(40, encoder) == [40, 30, 20, 15, 10]  # its five special tokens and two sides need 7


def test_views_of_the_project_are_compared_as_they_are(project, tmp_path):
    study = frontier_study(resolver(project, tmp_path / "run"), ["card", "document"])
    assert [cell.values for cell in study.cells] == [
        {"view": "document", "max_tokens": 24},
        {"view": "card", "max_tokens": 16},
    ]
    options = ["--config", str(project), "--out", str(tmp_path / "run"), "--view", "cart"]
    refused = CliRunner().invoke(app, ["frontier", *options]).exception
    assert isinstance(refused, UserError) and "did you mean 'card'" in str(refused)


@pytest.mark.slow
def test_students_are_timed_as_the_file_that_they_leave_as_in_processes_of_their_own(project, tmp_path):
    bench = "bench={requests: 20, warmup: 2, processes: 2, minutes: 0}"
    resolve = resolver(project, tmp_path / "run", *ENCODER, bench, "students.1L.training.may_collapse=true")
    found = frontier_study(resolve, ["card", "document"]).find(Reporter()).content
    speed = found["speed"]
    assert found["model"] == "1L" and speed["target"] == "onnx" and len(speed["cells"]) == 2
    assert all(one["p50"]["low"] < one["p50"]["value"] < one["p50"]["high"] for one in speed["cells"].values())
    assert (tmp_path / "run" / "frontier" / "exported" / found["lead"] / "model.onnx").exists()
