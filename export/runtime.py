"""Answers from a bundle.

    from runtime import load_bundle
    load_bundle("bundles/8L_trunc").predict([{"product": {"title": "…"}, "page": {"title": "…"}}])

    python runtime.py --verify                exits 0: as built, 2: a file is missing or changed, 3: other answers
    python runtime.py --predict FILE.jsonl    one JSON answer per line, in order, with `id` or the line number
                      --fall-through 0.1      and `send_on`: whether it is among the tenth that is the least sure
    python runtime.py --drift FILE.jsonl      exits 0: as the reference, 2: a bad line, 3: drifted; see `drift.py`

Needs Python 3.11, onnxruntime, tokenizers, numpy and the other Python files of this folder, nothing else.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import json
import os
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # read when ONNX Runtime is imported


@contextmanager
def _needed(lacking: Callable[[], str]) -> Iterator[None]:
    """Something to import. Where this file is the program, an error ends it with what is lacking and exit code 2."""
    try:
        yield
    except Exception as error:
        if __name__ != "__main__":
            raise
        print(f"{lacking()}: {error}", file=sys.stderr)
        sys.exit(2)


def _packages() -> str:
    """The packages to install, in the versions that the bundle was built with where its manifest says them."""
    names = ["onnxruntime", "tokenizers", "numpy"]
    with suppress(Exception):
        held = json.loads(Path(__file__).with_name("manifest.json").read_bytes())["versions"]
        names = [f"{name}=={held[name]}" for name in names]
    return f"{sys.executable} lacks a package, pip install {' '.join(names)}"


with _needed(_packages):
    import numpy as np
    import onnxruntime  # noqa: F401  # by the other files of this folder
    from numpy.typing import NDArray
    from tokenizers import Tokenizer


def _beside(name: str) -> Any:
    """The module of this folder, by its path: no other module of its name, nor another bundle's, takes its place."""
    path = Path(__file__).resolve().with_name(f"{name}.py")
    with _needed(lambda: f"{path}: missing or changed"):
        unique = f"_{name}_{hashlib.sha256(path.read_bytes()).hexdigest()[:16]}"
        if unique not in sys.modules:
            spec = importlib.util.spec_from_file_location(unique, path)
            assert spec is not None and spec.loader is not None
            module = sys.modules[unique] = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
    return sys.modules[unique]


if TYPE_CHECKING or __package__ == "export":  # the source tree; in a bundle both are next to this file
    from distill.core import rendering, sending
    from distill.inference import providers
    from export import drift as drifting
    from export import receipts
    from export import verify as checks
else:
    checks, rendering, providers = _beside("verify"), _beside("rendering"), _beside("providers")
    drifting, receipts = _beside("drift"), _beside("receipts")
    sending = _beside("sending") if Path(__file__).with_name("sending.py").is_file() else None

FloatRows = NDArray[np.float32]
_CODE = [checks.sha256(Path(one)) for one in (__file__, checks.__file__, rendering.__file__, providers.__file__)]
BundleError, OtherAnswers, Unavailable = checks.BundleError, checks.OtherAnswers, checks.Unavailable
_CHUNK_RECORDS, _BATCH_SIZE, _SHOWN = 4096, 32, 5
AUTO = providers.AUTO


