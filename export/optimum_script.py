"""Exports a classifier's folder with optimum, by the Python of an environment that has optimum and knows no distill.

    PYTHON -I optimum_script.py < {"folder": model folder, "out": folder for model.onnx, "opset": 20}

Prints one JSON object: `versions` of its packages; with `only: versions` nothing else is read; without `folder` also
`families`, the `model_type` of every text classifier that optimum exports. Weights come from safetensors only.
"""

import importlib.metadata
import json
import sys
from contextlib import redirect_stdout

_PACKAGES = ("optimum-onnx", "optimum", "transformers", "torch", "onnx", "onnxruntime")
_TASK = "text-classification"


def main() -> None:
    """Read the question, do what it asks, print the answer; all other output goes to stderr."""
    asked = json.load(sys.stdin)
    answer: dict[str, object] = {"versions": _versions()}
    with redirect_stdout(sys.stderr):
        if asked.get("only") != "versions":
            answer |= _export(asked) if "folder" in asked else {"families": _families()}
    json.dump(answer, sys.stdout)


def _versions() -> dict[str, str]:
    installed = {one.metadata["Name"].lower(): one.version for one in importlib.metadata.distributions()}
    return {name: installed[name] for name in _PACKAGES if name in installed}


def _families() -> list[str]:
    import optimum.exporters.onnx.model_configs  # noqa: F401  it registers the families
    from optimum.exporters.tasks import TasksManager

    known = TasksManager._LIBRARY_TO_SUPPORTED_MODEL_TYPES["transformers"]
    return sorted(name for name, backends in known.items() if _TASK in backends.get("onnx", {}))


def _export(asked: dict[str, str]) -> dict[str, object]:
    from optimum.exporters.onnx import onnx_export_from_model
    from transformers import AutoModelForSequenceClassification

    model, info = AutoModelForSequenceClassification.from_pretrained(
        asked["folder"],
        attn_implementation="eager",
        use_safetensors=True,
        local_files_only=True,
        trust_remote_code=False,
        output_loading_info=True,
    )
    absent = sorted([*info["missing_keys"], *info["unexpected_keys"], *(name for name, *_ in info["mismatched_keys"])])
    if absent:
        sys.exit(f"this transformers has other weights for the family: {', '.join(absent[:5])} ({len(absent)} in all)")
    # Not validated here: the toolkit measures the file against its own model, at other shapes too.
    onnx_export_from_model(model.eval(), asked["out"], opset=asked["opset"], task=_TASK, do_validation=False)
    return {}


if __name__ == "__main__":
    main()
