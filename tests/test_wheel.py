"""The wheel holds what users need and nothing else, and works with the base dependencies alone."""

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.export.tiny_bundle import shared_bundle

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("distill", "teachers", "students", "export", "benchmarks")
VERBS = (
    *("init", "show", "audit", "pretrain", "teach", "label", "train", "evaluate", "export"),
    *("bench", "bundle", "verify", "predict", "report", "compare", "presets", "status"),
)
EXTRAS_ONLY = ("torch", "transformers", "accelerate", "safetensors", "onnx", "onnxruntime", "pytest")
KEPT = ("teachers/weights/planted.safetensors", "distill/report/planted.html")
LEFT_OUT = ("benchmarks/results/planted.json", "examples/planted.py", "tests/test_planted.py")


def run(*command: object) -> str:
    """Standard output of a command that must succeed; all its output is the message when it does not."""
    result = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the sources with one planted file per rule of what a wheel holds."""
    folder = tmp_path_factory.mktemp("checkout")
    for package in PACKAGES:
        shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    for file in ROOT.iterdir():
        if file.is_file():
            shutil.copy(file, folder)
    for name in KEPT + LEFT_OUT:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("planted", "utf-8")
    return folder


@pytest.fixture(scope="module")
def wheel(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built without isolation by the installed backend, so without a network."""
    folder = tmp_path_factory.mktemp("wheel")
    options = ("--no-deps", "--no-build-isolation", "--no-index", "--quiet", "--wheel-dir", folder)
    run(sys.executable, "-m", "pip", "wheel", *options, checkout)
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def bare(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The scripts folder of a new environment with the wheel and its base dependencies, without any extra.

    The dependencies are links to what this environment has installed, so nothing is fetched. Only those that the wheel
    itself asks for are linked: a forgotten one is missing here as it would be for a user.
    """
    folder = tmp_path_factory.mktemp("bare")
    run(sys.executable, "-m", "venv", "--without-pip", folder)
    python = folder / "bin" / "python"
    run(sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", "--no-index", "--quiet", wheel)
    link_distributions(base_closure(wheel), folder / "base")
    (site,) = (folder / "lib").glob("python*/site-packages")
    (site / "base.pth").write_text(f"{folder / 'base'}\n", "utf-8")
    return folder / "bin"


def needed(lines: list[str], extras: set[str]) -> list[Requirement]:
    """Requirement lines that apply here when a distribution is asked for with these extras."""
    requirements = [Requirement(line) for line in lines]
    return [r for r in requirements if not r.marker or any(r.marker.evaluate({"extra": e}) for e in {"", *extras})]


def base_closure(wheel: Path) -> set[str]:
    """Names of the distributions that the wheel needs without extras, and of all that these need in turn."""
    return closure(wheel_requirements(wheel))


def wheel_requirements(wheel: Path) -> list[Requirement]:
    """What the wheel itself asks for, without extras."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        text = archive.read(name).decode("utf-8")
    return needed(re.findall(r"^Requires-Dist: (.*)$", text, re.MULTILINE), set())


def closure(waiting: list[Requirement]) -> set[str]:
    """Names of the required distributions and of all that these need in turn."""
    seen: set[tuple[str, frozenset[str]]] = set()
    while waiting:
        requirement = waiting.pop()
        key = canonicalize_name(requirement.name), frozenset(requirement.extras)
        if key not in seen:
            seen.add(key)
            waiting += needed(metadata.requires(requirement.name) or [], requirement.extras)
    return {name for name, _ in seen}


def link_distributions(names: set[str], folder: Path) -> None:
    """Fill a folder with links to the top-level entries (modules, packages, metadata) of installed distributions."""
    folder.mkdir()
    for name in names:
        distribution = metadata.distribution(name)
        for entry in {file.parts[0] for file in distribution.files or []} - {"..", "__pycache__"}:
            (folder / entry).symlink_to(Path(str(distribution.locate_file(entry))).resolve())


def distill(bare: Path, cwd: Path, *arguments: object, **more: str) -> subprocess.CompletedProcess[str]:
    """Run the installed command in an environment that shows it neither this checkout nor the user's home."""
    shown = {"PATH": os.defpath, "HOME": str(cwd), "COLUMNS": "200", "NO_COLOR": "1", "HF_HUB_OFFLINE": "1"}
    environment = {**shown, **more}
    command = [str(bare / "distill"), *map(str, arguments)]
    result = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    assert "Traceback" not in result.stdout + result.stderr, result.stdout + result.stderr
    return result


def write_splits(folder: Path) -> list[Path]:
    """Three small JSONL files, train, valid and test, whose products and pages fall into one split each."""
    paths = []
    for split, rows in (("train", 60), ("valid", 20), ("test", 40)):
        records = [
            {
                "id": f"{split}-{row}",
                "label": ("not_about_pr", "ment_pr", "about_pr")[row % 3],
                "product": {"id": f"p-{split}-{row}", "title": f"Дрель ударная ДУ-{split}-{row} с патроном"},
                "page": {
                    "id": f"g-{split}-{row}",
                    "title": f"Купить инструмент номер {row} ({split})",
                    "body": f"Обзор инструмента {row} из части {split}: мощность, патрон, скорость. " * 5,
                },
            }
            for row in range(rows)
        ]
        path = folder / f"{split}.jsonl"
        path.write_text("".join(json.dumps(r, ensure_ascii=False) + "\n" for r in records), "utf-8")
        paths.append(path)
    return paths


def test_wheel_holds_the_packages_and_nothing_else(checkout: Path, wheel: Path):
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    paths = [path for package in PACKAGES for path in (checkout / package).rglob("*") if path.is_file()]
    files = {path.relative_to(checkout).as_posix() for path in paths}
    assert names == {name for name in files if not name.startswith("benchmarks/results/")}
    assert names.issuperset(KEPT) and names.isdisjoint(LEFT_OUT)


@pytest.mark.parametrize("package", ["teachers", "students", "export"])
def test_wheel_holds_presets(wheel: Path, package: str):
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert [n for n in names if n.startswith(f"{package}/presets/") and n.endswith(".yaml")]


def test_bare_environment_has_no_extra(bare: Path):
    code = f"from importlib.util import find_spec; print([n for n in {EXTRAS_ONLY!r} if find_spec(n)])"
    assert run(bare / "python", "-I", "-c", code) == "[]\n"


def test_bare_environment_can_load_what_it_has(bare: Path):
    modules = "numpy, pyarrow.parquet, pydantic, yaml, typer, rich, tokenizers, sklearn.feature_extraction.text"
    run(bare / "python", "-I", "-c", f"import {modules}")


def test_help_names_every_verb(bare: Path, tmp_path: Path):
    result = distill(bare, tmp_path, "--help")
    assert result.returncode == 0, result.stderr
    assert [verb for verb in VERBS if not re.search(rf"\b{verb}\b", result.stdout)] == []


def test_presets_lists_those_of_the_wheel(bare: Path, tmp_path: Path):
    result = distill(bare, tmp_path, "presets")
    assert result.returncode == 0, result.stderr
    for preset in ("base", "8L_trunc", "onnx-int8"):
        assert preset in result.stdout


def test_init_writes_a_config_that_audit_reads(bare: Path, tmp_path: Path):
    config, run_folder = tmp_path / "project.yaml", tmp_path / "run"
    made = distill(bare, tmp_path, "init", *write_splits(tmp_path), "--out", config)
    assert made.returncode == 0, made.stdout + made.stderr
    audited = distill(bare, tmp_path, "audit", "--config", config, "--out", run_folder)
    assert audited.returncode == 0, audited.stdout + audited.stderr
    assert json.loads((run_folder / "audit.json").read_text("utf-8"))


@pytest.mark.parametrize("verb", ["predict", "verify", "retune"])
def test_verbs_that_need_an_extra_answer_with_its_pip_line(bare: Path, tmp_path: Path, verb: str):
    (tmp_path / "bundle").mkdir()
    (tmp_path / "bundle" / "manifest.json").write_text("{}", "utf-8")
    files = [] if verb == "verify" else write_splits(tmp_path)[-1:]
    result = distill(bare, tmp_path, verb, tmp_path / "bundle", *files)
    assert result.returncode == 2, result.stdout + result.stderr
    assert "pip install 'distill[cpu]'" in result.stdout + result.stderr


def test_predict_and_verify_need_onnxruntime_only(bare: Path, tmp_path: Path):
    link_distributions(closure([Requirement("onnxruntime")]) - {"numpy"}, tmp_path / "extra")
    runtime = {"PYTHONPATH": str(tmp_path / "extra")}
    verified = distill(bare, tmp_path, "verify", shared_bundle(), **runtime)
    assert verified.returncode == 0, verified.stdout + verified.stderr
    records, answers = write_splits(tmp_path)[-1], tmp_path / "answers.jsonl"
    done = distill(bare, tmp_path, "predict", shared_bundle(), records, "--out", answers, **runtime)
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(answers.read_text("utf-8").splitlines()) == 40
