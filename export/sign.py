"""Who made a bundle: an Ed25519 signature over its manifest, which holds the hash of every other file."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distill.core.errors import MissingExtra, UserError
from distill.core.files import write_text
from export.checked_bundle import named_errors
from export.verify import MANIFEST, SIGNATURE, check

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

_MAKE_PRIVATE = "make one: openssl genpkey -algorithm ed25519 -out private.pem"
_MAKE_PUBLIC = "make one: openssl pkey -in private.pem -pubout -out public.pem"


def sign(bundle: Path, key: Path) -> Path:
    """Write `manifest.sig` into a bundle whose files are whole; returns its path.

    Args: key: an Ed25519 private key in PEM, without a password. Raises: UserError for a bundle or a key that is none.
    """
    private = _private(key)
    with named_errors(bundle):
        check(bundle)
    signature = private.sign((bundle / MANIFEST).read_bytes())
    write_text(bundle / SIGNATURE, base64.b64encode(signature).decode() + "\n")
    return bundle / SIGNATURE


def require_signed(bundle: Path, key: Path) -> None:
    """Check that the holder of a key signed this manifest; that the files are the manifest's is for `verify` to check.

    Args: key: an Ed25519 public key in PEM. Raises: UserError when they did not, or for a key that is none.
    """
    public, do = _public(key), "do not serve it: ask who made it for a signed one"
    from cryptography.exceptions import InvalidSignature  # after `_public`, which names the extra where it is missing

    try:
        signature = base64.b64decode((bundle / SIGNATURE).read_bytes(), validate=False)
        content = (bundle / MANIFEST).read_bytes()
    except (OSError, binascii.Error):
        raise UserError("the bundle is not signed", where=str(bundle / SIGNATURE), do=do) from None
    try:
        public.verify(signature, content)
    except InvalidSignature:
        found = "the signature is not that of this key, or the manifest has changed since"
        raise UserError("the bundle's signature does not fit", where=str(bundle), found=found, do=do) from None
    if code := sorted(str(path) for path in bundle.rglob("__pycache__")):
        raise UserError("byte code in the bundle is not signed", where=code[0], do="delete it, or run Python with -B")


def _private(path: Path) -> Ed25519PrivateKey:
    ed25519, serialization = _cryptography()
    key = _loaded(partial(serialization.load_pem_private_key, password=None), path, "private", _MAKE_PRIVATE)
    if not isinstance(key, ed25519.Ed25519PrivateKey):
        raise UserError("not an Ed25519 key", where=str(path), found=type(key).__name__, do=_MAKE_PRIVATE)
    return key


def _public(path: Path) -> Ed25519PublicKey:
    ed25519, serialization = _cryptography()
    key = _loaded(serialization.load_pem_public_key, path, "public", _MAKE_PUBLIC)
    if not isinstance(key, ed25519.Ed25519PublicKey):
        raise UserError("not an Ed25519 key", where=str(path), found=type(key).__name__, do=_MAKE_PUBLIC)
    return key


def _loaded(load: Callable[[bytes], Any], path: Path, kind: str, do: str) -> Any:
    """The key in a file. Raises: UserError for what is none, and for one of an algorithm that nobody here knows."""
    from cryptography.exceptions import UnsupportedAlgorithm

    try:
        return load(_read(path, do))
    except UnsupportedAlgorithm as error:
        raise UserError("not an Ed25519 key", where=str(path), found=error, do=do) from None
    except (ValueError, TypeError) as error:
        raise UserError(f"not a {kind} key", where=str(path), found=error, do=do) from None


def _read(path: Path, do: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError("cannot read the key", where=str(path), found=error.strerror, do=do) from None


def _cryptography() -> tuple[Any, Any]:
    try:
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import ed25519
    except ImportError:
        raise MissingExtra("signing a bundle", "sign") from None
    return ed25519, serialization
