"""TensorBoard: the figures beside the training curves, which every fit writes into `RUN/logs` anyway."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from distill.core.errors import MissingExtra
from distill.core.files import Json, remove
from distill.report.tracking import Tracked, Tracker


class TensorBoard(Tracker):
    """Scalars in `RUN/logs/figures`, those of the last report: `tensorboard --logdir RUN/logs`."""

    name = "tensorboard"

    def require(self) -> None:
        """Raises: MissingExtra."""
        if find_spec("tensorboard") is None:
            raise MissingExtra("report.trackers: tensorboard", "train")

    def write(self, run: Path, figures: Sequence[Tracked], config: Json) -> str:
        """Write them anew."""
        from tensorboard.summary import Writer

        folder = run / "logs" / "figures"
        remove(folder)
        folder.mkdir(parents=True)
        writer = Writer(str(folder))
        for one in figures:
            writer.add_scalar(one.name, one.value, step=one.step)
        writer.close()
        return f"tensorboard --logdir {run / 'logs'}"
