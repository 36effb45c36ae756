"""JSON of the user's files, read by one function: what it cannot hold safely has a reason of its own."""

from __future__ import annotations

import json
from typing import Any


class BadJson(ValueError):
    """JSON that is not taken. `reason` is what the ledger counts: broken_json, duplicate_key or huge_number. `cut`:
    whether the text ends before its value does.
    """

    def __init__(self, reason: str, detail: str, *, cut: bool = False) -> None:
        super().__init__(detail)
        self.reason, self.cut = reason, cut


def json_value(text: str) -> Any:
    """The value of a JSON text. NaN is null, as data frames write a missing value so.

    Raises: BadJson for text that is no JSON or nested too deep, an object with one key twice, of which Python keeps
        the last in silence, or an integer of thousands of digits.
    """
    try:
        return json.loads(text, parse_constant=_constant, object_pairs_hook=_object)
    except BadJson:
        raise
    except json.JSONDecodeError as error:
        end = text.rstrip()
        cut = error.pos >= len(end) or not end.endswith(("}", "]"))
        raise BadJson("broken_json", str(error), cut=cut) from None
    except RecursionError:
        raise BadJson("broken_json", "nested too deep") from None
    except ValueError:
        raise BadJson("huge_number", "an integer of more than 4,300 digits") from None


def _constant(name: str) -> float | None:
    return None if name == "NaN" else float(name)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise BadJson("duplicate_key", f"the key {twice[:100]!r} is given twice")
    return values
