"""MODEL_CARD.md: what the model is for, what it reads, how well it does and how to check it; measured figures only."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import yaml

from distill.core.objectives.objective import Objective
from distill.core.output import as_json, as_markdown_code, for_markdown
from distill.core.project import ViewConfig
from distill.core.publishing import NOT_STATED
from distill.core.rendering import CHARACTERS_PER_TOKEN, LEAST_CHARACTERS
from distill.evaluation.calibration import at_bound
from export.runtime import default_artifact
from export.verify import PROJECT

if TYPE_CHECKING:
    from export.artifact import Artifact

_NONE = "–"
_LATENCY = ("model", "view", "runtime", "precision", "threads", "p50_ms", "p95_ms", "p99_ms", "throughput_per_s")


def model_card(
    manifest: Mapping[str, Any],
    view: ViewConfig,
    artifacts: Mapping[str, Artifact],
    latency: Sequence[Mapping[str, Any]],
    objective: Objective,
    alone: str | None = None,
) -> str:
    """The card as Markdown.

    Args: manifest: of the bundle, without files. artifacts: by name, with quality per split, and latency: both as
        report.json. objective: of the task. alone: the positive class where the model tells it alone from the rest.
    """
    sections = [
        [*front_matter(manifest), *_purpose(manifest), *_positive_alone(alone)],
        _inputs(view, manifest["view"]["name"]),
        _use(view, artifacts, default_artifact(manifest["artifacts"])),
        _quality(artifacts, objective),
        _operating_points(artifacts),
        _class_thresholds(artifacts),
        _fall_through(artifacts),
        _latency(latency),
        [*_limits(view, artifacts.values(), manifest["cpu"]), *_in_place_of(manifest["artifacts"])],
        _real_texts(manifest["holds"]["real_records"]),
        _check(manifest["artifacts"]),
        _origin(manifest),
    ]
    return "\n\n".join("\n".join(lines) for lines in sections if lines) + "\n"


def front_matter(manifest: Mapping[str, Any]) -> list[str]:
    """The head by which the Hugging Face hub knows a card: its licence, task and library.

    The hub knows one lower-case id for each licence and version; whatever is no single one of SPDX is `other`, by name.
    Source: https://huggingface.co/docs/hub/model-cards
    """
    license_ = manifest["license"]
    if license_ == NOT_STATED:
        said = {"license": "unknown"}
    elif " " in license_ or license_.startswith("LicenseRef-"):
        said = {"license": "other", "license_name": license_}
    else:
        said = {"license": license_.lower().removesuffix("-only").removesuffix("-or-later")}
    head = {**said, "library_name": "onnx", "pipeline_tag": "text-classification"}
    return ["---", *yaml.safe_dump(head, sort_keys=False).splitlines(), "---", ""]


def _purpose(manifest: Mapping[str, Any]) -> list[str]:
    labels = ", ".join(map(as_markdown_code, manifest["labels"]))
    return [
        f"# {for_markdown(manifest['name'])}",
        "",
        f"A text classifier with the labels {labels}, distilled from a larger teacher.",
        "Intended for texts like those it was measured on (Quality), in the fields under Inputs. Decisions that matter",
        "take an operating point, chosen for recall or for precision, not a bare probability of one half.",
    ]


def _positive_alone(positive: str | None) -> list[str]:
    """What of an answer not to read, where one class alone was learnt."""
    if positive is None:
        return []
    return [
        "",
        f"**It answers only whether a record is {as_markdown_code(positive)}**: take an operating point, or the",
        "probability of that label. The other labels share what it leaves as they did in the training rows, in every",
        "answer alike. `label`, the most probable one, never tells them apart, and where they are many it is",
        f"{as_markdown_code(positive)} far below a probability of one half: it is no answer.",
    ]


def _inputs(view: ViewConfig, name: str) -> list[str]:
    lines = [f"## Inputs: the view {as_markdown_code(name)}", ""]
    for side, paths in (("first", view.left), ("second", view.right)):
        if paths:
            fields = ", ".join(_field(view, path) for path in paths)
            lines.append(f"- {side} segment, joined by {as_markdown_code(view.separator)}: {fields}")
    return [
        *lines,
        f"- {view.max_tokens} tokens per input, special tokens included; longer text is {_longer(view)}",
        "- missing and empty fields are left out; a record without any text still gets an answer",
        *_both_orders(view),
    ]


def _field(view: ViewConfig, path: str) -> str:
    budget, prefix = view.budgets.get(path), view.prefixes.get(path)
    more = [] if budget is None else [f"at most {budget} tokens"]
    more += [] if prefix is None else [f"after {as_markdown_code(prefix)}"]
    return as_markdown_code(path) + (f" ({', '.join(more)})" if more else "")


def _both_orders(view: ViewConfig) -> list[str]:
    if view.swap is None or not view.swap.average:
        return []
    pairs = "; ".join(" and ".join(map(as_markdown_code, pair)) for pair in view.swap.fields)
    both = "- each record is read twice, the second time with these fields exchanged"
    return [f"{both}: {pairs}; the mean of both logits counts, those of the second with their labels exchanged back"]


def _longer(view: ViewConfig) -> str:
    if view.windows is None:
        return "cut, the longer segment first"
    most, shared, pool = view.windows.max, view.windows.stride, view.windows.pool
    return f"read in at most {most} windows that share {shared} tokens; the {pool} of their logits counts"


def _use(view: ViewConfig, artifacts: Mapping[str, Artifact], default: str) -> list[str]:
    points = [name for name, threshold in artifacts[default].operating_points.items() if threshold is not None]
    others = [name for name in artifacts if name != default]
    record = ", ".join(f'{as_json(path)}: "…"' for path in view.fields)
    return [
        "## Use",
        "",
        "With Python 3.11, onnxruntime, tokenizers and numpy, in this folder or with it on `PYTHONPATH`:",
        "",
        "```python",
        "from runtime import load_bundle",
        'bundle = load_bundle(".", threads=1)' + (f'  # {default}; or precision="{others[0]}"' if others else ""),
        f"bundle.predict([{{{record}}}]" + (f", operating_point={as_json(points[0])})" if points else ")"),
        "```",
        "",
        'Records may also be nested: `{"page": {"title": "…"}}` is `{"page.title": "…"}`. A file of them:',
        "`python runtime.py --predict FILE.jsonl`. A Triton model repository: `sh triton/prepare.sh REPOSITORY`.",
    ]


def _quality(artifacts: Mapping[str, Artifact], objective: Objective) -> list[str]:
    rows = [_quality_row(name, split, block) for name, one in artifacts.items() for split, block in one.quality.items()]
    if not rows:
        return ["## Quality", "", "Not measured."]
    return [
        "## Quality",
        "",
        f"Of the files in this bundle, at {objective.rule}, with 95% bootstrap intervals. F1 per label in the",
        "order of the labels.",
        "",
        *_table(("file", "split", "rows", "accuracy", "macro F1", "log loss", "ECE", "F1 per label"), rows),
        *_caveats(artifacts),
    ]


def _caveats(artifacts: Mapping[str, Artifact]) -> list[str]:
    """What limits the figures of the table: labels without rows, a temperature at its bound."""
    blocks = {split: block for one in artifacts.values() for split, block in one.quality.items()}
    lines = [
        f"- No row of {split} has the label {', '.join(block['absent'])}: it counts as 0 in macro F1."
        for split, block in blocks.items()
        if block.get("absent")
    ]
    lines += [
        not_calibrated(name, f"{one.temperature:.4g}") for name, one in artifacts.items() if at_bound(one.temperature)
    ]
    return ["", *lines] if lines else []


def not_calibrated(name: str, temperature: str) -> str:
    """That the temperature of a file is at its bound. Args: both as text."""
    return f"- The temperature of {name}, {temperature}, is the bound of what is looked for: not calibrated."


def _quality_row(name: str, split: str, block: Mapping[str, Any]) -> list[str]:
    shares = [_figure(block.get(key), _percent) for key in ("accuracy", "f1_macro")]
    losses = [_figure(block.get(key), _decimals) for key in ("log_loss", "ece")]
    per_class = [_figure(figures.get("f1"), _percent) for figures in (block.get("per_class") or {}).values()]
    return [name, for_markdown(split), _plain(block.get("rows")), *shares, *losses, " / ".join(per_class) or _NONE]


def _operating_points(artifacts: Mapping[str, Artifact]) -> list[str]:
    rows = [
        [
            artifact,
            as_markdown_code(name, cell=True),
            _NONE if threshold is None else f"{threshold:.4f}",
            *_measured(one, name),
        ]
        for artifact, one in artifacts.items()
        for name, threshold in one.operating_points.items()
    ]
    if not rows:
        return []
    return [
        "## Operating points of the positive label",
        "",
        "The least probability, after the temperature, that counts as positive; chosen on validation (a dash: not",
        "reached there), measured on the first test split.",
        "",
        *_table(("file", "name", "threshold", "precision", "recall", "F1"), rows),
    ]


def _class_thresholds(artifacts: Mapping[str, Artifact]) -> list[str]:
    rows = [
        [artifact, for_markdown(label), f"{least:.4f}"]
        for artifact, one in artifacts.items()
        for label, least in one.class_thresholds.items()
    ]
    if not rows:
        return []
    return [
        "## Thresholds of each label",
        "",
        'From this probability, after the temperature, a label holds at `operating_point="class_f1"`; each was chosen',
        "on validation for the F1 of its label.",
        "",
        *_table(("file", "label", "threshold"), rows),
    ]


def _fall_through(artifacts: Mapping[str, Artifact]) -> list[str]:
    """What sending the least sure answers on to the teacher is worth."""
    curves = {name: one.fall_through for name, one in artifacts.items() if one.fall_through}
    rows = [
        [name, f"{row['share']:.4g}", *(_figure(row.get(key), _percent) for key in ("sent", "accuracy", "f1_macro"))]
        + [_figure(f1, _percent)]
        for name, curve in curves.items()
        for row, f1 in _with_positive(curve)
    ]
    if not rows:
        return []
    teachers = ", ".join(sorted({as_markdown_code(curve["teacher"]) for curve in curves.values()}))
    return [
        "## Fall-through",
        "",
        "`predict(records, fall_through=0.1)` says `send_on` of each record: whether its answer is among the tenth",
        f"that is the least sure, by a band chosen on validation. Figures in percent, on test rows, where {teachers}",
        "answers these records; share 0 is this model alone, share 1 the teacher alone.",
        "",
        *_table(("file", "share", "sent on", "accuracy", "macro F1", "F1 of the positive label"), rows),
    ]


def _with_positive(curve: Mapping[str, Any]) -> Iterable[tuple[Mapping[str, Any], Any]]:
    """Each share of the decision, with F1 of the positive label at its operating point where there is one."""
    decision = curve.get("decision", [])
    positive = [row["f1"] for row in curve.get("positive", [])] or [None] * len(decision)
    return zip(decision, positive, strict=True)


def _measured(artifact: Artifact, name: str) -> list[str]:
    """Precision, recall and F1 of an operating point on the first test split."""
    tests = [block for split, block in artifact.quality.items() if split.startswith("test")]
    block: Mapping[str, Any] = tests[0] if tests else {}
    point = ((block.get("positive") or {}).get("operating_points") or {}).get(name) or {}
    return [_figure(point.get(key), _percent) for key in ("precision", "recall", "f1")]


def _latency(latency: Sequence[Mapping[str, Any]]) -> list[str]:
    if not latency:
        return ["## Latency", "", "Not measured."]
    rows = [[_plain(row.get(column)) for column in _LATENCY] for row in latency]
    note = "At real lengths, tokenisation included; more in latency.json."
    return ["## Latency", "", note, "", *_table(_LATENCY, rows), *_layouts(latency)]


def _layouts(latency: Sequence[Mapping[str, Any]]) -> list[str]:
    """The fastest layout of each file that was measured in several."""
    best = [(for_markdown(row["model"]), row["layouts"][0]) for row in latency if row.get("layouts")]
    if not best:
        return []
    rows = [
        [model, *(_plain(one[key]) for key in ("sessions", "threads", "batch", "per_s")), _figure(_over(one), _times)]
        for model, one in dict(best).items()
    ]
    columns = ("model", "sessions", "threads of each", "batch", "records per second", "over one session")
    told = "Where only records per second count, sessions laid out so answered most here; the last column is over"
    return ["", f"{told} one session with all threads and one record at a time.", "", *_table(columns, rows)]


def _over(layout: Mapping[str, Any]) -> dict[str, Any]:
    return {"value": layout["ratio"], "low": layout["low"], "high": layout["high"]}


def _times(value: float) -> str:
    return f"{value:.2f}×"


def _limits(view: ViewConfig, artifacts: Iterable[Artifact], cpu: str) -> list[str]:
    read = view.max_tokens if view.windows is None else f"{view.windows.max} windows of {view.max_tokens}"
    lines = [
        "## Limits",
        "",
        "- Languages and kinds of text that the data lacked were not measured; any text gets an answer all the same.",
        f"- Text beyond {read} tokens is not read, nor a field beyond {CHARACTERS_PER_TOKEN} characters for each",
        f"  of them ({LEAST_CHARACTERS:,} at least).",
        mix_limit("in validation"),
    ]
    return lines + [line for one in artifacts for line in one.target.limits(cpu)]


def mix_limit(where: str) -> str:
    """Which mix of labels was chosen on. Args: where: that mix is told or found."""
    return f"- Probabilities and thresholds hold for the mix of labels {where} and shift with another mix."


def _in_place_of(artifacts: Mapping[str, Any]) -> list[str]:
    """Which targets failed before those of these files."""
    lines = []
    for name, entry in artifacts.items():
        for one in entry.get("in_place_of", ()):
            why = "; ".join(map(_failed_gate, one["failed"]))
            taken = f"{name} is {for_markdown(entry['target'])}, in place of {for_markdown(one['target'])}"
            lines.append(f"- {taken}, which failed on validation: {why}.")
    return lines


def _failed_gate(gate: Mapping[str, Any]) -> str:
    where = f" at {for_markdown(gate['why'])}" if gate.get("why") else ""
    return f"{for_markdown(gate['name'])} {_plain(gate['measured'])}{where}, at most {_plain(gate['required'])}"


def _check(artifacts: Mapping[str, Any]) -> list[str]:
    allowed = ", ".join(f"{name} {entry['tolerance']:.2g}" for name, entry in artifacts.items())
    return [
        "## Check",
        "",
        "`python runtime.py --verify` (or `distill verify`) re-hashes every file and replays golden.jsonl: equal token",
        f"ids, logits within tolerance ({allowed}), equal labels, probabilities and decisions. It exits 2",
        "for a file that is changed, missing or foreign, 3 for other answers. `load_bundle` does the same for the",
        "artifact that it opens, at later starts on a machine with three records (`receipts.py`); `verify=False` skips",
        "it. A hash tells damage, not who made the files: `distill sign` and `distill verify --key` do.",
    ]


def _real_texts(count: int) -> list[str]:
    """That the bundle holds texts of the data; nothing where it holds none."""
    if not count:
        return []
    return [
        "## Warning: real texts",
        "",
        f"golden.jsonl holds the texts of {count} test rows, because the project asked for them (`golden: test`). Give",
        "this folder only to those who may read that data; `golden: synthetic` makes a bundle without any.",
    ]


def _origin(manifest: Mapping[str, Any]) -> list[str]:
    versions = ", ".join(for_markdown(f"{name} {version}") for name, version in manifest["versions"].items())
    lineage, finished = dict(manifest["lineage"]), manifest["run"]["finished"]
    lines = [f"- license: {for_markdown(manifest['license'])}"]
    if encoder := lineage.pop("encoder", None):
        told = f"revision {encoder['revision']}, license {encoder['license']}"
        lines.append(f"- encoder: {for_markdown(encoder['name'])}, {for_markdown(told)}")
    if project := lineage.pop("project", None):
        lines.append(f"- project: {_commit(project)}; resolved in {PROJECT}")
    for source, held in lineage.pop("data", {}).items():
        files = "; ".join(_file(one) for one in held["files"]) or "made of other rows"
        lines.append(f"- data, {for_markdown(source)}: {files}; license {for_markdown(held['license'])}")
    lines += [f"- {for_markdown(key)}: {_plain(value)}" for key, value in lineage.items()]
    lines += [f"- finished: {_plain(finished)}"] if finished else []
    content = "equal for bundles of equal data, settings and weights"
    return ["## Origin", "", *lines, f"- versions: {versions}", f"- content_sha256 in manifest.json: {content}"]


def _commit(project: Mapping[str, Any]) -> str:
    changed = " with changes that are not committed" if project["dirty"] else ""
    return f"commit {for_markdown(project['commit'])}{changed}" if project["commit"] else "in no repository"


def _file(one: Mapping[str, Any]) -> str:
    rows = "" if one["rows"] is None else f", {one['rows']} rows"
    return f"{for_markdown(one['name'])}{rows}, sha256 {for_markdown(one['sha256'])}"


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines = [columns, ["---"] * len(columns), *rows]
    return [f"| {' | '.join(cells)} |" for cells in lines]


def _figure(figure: Any, text: Callable[[float], str]) -> str:
    """A number, or `{"value", "low", "high"}`, as text; a dash where there is none."""
    figure = figure if isinstance(figure, Mapping) else {"value": figure}
    if figure["value"] is None:
        return _NONE
    bounds = [figure.get("low"), figure.get("high")]
    interval = "" if None in bounds else f" ({'–'.join(text(bound) for bound in bounds)})"
    return f"{text(figure['value'])}{interval}"


def _percent(share: float) -> str:
    return f"{100 * share:.2f}"


def _decimals(value: float) -> str:
    return f"{value:.3f}"


def _plain(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{for_markdown(key)} {_plain(inner)}" for key, inner in value.items())
    return _NONE if value is None else f"{value:.4g}" if isinstance(value, float) else for_markdown(value)
