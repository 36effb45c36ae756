"""The picture of a report's first screen, as the README shows it.

`python -m benchmarks.picture RUN` opens RUN/report.html in a headless Chromium and writes docs/report.png.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from distill.core.errors import DistillError, UserError
from distill.core.files import replacing

PICTURE = Path("docs") / "report.png"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
_WIDTH, _HEIGHT = 1200, 900


def photograph(page: Path, out: Path) -> None:
    """Write the first screen of a page as PNG, 1200 × 900.

    Raises: UserError where there is no such page, no browser, or nothing that drives one.
    """
    if not page.is_file():
        raise UserError("no report there", where=str(page), do="name the folder of a finished run")
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        raise UserError("no browser to open the page in", found=", ".join(BROWSERS), do="install Chromium")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        raise UserError("playwright is not installed", do="pip install '.[dev]'") from None
    with sync_playwright() as play:
        opened = play.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        try:
            shown = opened.new_page(viewport={"width": _WIDTH, "height": _HEIGHT}, color_scheme="light")
            shown.goto(page.resolve().as_uri())
            with replacing(out) as partial:
                partial.write_bytes(shown.screenshot())
        finally:
            opened.close()


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.picture", description=__doc__.partition("\n")[0])
    parser.add_argument("run", type=Path, help="folder of a finished run")
    parser.add_argument("--root", type=Path, default=Path(), help="the repository's root")
    options = parser.parse_args(arguments)
    try:
        photograph(options.run / "report.html", options.root / PICTURE)
    except DistillError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
