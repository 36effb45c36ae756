"""A command of `distill` in this process: its errors for users are raised as they are."""

from __future__ import annotations

from typing import Any

from typer.testing import CliRunner

from distill.cli.app import app


def distill(*arguments: Any) -> str:
    """What the command printed.

    Raises: what it raised. Errors for users are `DistillError`s, and an exit with another code than 0 is a failure.
    """
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output