def load_bundle(
    path: str | Path, precision: str | None = None, threads: int | None = None, verify: bool = True,
    provider: str = AUTO, spinning: bool = True,
) -> Bundle:  # fmt: skip
    """The bundle in a folder, ready to predict.

    Args: precision: name of an artifact, such as `fp32`; None takes the default, see `default_artifact`. threads: of
        ONNX Runtime; None takes all cores. verify: refuse files that are not the manifest's, and a model that does not
        give the recorded answers; all golden records are read at the first load on a machine, a few later, see
        `receipts.py`. provider: `cpu`, `cuda` or `tensorrt`; `auto` takes the best that may run it and is here.
        spinning: let threads without work wait in a loop for a while, which is quickest on a machine of one's own;
        False: they sleep, and leave the processor to others.
    Raises: BundleError for a damaged bundle, OtherAnswers among them; ValueError for a precision or a provider that it
        lacks; Unavailable for an artifact that cannot or must not run there.
    """
    providers.require_known(provider)
    folder = Path(path)
    contents = checks.check(folder) if verify else None
    with checks.damage(folder):
        manifest = contents.manifest if contents else checks.read_json(folder / checks.MANIFEST)
        held: dict[str, dict[str, Any]] = manifest["artifacts"]
        name = precision or default_artifact(held, provider)
    if name not in held:
        raise ValueError(f"no precision '{name}' in {folder}; known: {', '.join(sorted(held))}")
    bundle = open_artifact(folder, name, held[name], threads, provider, spinning)
    if contents is not None:
        known = receipts.receipt(manifest["seal"], name, bundle.session, _CODE)
        golden = receipts.spot(contents.golden) if receipts.passed(known) else contents.golden
        result = checks.replay(bundle, replace(contents, golden=golden))
        for text in result["warnings"]:
            warnings.warn(text, stacklevel=2)
        if result["problems"]:
            found = "; ".join(result["problems"][:_SHOWN])
            raise OtherAnswers(folder, f"other answers than when it was built: {found}")
        if not result["warnings"]:
            receipts.leave(known)
    return bundle


def verify(path: str | Path, threads: int | None = None, provider: str = AUTO) -> dict[str, Any]:
    """Re-hash every file, then replay the golden records with every artifact: see `verify.verify`."""
    providers.require_known(provider)
    folder = Path(path)
    return dict(checks.verify(folder, lambda name, entry: open_artifact(folder, name, entry, threads, provider)))


def default_artifact(held: Mapping[str, Mapping[str, Any]], provider: str = AUTO) -> str:
    """The first that has its provider here, before all others one whose logits are the trained model's (`parity`)."""
    usable = [name for name, entry in held.items() if providers.can_run(provider, entry)] or list(held)
    return min(usable, key=lambda name: held[name]["criterion"] != "parity", default="none")


def open_artifact(
    folder: Path, name: str, entry: Mapping[str, Any], threads: int | None = None, provider: str = AUTO,
    spinning: bool = True,
) -> Bundle:  # fmt: skip
    """One artifact of the bundle in `folder`. Args: entry: of the manifest. Raises: BundleError, Unavailable."""
    with checks.damage(folder):
        before, after = (checks.read_json(folder / f"{part}processing.json") for part in ("pre", "post"))
        for part, content in (("preprocessing.json", before), ("postprocessing.json", after)):
            if content.get("schema") != checks.SCHEMA:
                raise BundleError(folder / part, f"schema {content.get('schema')}, this runtime reads {checks.SCHEMA}")
        model = folder / entry["file"]
        if not model.is_file():
            raise BundleError(model, "missing")
        try:
            renderer = rendering.Renderer(before, Tokenizer.from_file(str(folder / "tokenizer.json")))
            session = providers.open_session(model, entry, provider, threads, spinning=spinning)
        except providers.ProviderError as error:
            raise Unavailable(f"{name} {error}") from None
        except Exception as error:
            problem = f"tokenizer.json or {model.name} cannot be read: {error}"
            raise (BundleError(folder, problem) if entry["portable"] else Unavailable(f"{name}: {problem}")) from error
        told = {one: checks.read_json(folder / one) for one in (checks.BANDS, checks.DRIFT) if (folder / one).is_file()}
        return Bundle(folder, name, entry, before, after, renderer, session, told)


