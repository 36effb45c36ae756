"""Answers from a bundle, and the bundle's check of itself.

    from runtime import load_bundle
    load_bundle("bundles/8L_trunc").predict([{"product": {"title": "…"}, "page": {"title": "…"}}])

    python runtime.py --verify                exits 0: as built, 2: a file is missing or changed, 3: other answers
    python runtime.py --predict FILE.jsonl    one JSON answer per line, in the order of the file

Needs Python 3.11, onnxruntime, tokenizers, numpy and the `rendering.py` of this folder, nothing else.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import json
import os
import platform
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # read when ONNX Runtime is imported
import numpy as np  # noqa: E402
import onnxruntime  # noqa: E402
from numpy.typing import NDArray  # noqa: E402
from tokenizers import Tokenizer  # noqa: E402

FloatRows = NDArray[np.float32]
SCHEMA, MANIFEST, GOLDEN = 1, "manifest.json", "golden.jsonl"
_OUTSIDE = {MANIFEST, "step.json"}  # not in the manifest's list: itself, and the record of the step that made it all
_CHUNK_RECORDS, _BATCH_SIZE = 4096, 32
_ALL = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
# Instruction sets with an int8 kernel of their own in ONNX Runtime, best first. Without VNNI, sums of U8·S8 pairs
# saturate, so the same file answers differently.
_CPU_CLASSES = ("amx_int8", "avx512_vnni", "avx_vnni", "avx512f", "avx2", "i8mm", "asimddp")
# Facts of artifacts in bundles whose manifest stores none: fp32, and dynamic int8.
_EARLIER = {"criterion": "decisions", "batch_invariant": False, "portable": True, "providers": ["CPUExecutionProvider"]}
_EARLIER_FP32 = {**_EARLIER, "criterion": "parity", "batch_invariant": True}


class BundleError(ValueError):
    """The bundle cannot be used: a file is missing, changed, or of a schema that this runtime does not know."""

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(f"{path}: {problem}")
        self.path, self.problem = path, problem


class Unavailable(ValueError):
    """An artifact that this machine cannot run, in a bundle that may be whole."""


def load_bundle(
    path: str | Path, precision: str | None = None, threads: int | None = None, verify: bool = False
) -> Bundle:
    """The bundle in a folder, ready to predict.

    Args: precision: name of an artifact, such as `fp32`; None takes the default, see `default_artifact`. threads: of
        ONNX Runtime; None takes all cores. verify: refuse files that are not those of the manifest.
    Raises: BundleError for a damaged bundle; ValueError for a precision that it lacks; Unavailable.
    """
    folder = Path(path)
    if verify:
        check_files(folder)
    held = artifacts(read_json(folder / MANIFEST))
    name = precision or default_artifact(held)
    if name not in held:
        raise ValueError(f"no precision '{name}' in {folder}; known: {', '.join(sorted(held))}")
    return open_artifact(folder, name, held[name], threads)


def artifacts(manifest: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Name to entry of each artifact: its file and the facts of its target."""
    held = manifest.get("artifacts", {}).items()
    return {name: {**(_EARLIER_FP32 if name == "fp32" else _EARLIER), **entry} for name, entry in held}


def default_artifact(held: Mapping[str, Mapping[str, Any]]) -> str:
    """The first that has its providers here, before all others one whose logits are the trained model's (`parity`)."""
    usable = [name for name, entry in held.items() if not _missing_providers(entry)] or list(held)
    return min(usable, key=lambda name: held[name]["criterion"] != "parity", default="none")


def open_artifact(folder: Path, name: str, entry: Mapping[str, Any], threads: int | None = None) -> Bundle:
    """One artifact of the bundle in `folder`. Args: entry: of `artifacts`. Raises: BundleError, Unavailable."""
    before, after = read_json(folder / "preprocessing.json"), read_json(folder / "postprocessing.json")
    for part, content in (("preprocessing.json", before), ("postprocessing.json", after)):
        if content.get("schema") != SCHEMA:
            raise BundleError(folder / part, f"schema {content.get('schema')}, this runtime reads {SCHEMA}")
    model, missing = folder / entry["file"], _missing_providers(entry)
    if not model.is_file():
        raise BundleError(model, "missing")
    if missing:
        raise Unavailable(f"{name} needs {', '.join(missing)}, which ONNX Runtime does not have here")
    try:
        renderer = _renderer_class()(before, Tokenizer.from_file(str(folder / "tokenizer.json")))
        session = open_session(model, threads, entry["providers"])
    except Exception as error:
        problem = f"tokenizer.json or {model.name} cannot be read: {error}"
        raise (BundleError(folder, problem) if entry["portable"] else Unavailable(f"{name}: {problem}")) from error
    return Bundle(folder, name, entry, before, after, renderer, session)


