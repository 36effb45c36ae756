"""MLServer (KServe V2) over a bundle, really started on loopback, asked over HTTP and gRPC by a client of its own."""

import json
import shutil
import sys
from pathlib import Path

import pytest

from tests.clients.environments import (
    EXAMPLES,
    SERVING,
    free_ports,
    golden,
    needs_serving,
    require_recorded,
    run,
    served,
)
from tests.export.tiny_bundle import MULTI, make_bundle, shared_bundle

CLIENT = Path(__file__).with_name("mlserver_client.py")
pytestmark = needs_serving


@pytest.fixture(scope="module")
def several(tmp_path_factory):
    """A bundle of a task in which several labels may hold."""
    return make_bundle(tmp_path_factory.mktemp("several"), space=MULTI)


@pytest.fixture(scope="module")
def said(several, tmp_path_factory):
    """What one server says: to golden records both ways, alone and at once, to bad requests, and by a second model."""
    models = tmp_path_factory.mktemp("mlserver") / "models"
    shutil.copytree(EXAMPLES / "mlserver", models)
    shutil.copytree(shared_bundle(), models / "bundle")
    shutil.copytree(EXAMPLES / "mlserver", models / "several")
    (models / "several" / "settings.json").unlink()
    (models / "several" / "bundle").symlink_to(several)
    settings = json.loads((models / "model-settings.json").read_bytes()) | {"name": "several"}
    settings["parameters"]["extra"]["precision"] = "int8"
    (models / "several" / "model-settings.json").write_text(json.dumps(settings))
    http, grpc, metrics = free_ports(3)
    variables = {"MLSERVER_HTTP_PORT": http, "MLSERVER_GRPC_PORT": grpc, "MLSERVER_METRICS_PORT": metrics}
    start = [Path(SERVING).with_name("mlserver"), "start", models]
    with served(start, [http, grpc], models.parent / "log", **{key: str(value) for key, value in variables.items()}):
        records = [line["record"] for line in golden(shared_bundle())]
        return run(SERVING, CLIENT, http=http, grpc=grpc, records=records, fields=FIELDS)


FIELDS = {"page.title": ["дрель", "", "wireless headphones"], "product.title": ["дрель", "x", ""]}


@pytest.mark.parametrize("way", ["http", "grpc", "together"])
def test_labels_probabilities_and_decisions_are_those_recorded(said, way):
    require_recorded(said[way], shared_bundle(), point="f1")


def test_a_second_model_of_the_server_is_another_bundle(said, several):
    require_recorded(said["several"], several, "int8")
    assert said["several_labels"] == [answer["label"] for answer in said["several"]]


def test_one_tensor_for_each_field_is_read_as_records(said):
    from export.runtime import load_bundle

    bundle = load_bundle(shared_bundle(), "fp32", 1)
    rows = [dict(zip(FIELDS, row, strict=True)) for row in zip(*FIELDS.values(), strict=True)]
    for one, other in zip(said["fields"]["answers"], bundle.predict(rows), strict=True):
        assert one["label"] == other["label"] and one["probabilities"] == pytest.approx(other["probabilities"])
    assert said["fields"]["label"] == [one["label"] for one in said["fields"]["answers"]]
    shown = [list(one["probabilities"].values()) for one in said["fields"]["answers"]]
    assert said["fields"]["probabilities"] == [value for row in shown for value in row]


BAD = {
    "no JSON": "record 1: not JSON",
    "deep": "record 0: not JSON: maximum recursion",
    "no record": "record 0: a mapping of fields is needed, got list",
    "no text": "record 1: column 'page.title' needs text, found dict",
    "surrogate": "record 0: its text is not valid Unicode",
    "numbers": "input 'RECORD' needs texts, found int",
    "unknown column": "any of product.title, product.defin, page.title, page.body",
    "lengths": "page.title (1), page.body (2)",
    "shape": "input 'page.title' needs BYTES of as many texts as it has, 1",
    "no inputs": "inputs none; needed: RECORD alone",
    "point": "no operating point 'nothing' at fp32; known: f1, recall@P>=0.9",
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_request_is_refused_with_the_reason(said, name):
    status, text = said["bad"][name]
    assert status == 400 and BAD[name] in text


def test_a_body_that_is_no_request_and_bytes_that_are_no_text_are_refused(said):
    assert said["bad"]["body"][0] == 422
    assert said["grpc_bad"]["utf8"].startswith("[StatusCode.INVALID_ARGUMENT] input 'RECORD'")
    assert "record 0: not JSON" in said["grpc_bad"]["json"]


def test_the_server_answers_after_all_that(said):
    assert said["after"] == said["http"][0]
    assert "mlserver" not in sys.modules
