"""What a bundle must be: its files, what they say, and the answers that its model gave before it was built.

Shipped next to `runtime.py`, which opens a bundle and answers. Needs numpy, tokenizers and ONNX Runtime, nothing else.
Which files a bundle has, how many golden records and how far logits may be off is decided here, never by the bundle.
"""

from __future__ import annotations

import hashlib
import json
import math
import platform
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

Json = dict[str, Any]
FloatRows = NDArray[np.float32]
SCHEMA, MANIFEST, GOLDEN, SIGNATURE = 3, "manifest.json", "golden.jsonl", "manifest.sig"
CODE = ("runtime.py", "verify.py", "rendering.py", "providers.py", "engines.py", "drift.py", "receipts.py")
DRIFT, PROJECT, BANDS, SENDING = "drift.json", "project.yaml", "fallthrough.json", "sending.py"
MEASURED = ("MODEL_CARD.md", "latency.json")  # times of the run
_HELD = {"drift": {DRIFT}, "project": {PROJECT}, "fall_through": {BANDS, SENDING}}  # by key of `holds`
LEAST_GOLDEN = 100
PARITY_TOLERANCE = 1e-4  # of a logit, on any processor
GPU_TOLERANCE = 1e-3  # of a logit of the same file on another provider, which sums in another order
DECISIONS_FLOOR, DECISIONS_SHARE = 1e-3, 0.1  # of the largest recorded logit: int8 rounds as the processor does
CLASS_F1 = "class_f1"  # the operating point where each class has a threshold of its own
ROUNDING = 1e-5  # of a probability, from the same logits
_FEW_LENGTHS = 4
_FILES = (
    *(*CODE, GOLDEN, "config.json", "preprocessing.json", "postprocessing.json", "latency.json", "MODEL_CARD.md"),
    *("tokenizer.json", "tokenizer_config.json", "sentence_bert_config.json"),
)
_OUTSIDE = {MANIFEST, SIGNATURE, "step.json"}  # not in the manifest's list; the last is of the step that made it all
_BYTE_CODE = re.compile(rf"__pycache__/({'|'.join(name[:-3] for name in (*CODE, SENDING))})\.[\w.-]+\.pyc(\.\d+)?")
_OF_HUB = re.compile(r"\.gitattributes|\.cache/huggingface/.+")  # what the Hugging Face hub's own tools put there
_ACTIVATIONS = {"single": "softmax", "multi": "sigmoid"}
_GOLDEN_KEYS = {"id", "record", "windows", "logits", "answers"}
# With an int8 kernel of their own in ONNX Runtime, best first. Without VNNI sums of U8·S8 pairs saturate.
_CPU_CLASSES = ("amx_int8", "avx512_vnni", "avx_vnni", "avx512f", "avx2", "i8mm", "asimddp")


class BundleError(ValueError):
    """The bundle cannot be used: a file is missing, changed, foreign, or says what no bundle says."""

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(f"{path}: {problem}")
        self.path, self.problem = path, problem


class OtherAnswers(BundleError):
    """The bundle's files are whole, and its answers are not those that were recorded."""


class Unavailable(ValueError):
    """An artifact that this machine cannot run, in a bundle that may be whole."""


@dataclass(frozen=True)
class Contents:
    """A bundle whose files are whole: `manifest.json`, `preprocessing.json`, `postprocessing.json`, `golden.jsonl`."""

    manifest: Json
    before: Json
    after: Json
    golden: list[Json]


