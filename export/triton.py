"""Files that let a Triton server run a bundle: one model per artifact, and one that takes records as text.

The bundle holds each model once. `sh triton/prepare.sh REPOSITORY` makes a Triton model repository next to it:

    <name>_<artifact>/    ONNX Runtime backend: token ids in, logits out; the client renders, tokenises and pads
    <name>_text/          Python backend over runtime.py: a record as JSON in, the answer as JSON out
"""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from distill.core.files import write_text
from distill.core.output import for_pbtxt
from export.onnx_inputs import input_names

_MAX_BATCH = 64
_QUEUE_DELAY_US = 500
_ON_CPU = "instance_group [ { kind: KIND_CPU count: 1 } ]\n"


def write_triton(folder: Path, name: str, entries: Mapping[str, Mapping[str, Any]], head_size: int) -> None:
    """Write `triton/` into a bundle folder.

    Args: entries: the bundle's artifacts by name, as in its manifest. head_size: K, width of the logits.
    """
    out = folder / "triton"
    for artifact, entry in entries.items():
        model_name, inputs = f"{name}_{artifact}", input_names(folder / entry["file"])
        profiles = entry.get("profiles")
        most = min(_MAX_BATCH, profiles[-1]["batch"][2]) if profiles else _MAX_BATCH
        config = onnx_config(model_name, inputs, head_size, batched=entry["batch_invariant"], most=most)
        where = on_tensorrt(profiles) if profiles else _ON_CPU
        write_text(out / model_name / "config.pbtxt", config + where)
    text = out / f"{name}_text"
    exact = next(artifact for artifact, entry in entries.items() if entry["criterion"] == "parity")
    write_text(text / "config.pbtxt", text_config(text.name, exact))
    (text / "1").mkdir(exist_ok=True)
    shutil.copyfile(Path(__file__).with_name("triton_text.py"), text / "1" / "model.py")
    write_text(out / "prepare.sh", _prepare_script(name, entries))


def onnx_config(name: str, inputs: Sequence[str], head_size: int, *, batched: bool, most: int = _MAX_BATCH) -> str:
    """config.pbtxt of an ONNX model but for where it runs: int64 token inputs of free length, fp32 logits (C).

    Args: batched: whether rows may share a run. Those of dynamic int8 may not: its scale is taken over the whole
        batch, so Triton's batcher would make an answer depend on the requests that happen to wait with it. most: rows
            of such a run.
    """
    listed = ",\n".join(f'  {{ name: "{for_pbtxt(item)}" data_type: TYPE_INT64 dims: [ -1 ] }}' for item in inputs)
    batching = f"dynamic_batching {{ max_queue_delay_microseconds: {_QUEUE_DELAY_US} }}\n" if batched else ""
    return (
        f'name: "{for_pbtxt(name)}"\n'
        'backend: "onnxruntime"\n'
        f"max_batch_size: {most if batched else 1}\n"
        f"input [\n{listed}\n]\n"
        f'output [\n  {{ name: "logits" data_type: TYPE_FP32 dims: [ {head_size} ] }}\n]\n'
        f"{batching}"
    )


def on_tensorrt(profiles: Sequence[Mapping[str, Any]]) -> str:
    """The end of config.pbtxt of a file that TensorRT alone runs: the accelerator of Triton's ONNX Runtime backend.

    It is given no precision, so that the engine has the types of the graph, and one shape profile over all of
    `profiles`, since it keeps to the first.
    """
    last = profiles[-1]
    bounds = {"batch": [1, last["batch"][1], last["batch"][2]], "tokens": last["tokens"]}
    parameters = {
        f"trt_profile_{kind}_shapes": ",".join(
            f"{item}:{bounds['batch'][at]}x{bounds['tokens'][at]}" for item in last["inputs"]
        )
        for at, kind in enumerate(("min", "opt", "max"))
    }
    said = "\n".join(
        f'      parameters {{ key: "{key}" value: "{for_pbtxt(value)}" }}' for key, value in parameters.items()
    )
    return (
        "instance_group [ { kind: KIND_GPU count: 1 } ]\n"
        "optimization {\n  execution_accelerators {\n    gpu_execution_accelerator {\n"
        f'      name: "tensorrt"\n{said}\n    }}\n  }}\n}}\n'
    )


def text_config(name: str, artifact: str) -> str:
    """config.pbtxt of the text model: RECORD (JSON of a record) to ANSWER (JSON), any number of records per request.

    The parameters choose the artifact and the operating point; without one there is no `positive` in the answers.
    """
    parameters = "\n".join(
        f'parameters {{ key: "{key}" value: {{ string_value: "{for_pbtxt(value)}" }} }}'
        for key, value in {"precision": artifact, "operating_point": "", "threads": "1"}.items()
    )
    return (
        f'name: "{for_pbtxt(name)}"\n'
        'backend: "python"\n'
        f"max_batch_size: {_MAX_BATCH}\n"
        'input [ { name: "RECORD" data_type: TYPE_STRING dims: [ 1 ] } ]\n'
        'output [ { name: "ANSWER" data_type: TYPE_STRING dims: [ 1 ] } ]\n'
        f"dynamic_batching {{ max_queue_delay_microseconds: {_QUEUE_DELAY_US} }}\n"
        "instance_group [ { kind: KIND_CPU count: 1 } ]\n"
        f"{parameters}\n"
    )


def _prepare_script(name: str, entries: Mapping[str, Mapping[str, Any]]) -> str:
    quoted = shlex.quote(f"{name}_text")
    files = {shlex.quote(f"{name}_{one}"): shlex.quote(entry["file"]) for one, entry in entries.items()}
    versions = {f'"$new"/{model}/1': file for model, file in files.items()}
    return "\n".join(
        [
            "#!/bin/sh",
            "# Lays out a Triton model repository: sh prepare.sh REPOSITORY",
            "set -eu",
            'test $# -eq 1 || { echo "usage: sh prepare.sh REPOSITORY" >&2; exit 2; }',
            'here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)',
            'bundle=$(dirname -- "$here")',
            'mkdir -p "$1"',
            'out=$(CDPATH= cd -- "$1" && pwd)',
            "new=$out/.prepare.$$",
            'mkdir "$new"',
            "# Of a read-only bundle cp makes read-only folders, which take no file and cannot be removed.",
            """trap 'chmod -R u+w "$new" 2>/dev/null || :; rm -rf "$new"' EXIT""",
            "trap 'exit 1' HUP INT TERM",
            'for model in "$here"/*/; do cp -R "${model%/}" "$new"/; done',
            'chmod -R u+w "$new"',
            *[f'mkdir -p {folder} && cp "$bundle"/{model} {folder}/model.onnx' for folder, model in versions.items()],
            f'mkdir -p "$new"/{quoted}/1/bundle',
            f'cp -R "$bundle"/. "$new"/{quoted}/1/bundle/',
            'chmod -R u+w "$new"',
            "# In place of what was there, of which no file may stay: a bundle has its own files alone, and a client",
            "# of a model that only the older bundle had must not get that one's answers.",
            'mkdir "$new"/.old',
            f'for model in "$out"/{quoted}/1/bundle/triton/*/; do',
            '    one=$(basename -- "$model")',
            '    test -e "$new/$one" || test ! -e "$out/$one" || mv -- "$out/$one" "$new"/.old/',
            "done",
            'for model in "$new"/*/; do',
            '    there=$out/$(basename -- "$model")',
            '    test ! -e "$there" || mv -- "$there" "$new"/.old/',
            '    mv -- "${model%/}" "$there"',
            "done",
            "",
        ]
    )
