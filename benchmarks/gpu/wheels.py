"""An environment for the parts, from a folder of wheels and without a network, over what the machine already has."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Sequence
from pathlib import Path

from distill.core.errors import UserError
from distill.core.files import read_object, remove, write_json

_ERROR_LINES = 6
_SECONDS = 240
NEEDED = (
    *("pydantic", "yaml", "pyarrow", "tokenizers", "sklearn", "torch", "transformers", "accelerate", "safetensors"),
    *("onnx", "onnxscript", "onnxruntime", "pytest", "typer", "rich"),
)
"""Modules without which no part runs."""


def environment(wheels: Path, folder: Path) -> Path:
    """The Python of an environment with all wheels of a folder; one that was made of the same wheels is kept.

    It sees the packages of the Python that runs this, so that a machine's own PyTorch with CUDA is used unless the
    folder brings another one.

    Raises: UserError for a folder without wheels, and where pip cannot install them.
    """
    found = sorted(wheels.glob("*.whl")) if wheels.is_dir() else []
    if not found:
        do = "fill it on a machine with a network: pip download -d WHEELS …, see docs/gpu.md"
        raise UserError("there are no wheels", where=f"--wheels {wheels}", do=do)
    python, made_of = folder / "bin" / "python", folder / "wheels.json"
    sizes = "".join(f"{path.name} {path.stat().st_size}\n" for path in found)
    digest = hashlib.sha256(f"{sys.executable}\n{sizes}".encode()).hexdigest()
    if read_object(made_of).get("digest") != digest:
        remove(folder)
        venv.create(folder, with_pip=False)
        _see_ours(folder)
        _install(python, wheels, found)
        write_json(made_of, {"digest": digest, "wheels": [path.name for path in found]})
    return python


def _see_ours(folder: Path) -> None:
    """Let an environment see our packages, after its own. `--system-site-packages` would be those of another Python,
    where ours is an environment itself.
    """
    ours = dict.fromkeys(sysconfig.get_path(kind) for kind in ("purelib", "platlib"))
    site = folder / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"
    (site / "the_machines_own.pth").write_text("".join(f"{path}\n" for path in ours), encoding="utf-8")


def _install(python: Path, wheels: Path, found: Sequence[Path]) -> None:
    options = ["--no-index", "--find-links", str(wheels), "--no-deps", "--ignore-installed", "--no-compile", "-q"]
    command = [sys.executable, "-m", "pip", "--python", str(python), "install", *options, *map(str, found)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        raise UserError("pip did not end", where=str(wheels), found=f"after {_SECONDS} s") from None
    if done.returncode:
        said = "\n".join((done.stderr + done.stdout).strip().splitlines()[-_ERROR_LINES:])
        do = "bring one version of each, for this Python"
        raise UserError("pip cannot install the wheels", where=str(wheels), found=said, do=do)


def lacking(python: Path) -> list[str]:
    """The modules of `NEEDED` that a Python does not find."""
    code = f"import importlib.util as u; print(*(n for n in {NEEDED!r} if u.find_spec(n) is None))"
    done = subprocess.run([str(python), "-c", code], capture_output=True, text=True, check=False)
    return done.stdout.split()


def sees_card(python: Path) -> bool:
    """Whether the PyTorch of a Python can use a card."""
    code = "import torch; raise SystemExit(not torch.cuda.is_available())"
    return subprocess.run([str(python), "-c", code], capture_output=True, check=False).returncode == 0
