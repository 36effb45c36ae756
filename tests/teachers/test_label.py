"""Labelling train and pool rows, shard by shard."""

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from distill.core.errors import UserError
from distill.core.label_origin import origin_of_file
from distill.core.progress import reporting
from distill.core.record_store import read_records, write_records
from distill.core.records import Record
from distill.core.run_folder import LABEL_CARD
from distill.core.soft_labels import read_shard, read_soft_labels, shard_files, shard_path
from distill.core.view import View
from distill.inference import torch_runner
from distill.inference.backends import backend as backend_module
from distill.inference.backends.pytorch import Torch
from distill.inference.runner_scorer import RunnerScorer
from distill.inference.torch_runner import TorchRunner
from distill.models import packed
from distill.models.encoder import load_classifier
from distill.models.pretrained import save_tokenizer
from distill.training import device as device_module
from teachers import label_shard as shard_module
from teachers.config import LabellingConfig
from teachers.label import label
from tests.training.toy import DOCUMENT, LABELS, WINDOWED, Stop, Watch, toy_records, toy_view, write_unlike_toy

CONFIG = LabellingConfig(shard_rows=10, batch_tokens=100, precision="fp32")


def _save_teacher(encoder, folder, view):
    torch.manual_seed(8)
    model = load_classifier(encoder, LABELS)
    with torch.no_grad():
        model.classifier.weight.normal_(0, 2)
    model.save_pretrained(folder)
    save_tokenizer(encoder, folder)
    toy_view(folder, view, "document").save(folder)
    return folder


@pytest.fixture(scope="module", params=[DOCUMENT, WINDOWED], ids=["cut", "windows"])
def teacher(encoder, tmp_path_factory, request):
    """A classifier with logits far from zero, reading documents."""
    return _save_teacher(encoder, tmp_path_factory.mktemp("teacher"), request.param)


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    """Training rows and a pool in which no two rows read alike."""
    return write_unlike_toy(tmp_path_factory.mktemp("records"))


class Counting(TorchRunner):
    """A runner that counts the windows it is given."""

    opened = windows = 0

    def __init__(self, *arguments, **options):
        Counting.opened += 1
        super().__init__(*arguments, **options)

    def logits(self, batch):
        Counting.windows += len(batch["input_ids"])
        return super().logits(batch)


@pytest.fixture
def counting(monkeypatch):
    """The runner of the labelling, counting."""
    monkeypatch.setattr(torch_runner, "TorchRunner", Counting)
    Counting.opened = Counting.windows = 0
    return Counting


def _windows(teacher, rows):
    return sum(len(item.windows) for item in View.load(teacher).renderer().encode_batch([row.fields for row in rows]))


def _assert_same(labels, other):
    assert labels.ids == other.ids and labels.sources == other.sources and labels.status == other.status
    for name in ("logits", "tokens", "cut_tokens"):
        assert np.array_equal(getattr(labels, name), getattr(other, name), equal_nan=True)


def test_train_rows_then_the_pool_with_the_teachers_logits(teacher, records, tmp_path):
    label(CONFIG, teacher, records, 1, tmp_path)
    labels = read_soft_labels(tmp_path)
    rows = [*read_records(records, "train"), *read_records(records, "pool.urls")]
    assert labels.ids == [row.id for row in rows] and labels.sources == ["train"] * 24 + ["pool.urls"] * 18
    expected = RunnerScorer(TorchRunner(teacher), View.load(teacher).renderer()).score([row.fields for row in rows])
    np.testing.assert_allclose(labels.logits, expected.logits, atol=1e-5)
    assert np.ptp(labels.logits) > 1
    assert labels.tokens.tolist() == expected.tokens.tolist()
    assert labels.cut_tokens.tolist() == expected.cut_tokens.tolist()
    assert [len(read_shard(shard_path(tmp_path, index))) for index in range(5)] == [10, 10, 10, 10, 2]
    assert set(labels.status) == {"ok"}


def test_only_missing_shards_are_made_again_and_equal(teacher, records, tmp_path, counting):
    label(CONFIG, teacher, records, 1, tmp_path)
    whole, rows = read_soft_labels(tmp_path), read_records(records, "train")
    shard_path(tmp_path, 1).unlink()
    before = {path.name: path.stat().st_mtime_ns for path in tmp_path.glob("shard-*")}
    counting.windows, watch = 0, Watch()
    with reporting(watch):
        label(CONFIG, teacher, records, 1, tmp_path)
    assert counting.windows == _windows(teacher, rows[10:20])
    assert (watch.total, watch.resumed_from, watch.steps[-1]) == (42, 32, 42)
    _assert_same(read_soft_labels(tmp_path), whole)
    assert all((tmp_path / name).stat().st_mtime_ns == made for name, made in before.items())


