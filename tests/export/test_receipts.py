"""The second start of a bundle on a machine is fast, and refuses what the first one would."""

import os
import stat
import subprocess
import sys

import pytest

from export import receipts, runtime
from export.clean_process import run_alone
from export.runtime import BundleError, OtherAnswers, load_bundle
from tests.export.tiny_bundle import copy_of, reseal, rewrite_golden, shared_bundle


@pytest.fixture
def kept(tmp_path, monkeypatch):
    folder = tmp_path / "receipts"
    monkeypatch.setenv(receipts.VARIABLE, str(folder))
    return folder


@pytest.fixture
def replayed(monkeypatch):
    """How many golden records each load has replayed so far."""
    counts, replay = [], runtime.checks.replay

    def counting(bundle, held):
        counts.append(len(held.golden))
        return replay(bundle, held)

    monkeypatch.setattr(runtime.checks, "replay", counting)
    return counts


def load(folder, precision="fp32"):
    return load_bundle(folder, precision, threads=1)


def test_all_records_at_the_first_start_and_a_few_later(kept, replayed):
    for precision in ("fp32", "fp32", "int8", "int8"):
        load(shared_bundle(), precision)
    assert replayed == [120, 3, 120, 3]
    assert len(list(kept.iterdir())) == 2


def test_a_copy_elsewhere_is_the_same_bundle(kept, replayed, tmp_path):
    load(shared_bundle())
    load(copy_of(shared_bundle(), tmp_path))
    assert replayed == [120, 3]


def test_a_changed_byte_is_refused_whatever_was_replayed_before(kept, tmp_path):
    folder = copy_of(shared_bundle(), tmp_path)
    load(folder)
    for name in ("model.onnx", "model.int8.onnx", "MODEL_CARD.md", "receipts.py"):
        whole = (folder / name).read_bytes()
        (folder / name).write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
        with pytest.raises(BundleError, match="changed: sha256"):
            load(folder)
        (folder / name).write_bytes(whole)


def test_one_other_recorded_answer_makes_it_another_bundle(kept, tmp_path):
    folder = copy_of(shared_bundle(), tmp_path)
    load(folder)
    few = {line["id"] for line in receipts.spot(runtime.checks.check(folder).golden)}

    def change(number, line):
        if number == 60:
            assert line["id"] not in few
            line["logits"]["fp32"][0] += 0.01
        return line

    rewrite_golden(folder, change)
    with pytest.raises(OtherAnswers):
        load(folder)


def test_the_few_records_are_asked_at_every_start(kept, monkeypatch):
    load(shared_bundle())
    logits = runtime.Bundle.logits
    monkeypatch.setattr(runtime.Bundle, "logits", lambda self, records, size=None: logits(self, records, size) + 0.01)
    with pytest.raises(OtherAnswers):
        load(shared_bundle())


@pytest.mark.parametrize("other", ["processor", "library"])
def test_another_machine_or_library_replays_all(kept, replayed, monkeypatch, other):
    load(shared_bundle())
    if other == "processor":
        monkeypatch.setattr(receipts, "_processor", lambda: ["another"])
    else:
        monkeypatch.setattr(receipts.tokenizers, "__version__", "0.0.1")
    load(shared_bundle())
    assert replayed == [120, 120]


def test_other_code_replays_all_of_the_same_bundle(kept, tmp_path):
    """distill runs the code of its version, whichever the bundle holds."""
    beside = copy_of(shared_bundle(), tmp_path)
    script = beside / "asks.py"
    script.write_text(
        f"import os, runtime; os.environ['{receipts.VARIABLE}'] = {str(kept)!r}\n"
        f"runtime.load_bundle({str(shared_bundle())!r}, 'fp32', 1)\n"
    )
    load(shared_bundle())
    for added, expected in (("", 1), ("\n# another version\n", 2)):
        with (beside / "rendering.py").open("a") as file:
            file.write(added)
        subprocess.run([sys.executable, "-B", str(script)], check=True, cwd=beside)
        assert len(list(kept.iterdir())) == expected


def test_answers_that_were_refused_or_warned_about_leave_no_receipt(kept, replayed, tmp_path):
    folder = copy_of(shared_bundle(), tmp_path)
    reseal(folder, cpu="another")
    for _ in range(2):
        with pytest.warns(UserWarning, match="labels differ on this processor"):
            load(folder, "int8")
    assert replayed == [120, 120]
    assert not kept.exists()


@pytest.mark.parametrize("place", ["nowhere", "in a file", "under a name that no system call takes"])
def test_without_a_place_for_receipts_every_start_replays_all(replayed, tmp_path, monkeypatch, place):
    (tmp_path / "file").touch()
    places = {"nowhere": "", "in a file": str(tmp_path / "file" / "in it")}
    monkeypatch.setenv(receipts.VARIABLE, places.get(place, str(tmp_path / ("x" * 300))))
    load(shared_bundle())
    load(shared_bundle())
    assert replayed == [120, 120]


def test_another_user_than_the_one_who_built_an_image_may_read_its_receipts(kept):
    before = os.umask(0o022)
    try:
        load(shared_bundle())
    finally:
        os.umask(before)
    assert stat.filemode(kept.stat().st_mode) == "drwxr-xr-x"


def test_by_default_they_are_in_the_user_s_cache(monkeypatch, tmp_path):
    monkeypatch.delenv(receipts.VARIABLE)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    session = load_bundle(shared_bundle(), threads=1, verify=False).session
    assert receipts.receipt("seal", "fp32", session, []).parent == tmp_path / "distill" / "receipts"


def test_the_few_have_different_lengths_up_to_the_middle_one():
    golden = [{"windows": [{"ids": [0] * size}]} for size in (5, 1, 9, 3, 7)]
    assert [len(line["windows"][0]["ids"]) for line in receipts.spot(golden)] == [1, 3, 5]


def test_the_toolkit_s_own_proof_replays_all(kept, tmp_path):
    load(shared_bundle())
    script = tmp_path / "asks.py"
    script.write_text("import os; print(repr(os.environ['DISTILL_RECEIPTS']))")
    assert run_alone(script).stdout.strip() == "''", sys.executable