def verify(folder: Path, open_artifact: Callable[[str, Json], Any]) -> Json:
    """Check every file, then replay the golden records with every artifact that runs here.

    Token ids must be equal, logits within the tolerance. Where the criterion is `decisions`, kernels round as the
    processor does: away from the recorded CPU class changed labels are counted and warned about, not failed. Labels,
    probabilities and decisions must be equal wherever it runs: they are computed from the recorded logits. An artifact
    that this machine cannot run is not replayed, with a warning.

    Args: open_artifact: the artifact of a name and manifest entry as `runtime.Bundle`.
    Returns: `{"passed", "files", "records", "cpu": {"recorded", "here"}, "artifacts": {name: {"compared",
        "largest_difference", "label_flips", "passed"}}, "problems", "warnings"}`.
    Raises: BundleError naming the file that is missing, changed or foreign, or that says what no bundle says.
    """
    held = check(folder)
    results: Json = {}
    problems: list[str] = []
    warnings: list[str] = []
    for name, entry in sorted(held.manifest["artifacts"].items()):
        try:
            results[name] = result = replay(open_artifact(name, entry), held)
        except Unavailable as error:
            warnings.append(f"{name}: not replayed: {error}")
            continue
        problems += result.pop("problems")
        warnings += result.pop("warnings")
    problems += [] if results else ["no artifact of this bundle runs here"]
    cpu = {"recorded": held.manifest["cpu"], "here": cpu_class()}
    head = {"passed": not problems, "files": len(held.manifest["files"]), "records": len(held.golden), "cpu": cpu}
    return {**head, "artifacts": results, "problems": list(dict.fromkeys(problems)), "warnings": warnings}


def report_lines(report: Mapping[str, Any]) -> list[str]:
    """A report of `verify` for people: the files, one line per artifact, warnings, problems."""
    lines = [f"{report['files']} files unchanged, {report['records']} records replayed on {report['cpu']['here']}"]
    for name, result in report["artifacts"].items():
        figures = f"largest logit difference {result['largest_difference']:.2g}, {result['label_flips']} labels changed"
        lines.append(f"{name}: {'passed' if result['passed'] else 'FAILED'} ({figures})")
    return lines + [f"{kind}: {text}" for kind in ("warning", "problem") for text in report[f"{kind}s"]]


def check(folder: Path) -> Contents:
    """What a bundle holds, after its files were found to be the manifest's and to say what a bundle says.

    Raises: BundleError naming the first file that is missing, changed, foreign, or says something else.
    """
    with damage(folder):
        manifest = _read_manifest(folder)
        _check_entries(folder / MANIFEST, manifest["artifacts"])
        _check_files(folder, manifest)
        before, after = read_json(folder / "preprocessing.json"), read_json(folder / "postprocessing.json")
        with damage(folder / "preprocessing.json"):
            _check_before(folder / "preprocessing.json", before, manifest)
        with damage(folder / "postprocessing.json"):
            _check_after(folder / "postprocessing.json", after, manifest)
        with damage(folder / "config.json"):
            _check_config(folder / "config.json", manifest, before["pad_id"])
        with damage(folder / GOLDEN):
            golden = _read_golden(folder / GOLDEN, manifest)
        return Contents(manifest, before, after, golden)


@contextmanager
def damage(path: Path) -> Iterator[None]:
    """Whatever the content of a bundle leads to, as a BundleError: it may be anything, so the errors may, too."""
    try:
        yield
    except (BundleError, Unavailable):
        raise
    except Exception as error:
        raise BundleError(path, f"cannot be read: {type(error).__name__}: {error}") from error


def replay(bundle: Any, held: Contents) -> Json:
    """The golden records once more: what `verify` says of one artifact, with its `problems` and `warnings`."""
    with damage(bundle.folder / bundle.facts["file"]):
        records = [line["record"] for line in held.golden]
        here, recorded = bundle.logits(records), _recorded(held.golden, bundle.precision)
        cpu = held.manifest["cpu"]
        exact = bundle.facts["criterion"] != "decisions" or cpu == cpu_class()
        differences = np.abs(here - recorded).max(axis=1)
        flips = int((_decisions(held, here) != _decisions(held, recorded)).any(axis=1).sum())
        problems = [
            *_token_problems(bundle, held.golden),
            *_identity_problems(bundle, held.manifest),
            *_logit_problems(bundle, held.golden, differences, exact),
            *_answer_problems(bundle, held.golden, recorded),
        ]
        elsewhere = f"{flips} of {len(records)} labels differ on this processor ({cpu_class()}; recorded on {cpu})"
        return {
            "compared": "logits" if exact else "labels",
            "largest_difference": float(differences.max()),
            "label_flips": flips,
            "passed": not problems,
            "problems": problems,
            "warnings": [] if exact else [f"{bundle.precision}: {elsewhere}"],
        }


