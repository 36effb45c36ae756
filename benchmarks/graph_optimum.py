"""The same weights as optimum's two commands leave them: an ONNX file in dynamic int8."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from distill.core.errors import UserError
from export.plain_folder import write_plain_folder
from export.targets.onnx_fp32 import OnnxFp32

OPTIMUM = "int8 of optimum-cli"
_ERROR_LINES = 5


def require_optimum(python: str) -> None:
    """Check that optimum's command is beside its interpreter. Raises: UserError."""
    if not _tool(python).is_file():
        do = "name the Python of an environment made from requirements/optimum.txt"
        raise UserError("optimum-cli is not there", where=str(_tool(python)), do=do)


def optimum_int8(python: str, model: Path, folder: Path) -> Path:
    """The file of `optimum-cli export onnx` and `optimum-cli onnxruntime quantize --avx512_vnni --per_channel`.

    Args: python: interpreter of optimum's environment. Raises: UserError where a command fails.
    """
    tool, plain = _tool(python), folder / "plain"
    write_plain_folder(model, plain)
    _run([str(tool), "export", "onnx", f"--model={plain}", "--task=text-classification", str(folder / "exported")])
    kind = ["--avx512_vnni", "--per_channel"]
    named = ["--onnx_model", str(folder / "exported"), "--output", str(folder / "quantised")]
    _run([str(tool), "onnxruntime", "quantize", *kind, *named])
    found = folder / "quantised" / "model_quantized.onnx"
    return found.rename(found.with_name(OnnxFp32.model))


def _tool(python: str) -> Path:
    # Not resolved: a link to an interpreter elsewhere would lead out of the environment.
    return Path(python).absolute().parent / "optimum-cli"


def _run(command: list[str]) -> None:
    variables = {**os.environ, "HF_HUB_OFFLINE": "1", "PYTHONPATH": ""}
    done = subprocess.run(command, capture_output=True, text=True, env=variables)
    if done.returncode:
        lines = "\n".join(done.stderr.strip().splitlines()[-_ERROR_LINES:])
        raise UserError("optimum-cli failed", where=" ".join(command[:4]), found=lines or "no message")
