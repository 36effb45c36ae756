"""The benchmark of shapes on tiny ones: every form is timed beside the teacher, and the table names them all."""

import json

import pytest

from benchmarks import bench, shapes
from benchmarks.family_checkpoints import FAMILIES, write_checkpoint
from benchmarks.figures import fill
from benchmarks.graph_models import is_shape
from benchmarks.latency_worker import run_job
from benchmarks.result_kinds import kind_of
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
def stored(places):
    """The result of one run of the command."""
    options = shapes._options(
        ["--data", str(places / "data"), "--encoder", str(places / "encoder"), *QUICK]
        + ["--teacher", "2x64", "--student", "1x64"]
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bench, "run_process", here)
        return json.loads(json.dumps(shapes.measure(options, places)))


@pytest.mark.slow
def test_every_form_of_both_shapes_is_timed(stored):
    models = [f"{shape}{form}" for shape in ("2x64@document", "1x64@card") for form in FORMS]
    assert [row["model"] for row in stored["rows"]] == models
    assert [row["precision"] for row in stored["rows"]] == 2 * ["fp32", "fp32", "int8"]
    assert stored["rows"][0]["tokens"] > stored["rows"][3]["tokens"]
    assert stored["ratios"]["1x64@card"]["speedup_vs_teacher"] > 0
    assert stored["command"].endswith("--teacher 2x64 --student 1x64")


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


def test_missing_data_is_named(places, capsys):
    assert shapes.main(["--data", str(places / "nothing"), "--encoder", str(places / "encoder")]) == 2
    assert "test_unseen" in capsys.readouterr().err
