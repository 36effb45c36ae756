"""Edits of saved model folders."""

import json
from pathlib import Path
from typing import Any

LABELS = ["нет", "упомянут", "да"]


def edit_config(folder: Path, **changes: Any) -> None:
    """Change keys of config.json; `"absent"` takes one out."""
    path = folder / "config.json"
    content = {**json.loads(path.read_text()), **changes}
    path.write_text(json.dumps({name: value for name, value in content.items() if value != "absent"}))