def test_interrupted_labelling_keeps_its_finished_shards(teacher, records, tmp_path, monkeypatch):
    label(CONFIG, teacher, records, 1, tmp_path / "whole")
    write, written = shard_module.write_shard, []

    def stopping(folder, index, labels, **options):
        if index == 2 and not written.count("stopped"):
            written.append("stopped")
            raise Stop
        written.append(index)
        write(folder, index, labels, **options)

    monkeypatch.setattr(shard_module, "write_shard", stopping)
    with pytest.raises(Stop):
        label(CONFIG, teacher, records, 1, tmp_path / "cut")
    label(CONFIG, teacher, records, 1, tmp_path / "cut")
    assert written == [0, 1, "stopped", 2, 3, 4]
    _assert_same(read_soft_labels(tmp_path / "cut"), read_soft_labels(tmp_path / "whole"))


def test_finished_store_does_not_open_the_teacher(teacher, records, tmp_path, counting):
    label(CONFIG, teacher, records, 1, tmp_path)
    passes = counting.windows
    assert "Finished: 42 rows" in (tmp_path / LABEL_CARD).read_text()
    label(CONFIG, teacher, records, 1, tmp_path)
    assert counting.opened == 1 and counting.windows == passes > 0
    assert "Finished: 42 rows" in (tmp_path / LABEL_CARD).read_text()


def test_shards_of_other_rows_are_refused(teacher, records, tmp_path):
    label(CONFIG, teacher, records, 1, tmp_path / "labels")
    for split in ("train", "pool.urls"):
        rows = read_records(records, split)
        write_records(tmp_path / "other" / f"{split}.parquet", rows[::-1])
    with pytest.raises(UserError, match="other record files"):
        label(CONFIG, teacher, tmp_path / "other", 1, tmp_path / "labels")


def test_half_the_bytes(teacher, records, tmp_path):
    label(CONFIG, teacher, records, 1, tmp_path / "full")
    label(CONFIG.model_copy(update={"half": True}), teacher, records, 1, tmp_path / "half")
    full, half = read_soft_labels(tmp_path / "full").logits, read_soft_labels(tmp_path / "half").logits
    assert not np.array_equal(full, half)
    np.testing.assert_allclose(half, full, rtol=1e-3, atol=1e-3)


def _with_odd_rows(folder):
    """Train and pool rows; one has no text in the teacher's view, one a token that no other row has."""
    blank = {"product.title": "", "page.title": " ", "page.body": ""}
    train, pool = toy_records("т", 12), toy_records("п", 8, labelled=False)
    odd = Record("снег", {**pool[3].fields, "page.title": "бур зимний"})
    write_records(
        folder / "train.parquet",
        [*train[:6], Record("пусто", blank, train[0].target, "стройка", train[0].keys), *train[6:]],
    )
    write_records(folder / "pool.urls.parquet", [Record(r.id, r.fields) for r in [*pool[:4], odd, *pool[4:]]])
    return odd


def _poison(teacher, odd, others):
    """Make the embedding of a token that only `odd` has not a number."""
    renderer = View.load(teacher).renderer()
    common = {token for row in others for window in renderer.encode(row.fields).windows for token in window.ids}
    (token, *_) = [t for window in renderer.encode(odd.fields).windows for t in window.ids if t not in common]
    weights = load_file(teacher / "model.safetensors")
    weights["bert.embeddings.word_embeddings.weight"][token] = float("nan")
    save_file(weights, teacher / "model.safetensors", metadata={"format": "pt"})


@pytest.mark.parametrize("view", [DOCUMENT, WINDOWED], ids=["cut", "windows"])
def test_rows_without_text_and_without_finite_logits_are_marked(encoder, tmp_path, view):
    teacher = _save_teacher(encoder, tmp_path / "teacher", view)
    odd = _with_odd_rows(tmp_path / "records")
    label(CONFIG, teacher, tmp_path / "records", 1, tmp_path / "before")
    others = [*read_records(tmp_path / "records", "train"), *toy_records("п", 8)]
    _poison(teacher, odd, others)
    label(CONFIG, teacher, tmp_path / "records", 1, tmp_path / "after")
    before, after = read_soft_labels(tmp_path / "before"), read_soft_labels(tmp_path / "after")
    marks = dict(zip(after.ids, after.status, strict=True))
    assert marks.pop("пусто") == "empty" and marks.pop("снег") == "nonfinite" and set(marks.values()) == {"ok"}
    fine = [row for row, name in enumerate(after.ids) if name != "снег"]
    np.testing.assert_allclose(after.logits[fine], before.logits[fine], atol=1e-5)


def test_labelling_runs_where_the_precision_was_chosen_for(teacher, records, tmp_path, monkeypatch):
    """bf16 chosen because a CUDA device has it must not be emulated on the processor."""
    told = {}

    def runner(folder, **options):
        told.update(options)
        raise Stop

    monkeypatch.setattr(torch_runner, "TorchRunner", runner)
    for cuda in (True, False):
        monkeypatch.setattr(torch.cuda, "is_available", lambda cuda=cuda: cuda)
        monkeypatch.setattr(device_module, "has_bf16", lambda device: device == "cuda")
        with pytest.raises(Stop):
            label(LabellingConfig(), teacher, records, 1, tmp_path)
        assert (told["device"], told["precision"]) == (("cuda", "bf16") if cuda else ("cpu", "fp32"))


