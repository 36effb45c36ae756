"""A fast way of opening a model is taken only where it answers as plain fp32 does."""

from dataclasses import replace

import numpy as np
import pytest

from distill.core.errors import UserError
from distill.core.progress import reporting
from distill.families import checked_opening
from distill.families.checked_opening import checked, largest_change
from distill.families.family import Facts, Opening
from distill.inference.scorer import Scorer
from tests.training.toy import Watch

PLAIN, FAST = Opening(threads=1), Opening(threads=1, precision="bf16")


class Answers(Scorer):
    """A model whose every logit is off by so much."""

    def __init__(self, off, asked):
        self.off, self.asked = off, asked

    def prepare(self, rows):
        self.asked.append([row["n"] for row in rows])
        return [_Row(row["n"]) for row in rows]

    def answer(self, prepared, on_progress=None):
        return np.array([[one.n + self.off, -1.0] for one in prepared], np.float32)


class _Row:
    tokens = cut_tokens = read_tokens = 1

    def __init__(self, n):
        self.n = n


@pytest.fixture
def model(monkeypatch, tmp_path):
    """`model(off, remote=False)`: its folder; and what the two ways of opening it were asked."""

    def make(off, remote=False, precision="fp32", layers=1, shared=False):
        about = {"is_remote_at": lambda self, folder: remote, "facts": lambda self, folder: Facts(layers, None)}
        own = type("Own", (), {"precision": precision, **about})()
        asked = {"fast": [], "plain": [], "mixed": []}

        def opened(folder, how):
            if how == PLAIN:
                return Answers(0, asked["plain"])
            if how.precision == "fp32":  # of another backend
                return Answers(off / 100, [])
            if not how.exact_layers:
                return Answers(off, asked["fast"])
            if shared:
                raise UserError("no stack of layers")
            asked["mixed"].append(how.exact_layers)
            return Answers(off / (1 + how.exact_layers), [])

        monkeypatch.setattr(checked_opening, "family_of", lambda folder: own)
        monkeypatch.setattr(checked_opening, "open_model", opened)
        return tmp_path / "base", asked

    return make


ROWS = [{"n": n} for n in range(320)]


@pytest.mark.parametrize(("off", "kept"), [(0.05, True), (0.2, False), (np.nan, False)])
def test_a_limit_decides_whether_the_fast_way_is_taken(model, off, kept):
    folder, asked = model(off)
    watch = Watch()
    with reporting(watch):
        how = checked(folder, FAST, ROWS, 0.1)
    assert how == (FAST if kept else PLAIN)
    assert asked["fast"] == asked["plain"] == [list(range(0, 320, 10))]
    said = [text for text in watch.notes if "precision_limit" in text]
    assert len(said) == (not kept) and all("base: bf16 in torch" in text and "0.1" in text for text in said)


@pytest.mark.parametrize(
    ("off", "layers", "shared", "taken", "said"),
    [
        (0.15, 6, False, 2, "its last 2 layers label in fp32"),
        (0.4, 6, False, 4, "its last 4 layers label in fp32"),
        (0.4, 4, False, None, "it labels in fp32"),
        (0.15, 6, True, None, "it labels in fp32"),  # layers that share their weights
    ],
)
def test_the_fewest_exact_layers_that_keep_the_limit_are_taken(model, off, layers, shared, taken, said):
    folder, asked = model(off, layers=layers, shared=shared)
    watch = Watch()
    with reporting(watch):
        how = checked(folder, FAST, ROWS, 0.1)
    assert how == (PLAIN if taken is None else replace(FAST, exact_layers=taken))
    tried = [count for count in (2, 4) if count < layers and count <= (taken or layers)]
    assert asked["mixed"] == ([] if shared else tried)
    assert [text for text in watch.notes if said in text and f"{off:g} on 32 rows" in text]


@pytest.mark.parametrize("way", [{"unpadded": True}, {"compiled": True}])
@pytest.mark.parametrize("precision", ["bf16", "fp32"])
def test_a_way_that_fails_on_this_machine_is_left_and_its_reason_said(model, monkeypatch, way, precision):
    folder, asked = model(0.05)
    fast, opened, watch = Opening(threads=1, precision=precision, **way), checked_opening.open_model, Watch()
    error = RuntimeError("no kernel for heads of 26\nmore")

    def failing(folder, how):
        if how.unpadded or how.compiled:
            raise error
        return opened(folder, how)

    monkeypatch.setattr(checked_opening, "open_model", failing)
    with reporting(watch):
        assert checked(folder, fast, ROWS, 0.1) == Opening(threads=1, precision=precision)
    assert [text for text in watch.notes if text.endswith("padded and not compiled (no kernel for heads of 26)")]
    assert len(asked["fast"]) == (precision == "bf16")  # which is checked then as it is without that way
    for error in (RuntimeError("CUDA out of memory"), UserError("cannot be read without padding")):
        with pytest.raises(type(error)):
            checked(folder, fast, ROWS, 0.1)


def test_an_error_of_the_model_itself_is_raised(model, monkeypatch):
    folder, _ = model(0)
    monkeypatch.setattr(checked_opening, "open_model", lambda folder, how: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        checked(folder, FAST, ROWS, 0.1)


def test_a_backend_that_cannot_mix_is_kept_in_fp32(model):
    folder, asked = model(0.15, layers=6)
    fast, watch = replace(FAST, backend="openvino"), Watch()
    with reporting(watch):
        assert checked(folder, fast, ROWS, 0.1) == replace(fast, precision="fp32") and not asked["mixed"]
    assert [text for text in watch.notes if "it labels in fp32 in openvino" in text]


def test_nothing_is_compared_where_there_is_nothing_to_compare(model):
    for how, rows, other in (
        (PLAIN, ROWS, {}),
        (FAST, [], {}),
        (FAST, ROWS, {"remote": True}),
        (FAST, ROWS, {"precision": "fp64"}),
    ):
        folder, asked = model(9, **other)
        assert checked(folder, how, rows, 0.1) == how and not any(asked.values())


def test_few_rows_are_each_read_once(model):
    folder, asked = model(0)
    checked(folder, FAST, ROWS[:3], 0.1)
    assert asked["plain"] == [[0, 1, 2]]


def test_rows_without_a_number_in_both_are_no_change():
    nan = np.float32(np.nan)
    a, b = np.array([[1, nan]], np.float32), np.array([[1.5, nan]], np.float32)
    assert largest_change(a, b) == 0.5
    assert largest_change(a, np.array([[1, 2]], np.float32)) == np.inf
