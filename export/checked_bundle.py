"""A bundle as the toolkit takes it: its check and its answers, with the toolkit's errors and exit codes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distill.core.errors import GateFailed, MissingExtra, UserError
from distill.core.files import Json
from distill.inference.providers import AUTO
from export.verify import SENDING

if TYPE_CHECKING:
    from export.runtime import Bundle

_SHOWN = 5
_HERE = Path(__file__).parent
CODE = {name: _HERE / name for name in ("runtime.py", "verify.py", "drift.py", "receipts.py")}
CODE["rendering.py"] = _HERE.parent / "distill" / "core" / "rendering.py"
CODE |= {name: _HERE.parent / "distill" / "inference" / name for name in ("providers.py", "engines.py")}
"""The code that a bundle carries verbatim."""
SENDING_CODE = _HERE.parent / "distill" / "core" / "sending.py"
"""What it carries too where records may be sent on to the teacher."""


def verify(bundle: Path, threads: int | None = None) -> Json:
    """Re-hash a bundle's files and replay its golden records; see `export.verify` for what must hold.

    Returns: the report of `export.verify.verify`, all of it passed; `warnings` may hold lines to show.
    Raises: UserError naming the file that is missing, changed or foreign. GateFailed for other answers.
    """
    runtime = _runtime()
    with named_errors(bundle):
        report: Json = runtime.verify(bundle, threads)
        report["warnings"] += _other_code(bundle)
    if not report["passed"]:
        raise _other_answers(bundle, report["problems"])
    return report


def open_bundle(bundle: Path, precision: str | None = None, threads: int | None = None, provider: str = AUTO) -> Bundle:
    """A bundle ready to predict, its files and the answers of this artifact checked first.

    Raises: UserError for a damaged bundle, a precision that it does not hold, or a provider that cannot or must not run
        it. GateFailed for other answers.
    """
    with named_errors(bundle):
        loaded: Bundle = _runtime().load_bundle(bundle, precision, threads, provider=provider)
    return loaded


def open_unchecked(bundle: Path, precision: str, threads: int | None = None, provider: str = AUTO) -> Bundle:
    """A bundle that was checked a moment ago, ready to predict. Raises: UserError."""
    with named_errors(bundle):
        loaded: Bundle = _runtime().load_bundle(bundle, precision, threads, verify=False, provider=provider)
    return loaded


def require_outside(out: Path, bundle: Path) -> None:
    """Check that writing `out` leaves a bundle as it is. Raises: UserError for a place in its folder."""
    if bundle.resolve() in out.resolve().parents:
        what, do = "a bundle holds its own files alone", "name a place outside of it with --out"
        raise UserError(what, where=str(out), found=f"the folder of {bundle}", do=do)


def report_lines(report: Json) -> list[str]:
    """The report for people, as `python runtime.py --verify` prints it."""
    lines: list[str] = _runtime().checks.report_lines(report)
    return lines


@contextmanager
def named_errors(bundle: Path) -> Iterator[None]:
    """The runtime's errors as the toolkit's. Raises: UserError, GateFailed."""
    checks = _runtime().checks
    if not bundle.is_dir():
        raise UserError("not a bundle", where=str(bundle), do="name a folder that `distill bundle` made")
    try:
        yield
    except checks.OtherAnswers as error:
        raise _other_answers(bundle, [error.problem]) from None
    except checks.BundleError as error:
        raise _unusable(bundle, error) from None
    except ValueError as error:
        raise UserError("the bundle cannot be used like that", where=str(bundle), found=error) from None


def _unusable(bundle: Path, error: Any) -> UserError:
    """A `BundleError` as it is told: a folder that is none, a bundle of another version, or a damaged one."""
    checks, path = _runtime().checks, bundle / "manifest.json"
    if not path.exists():
        do = "name a folder that `distill bundle` made; a bundle that has lost its manifest is copied again"
        return UserError("not a bundle", where=str(path), found="missing", do=do)
    with suppress(checks.BundleError):
        manifest = checks.read_json(path)
        if manifest.get("schema") != checks.SCHEMA and manifest.get("seal") == checks.seal(manifest):
            do = "its own runtime.py reads it, and so does the distill that made it; or build it anew"
            return UserError("the bundle is of another version", where=str(path), found=error.problem, do=do)
    do = "do not serve it: copy the bundle again, or build it anew"
    return UserError("the bundle is damaged", where=str(error.path), found=error.problem, do=do)


def _other_code(bundle: Path) -> list[str]:
    """Warnings for code in the bundle that is not this version's: it was hashed, but not run."""
    held = {**CODE, SENDING: SENDING_CODE} if (bundle / SENDING).exists() else CODE
    other = [name for name, source in held.items() if (bundle / name).read_bytes() != source.read_bytes()]
    return [f"{name}: not this version's, and was not run; `python runtime.py --verify` runs it" for name in other]


def _other_answers(bundle: Path, problems: list[str]) -> GateFailed:
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
