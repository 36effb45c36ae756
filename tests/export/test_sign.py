import base64
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from distill.cli.app import app
from distill.core.errors import MissingExtra, UserError
from export.checked_bundle import verify
from export.sign import require_signed, sign
from tests.export.tiny_bundle import copy_of, reseal, shared_bundle

# The curves' object identifiers, as a key names its own: the library does not know the second one.
P256, SM2 = bytes.fromhex("2a8648ce3d030107"), bytes.fromhex("2a811ccf5501822d")

pytest.importorskip("cryptography", reason="the extra `sign` is not installed")


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    """PEM files of two key pairs, of one of another kind, of one on a curve without a name, and of one behind a
    password.
    """
    from cryptography.hazmat.primitives import serialization as pem
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519

    folder = tmp_path_factory.mktemp("keys")
    made = {"ours": ed25519.Ed25519PrivateKey.generate(), "theirs": ed25519.Ed25519PrivateKey.generate()}
    made["other"] = ec.generate_private_key(ec.SECP256R1())
    for name, key in made.items():
        plain = (pem.Encoding.PEM, pem.PrivateFormat.PKCS8, pem.NoEncryption())
        (folder / f"{name}.pem").write_bytes(key.private_bytes(*plain))
        public = key.public_key().public_bytes(pem.Encoding.PEM, pem.PublicFormat.SubjectPublicKeyInfo)
        (folder / f"{name}.pub").write_bytes(public)
    for ending in ("pem", "pub"):
        label, *lines, end = (folder / f"other.{ending}").read_text(encoding="utf-8").splitlines()
        content = base64.b64decode("".join(lines)).replace(P256, SM2)
        text = "\n".join([label, base64.encodebytes(content).decode().strip(), end, ""])
        (folder / f"strange.{ending}").write_text(text, encoding="utf-8")
    locked = (pem.Encoding.PEM, pem.PrivateFormat.PKCS8, pem.BestAvailableEncryption(b"secret"))
    (folder / "locked.pem").write_bytes(made["ours"].private_bytes(*locked))
    (folder / "text.pem").write_text("hello", encoding="utf-8")
    return folder


@pytest.fixture
def signed(keys, tmp_path):
    folder = copy_of(shared_bundle(), tmp_path)
    assert sign(folder, keys / "ours.pem") == folder / "manifest.sig"
    return folder


def test_a_signed_bundle_is_its_makers_and_verifies(signed, keys):
    require_signed(signed, keys / "ours.pub")
    assert verify(signed, threads=1)["passed"]


def test_another_makers_key_does_not_fit(signed, keys):
    with pytest.raises(UserError, match="signature does not fit") as caught:
        require_signed(signed, keys / "theirs.pub")
    assert caught.value.exit_code == 2


def test_a_bundle_that_was_changed_and_resealed_is_whole_and_not_its_makers(signed, keys):
    (signed / "latency.json").write_text("[]\n", encoding="utf-8")
    reseal(signed)
    assert verify(signed, threads=1)["passed"]
    with pytest.raises(UserError, match="signature does not fit"):
        require_signed(signed, keys / "ours.pub")


@pytest.mark.parametrize("content", [None, "", "no base64 ***", "c2hvcnQ="])
def test_a_bundle_without_a_signature_is_refused(signed, keys, content):
    (signed / "manifest.sig").unlink()
    if content is not None:
        (signed / "manifest.sig").write_text(content, encoding="utf-8")
    with pytest.raises(UserError, match="not signed|does not fit"):
        require_signed(signed, keys / "ours.pub")


def test_byte_code_is_not_signed(signed, keys):
    (signed / "__pycache__").mkdir()
    with pytest.raises(UserError, match="byte code in the bundle is not signed"):
        require_signed(signed, keys / "ours.pub")


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("other.pem", "not an Ed25519 key"),
        ("strange.pem", "not an Ed25519 key"),
        ("locked.pem", "not a private key"),
        ("text.pem", "not a private key"),
        ("ours.pub", "not a private key"),
        ("nowhere.pem", "cannot read the key"),
    ],
)
def test_a_key_that_cannot_sign_is_named(signed, keys, key, message):
    with pytest.raises(UserError, match=message) as caught:
        sign(signed, keys / key)
    assert caught.value.do is not None and "openssl genpkey" in caught.value.do


@pytest.mark.parametrize("key", ["other.pub", "strange.pub", "ours.pem", "text.pem", "nowhere.pub"])
def test_a_key_that_cannot_verify_is_named(signed, keys, key):
    with pytest.raises(UserError, match="openssl pkey"):
        require_signed(signed, keys / key)


def test_a_damaged_bundle_is_not_signed(keys, tmp_path):
    folder = copy_of(shared_bundle(), tmp_path)
    (folder / "config.json").write_text("{}", encoding="utf-8")
    with pytest.raises(UserError, match="damaged"):
        sign(folder, keys / "ours.pem")
    assert not (folder / "manifest.sig").exists()


def test_without_the_extra_its_pip_line_is_the_answer(signed, keys, monkeypatch):
    for name in ("cryptography", "cryptography.hazmat.primitives", "cryptography.exceptions"):
        monkeypatch.setitem(sys.modules, name, None)
    for call in (lambda: sign(signed, keys / "ours.pem"), lambda: require_signed(signed, keys / "ours.pub")):
        with pytest.raises(MissingExtra, match=r"pip install 'distill\[sign\]'"):
            call()


def test_the_verbs(keys, tmp_path):
    from typer.testing import CliRunner

    folder, run = copy_of(shared_bundle(), tmp_path), CliRunner().invoke
    refused = run(app, ["verify", str(folder), "--key", str(keys / "ours.pub")])
    assert isinstance(refused.exception, UserError)
    done = run(app, ["sign", str(folder), "--key", str(keys / "ours.pem")])
    assert done.exit_code == 0 and Path(done.stdout.removeprefix("signed: ").strip()).name == "manifest.sig"
    done = run(app, ["verify", str(folder), "--key", str(keys / "ours.pub"), "--threads", "1"])
    assert done.exit_code == 0 and "signed by the holder of" in done.stdout and "fp32: passed" in done.stdout


def test_the_commands_of_the_documentation(tmp_path):
    from typer.testing import CliRunner

    page = (Path(__file__).parents[2] / "docs" / "bundle.md").read_text(encoding="utf-8")
    lines = [
        shlex.split(line) for line in page.split("Who needs to know signs:")[1].split("```")[1].strip().splitlines()
    ]
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    folder = copy_of(shared_bundle(), tmp_path)
    for line in lines:
        if line[0] == "openssl":
            subprocess.run(line, check=True, cwd=tmp_path, capture_output=True)
        elif line[0] == "distill":
            arguments = [str(folder) if "bundles/" in word else word for word in line[1:]]
            arguments[-1] = str(tmp_path / arguments[-1])
            assert CliRunner().invoke(app, arguments).exit_code == 0
    assert [line[0] for line in lines] == ["openssl", "openssl", "pip", "distill", "distill"]
