"""A bundle opened by Node.js: examples/node with the packages of the folder that DISTILL_NODE_MODULES names."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from distill.core.rendering import Renderer
from tests.clients.environments import EXAMPLES, NODE_MODULES, QUIET, golden, needs_node, require_recorded
from tests.export.tiny_bundle import MULTI, SINGLE_TEXT, VIEW, make_bundle, shared_bundle, tokenizer

CHECK = Path(__file__).with_name("node_golden.mjs")
VIEWS = {
    "windows": VIEW.model_copy(update={"budgets": {}}),
    "one_text": SINGLE_TEXT,
    "prefixes": VIEW.model_copy(update={"budgets": {}, "windows": None, "prefixes": {"page.title": "title: "}}),
}


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    """The example in a folder of its own, with its packages."""
    folder = tmp_path_factory.mktemp("node")
    for path in (EXAMPLES / "node").glob("*.mjs"):
        shutil.copy(path, folder)
    shutil.copy(CHECK, folder)
    (folder / "node_modules").symlink_to(Path(NODE_MODULES).resolve())
    return folder


def node(client, script, *arguments, text=None):
    command = ["node", str(client / script), *map(str, arguments)]
    return subprocess.run(command, input=text, capture_output=True, text=True, env=os.environ | QUIET, check=False)


@needs_node
@pytest.mark.parametrize("name", VIEWS)
def test_it_says_what_was_recorded(client, tmp_path, name):
    bundle = make_bundle(tmp_path, view=VIEWS[name])
    lines = golden(bundle)
    for artifact in ("fp32", "int8"):
        done = node(client, CHECK.name, bundle, artifact, "f1")
        assert done.returncode == 0, done.stderr
        said = json.loads(done.stdout)
        assert [one["windows"] for one in said] == [line["windows"] for line in lines]
        recorded = np.array([line["logits"][artifact] for line in lines])
        assert np.abs(np.array([one["logits"] for one in said]) - recorded).max() <= 1e-4
        require_recorded([one["answer"] for one in said], bundle, artifact, "f1")


@needs_node
def test_several_labels_are_those_of_the_sigmoid(client, tmp_path):
    thresholds = {"not_about_pr": 0.3, "ment_pr": 0.7, "about_pr": 0.9}
    bundle = make_bundle(tmp_path, space=MULTI, view=VIEWS["windows"], by_class=thresholds)
    text = "".join(json.dumps(line["record"]) + "\n" for line in golden(bundle))
    for point in ("", "class_f1", "f1"):
        done = node(client, "bundle.mjs", bundle, *(["fp32", point] if point else []), text=text)
        assert done.returncode == 0, done.stderr
        require_recorded([json.loads(line) for line in done.stdout.splitlines()], bundle, point=point)


@needs_node
@pytest.mark.parametrize(
    ("record", "found"),
    [
        ({"page.title": {"a": 1}}, "column 'page.title' needs text"),
        ({"page.title": 0.5}, "column 'page.title' needs text, found 0.5"),
        ({"page.title": "\ud800"}, "column 'page.title' needs text"),
    ],
)
def test_a_field_that_it_would_read_otherwise_is_refused(client, tmp_path_factory, record, found):
    bundle = _windows(tmp_path_factory)
    done = node(client, "bundle.mjs", bundle, text=json.dumps(record) + "\n")
    assert done.returncode == 1 and found in done.stderr


@needs_node
def test_what_it_cannot_do_is_refused_by_name(client, tmp_path_factory):
    assert "budgets of fields: use runtime.py" in node(client, "bundle.mjs", shared_bundle()).stderr
    bundle = _windows(tmp_path_factory)
    assert "no 'fp16'; known: fp32,int8" in node(client, "bundle.mjs", bundle, "fp16").stderr
    assert "no operating point 'x'" in node(client, "bundle.mjs", bundle, "fp32", "x", text="{}").stderr


ENCODED = """
import { readRecord, renderer } from %s;
const asked = [], view = %s;
const tokenizer = () => ({ input_ids: [1], token_type_ids: [0] });
tokenizer.encode = (text) => { asked.push(text); return [1]; };
const encode = renderer(view, tokenizer);
for (const line of process.argv[1].split("\\n")) {
  try { encode(readRecord(line)); console.log(asked.at(-1)); } catch (error) { console.log(error.message); }
}
"""


@pytest.mark.skipif(not shutil.which("node"), reason="there is no node")
def test_a_record_is_read_as_python_reads_it_or_refused():
    fields, refused = ["price", "constructor", "a.length"], "column 'price' needs text, found"
    lines = {
        '{"price": 19}': "19",
        '{"price": -0, "e": 1e2, "f": [0.5]}': "0",
        '{"price": 19.0}': f"{refused} 19.0",
        '{"price": 1e2}': f"{refused} 1e2",
        '{"price": ["a", -1.50E+3]}': f"{refused} -1.50E+3",
        '{"price": "19.0 \\" 1e2"}': '19.0 " 1e2',
        '{"price": "x", "constructor": "y", "a": "text"}': "x | y",
        '{"price": "x", "a": [1, 2]}': "x",
        '\ufeff{"price": "marked"}': "marked",
        '{"price": {"text": 1}}': f'{refused} {{"text":1}}',
    }
    view = {"left": fields, "max_tokens": 16, "separator": " | ", "pad_id": 0, "prefixes": {}}
    rendering = Renderer(view, tokenizer())
    for line, said in lines.items():
        if not said.startswith("column"):
            assert rendering.text(json.loads(line.encode()))[0] == said
    script = ENCODED % (json.dumps((EXAMPLES / "node" / "rendering.mjs").as_uri()), json.dumps(view))
    broken = ['{"price": 1.}', '{"price": 01.5}', '{"price": 1.5.5}', "{1.5: 1}"]
    command = ["node", "--input-type=module", "-e", script, "--", "\n".join([*lines, *broken])]
    found = subprocess.run(command, capture_output=True, encoding="utf-8", check=True).stdout.splitlines()
    assert found[: len(lines)] == list(lines.values())
    assert all("JSON" in line for line in found[len(lines) :]) and len(found) == len(lines) + len(broken)


_MADE = []


def _windows(tmp_path_factory):
    if not _MADE:
        _MADE.append(make_bundle(tmp_path_factory.mktemp("windows"), view=VIEWS["windows"]))
    return _MADE[0]


def test_its_packages_are_pinned_and_no_address_is_stored():
    package = json.loads((EXAMPLES / "node" / "package.json").read_bytes())
    assert all(version[0].isdigit() for version in package["dependencies"].values())
    assert {path.name for path in (EXAMPLES / "node").iterdir()} >= {"bundle.mjs", "rendering.mjs", "package.json"}
    assert not list(EXAMPLES.rglob("*lock*")) and "://" not in (EXAMPLES / "node" / "package.json").read_text("utf-8")