@dataclass(frozen=True)
class Bundle:
    """A classifier with its view and its labels. Safe to call from several threads.

    An artifact that is not `batch_invariant` answers one window per run. Dynamic int8 takes its activation scale over
    the whole input tensor: with other rows, or padded, a record would get other logits.

    Attributes: precision: name of the artifact. facts: its entry of the manifest. told: what other files hold, by name.
    """

    folder: Path
    precision: str
    facts: Mapping[str, Any]
    before: Mapping[str, Any]
    after: Mapping[str, Any]
    renderer: Any
    session: Any
    told: Mapping[str, Any]

    @property
    def provider(self) -> str:
        """The execution provider of ONNX Runtime that runs it."""
        return str(providers.used_by(self.session))

    @property
    def tolerance(self) -> float:
        """How far a logit may be from the recorded one here."""
        return float(providers.tolerance(self.facts, self.provider))

    @property
    def labels(self) -> list[str]:
        """The C class names, in the order of the logits."""
        return list(self.after["labels"])

    def predict(
        self, records: Sequence[Mapping[str, Any]], operating_point: str | None = None, batch_size: int | None = None,
        fall_through: float | None = None,
    ) -> list[dict[str, Any]]:  # fmt: skip
        """One answer per record, in order: `{"label", "probabilities": {label: p}}`, `positive` at an operating point.

        `label` is the class with the highest logit, or the list of classes from p = 0.5 on where several may hold. At
        the operating point `class_f1` it is the list of those from their `class_thresholds` on, without `positive`.
        Of a model whose `after["objective"]` is `one_vs_rest` it is no answer: the positive class alone is told apart.

        Args: records: nested (`{"page": {"title": …}}`) or flat (`{"page.title": …}`); missing fields are empty.
            operating_point: of `operating_points`. batch_size: as in `logits`. fall_through: a share; adds `send_on`,
            whether the answer is as unsure as those of this share of validation: ask the teacher then.
        Raises: TypeError, ValueError naming the record; ValueError for an unknown operating point or share.
        """
        self.require_point(operating_point)
        sent = None if fall_through is None else self._sender(operating_point, fall_through)
        logits = self.logits(records, batch_size)
        rows = self.answers(logits, operating_point)
        marks = [{}] * len(rows) if sent is None else [{"send_on": bool(on)} for on in sent(self.probabilities(logits))]
        return [{**row, **mark} for row, mark in zip(rows, marks, strict=True)]

    def answers(self, logits: FloatRows, operating_point: str | None = None) -> list[dict[str, Any]]:
        """What `predict` says where the model gives these logits, float32 (N, C)."""
        self.require_point(operating_point)
        by_class = operating_point == checks.CLASS_F1
        threshold = None if operating_point is None or by_class else self.threshold(operating_point)
        rows = [self._answer(*row, threshold) for row in zip(logits, self.probabilities(logits), strict=True)]
        if by_class:
            least = self.class_thresholds
            for row in rows:
                row["label"] = [name for name in self.labels if row["probabilities"][name] >= least[name]]
        return rows

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
    def metadata(self) -> dict[str, str]:
        """What the model file says of itself: `source_sha256` of the trained weights, `view_hash`, `labels`."""
        return dict(self.session.get_modelmeta().custom_metadata_map)

    @property
    def operating_points(self) -> dict[str, float | None]:
        """Least probability of the positive class by name; None where validation reached no such point."""
        return dict(self.after["operating_points"].get(self.precision, {}))

    @property
    def class_thresholds(self) -> dict[str, float]:
        """Probability from which on each class holds, chosen on validation; empty where one label holds."""
        return dict(self.after.get("class_thresholds", {}).get(self.precision, {}))

    def threshold(self, operating_point: str) -> float:
        """The threshold of an operating point. Raises: ValueError when the bundle has none of that name."""
        threshold = self.operating_points.get(operating_point)
        if threshold is None:
            named = [key for key, value in self.operating_points.items() if value is not None]
            listed = ", ".join([*named, *([checks.CLASS_F1] if self.class_thresholds else [])]) or "none"
            raise ValueError(f"no operating point '{operating_point}' at {self.precision}; known: {listed}")
        return threshold

    def require_point(self, operating_point: str | None) -> None:
        """Check that the bundle can answer at an operating point, None for none. Raises: as `threshold`."""
        if operating_point is not None and not (operating_point == checks.CLASS_F1 and self.class_thresholds):
            self.threshold(operating_point)

    def _sender(self, operating_point: str | None, share: float) -> Callable[[FloatRows], Any]:
        """Probabilities -> whether each record is sent on. Raises: ValueError where there is no band for a share."""
        path = self.folder / checks.BANDS
        if checks.BANDS not in self.told:
            raise ValueError(f"{path}: there is none: only a bundle built with a teacher, not retuned since, has one")
        if sending is None:
            raise ValueError(f"{path}: read by no sending.py next to {__file__}; open the bundle by its own runtime.py")
        with checks.damage(path):
            bands = sending.Bands.of(self.told[checks.BANDS], self.precision, operating_point)
        bands.require(share)
        return lambda chances: bands.sent(self, chances, share)

    def drift(self, records: Sequence[Mapping[str, Any]], limit: float = drifting.LIMIT) -> dict[str, Any]:
        """How far records have moved from those that the bundle was measured on: see `drift.compare`.

        Args: limit: least PSI that counts. Raises: as `predict`; ValueError without records, and for a bundle without
            a reference.
        """
        path = self.folder / checks.DRIFT
        if checks.DRIFT not in self.told:
            raise ValueError(f"{path}: there is none, this bundle was built without records to compare with")
        with checks.damage(path):
            reference = drifting.Reference.of(self.told[checks.DRIFT], self.precision)
        _check_records(records)
        return dict(drifting.drift(self, records, reference, rendering, limit))

    def encode(self, records: Sequence[Mapping[str, Any]], first: int = 0) -> list[Any]:
        """Each record as `rendering.Encoded`. `first`: number of the first record, for messages."""
        try:
            return list(self.renderer.encode_batch(records))
        except (TypeError, ValueError):
            for number, record in enumerate(records, first):
                if problem := self.renderer.unreadable(record):
                    raise ValueError(f"record {number}: {problem}") from None
            raise

    def _chunk(self, records: Sequence[Mapping[str, Any]], first: int, batch_size: int) -> FloatRows:
        given, swap = self._one_order(records, first, batch_size), self.before.get("swap")
        if swap is None or not swap["average"]:
            return given
        # The task is symmetric: with these fields exchanged the answer is that of the classes in this order.
        exchanged = [rendering.swapped(record, swap["fields"]) for record in records]
        other = self._one_order(exchanged, first, batch_size)[:, swap["order"]]
        return np.asarray((given.astype(np.float64) + other) / 2, np.float32)

    def _one_order(self, records: Sequence[Mapping[str, Any]], first: int, batch_size: int) -> FloatRows:
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
        labels, several = self.labels, self.after["kind"] == "multi"
        label = [labels[i] for i in np.flatnonzero(logits >= 0)] if several else labels[int(logits.argmax())]
        named = dict(zip(labels, map(float, chances), strict=True))
        answer: dict[str, Any] = {"label": label, "probabilities": named}
        return answer if threshold is None else {**answer, "positive": named[self.after["positive"]] >= threshold}


