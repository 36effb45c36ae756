"""The benchmark of shapes on tiny ones: every form is timed beside the teacher, and the table names them all."""

import json
import shutil

import pytest

from benchmarks import bench, shapes
from benchmarks.family_checkpoints import FAMILIES, write_checkpoint
from benchmarks.figures import fill
from benchmarks.graph_models import is_shape
from benchmarks.latency_worker import run_job
from benchmarks.result_kinds import kind_of
from distill.core.files import write_json
from distill.core.sealed import write_sealed
from tests.benchmarks.raw_sets import write

QUICK = ["--set", "requests=4", "--set", "warmup=1", "--set", "processes=2", "--set", "minutes=0", "--threads", "1"]
FORMS = ("", ".onnx", ".onnx-int8")


def offers(count):
    texts = [{"title": f"drill {n}", "brand": "b black", "description": "a saw " * n} for n in range(count)]
    return [{"id": str(n), "label": n % 2, "left": texts[n], "right": texts[(n + 1) % count]} for n in range(count)]


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    root = tmp_path_factory.mktemp("shapes")
    write_checkpoint(FAMILIES["BERT"], ["a drill and a saw", "b black"], root / "encoder")
    write(root / "data" / "wdc_products" / "test_unseen.jsonl.gz", offers(12))
    return root


def here(subject, rows, config, threads, more=None):
    """What a fresh process would measure, in this one."""
    job = {"subject": subject.as_json(), "rows": rows, "threads": threads, "config": config.model_dump(mode="json")}
    return run_job({**job, **(more or {})})


@pytest.fixture(scope="module")
def run(places):
    """A finished run: a teacher on documents, a student on cards with its file in fp32."""
    folder, made = places / "run", places / "made"
    made.mkdir()
    for name, kind, view in (("base@document", "teachers", "document"), ("1L", "students", "card")):
        trained, *_ = shapes._forms(places / "encoder", "1x64", view, shapes._views(), made)
        shutil.copytree(trained.model_folder, folder / kind / name)
    shutil.copytree(made / "1x64@card.onnx", folder / "export" / "1L" / "onnx")
    teacher = {"name": "base@card", "role": "teacher", "view": "card", "quality": {"f1_macro": {"value": 0.8}}}
    read_anew = {**teacher, "name": "base@document>card", "made_from": "base@document", "quality": {"f1_macro": 0.1}}
    file = {"name": "1L@card.onnx", "role": "artifact", "view": "card", "quality": {"f1_macro": {"value": 0.76}}}
    write_sealed(folder / "report.json", {"models": [read_anew, teacher, file]})
    write_json(folder / "run.json", {"config": {"teachers": {"base": {}}, "students": {"1L": {}}}, "stages": []})
    return folder


@pytest.fixture(scope="module")
def stored(places, run):
    """The result of one run of the command."""
    options = shapes._options(
        ["--data", str(places / "data"), "--encoder", str(places / "encoder"), *QUICK]
        + ["--teacher", "2x64", "--student", "1x64", "--run", str(run)]
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bench, "run_process", here)
        return json.loads(json.dumps(shapes.measure(options, places)))


@pytest.mark.slow
def test_every_form_of_both_shapes_is_timed(stored):
    models = [f"{shape}{form}" for shape in ("2x64@document", "1x64@card") for form in FORMS]
    assert [row["model"] for row in stored["rows"]] == [*models, "1L@card.onnx"]
    assert [row["precision"] for row in stored["rows"]] == [*2 * ["fp32", "fp32", "int8"], "fp32"]
    assert stored["rows"][0]["tokens"] > stored["rows"][3]["tokens"]
    assert stored["ratios"]["1x64@card"]["speedup_vs_teacher"] > 0
    assert stored["command"].endswith("--teacher 2x64 --student 1x64 --run RUN")


@pytest.mark.slow
def test_an_exported_student_of_a_run_stands_with_its_quality(stored):
    kept = stored["trained"]["1L@card.onnx"]
    assert list(stored["trained"]) == ["1L@card.onnx"]
    assert kept["share_of_card_teacher"] == pytest.approx(0.95) and kept["card_teacher"] == {"value": 0.8}
    lines = kind_of(stored).full(stored).splitlines()
    assert next(line for line in lines if "1L@card.onnx" in line).endswith("| 76.00, 95.0% of 80.00 |")
    assert next(line for line in lines if "`1x64@card.onnx`" in line).endswith("| – |")
    assert fill("{kept: 1L@card.onnx}", stored, kind_of(stored).figures, "here") == "95.0%"


@pytest.mark.slow
def test_the_page_and_its_sentences_name_the_ratios(stored):
    kind = kind_of(stored)
    page = kind.full(stored)
    assert "`1x64@card.onnx-int8`" in page and "Random weights" in page
    ratio = stored["ratios"]["1x64@card"]["speedup_vs_teacher"]
    assert f"{ratio:.3g}×" in fill("{speed: 1x64@card}", stored, kind.figures, "here")
    assert kind.short(stored, []) in page


@pytest.mark.parametrize("text", ["6x384", "12x768"])
def test_a_shape_is_layers_by_width(text):
    assert is_shape(text)


@pytest.mark.parametrize("text", ["6", "0x64", "6x100", "sixx64", "6x384x2"])
def test_anything_else_is_refused_by_name(text, places, capsys):
    told = ["--data", str(places / "data"), "--encoder", str(places / "encoder"), "--student", text]
    assert shapes.main(told) == 2
    assert text in capsys.readouterr().err


def test_a_run_without_what_is_timed_is_named(places, run, tmp_path, capsys):
    told = ["--data", str(places / "data"), "--encoder", str(places / "encoder"), "--run"]
    assert shapes.main([*told, str(tmp_path)]) == 2
    assert "no report of a finished run" in capsys.readouterr().err
    shutil.copytree(run, tmp_path / "run")
    shutil.rmtree(tmp_path / "run" / "export")
    assert shapes.main([*told, str(tmp_path / "run")]) == 2
    assert "no exported student on cards" in capsys.readouterr().err
    write_sealed(tmp_path / "run" / "report.json", {"models": []})
    assert shapes.main([*told, str(tmp_path / "run")]) == 2
    assert "no card teacher" in capsys.readouterr().err


def test_missing_data_is_named(places, capsys):
    assert shapes.main(["--data", str(places / "nothing"), "--encoder", str(places / "encoder")]) == 2
    assert "test_unseen" in capsys.readouterr().err