def largest_tolerance(criterion: str, recorded: FloatRows) -> float:
    """How far logits may be off: of criterion `parity` and `tolerance` anywhere, else on the recorded CPU class.

    Args: recorded: float32 (N, C).
    """
    if criterion == "parity":
        return PARITY_TOLERANCE
    return max(DECISIONS_FLOOR, DECISIONS_SHARE * float(np.abs(recorded).max()))


def files_of(manifest: Mapping[str, Any]) -> set[str]:
    """The files of a bundle with this name and these artifacts, but for the manifest: these and no others."""
    name, artifacts = manifest["name"], manifest["artifacts"]
    models = [entry["file"] for entry in artifacts.values()]
    served = [f"triton/{name}_{one}/config.pbtxt" for one in (*artifacts, "text")]
    further = set().union(*(files for key, files in _HELD.items() if key in manifest["holds"]))
    return {*_FILES, *further, *models, *served, "triton/prepare.sh", f"triton/{name}_text/1/model.py"}


def seal(manifest: Mapping[str, Any]) -> str:
    """Hex SHA-256 of a manifest without its `seal`, in canonical JSON."""
    content = {key: value for key, value in manifest.items() if key != "seal"}
    text = json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def content_sha256(manifest: Mapping[str, Any]) -> str:
    """Hex SHA-256 of all that is equal for equal inputs: a bundle without `run` and the files with measured times."""
    files = {name: entry["sha256"] for name, entry in manifest["files"].items() if name not in MEASURED}
    content = {key: value for key, value in manifest.items() if key not in ("run", "content_sha256", "seal")}
    return seal({**content, "files": files})