def drift_of(bundle: Bundle, file: Path, limit: float = drifting.LIMIT) -> dict[str, Any]:
    """`Bundle.drift` of the records in a file of JSON lines. Raises: ValueError naming the line; OSError."""
    numbered = _read_lines(file, bundle)
    for number, record in numbered:
        if problem := bundle.renderer.unreadable(record):
            raise ValueError(f"{file}, line {number}: {problem}")
    if not numbered:
        raise ValueError(f"{file}: no records, nothing to compare")
    return bundle.drift([record for _, record in numbered], limit)


def _check_records(records: Any) -> None:
    if isinstance(records, str | bytes | Mapping) or not isinstance(records, Sequence):
        raise TypeError(f"a list of records is needed, got {type(records).__name__}")
    for number, record in enumerate(records):
        if not isinstance(record, Mapping):
            raise TypeError(f"record {number}: a mapping of fields is needed, got {type(record).__name__}")


def _read_lines(path: Path, bundle: Bundle) -> list[tuple[int, dict[str, Any]]]:
    """The numbered records of a file. Raises: ValueError for a bad line, or where no record has a field of the view."""
    records, renderer = [], bundle.renderer
    for number, line in enumerate(path.read_bytes().split(b"\n"), 1):
        try:
            records += [(number, json.loads(line))] if line.strip() else []
        except (ValueError, RecursionError) as error:
            raise ValueError(f"{path}, line {number}: not JSON: {error}") from None
    if records and all(isinstance(one, Mapping) and not renderer.reads(one) for _, one in records):
        fields, found = ", ".join([*renderer.left, *renderer.right]), ", ".join(records[0][1]) or "none"
        raise ValueError(f"{path}: no record has a field that the model reads: {fields}; the first one has {found}")
    return records