@dataclass(frozen=True)
class Bundle:
    """A classifier with its view and its labels. Safe to call from several threads.

    An artifact that is not `batch_invariant` answers one window per run. Dynamic int8 takes its activation scale over
    the whole input tensor: with other rows, or padded, a record would get other logits.

    Attributes: precision: name of the artifact. facts: its entry of the manifest.
    """

    folder: Path
    precision: str
    facts: Mapping[str, Any]
    before: Mapping[str, Any]
    after: Mapping[str, Any]
    renderer: Any
    session: Any

    @property
    def labels(self) -> list[str]:
        """The C class names, in the order of the logits."""
        return list(self.after["labels"])

    def predict(
        self, records: Sequence[Mapping[str, Any]], operating_point: str | None = None, batch_size: int | None = None
    ) -> list[dict[str, Any]]:
        """One answer per record, in order: `{"label", "probabilities": {label: p}}`, `positive` at an operating point.

        `label` is the class with the highest logit, or the list of classes from p = 0.5 on where several may hold.

        Args: records: nested (`{"page": {"title": …}}`) or flat (`{"page.title": …}`); missing fields are empty.
            operating_point: of `operating_points`. batch_size: as in `logits`.
        Raises: TypeError, ValueError naming the record; ValueError for an unknown operating point.
        """
        threshold = None if operating_point is None else self.threshold(operating_point)
        logits = self.logits(records, batch_size)
        rows = zip(logits, self.probabilities(logits), strict=True)
        return [self._answer(row, chances, threshold) for row, chances in rows]

    def logits(self, records: Sequence[Mapping[str, Any]], batch_size: int | None = None) -> FloatRows:
        """Logits, float32 (N, C), in the order of `records`; the windows of a long text are pooled as the view says.

        Args: batch_size: windows per run; None takes 32, and 1 for an artifact that is not batch invariant.
        Raises: TypeError, ValueError naming the record; ValueError for a batch size under 1.
        """
        _check_records(records)
        if batch_size is not None and batch_size < 1:
            raise ValueError(f"batch_size {batch_size}: at least 1 is needed")
        size = batch_size or (_BATCH_SIZE if self.facts["batch_invariant"] else 1)
        starts = range(0, len(records), _CHUNK_RECORDS)
        chunks = [self._chunk(records[start : start + _CHUNK_RECORDS], start, size) for start in starts]
        return np.concatenate(chunks) if chunks else np.zeros((0, len(self.labels)), np.float32)

    def probabilities(self, logits: FloatRows) -> FloatRows:
        """Probabilities, float32 (N, C): softmax or sigmoid of the logits over the temperature."""
        scaled = logits / np.float32(self.after["temperature"][self.precision])
        if self.after["activation"] == "sigmoid":
            return np.asarray(0.5 + 0.5 * np.tanh(0.5 * scaled), np.float32)
        powers = np.exp(scaled - scaled.max(axis=1, keepdims=True))
        return np.asarray(powers / powers.sum(axis=1, keepdims=True), np.float32)

    @property
    def operating_points(self) -> dict[str, float | None]:
        """Least probability of the positive class by name; None where validation reached no such point."""
        return dict(self.after["operating_points"].get(self.precision, {}))

    def threshold(self, operating_point: str) -> float:
        """The threshold of an operating point. Raises: ValueError when the bundle has none of that name."""
        threshold = self.operating_points.get(operating_point)
        if threshold is None:
            listed = ", ".join(key for key, value in self.operating_points.items() if value is not None) or "none"
            raise ValueError(f"no operating point '{operating_point}' at {self.precision}; known: {listed}")
        return threshold

    def encode(self, records: Sequence[Mapping[str, Any]], first: int = 0) -> list[Any]:
        """Each record as `rendering.Encoded`. `first`: number of the first record, for messages."""
        try:
            return list(self.renderer.encode_batch(records))
        except (TypeError, ValueError):
            self._check_texts(records, first)
            raise

    def _chunk(self, records: Sequence[Mapping[str, Any]], first: int, batch_size: int) -> FloatRows:
        encoded = self.encode(records, first)
        rows = self._window_logits([window for one in encoded for window in one.windows], batch_size)
        counts = np.array([len(one.windows) for one in encoded])
        starts = np.cumsum(counts) - counts
        if (self.before.get("windows") or {}).get("pool") == "max":
            return np.maximum.reduceat(rows, starts, axis=0)
        sums = np.add.reduceat(rows.astype(np.float64), starts, axis=0)
        return np.asarray(sums / counts[:, None], np.float32)

    def _window_logits(self, windows: Sequence[Any], batch_size: int) -> FloatRows:
        # Neighbours of like length share a run, so little of it is padding.
        order = sorted(range(len(windows)), key=lambda index: len(windows[index].ids))
        rows = np.empty((len(windows), len(self.labels)), np.float32)
        for start in range(0, len(order), batch_size):
            chosen = order[start : start + batch_size]
            rows[chosen] = self._run([windows[index] for index in chosen])
        return rows

    def _run(self, windows: Sequence[Any]) -> FloatRows:
        shape = (len(windows), max(len(window.ids) for window in windows))
        ids = np.full(shape, self.before["pad_id"], np.int64)
        mask, types = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
        for row, window in enumerate(windows):
            size = len(window.ids)
            ids[row, :size], mask[row, :size], types[row, :size] = window.ids, 1, window.type_ids
        batch = {"input_ids": ids, "attention_mask": mask, "token_type_ids": types}
        return self.session.run(["logits"], {item.name: batch[item.name] for item in self.session.get_inputs()})[0]

    def _answer(self, logits: FloatRows, chances: FloatRows, threshold: float | None) -> dict[str, Any]:
        labels = self.labels
        several = self.after["kind"] == "multi"
        label = [labels[i] for i in np.flatnonzero(logits >= 0)] if several else labels[int(logits.argmax())]
        named = dict(zip(labels, map(float, chances), strict=True))
        answer: dict[str, Any] = {"label": label, "probabilities": named}
        return answer if threshold is None else {**answer, "positive": named[self.after["positive"]] >= threshold}

    def _check_texts(self, records: Sequence[Mapping[str, Any]], first: int) -> None:
        for number, record in enumerate(records, first):
            try:
                " ".join(text or "" for text in self.renderer.text(record)).encode()
            except (TypeError, UnicodeEncodeError):
                raise ValueError(f"record {number}: its text is not valid Unicode (a lone surrogate)") from None
            except ValueError as error:
                raise ValueError(f"record {number}: {error}") from None