def cpu_class(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """The instruction set that decides the int8 kernel; the machine's name where the system does not tell."""
    words = cpuinfo.read_text().split() if cpuinfo.is_file() else []
    return next((name for name in _CPU_CLASSES if name in words), platform.machine() or "unknown")


def read_json(path: Path) -> Json:
    """The JSON object in a file of the bundle. Raises: BundleError when it is missing or holds something else."""
    try:
        content = json.loads(path.read_bytes())
    except OSError as error:
        raise BundleError(path, "missing" if isinstance(error, FileNotFoundError) else str(error)) from None
    except (ValueError, RecursionError) as error:
        raise BundleError(path, f"not JSON: {error}") from None
    if not isinstance(content, dict):
        raise BundleError(path, "not a JSON object")
    return content


def sha256(path: Path) -> str:
    """Hex SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _read_manifest(folder: Path) -> Json:
    path = folder / MANIFEST
    manifest = read_json(path)
    if manifest.get("schema") != SCHEMA:
        raise BundleError(path, f"schema {manifest.get('schema')}, this verifier reads {SCHEMA}")
    # The exact bytes count too, so that not even white space can change unseen.
    written = json.dumps(manifest, ensure_ascii=False, indent=2) + "\n"
    if manifest.get("seal") != seal(manifest) or path.read_bytes() != written.encode():
        raise BundleError(path, "changed: its seal does not fit its content")
    with damage(path):
        _need(isinstance(manifest["cpu"], str), path, f"cpu {manifest['cpu']}")
        _need(manifest["content_sha256"] == content_sha256(manifest), path, "changed: another content_sha256")
    return manifest


def _check_entries(path: Path, artifacts: Mapping[str, Json]) -> None:
    for name, entry in artifacts.items():
        providers, criterion = entry["providers"], entry["criterion"]
        named = isinstance(providers, list) and providers and all(isinstance(one, str) for one in providers)
        _need(bool(named), path, f"providers of {name}: {providers}")
        _need(criterion in ("parity", "tolerance", "decisions"), path, f"criterion of {name}: {criterion}")
    exact = any(entry["criterion"] == "parity" for entry in artifacts.values())
    _need(exact, path, "no artifact is judged by parity")


def _check_files(folder: Path, manifest: Json) -> None:
    """Check that a bundle's files are there, are those that the manifest lists, and that there are no others."""
    listed = manifest["files"]
    expected = files_of(manifest)
    for name in sorted(expected - set(listed)):
        raise BundleError(folder / name, "not in the manifest's list")
    present = {one.relative_to(folder).as_posix() for one in folder.rglob("*") if one.is_symlink() or not one.is_dir()}
    for name in sorted((present | set(listed)) - expected - _OUTSIDE):
        if name in listed or not (_BYTE_CODE.fullmatch(name) or _OF_HUB.fullmatch(name)):  # neither is ever read
            raise BundleError(folder / name, "no file of this bundle")
    for name, entry in listed.items():
        path = folder / name
        _need(path.is_file(), path, "missing")
        if path.stat().st_size != entry["bytes"]:
            raise BundleError(path, f"changed: {path.stat().st_size} bytes, the manifest says {entry['bytes']}")
    with ThreadPoolExecutor() as pool:  # hashing is most of a start's time, and needs no lock of Python's
        for path, digest in pool.map(lambda name: (folder / name, sha256(folder / name)), listed):
            said = listed[path.relative_to(folder).as_posix()]["sha256"]
            _need(digest == said, path, f"changed: sha256 {digest[:12]}…, the manifest says {said[:12]}…")


def _check_before(path: Path, before: Json, manifest: Json) -> None:
    _need(before["schema"] == SCHEMA, path, f"schema {before['schema']}, this verifier reads {SCHEMA}")
    view, pool = manifest["view"], (before["windows"] or {"pool": "mean"})["pool"]
    _need((before["name"], before["hash"]) == (view["name"], view["hash"]), path, "another view than the manifest's")
    _need(pool in ("mean", "max"), path, f"windows pooled by {pool}")
    pad, most = before["pad_id"], before["max_tokens"]
    _need(type(pad) is int and pad >= 0 and type(most) is int and most > 0, path, f"pad_id {pad}, max_tokens {most}")


def _check_after(path: Path, after: Json, manifest: Json) -> None:
    artifacts, labels, positive = manifest["artifacts"], after["labels"], after["positive"]
    _need(after["schema"] == SCHEMA, path, f"schema {after['schema']}, this verifier reads {SCHEMA}")
    _need(labels == manifest["labels"] and len(set(labels)) == len(labels), path, "other labels than the manifest's")
    _need(positive is None or positive in labels, path, f"positive: no label '{positive}'")
    kind, activation = after["kind"], after["activation"]
    _need(_ACTIVATIONS.get(kind) == activation, path, f"kind '{kind}' with activation '{activation}'")
    _need(after["temperature"].keys() == after["operating_points"].keys() == artifacts.keys(), path, "other artifacts")
    for name, entry in artifacts.items():
        temperature, points = after["temperature"][name], after["operating_points"][name]
        _need(_is_number(temperature) and temperature > 0, path, f"temperature of {name}: {temperature}")
        for point, least in points.items():
            fits = least is None or (_is_number(least) and 0 <= least <= 1 and positive is not None)
            _need(fits, path, f"operating point '{point}' of {name}: {least}")
        chosen = temperature == entry["temperature"] and points == entry["operating_points"]
        _need(chosen, path, f"another temperature or other operating points of {name} than the manifest's")
        by_class, stored = after.get("class_thresholds", {}).get(name, {}), entry.get("class_thresholds", {})
        shares = all(_is_number(one) and 0 <= one <= 1 for one in by_class.values())
        fit = not by_class or (kind == "multi" and set(by_class) == set(labels) and shares)
        _need(fit and by_class == stored, path, f"class thresholds of {name}: {by_class}, the manifest says {stored}")


def _check_config(path: Path, manifest: Json, pad: int) -> None:
    """Check that clients which take labels, in order, and padding from here take the same."""
    config = read_json(path)
    names, stated = config.get("id2label") or {}, config.get("pad_token_id")
    stored = [names[key] for key in sorted(names, key=int)]
    _need(not stored or _are_labels(stored, manifest), path, "other labels than the manifest's")
    _need(stated in (None, pad) or not 0 <= stated < config.get("vocab_size", 0), path, f"padding {stated}, not {pad}")


def _are_labels(stored: Any, manifest: Json) -> bool:
    """Whether these are the labels in order, or the numbers of unnamed ones."""
    return stored in (manifest["labels"], [f"LABEL_{index}" for index in range(len(manifest["labels"]))])


def _read_golden(path: Path, manifest: Json) -> list[Json]:
    """The golden records, after their number, keys and shapes were found right, and tolerances in their range."""
    golden: list[Json] = [json.loads(line) for line in path.read_bytes().splitlines()]
    names, classes = manifest["artifacts"].keys(), len(manifest["labels"])
    _need(len({line["id"] for line in golden}) >= LEAST_GOLDEN, path, f"fewer than {LEAST_GOLDEN} records")
    for line in golden:
        _need(line.keys() == _GOLDEN_KEYS, path, f"{line['id']}: keys {', '.join(line)}")
        _need(line["logits"].keys() == line["answers"].keys() == names, path, f"{line['id']}: other artifacts")
        for values in line["logits"].values():
            fits = len(values) == classes and all(map(_is_number, values))
            _need(fits, path, f"{line['id']}: logits {values}")
    for name, entry in manifest["artifacts"].items():
        largest = largest_tolerance(entry["criterion"], _recorded(golden, name))
        tolerance = entry["tolerance"]
        within = _is_number(tolerance) and 0 <= tolerance <= largest
        _need(within, path.with_name(MANIFEST), f"tolerance of {name}: {tolerance}, at most {largest:.2g}")
        most = GPU_TOLERANCE if entry["criterion"] == "parity" else largest
        for provider, other in entry.get("tolerances", {}).items():
            within = _is_number(other) and 0 <= other <= most
            found = f"tolerance of {name} on {provider}: {other}, at most {most:.2g}"
            _need(within, path.with_name(MANIFEST), found)
    return golden


def _recorded(golden: Sequence[Json], name: str) -> FloatRows:
    return np.array([line["logits"][name] for line in golden], np.float32)


def _token_problems(bundle: Any, golden: Sequence[Json]) -> Iterator[str]:
    """Where the view gives other token ids, or the tokenizer, left to cut by itself, another first window."""
    alone = Tokenizer.from_file(str(bundle.folder / "tokenizer.json"))
    for line, one in zip(golden, bundle.encode([line["record"] for line in golden]), strict=True):
        if [{"ids": window.ids, "type_ids": window.type_ids} for window in one.windows] != line["windows"]:
            yield f"tokens: {line['id']}: token ids differ from the recorded ones"
        # The library keeps what it cuts off, in a time that grows with the square of its length.
        if one.tokens <= _FEW_LENGTHS * bundle.before["max_tokens"]:
            left, right = bundle.renderer.text(line["record"])
            # A text of no tokens is read as one padding token, which such a client adds itself.
            if (alone.encode(left, right).ids or [bundle.before["pad_id"]]) != line["windows"][0]["ids"]:
                yield f"tokens: {line['id']}: tokenizer.json by itself gives other ids"


def _identity_problems(bundle: Any, manifest: Json) -> Iterator[str]:
    """Where the model file says that it is another model: by weights, labels or view."""
    said, file = bundle.metadata, bundle.facts["file"]
    expected = {"source_sha256": manifest["weights_sha256"], "view_hash": manifest["view"]["hash"]}
    for key, value in expected.items():
        if said.get(key) != value:
            found = f"{key} {str(said.get(key))[:12]}…, the manifest says {str(value)[:12]}…"
            yield f"{bundle.precision}: {file} was made from another model: {found}"
    if not _are_labels(json.loads(said.get("labels", "null")), manifest):
        yield f"{bundle.precision}: {file} was made for other labels: {said.get('labels')}"


def _logit_problems(bundle: Any, golden: Sequence[Json], differences: NDArray[Any], exact: bool) -> Iterator[str]:
    """Where this machine's logits are too far from the recorded ones; only for not being finite where not `exact`."""
    allowed = bundle.tolerance if exact else math.inf
    # A NaN is not within anything: the comparison is written so that it fails.
    for index in np.flatnonzero(~((differences <= allowed) & np.isfinite(differences))).tolist():
        found = f"logits differ by {differences[index]:.2g}, allowed {allowed:.2g}"
        yield f"{bundle.precision}: {golden[index]['id']}: {found}"


def _answer_problems(bundle: Any, golden: Sequence[Json], recorded: FloatRows) -> Iterator[str]:
    """Where the recorded logits no longer give the recorded labels, probabilities and decisions."""
    points = {name: least for name, least in bundle.operating_points.items() if least is not None}
    plain = bundle.answers(recorded)
    decided = {name: bundle.answers(recorded, name) for name in points}
    least = bundle.class_thresholds
    held = bundle.answers(recorded, CLASS_F1) if least else []
    for index, line in enumerate(golden):
        expected, here = line["answers"][bundle.precision], plain[index]
        said = {name: answers[index]["positive"] for name, answers in decided.items()}
        at_classes = {CLASS_F1: held[index]["label"]} if held else {}
        said_here = {**here, "positive": said, **at_classes}
        difference = answer_difference(expected, said_here, points, bundle.after["positive"])
        if difference := difference or class_difference(expected, said_here, least):
            yield f"{bundle.precision}: {line['id']}: {difference}"


def answer_difference(expected: Json, here: Json, points: Mapping[str, float], positive: str | None) -> str | None:
    """What differs between two answers from the same logits, None where nothing does.

    Args: expected, here: `{"label", "probabilities": {label: p}, "positive": {point: bool}}`. points: name to least
        probability. positive: the positive label.
    """
    if here["label"] != expected["label"]:
        return f"label '{here['label']}', expected '{expected['label']}'"
    wanted, found = expected["probabilities"], here["probabilities"]
    if list(found) != list(wanted):
        return f"probabilities of {', '.join(found)}, expected {', '.join(wanted)}"
    for label, value in wanted.items():
        if not abs(found[label] - value) <= ROUNDING:
            return f"probability {found[label]:.6f} of '{label}', expected {value:.6f}"
    if here["positive"].keys() != expected["positive"].keys():
        return f"decisions at {', '.join(here['positive'])}, expected {', '.join(expected['positive'])}"
    for name, decision in expected["positive"].items():
        if here["positive"][name] != decision and abs(wanted[str(positive)] - points[name]) > ROUNDING:
            return f"decision {here['positive'][name]} at '{name}', expected {decision}"
    return None


def class_difference(expected: Json, here: Json, least: Mapping[str, float]) -> str | None:
    """What differs between the labels of two answers at thresholds of each class, None where nothing does.

    Args: least: label to threshold; a label whose probability lies on it to rounding may go either way.
    """
    if (CLASS_F1 in expected) != (CLASS_F1 in here):
        return f"labels at '{CLASS_F1}': {here.get(CLASS_F1)}, expected {expected.get(CLASS_F1)}"
    wanted, found = set(expected.get(CLASS_F1, ())), set(here.get(CLASS_F1, ()))
    if any(abs(expected["probabilities"][label] - least[label]) > ROUNDING for label in wanted ^ found):
        return f"labels {sorted(found)} at '{CLASS_F1}', expected {sorted(wanted)}"
    return None


def _decisions(held: Contents, logits: FloatRows) -> NDArray[Any]:
    return logits >= 0 if held.after["kind"] == "multi" else logits.argmax(axis=1)[:, None]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _need(holds: bool, path: Path, problem: str) -> None:
    if not holds:
        raise BundleError(path, problem)
