"""Which encoding a text file is in, and the named error for one that is not what the config says."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

from distill.core.errors import UserError

CYRILLIC = ("cp1251", "koi8-r", "cp866")
_SAMPLE_BYTES = 1 << 20
_RUN = re.compile("[а-яё]{2,}")


def require_usable(encoding: str) -> None:
    """Check that Python knows the encoding and can read it line by line.

    Raises: UserError naming `data.encoding`.
    """
    try:
        single_byte_line_ends = "\n".encode(encoding) == b"\n" or codecs.lookup(encoding).name == "utf-8-sig"
    except LookupError:
        do = "for example utf-8 or cp1251"
        raise UserError("unknown encoding", where="data.encoding", found=encoding, do=do) from None
    if not single_byte_line_ends:
        do = f"convert the files with iconv -f {encoding} -t utf-8 and remove data.encoding"
        raise UserError("this encoding cannot be read line by line", where="data.encoding", found=encoding, do=do)


def refuse_utf16(path: Path, start: bytes) -> None:
    """Check that a file has no byte order mark of UTF-16. Raises: UserError with the conversion."""
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        do = "convert with iconv -f utf-16 -t utf-8"
        raise UserError("the file is not UTF-8", where=f"{path}, line 1", found="it reads as UTF-16", do=do)


def refuse_foreign(path: Path, file: BinaryIO, first_bad: int) -> None:
    """Check that a file as a whole is UTF-8, be it with single broken lines.

    A file is foreign when its undecodable lines are over a tenth of all lines and over half of the non-ASCII ones.

    Args: file: the file's bytes from the start. first_bad: number of the first line that is not UTF-8.
    Raises: UserError naming file, line, the encoding that it reads as, and both ways out.
    """
    lines, beyond_ascii, bad, sample = 0, 0, 0, bytearray()
    for line in file:
        lines += 1
        if line.isascii():
            continue
        beyond_ascii += 1
        if not _decodes(line):
            bad += 1
            sample += line if len(sample) < _SAMPLE_BYTES else b""
    if bad <= 0.1 * lines or bad <= 0.5 * beyond_ascii:
        return
    raise _foreign(f"{path}, line {first_bad}", guess(bytes(sample)), f"{bad} of {lines} lines are not UTF-8")


def guess(data: bytes) -> str | None:
    """The Cyrillic encoding in which `data` has mostly lower-case words, None where none has.

    Runs of two letters on: in western texts accented letters are single, so they never look Cyrillic.
    """
    share, name = max((_share(data, name), name) for name in CYRILLIC)
    return name if share > 0.5 else None


def detect(lines: Iterable[bytes]) -> str:
    """`utf-8`, or the Cyrillic encoding that fits the lines that are not UTF-8."""
    bad = b"".join(line for line in lines if not _decodes(line))
    return (guess(bad[:_SAMPLE_BYTES]) if bad else None) or "utf-8"


def _foreign(where: str, encoding: str | None, count: str) -> UserError:
    if encoding is None:
        do = "find out its encoding and set data.encoding, or convert it with iconv"
        return UserError("the file is not UTF-8", where=where, found=count, do=do)
    do = f"set data.encoding: {encoding}, or convert with iconv -f {encoding} -t utf-8"
    return UserError("the file is not UTF-8", where=where, found=f"it reads as {encoding}; {count}", do=do)


def _decodes(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


def _share(data: bytes, encoding: str) -> float:
    """Share of the non-ASCII characters in runs of lower-case Cyrillic letters."""
    text = data.decode(encoding, "replace")
    foreign = sum(not character.isascii() for character in text)
    return sum(map(len, _RUN.findall(text))) / foreign if foreign else 0.0
