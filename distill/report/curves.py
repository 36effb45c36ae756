"""Inline SVG: validation log loss over the epochs of one fit, with the step that was kept."""

from __future__ import annotations

from collections.abc import Sequence

from distill.core.files import Json
from distill.report import formats, scales
from distill.report.contents import entries
from distill.report.drawing import Frame, axes, svg


def loss_curve(fit: Json) -> str:
    """The curve of one entry of `training` in report.json; empty under two measured points."""
    history = entries(fit, "history")
    points = _points(history)
    if len(points) < 2:
        return ""
    kept = _points([one for one in history if one.get("step") == fit.get("step")])
    frame = Frame(360, 190)
    epochs, losses = zip(*points, strict=True)
    low_high = scales.padded_range(losses)
    x = scales.linear(0, max(epochs), frame.box.left, frame.box.right)
    y = scales.linear(*low_high, frame.box.bottom, frame.box.top)
    ticks = (x, scales.round_ticks(0, max(epochs))), (y, scales.round_ticks(*low_high, about=4))
    body = axes(frame, *ticks, "epochs", "log loss") + _line(points, x, y)
    body += "".join(_kept(x(epoch), y(loss)) for epoch, loss in kept)
    title = f"Log loss of {fit.get('model')} on validation"
    return svg(body, frame, title, "; ".join(f"epoch {epoch:g}: {loss:.4f}" for epoch, loss in points))


def _points(history: Sequence[Json]) -> list[tuple[float, float]]:
    """(epoch, log loss) of each evaluation that has both."""
    pairs = [(formats.number(one.get("epoch")), formats.number(one.get("log_loss"))) for one in history]
    return [(epoch, loss) for epoch, loss in pairs if epoch is not None and loss is not None]


def _line(points: Sequence[tuple[float, float]], x: scales.Scale, y: scales.Scale) -> str:
    path = " ".join(f"{x(epoch):.1f},{y(loss):.1f}" for epoch, loss in points)
    return f'<polyline class="curve" points="{path}"/>'


def _kept(x: float, y: float) -> str:
    return f'<circle class="kept" cx="{x:.1f}" cy="{y:.1f}" r="4"/>'
