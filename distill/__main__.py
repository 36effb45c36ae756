"""The command `distill`. User mistakes end with 2, failed gates with 3, interrupts with 130; none with a traceback."""

from __future__ import annotations

import errno
import io
import os
import signal
import sys

from distill.core.errors import DistillError, UserError
from distill.core.output import say
from distill.core.paths import require_utf8
from distill.inference.providers import is_out_of_memory

_INTERRUPTED = "interrupted: the same command goes on from the last finished step"

_OUTPUT_ERRORS = {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EBADF}


def main() -> None:
    """Run the command line of this process, and end it with the command's exit code."""
    try:
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        _prepare_terminal()
        _run()
    except DistillError as error:
        _end(f"error: {error}", error.exit_code)
    except KeyboardInterrupt:
        _end(_INTERRUPTED, 130)
    except OSError as error:
        _drop_output()
        if error.errno == errno.EPIPE:
            sys.exit(1)
        problem = UserError(
            "cannot read or write",
            where=_place(error),
            found=error.strerror or error,
            do="check the disk and its rights",
        )
        _end(f"error: {problem}", problem.exit_code)
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        problem = UserError("out of memory", found=error or None, do="close other programs, or lower the batch size")
        _end(f"error: {problem}", problem.exit_code)


def _run() -> None:
    require_utf8(sys.argv[1:])
    from distill.cli.app import app  # within `main`'s try: it takes a moment, in which a user may press Ctrl-C

    try:
        app()
    except SystemExit as end:
        if end.code == 130:  # typer's answer to Ctrl-C, which says nothing
            raise KeyboardInterrupt from None
        raise
    finally:
        sys.stdout.flush()


def _prepare_terminal() -> None:
    """Make up for what the surroundings lack: an open output, an encoding for every character, a width."""
    sys.stdout, sys.stderr = (stream or open(os.devnull, "w") for stream in (sys.stdout, sys.stderr))
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal without Cyrillic shows escapes
    if not os.environ.get("COLUMNS", "").strip("0"):
        os.environ.pop("COLUMNS", None)
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")


def _place(error: OSError) -> str | None:
    """The file of an error; output has no file name, and neither has a connection."""
    return str(error.filename or "") or ("standard output" if error.errno in _OUTPUT_ERRORS else None)


def _drop_output() -> None:
    """Send standard output nowhere, so that what it still holds is no second error when Python ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def _end(message: str, code: int) -> None:
    say(message, file=sys.stderr)
    sys.exit(code)


if __name__ == "__main__":
    main()
