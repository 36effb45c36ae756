"""docs/gpu.md: what the GPU kit has measured, or that a part was never run."""

from __future__ import annotations

from pathlib import Path

from benchmarks.gpu.parts import PARTS
from benchmarks.gpu.tables import TABLES, Table
from distill.core.files import Json, read_json

PAGE, RESULTS = "gpu.md", "gpu"
_HEADER = (
    "<!-- Generated from `benchmarks/results/gpu/` by `python -m benchmarks.publish`; edits here are lost. "
    "The words are in `benchmarks/gpu/page.py`. -->"
)
_HOW = """# On a card

One command measures everything here that needs a GPU, in under nine minutes and without a network:

```
python -m benchmarks.gpu --wheels WHEELS --work WORK
```

It makes an environment of the wheels over what the machine has (its own PyTorch with CUDA is used unless the folder
brings another), then runs the parts below, each in a process that is ended when its minutes are over. A part that is
done is not repeated with the same card, libraries and sources, so the same command goes on where it was stopped. Models
have random weights of real shapes. `--dry-run` prints the parts, their minutes and what is missing; `--device cpu
--tiny` tries each part on the processor in seconds; `--results FOLDER` writes the figures elsewhere than
`benchmarks/results/gpu`. Without a card it ends with exit code 2 before anything is installed.

On a machine with a network, fill the folder of wheels for the card's machine, `--no-deps` and one version of each. What
a machine with PyTorch and transformers usually lacks:

```
python -m pip download --no-deps --only-binary=:all: --python-version 3.12 \\
    --platform manylinux_2_28_x86_64 --platform manylinux2014_x86_64 -d WHEELS \\
    pydantic pydantic-core annotated-types typing-inspection onnxruntime-gpu
```

and for TensorRT `tensorrt-cu13==10.16.*` with its libraries and bindings. Exporting needs transformers 5.20 and PyTorch
2.13; where the card's machine has older ones, make the files first and take them along:

```
python -m benchmarks.gpu --device cpu --parts parity --work WORK
python -m benchmarks.gpu pack PIECES --wheels WHEELS --exports WORK --data DATA --encoder ENCODER
python -m benchmarks.gpu unpack PIECES FOLDER
```

`pack` cuts the archive into pieces under 47 MB; `cat PIECES/piece-* | tar xz` opens them too. `FOLDER` then holds
`repository`, `wheels`, `work`, `data` and `encoder`. The last two are for the tables of quality, whose commands run
side by side with what time is left and go on at the next start.
"""


def gpu_page(results: Path) -> str:
    """The page. Args: results: folder of the parts' JSON files, which need not be there."""
    stored = {name: read_json(path) for name in PARTS if (path := results / f"{name}.json").is_file()}
    chapters = [_chapter(name, part.title, stored.get(name)) for name, part in PARTS.items()]
    never = [f"`{name}`" for name in PARTS if "figures" not in stored.get(name, {})]
    said = f"Never measured so far: {', '.join(never)}." if never else "Every part was measured."
    return "\n\n".join([_HEADER, _HOW.strip(), said, *chapters]) + "\n"


def _chapter(name: str, title: str, stored: Json | None) -> str:
    heading = f"## {title}"
    if stored is None:
        return f"{heading}\n\nThis part (`--parts {name}`) was never run."
    if "figures" not in stored:
        return (
            f"{heading}\n\nThis part (`--parts {name}`) has no figures: {stored['status']}, {_plain(stored['said'])}."
        )
    tables = [_markdown(table) for table in TABLES[name](stored["figures"])]
    later = stored.get("later", stored if stored["status"] != "done" else None)
    how = "A later start" if "later" in stored else "Not whole"
    again = [f"{how}: {later['status']}, {_plain(later.get('said', 'it goes on at the next start'))}."] if later else []
    return "\n\n".join([heading, _made(stored), *tables, *again])


def _made(stored: Json) -> str:
    machine, versions = stored["machine"], stored["versions"]
    where = f"{machine['card']}, driver {machine['driver']}" if machine.get("card") else "a processor, for a trial"
    libraries = ", ".join(f"{name} {version}" for name, version in versions.items())
    return f"Made by `{stored['command']}` in {stored['seconds']:.0f} s on {where}; {libraries}."


def _markdown(table: Table) -> str:
    lines = [table.head, ["---"] * len(table.head), *table.rows]
    return f"{table.words}\n\n" + "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _plain(text: str) -> str:
    return text.rstrip(".").replace("\n", " ")
