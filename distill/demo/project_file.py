"""The project file that `--config` names: the user's own, or an embedded one."""

from __future__ import annotations

from pathlib import Path

from distill.core.run_folder import require_made_by
from distill.demo.keeping import PROJECT, keep
from distill.demo.projects import PROJECTS


def project_file(name: str, run: Path, *, may_be_another: bool) -> Path:
    """The file of that name, or else the embedded project, kept below the run folder.

    Args: may_be_another: than the one that has made the run folder.
    Raises: UserError for a name that is neither and does not look like a path, and as `require_made_by`.
    """
    path, folder = Path(name), run / "project"
    own = path.is_file() or (name not in PROJECTS and (path.suffix or len(path.parts) > 1))
    if not may_be_another and (path.is_file() or not own):
        require_made_by(path if own else folder / PROJECT, run)
    return path if own else keep(folder, name)