class OffBackend(Torch):
    """A backend of the user's own, whose logits are off by `change`."""

    name, change = "off", 0.0

    @classmethod
    def open(cls, *arguments, **options):
        runner = Torch.open(*arguments, **options)
        exact = runner.logits
        runner.logits = lambda batch: exact(batch) + np.float32(cls.change)
        return runner


@pytest.mark.parametrize(("change", "taken"), [(0.125, True), (0.5, False)])
def test_a_backend_labels_and_one_that_answers_otherwise_does_not(
    teacher, records, tmp_path, monkeypatch, change, taken
):
    """Each shard says which it was."""
    monkeypatch.setattr(OffBackend, "change", change)
    label(CONFIG, teacher, records, 1, tmp_path / "torch")
    own = CONFIG.model_copy(update={"backend": f"{__name__}:OffBackend", "precision_limit": 0.25})
    label(own, teacher, records, 1, tmp_path / "own")
    plain, found = read_soft_labels(tmp_path / "torch"), read_soft_labels(tmp_path / "own")
    np.testing.assert_allclose(found.logits, plain.logits + change * taken, atol=1e-6)
    said = {origin_of_file(path).precision for path in shard_files(tmp_path / "own")}
    assert said == {f"fp32 in {__name__}:OffBackend" if taken else "fp32"}


def test_batches_are_read_without_padding_where_that_is_asked(teacher, records, tmp_path, monkeypatch):
    seen = []
    read = packed.PackedClassifier.logits
    monkeypatch.setattr(packed.PackedClassifier, "logits", lambda *given: seen.append(1) or read(*given))
    for name, unpadded in (("padded", False), ("packed", True)):
        label(CONFIG.model_copy(update={"unpadded": unpadded}), teacher, records, 1, tmp_path / name)
        assert bool(seen) == unpadded
    one, other = read_soft_labels(tmp_path / "padded"), read_soft_labels(tmp_path / "packed")
    np.testing.assert_allclose(other.logits, one.logits, atol=1e-4)


def test_a_model_is_compiled_where_that_is_asked_and_can_be(teacher, records, tmp_path, monkeypatch):
    """By a compiler that changes nothing: making a real one takes minutes."""
    asked = []
    monkeypatch.setattr(torch, "compile", lambda model, **how: asked.append(how) or model)
    monkeypatch.setattr(backend_module, "has_compiler", lambda: True)
    compiled = CONFIG.model_copy(update={"compiled": True})
    label(CONFIG, teacher, records, 1, tmp_path / "plain")
    assert not asked
    label(compiled, teacher, records, 1, tmp_path / "compiled")
    assert asked and set(map(str, asked)) == {str({"dynamic": True})}
    _assert_same(read_soft_labels(tmp_path / "compiled"), read_soft_labels(tmp_path / "plain"))
    for change, told in (({"unpadded": True}, "unpadded: true"), ({"backend": "onnx"}, "backend onnx")):
        with pytest.raises(UserError, match=told):
            label(compiled.model_copy(update=change), teacher, records, 1, tmp_path / "refused")
    monkeypatch.setattr(backend_module, "has_compiler", lambda: False)
    with pytest.raises(UserError, match="needs a compiler"):
        label(compiled, teacher, records, 1, tmp_path / "refused")


@pytest.mark.gpu
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_cuda_labels_as_the_processor(teacher, records, tmp_path, monkeypatch, precision):
    label(CONFIG.model_copy(update={"precision": precision}), teacher, records, 1, tmp_path / "cuda")
    with monkeypatch.context() as patch:
        patch.setattr(torch.cuda, "is_available", lambda: False)
        label(CONFIG, teacher, records, 1, tmp_path / "cpu")
    made, expected = read_soft_labels(tmp_path / "cuda"), read_soft_labels(tmp_path / "cpu")
    assert list(made.ids) == list(expected.ids)
    scale = np.abs(expected.logits).max()
    np.testing.assert_allclose(made.logits, expected.logits, atol=(1e-4 if precision == "fp32" else 0.05) * scale)


def test_batch_tokens_decide_how_much_is_read_at_once(teacher, records, tmp_path, monkeypatch):
    class Calls(TorchRunner):
        shapes = []

        def logits(self, batch):
            self.shapes.append(batch["input_ids"].size)
            return super().logits(batch)

    monkeypatch.setattr(torch_runner, "TorchRunner", Calls)
    largest = {}
    for tokens in (60, 400):
        Calls.shapes.clear()
        folder = tmp_path / str(tokens)
        folder.mkdir()
        label(CONFIG.model_copy(update={"batch_tokens": tokens, "shard_rows": 50}), teacher, records, 1, folder)
        largest[tokens] = max(Calls.shapes)
    assert largest[60] <= 60 < largest[400] <= 400