def verify(path: str | Path, threads: int | None = None) -> dict[str, Any]:
    """Re-hash every file, then replay the golden records: what `distill verify` and `--verify` report.

    Token ids must be equal, logits within their stored tolerance. Where the criterion is `decisions`, kernels round as
    the processor does: away from the recorded CPU class changed labels are counted and warned about, not failed. An
    artifact that this machine cannot run is not replayed, with a warning.

    Returns: `{"passed", "files", "records", "cpu": {"recorded", "here"}, "artifacts": {name: {"compared",
        "largest_difference", "label_flips", "passed"}}, "problems", "warnings"}`.
    Raises: BundleError naming the file that is missing or changed.
    """
    folder = Path(path)
    manifest, unlisted = check_files(folder)
    golden = [json.loads(line) for line in (folder / GOLDEN).read_bytes().splitlines()]
    cpu = {"recorded": manifest["cpu"], "here": cpu_class()}
    problems: list[str] = []
    warnings = [f"{name}: not in the manifest, not checked" for name in unlisted]
    results: dict[str, Any] = {}
    for name, entry in sorted(artifacts(manifest).items()):
        try:
            bundle = open_artifact(folder, name, entry, threads)
        except Unavailable as error:
            warnings.append(f"{name}: not replayed: {error}")
            continue
        if not results:
            problems += _token_problems(bundle, golden)
        same = entry["criterion"] == "parity" or cpu["recorded"] == cpu["here"]
        results[name] = result = _replay(bundle, golden, by_tolerance=same)
        problems += [f"{name}: {text}" for text in result.pop("problems")]
        if not same:
            warnings.append(
                f"{name}: {result['label_flips']} of {len(golden)} labels differ on this processor "
                f"({cpu['here']}; recorded on {cpu['recorded']})"
            )
    problems += [] if results else ["no artifact of this bundle runs here"]
    head = {"passed": not problems, "files": len(manifest["files"]), "records": len(golden), "cpu": cpu}
    return {**head, "artifacts": results, "problems": problems, "warnings": warnings}


