"""docs/serving.md: every client of its table has a section, a test that is there, and code that is short and runs."""

import json
import re
import shutil
import sys
from pathlib import Path

import pytest

from tests.clients.environments import EXAMPLES
from tests.export.tiny_bundle import shared_bundle

ROOT = EXAMPLES.parent
PAGE = (ROOT / "docs" / "serving.md").read_text(encoding="utf-8")
ROWS = [[cell.strip() for cell in line.strip("|").split("|")] for line in PAGE.splitlines() if line.startswith("| [")]
BLOCKS = re.findall(r"```(\w*)\n(.*?)```", PAGE, re.DOTALL)
ANCHORS = {
    re.sub(r"[^\w -]", "", line.lstrip("# ").lower()).replace(" ", "-") for line in re.findall(r"^#+ .*", PAGE, re.M)
}
WORDS = {"yes", "no", "refused", "numbers", "if asked", "by an option", "by hand", "first only", "by rendering"}


@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_a_client_of_the_table_has_its_section_and_its_test(row):
    assert len(row) == 8 and set(row[1:7]) <= WORDS
    assert re.search(r"\(#(.+)\)", row[0])[1] in ANCHORS
    assert (ROOT / row[7].strip("`")).is_file()


def test_all_clients_are_there():
    assert len(ROWS) == 10 and {row[0].split("]")[0].strip("[`") for row in ROWS} >= {
        "runtime.py",
        "MLServer",
        "Node.js",
    }
    for path in re.findall(r"\]\(\.\./(examples[^)#]*)\)", PAGE):
        assert (ROOT / path).exists(), path


def test_code_is_short():
    assert max(block.count("\n") for _, block in BLOCKS) <= 15 and len(BLOCKS) >= 10
    for language, block in BLOCKS:
        if language == "python":
            compile(block, "docs/serving.md", "exec")


def test_what_curl_is_given_is_json_and_says_so():
    """Without the header FastAPI, and so MLServer, takes the body for a form."""
    asked = [line for _, block in BLOCKS for line in block.replace("\\\n", " ").split("curl ")[1:]]
    assert len(asked) == 4 and all("content-type: application/json" in one for one in asked)
    bodies = [json.loads(re.search(r"-d '(.*?)'", one, re.DOTALL)[1]) for one in asked]
    assert [next(iter(body)) for body in bodies] == ["parameters", "records", "inputs", "instances"]
    (record,) = bodies[0]["inputs"][0]["data"]
    assert json.loads(record) == bodies[1]["records"][0]


def test_the_code_for_python_runs(tmp_path, monkeypatch, capsys):
    shutil.copytree(shared_bundle(), tmp_path / "bundles" / "8L_trunc")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path / "bundles" / "8L_trunc"))
    (block,) = [block for _, block in BLOCKS if "from runtime import" in block]
    exec(block, {})
    assert "'positive':" in capsys.readouterr().out
    (rendered,) = [block for _, block in BLOCKS if "from rendering import" in block]
    found = {"record": {"page": {"title": "drill"}}}
    exec(rendered, found)
    assert (found["left"], found["right"]) == ("", "drill")
    for name in ("runtime", "rendering"):
        del sys.modules[name]


def test_the_variables_and_files_of_the_last_section_are_those_of_the_tests():
    last = PAGE[PAGE.index("## Check all clients") :]
    used = {
        name
        for path in (ROOT / "tests").rglob("*.py")
        for name in re.findall(r"environ\.get\(\"(DISTILL_(?:NODE|SERVING|OPTIMUM)_\w+)\"\)", path.read_text("utf-8"))
    }
    assert used == set(re.findall(r"DISTILL_\w+", last)) and len(used) == 3
    for path in re.findall(r"(?:requirements|tests|examples)/[\w./]+", last):
        assert (ROOT / path.removesuffix(".")).exists(), path
    assert Path(ROOT / "examples" / "node" / ".npmrc").read_text("utf-8") == "package-lock=false\n"