def _shown(text: str) -> str:
    """Text of others for a terminal: what it would obey is an escape of JSON, so that a line of JSON stays one."""
    obeyed = {sign: sign.encode("utf-16-be", "surrogatepass").hex("-", 2) for sign in text if not sign.isprintable()}
    return text.translate({ord(sign): "\\u" + units.replace("-", "\\u") for sign, units in obeyed.items()})


def _main(arguments: Sequence[str] | None = None) -> int:
    sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]  # a terminal may know ASCII only
    parser = argparse.ArgumentParser(description="Check this bundle, or predict with it.")
    action = parser.add_mutually_exclusive_group(required=True)
    action.add_argument("--verify", action="store_true", help="re-hash the files and replay the golden records")
    action.add_argument("--predict", type=Path, metavar="FILE", help="JSONL with one record per line")
    action.add_argument("--drift", type=Path, metavar="FILE", help="JSONL to compare with what it was measured on")
    parser.add_argument("--bundle", type=Path, default=Path(__file__).resolve().parent, help="default: this folder")
    parser.add_argument("--precision", help="default: the one with the trained model's logits, fp32")
    parser.add_argument("--operating-point", help="adds `positive` to each answer")
    parser.add_argument("--fall-through", type=float, metavar="SHARE", help="adds `send_on`: the least sure")
    parser.add_argument("--threads", type=int, help="default: all cores")
    parser.add_argument("--provider", choices=(AUTO, *providers.NAMES), default=AUTO, help="what runs it")
    parser.add_argument("--limit", type=float, default=drifting.LIMIT, help="least PSI that counts as drift")
    parser.add_argument("--json", action="store_true", help="the comparison of --drift as JSON")
    options = parser.parse_args(arguments)
    try:
        if options.verify:
            report = verify(options.bundle, options.threads, options.provider)
            print(*map(_shown, checks.report_lines(report)), sep="\n")
            return 0 if report["passed"] else 3
        bundle = load_bundle(options.bundle, options.precision, options.threads, provider=options.provider)
        if options.drift:
            found = drift_of(bundle, options.drift, options.limit)
            told = [json.dumps(found, ensure_ascii=False)] if options.json else drifting.lines(found)
            print(*map(_shown, told), sep="\n")
            return 0 if found["passed"] else 3
        lines = _read_lines(options.predict, bundle)
        answers = bundle.predict([one for _, one in lines], options.operating_point, None, options.fall_through)
        for (number, record), answer in zip(lines, answers, strict=True):
            named = {"id": number if (name := rendering.name_at(record, "id")) is None else name, **answer}
            print(_shown(json.dumps(named, ensure_ascii="utf" not in sys.stdout.encoding.lower())))
    except Exception as error:
        short = "out of memory: " * providers.is_out_of_memory(error)
        if not short and not isinstance(error, ValueError | TypeError | OSError | RecursionError):
            raise
        print(_shown(f"{short}{error}"), file=sys.stderr)
        return 3 if isinstance(error, OtherAnswers) else 2
    return 0


if __name__ == "__main__":
    sys.exit(_main())