def report_lines(report: Mapping[str, Any]) -> list[str]:
    """A report of `verify` for people: the files, one line per artifact, warnings, problems."""
    lines = [f"{report['files']} files unchanged, {report['records']} records replayed on {report['cpu']['here']}"]
    for name, result in report["artifacts"].items():
        figures = f"largest logit difference {result['largest_difference']:.2g}, {result['label_flips']} labels changed"
        lines.append(f"{name}: {'passed' if result['passed'] else 'FAILED'} ({figures})")
    return lines + [f"{kind}: {text}" for kind in ("warning", "problem") for text in report[f"{kind}s"]]


def check_files(folder: Path) -> tuple[dict[str, Any], list[str]]:
    """The manifest, after every file was found as it lists them; and the files in the folder that it does not list.

    Raises: BundleError naming the first file that is missing or changed, the manifest itself included.
    """
    manifest = _read_manifest(folder)
    for name, entry in manifest["files"].items():
        path = folder / name
        if not path.is_file():
            raise BundleError(path, "missing")
        if path.stat().st_size != entry["bytes"]:
            raise BundleError(path, f"changed: {path.stat().st_size} bytes, the manifest says {entry['bytes']}")
        digest = sha256(path)
        if digest != entry["sha256"]:
            raise BundleError(path, f"changed: sha256 {digest[:12]}…, the manifest says {entry['sha256'][:12]}…")
    present = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    # Python adds byte code next to a runtime.py that was imported.
    extra = sorted(name for name in present - set(manifest["files"]) - _OUTSIDE if "__pycache__" not in name)
    return manifest, extra


def seal(manifest: Mapping[str, Any]) -> str:
    """Hex SHA-256 of a manifest without its `seal`, in canonical JSON."""
    content = {key: value for key, value in manifest.items() if key != "seal"}
    text = json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def open_session(model: Path, threads: int | None, providers: Sequence[str], level: Any = _ALL) -> Any:
    """An ONNX Runtime session. Args: level: of graph optimisation."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.graph_optimization_level = threads or 0, level
    return onnxruntime.InferenceSession(str(model), options, providers=list(providers))


def cpu_class(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """The instruction set that decides the int8 kernel; the machine's name where the system does not tell."""
    words = cpuinfo.read_text().split() if cpuinfo.is_file() else []
    return next((name for name in _CPU_CLASSES if name in words), platform.machine() or "unknown")


def read_json(path: Path) -> dict[str, Any]:
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


def _missing_providers(entry: Mapping[str, Any]) -> list[str]:
    return [name for name in entry["providers"] if name not in onnxruntime.get_available_providers()]


def _read_manifest(folder: Path) -> dict[str, Any]:
    path = folder / MANIFEST
    manifest = read_json(path)
    # The exact bytes count too, so that not even white space can change unseen.
    written = json.dumps(manifest, ensure_ascii=False, indent=2) + "\n"
    if manifest.get("seal") != seal(manifest) or path.read_bytes() != written.encode():
        raise BundleError(path, "changed: its seal does not fit its content")
    if manifest.get("schema") != SCHEMA:
        raise BundleError(path, f"schema {manifest.get('schema')}, this runtime reads {SCHEMA}")
    return manifest


