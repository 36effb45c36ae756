"""Text of others on its way out: names, labels, slices and records are shown, and never steer what shows them.

One function per medium. What a terminal or a reader would obey (escape sequences, direction marks, invisible signs) is
shown as Python writes it in a string.
"""

from __future__ import annotations

import html
import json
import re
import sys
import unicodedata
from typing import IO, Any

# Control, format, surrogate and separator signs, but for line feed, tab and the joiners of emoji and Persian words.
_STEERING, _KEPT = {"Cc", "Cf", "Cs", "Zl", "Zp"}, "\n\t\u200c\u200d"
_TAG = re.compile(r"<(?=[A-Za-z/!?])")
_LINK = re.compile(r"\[(?=[^\]]*\]\()")
_FENCES = re.compile("`+")


def for_terminal(text: object) -> str:
    """Text for a terminal or a log; line feeds and tabs stay."""
    return "".join(_escaped(sign) if _steers(sign) else sign for sign in str(text))


def for_html(text: object) -> str:
    """Text for element content and quoted attributes of a page."""
    return html.escape(for_terminal(text), quote=True)


def for_markdown(text: object) -> str:
    """Text for a line or a table cell of Markdown: no tag, link, code or cell begins in it."""
    plain = _LINK.sub(r"\\[", _TAG.sub("&lt;", " ".join(for_terminal(text).splitlines())))
    return plain.replace("`", "\\`").replace("|", "\\|")


def as_markdown_code(text: object, *, cell: bool = False) -> str:
    """Text as a code span of Markdown, which begins and ends with back quotes. Args: cell: of a table."""
    plain = " ".join(for_terminal(text).splitlines())
    fence = "`" * (max(map(len, _FENCES.findall(plain)), default=0) + 1)
    inner = f" {plain} " if len(fence) > 1 else plain
    return f"{fence}{inner.replace('|', chr(92) + '|') if cell else inner}{fence}"


def for_pbtxt(text: object) -> str:
    """Text for a quoted string of a protobuf text file."""
    return "".join(
        sign if sign.isalnum() or sign in " _.+-@:/," else "".join(f"\\{byte:03o}" for byte in _bytes(sign))
        for sign in str(text)
    )


def as_json(value: Any, *, ascii_only: bool = False) -> str:
    """One line of JSON that a terminal may show; it reads as the same value."""
    text = json.dumps(value, ensure_ascii=ascii_only)
    return "".join(_escaped_in_json(sign) if _steers(sign) else sign for sign in text)


def say(text: object, file: IO[str] | None = None) -> None:
    """Print text for people. Args: file: standard output by default."""
    print(for_terminal(text), file=file or sys.stdout)


def clock(seconds: float) -> str:
    """`8s`, `2m 05s`, `1h 10m`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    minutes, rest = divmod(whole, 60)
    return f"{minutes}m {rest:02d}s" if minutes < 60 else f"{minutes // 60}h {minutes % 60:02d}m"


def _steers(sign: str) -> bool:
    return not sign.isprintable() and sign not in _KEPT and unicodedata.category(sign) in _STEERING


def _escaped(sign: str) -> str:
    code = ord(sign)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _escaped_in_json(sign: str) -> str:
    return "\\u007f" if sign == "\x7f" else json.dumps(sign)[1:-1]


def _bytes(sign: str) -> bytes:
    return sign.encode("utf-8", "surrogatepass")
