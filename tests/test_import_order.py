"""The direction of imports, by the contracts of pyproject.toml, and what the light modules load at run time."""

import ast
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("distill", "teachers", "students", "export", "benchmarks")
LIGHT_PACKAGES = ("distill.core", "distill.evaluation", "distill.report", "distill.demo", "export.targets")
LIGHT_MODULES = (
    "teachers.config",
    "students.config",
    "export.config",
    "benchmarks.config",
    "export.runtime",
    "export.verify",
)
# Files that run with a bundle and without distill, and all that they may import besides the standard library.
BUNDLED = {
    "distill/core/rendering.py": set(),
    "distill/core/sending.py": {"numpy", "numpy.typing"},
    "export/client.py": {"runtime"},
    "export/verify.py": {"numpy", "numpy.typing", "tokenizers"},
    "export/receipts.py": {"numpy", "onnxruntime", "tokenizers"},
    "distill/inference/providers.py": {"distill.inference", "onnxruntime"},
    "distill/inference/engines.py": {"numpy", "onnxruntime", "tensorrt"},
    # Those of distill and export are next to it in a bundle.
    "export/runtime.py": {
        *("numpy", "numpy.typing", "onnxruntime", "tokenizers"),
        *("distill.core", "distill.inference", "export"),
    },
}


def lint(root: Path) -> subprocess.CompletedProcess[str]:
    """Run import-linter on a checkout. The script of this interpreter's environment, so no other version is found."""
    script = Path(sys.executable).parent / "lint-imports"
    return subprocess.run([script, "--no-cache"], cwd=root, capture_output=True, text=True, check=False)


def imported_names(source: str) -> set[str]:
    """Absolute module names that a source imports anywhere, functions included."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            names.add("." * node.level + (node.module or ""))
    return names


def foreign_names(source: str) -> set[str]:
    """Imported names that are not of the standard library."""
    return {name for name in imported_names(source) if name.split(".")[0] not in sys.stdlib_module_names}


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of the sources, without weights and caches, in which a fault can be planted."""
    for package in PACKAGES:
        ignored = shutil.ignore_patterns("__pycache__", "*.safetensors", "results")
        shutil.copytree(ROOT / package, tmp_path / package, ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_contracts_hold():
    result = lint(ROOT)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize(
    ("planted", "statement", "contract"),
    [
        ("distill/core/planted.py", "import torch", "never import torch"),
        ("distill/core/planted.py", "def late():\n    from transformers import AutoModel\n", "never import torch"),
        ("export/runtime.py", "import torch", "never import torch"),
        ("distill/core/planted.py", "import distill.models", "imports go down"),
        ("distill/training/planted.py", "import teachers", "imports go down"),
        ("distill/families/planted.py", "import teachers", "imports go down"),
        ("distill/training/planted.py", "import distill.families", "imports go down"),
        ("students/planted.py", "import teachers", "imports go down"),
        ("export/planted.py", "import benchmarks", "imports go down"),
        ("benchmarks/planted.py", "import distill.cli", "imports go down"),
        ("benchmarks/planted.py", "import distill.pipeline", "imports go down"),
        ("distill/pipeline/planted.py", "import distill.cli", "imports go down"),
        ("distill/evaluation/planted.py", "import distill.report", "above evaluation"),
        ("distill/evaluation/planted.py", "import torch", "never import torch"),
        ("distill/report/planted.py", "import distill.models", "know no model"),
        ("distill/demo/planted.py", "import distill.report", "imports core alone"),
        ("distill/inference/planted.py", "import distill.families", "imports go down"),
        ("benchmarks/latency_worker.py", "import distill.inference.torch_runner", "opened by their family or target"),
        ("export/parity.py", "from distill.inference import onnx_runner", "opened by their family or target"),
        ("teachers/planted.py", "import distill.inference.vector_runner", "opened by their family or target"),
    ],
)
def test_planted_import_is_caught(checkout: Path, planted: str, statement: str, contract: str):
    path = checkout / planted
    path.write_text((path.read_text("utf-8") if path.exists() else "") + f"\n{statement}\n", "utf-8")
    result = lint(checkout)
    broken = [line for line in result.stdout.splitlines() if re.search(r" BROKEN( \(.*\))?$", line.rstrip())]
    assert result.returncode == 1, result.stdout + result.stderr
    assert len(broken) == 1 and contract in broken[0]


def test_light_modules_load_no_torch():
    """import-linter follows statements; this follows what Python runs, package __init__ files included."""
    code = f"""
import importlib, pkgutil, sys
names = list({LIGHT_MODULES!r})
for package in {LIGHT_PACKAGES!r}:
    names.append(package)
    names += [m.name for m in pkgutil.walk_packages(importlib.import_module(package).__path__, package + ".")]
for name in names:
    if not name.endswith("__main__"):
        importlib.import_module(name)
        heavy = {{"torch", "transformers"}} & set(sys.modules)
        assert not heavy, f"{{name}} loads {{sorted(heavy)}}"
print(len(names))
"""
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert int(result.stdout) > len(LIGHT_MODULES) + len(LIGHT_PACKAGES)


@pytest.mark.parametrize("path", BUNDLED)
def test_bundled_files_import_only_what_a_bundle_promises(path: str):
    assert foreign_names((ROOT / path).read_text("utf-8")) <= BUNDLED[path]


def test_evaluation_imports_only_what_the_plain_install_asks_for():
    plain = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["dependencies"]
    named = {Requirement(line).name.replace("scikit-learn", "sklearn") for line in plain}
    for path in (ROOT / "distill" / "evaluation").rglob("*.py"):
        assert {name.split(".")[0] for name in foreign_names(path.read_text("utf-8"))} - {"distill"} <= named, path


def test_foreign_import_is_seen():
    assert foreign_names("import json\ndef late():\n    from sklearn.svm import SVC\n") == {"sklearn.svm"}
    assert foreign_names("from . import rendering") == {"."}


@pytest.mark.parametrize("module", ["distill", "export.runtime", "export.golden", "benchmarks.latency_worker"])
def test_nothing_reports_to_anybody(module: str):
    """ONNX Runtime reads the variable when it is imported; a value of the user's own stays."""
    code = (
        "import builtins, os\n"
        "kept, real = [], builtins.__import__\n"
        "def watched(name, *rest):\n"
        "    if name.split('.')[0] == 'onnxruntime': kept.append(os.environ.get('ORT_DISABLE_TELEMETRY'))\n"
        "    return real(name, *rest)\n"
        "builtins.__import__ = watched\n"
        f"import {module}\n"
        "assert set(kept) <= {'1'} and os.environ['ORT_DISABLE_TELEMETRY'] == '1', kept\n"
    )
    environment = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