def _token_problems(bundle: Bundle, golden: Sequence[Mapping[str, Any]]) -> list[str]:
    encoded = bundle.encode([line["record"] for line in golden])
    windows = [[{"ids": window.ids, "type_ids": window.type_ids} for window in one.windows] for one in encoded]
    bad = [line["id"] for line, here in zip(golden, windows, strict=True) if here != line["windows"]]
    return [f"tokens: {name}: token ids differ from the recorded ones" for name in bad]


def _replay(bundle: Bundle, golden: Sequence[Mapping[str, Any]], by_tolerance: bool) -> dict[str, Any]:
    """Compare this machine's logits with the recorded ones, by tolerance or by label only."""
    here = bundle.logits([line["record"] for line in golden])
    recorded = np.array([line["logits"][bundle.precision] for line in golden], np.float32)
    allowed = np.array([line["tolerance"][bundle.precision] for line in golden])
    differences = np.abs(here - recorded).max(axis=1)
    # A NaN is not within anything: the comparison is written so that it fails.
    bad = np.flatnonzero(~(differences <= allowed)) if by_tolerance else np.flatnonzero(~np.isfinite(differences))
    return {
        "compared": "logits" if by_tolerance else "labels",
        "largest_difference": float(differences.max()),
        "label_flips": int((_decisions(bundle, here) != _decisions(bundle, recorded)).any(axis=1).sum()),
        "passed": not len(bad),
        "problems": [
            f"{golden[i]['id']}: logits differ by {differences[i]:.2g}, allowed {allowed[i]:.2g}" for i in bad.tolist()
        ],
    }


def _decisions(bundle: Bundle, logits: FloatRows) -> NDArray[Any]:
    return logits >= 0 if bundle.after["kind"] == "multi" else logits.argmax(axis=1)[:, None]


def _check_records(records: Any) -> None:
    if isinstance(records, str | bytes | Mapping) or not isinstance(records, Sequence):
        raise TypeError(f"a list of records is needed, got {type(records).__name__}")
    for number, record in enumerate(records):
        if not isinstance(record, Mapping):
            raise TypeError(f"record {number}: a mapping of fields is needed, got {type(record).__name__}")


def _renderer_class() -> Any:
    """`Renderer` of the rendering.py in this folder; in the source tree, which has none there, distill's own."""
    path = Path(__file__).resolve().with_name("rendering.py")
    if not path.is_file():
        from distill.core.rendering import Renderer

        return Renderer
    # Loaded by path under a name of its own: no other module named `rendering`, nor another bundle's, takes its place.
    name = f"_rendering_{sha256(path)[:16]}"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None and spec.loader is not None
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name].Renderer


def _read_lines(path: Path) -> list[dict[str, Any]]:
    records = []
    for number, line in enumerate(path.read_bytes().splitlines(), 1):
        try:
            records += [json.loads(line)] if line.strip() else []
        except (ValueError, RecursionError) as error:
            raise ValueError(f"{path}, line {number}: not JSON: {error}") from None
    return records


def _main(arguments: Sequence[str] | None = None) -> int:
    sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]  # a terminal may know ASCII only
    parser = argparse.ArgumentParser(description="Check this bundle, or predict with it.")
    action = parser.add_mutually_exclusive_group(required=True)
    action.add_argument("--verify", action="store_true", help="re-hash the files and replay the golden records")
    action.add_argument("--predict", type=Path, metavar="FILE", help="JSONL with one record per line")
    parser.add_argument("--bundle", type=Path, default=Path(__file__).resolve().parent, help="default: this folder")
    parser.add_argument("--precision", help="default: the one with the trained model's logits, fp32")
    parser.add_argument("--operating-point", help="adds `positive` to each answer")
    parser.add_argument("--threads", type=int, help="default: all cores")
    options = parser.parse_args(arguments)
    try:
        if options.verify:
            report = verify(options.bundle, options.threads)
            print(*report_lines(report), sep="\n")
            return 0 if report["passed"] else 3
        bundle = load_bundle(options.bundle, options.precision, options.threads)
        for answer in bundle.predict(_read_lines(options.predict), options.operating_point):
            print(json.dumps(answer, ensure_ascii="utf" not in sys.stdout.encoding.lower()))
    except (ValueError, TypeError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(_main())
