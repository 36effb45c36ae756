"""`distill verify`: the bundle's own check, with the toolkit's errors and exit codes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distill.core.errors import GateFailed, MissingExtra, UserError
from distill.core.files import Json

if TYPE_CHECKING:
    from export.runtime import Bundle

_SHOWN = 5


def verify(bundle: Path, threads: int | None = None) -> Json:
    """Re-hash a bundle's files and replay its golden records; see `export.runtime.verify` for what must hold.

    Returns: the report of `export.runtime.verify`, all of it passed; `warnings` may hold lines to show.
    Raises: UserError naming the file that is missing or changed. GateFailed for other token ids or logits.
    """
    runtime = _runtime()
    with _named_errors(bundle):
        report: Json = runtime.verify(bundle, threads)
    if not report["passed"]:
        raise _other_answers(bundle, report)
    return report


def open_bundle(bundle: Path, precision: str | None = None, threads: int | None = None) -> Bundle:
    """A bundle ready to predict, its files checked first.

    Raises: UserError for a damaged bundle or a precision that it does not hold.
    """
    with _named_errors(bundle):
        loaded: Bundle = _runtime().load_bundle(bundle, precision, threads, verify=True)
    return loaded


def report_lines(report: Json) -> list[str]:
    """The report for people, as `python runtime.py --verify` prints it."""
    lines: list[str] = _runtime().report_lines(report)
    return lines


@contextmanager
def _named_errors(bundle: Path) -> Iterator[None]:
    """The runtime's errors as the toolkit's."""
    if not bundle.is_dir():
        raise UserError("not a bundle", where=str(bundle), do="name a folder that `distill bundle` made")
    try:
        yield
    except _runtime().BundleError as error:
        do = "do not serve it: copy the bundle again, or build it anew"
        raise UserError("the bundle is damaged", where=str(error.path), found=error.problem, do=do) from None
    except ValueError as error:
        raise UserError("the bundle cannot be used", where=str(bundle), found=error) from None
    except (KeyError, TypeError, AttributeError, IndexError, ArithmeticError, RecursionError) as error:
        # Resealed files may say anything, so anything may come of reading them.
        found, do = f"{type(error).__name__}: {error}", "do not serve it: copy the bundle again, or build it anew"
        raise UserError("the bundle is damaged", where=str(bundle), found=found, do=do) from None


def _other_answers(bundle: Path, report: Json) -> GateFailed:
    problems = report["problems"]
    more = [f"… and {len(problems) - _SHOWN} more"] if len(problems) > _SHOWN else []
    return GateFailed(
        "the bundle gives other answers than when it was built",
        where=str(bundle),
        found="; ".join(problems[:_SHOWN] + more),
        do="install the versions in its manifest.json, or build it anew on this machine",
    )


def _runtime() -> Any:
    try:
        from export import runtime
    except ImportError:
        raise MissingExtra("reading a bundle", "cpu") from None
    return runtime
