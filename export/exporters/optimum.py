"""optimum's exporter as a second opinion: in an environment of its own, over a folder that both can read."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from distill.core.errors import UserError
from distill.core.files import Json, remove
from export.clean_process import ask_other_python
from export.exporters.base import Exporter

if TYPE_CHECKING:
    import onnx

_SCRIPT = Path(__file__).parents[1] / "optimum_script.py"
# What the script was written and tried for: its lower and, left out, its upper end.
_VERSIONS = {"optimum-onnx": ((0, 1), (0, 2)), "transformers": ((4, 57), (4, 58))}
_MAKE = "python3.11 -m venv OPTIMUM; OPTIMUM/bin/pip install -r requirements/optimum.txt"


class Optimum(Exporter):
    """optimum-onnx, which traces every position of every layer, by TorchScript."""

    name: ClassVar[str] = "optimum"
    apart: ClassVar[bool] = True

    def require(self, model: Any) -> None:
        """Check that its environment is there, and that it knows this family, with no change of the toolkit's."""
        from distill.models.token_schedule import stored_schedule

        known = _known_families(self.python or "", self.where)
        family = str(model.config.model_type)
        if stored_schedule(model.config):
            found = "a token schedule, which is the toolkit's own"
        elif family.startswith("distill_"):
            found = f"model_type '{family}', which is the toolkit's own"
        elif family not in known:
            found = f"model_type '{family}'"
        else:
            return
        raise UserError(
            "optimum cannot export this model",
            where=self.where,
            found=found,
            do=f"export it without --exporter, or take a model of a family that it knows: {', '.join(known)}",
        )

    def export(self, model_folder: Path, out: Path) -> Mapping[str, Any]:
        """Let optimum write the graph, and give it the toolkit's names, metadata and checks."""
        import onnx

        from distill.models import to_onnx
        from distill.models.encoder import input_names, load_classifier
        from export.plain_folder import write_plain_folder

        model = load_classifier(model_folder)
        self.require(model)
        scratch = out.with_name(f"{out.name}.{self.name}")
        remove(scratch)
        scratch.mkdir()
        try:
            write_plain_folder(model_folder, scratch / "model")
            asked = {"folder": str(scratch / "model"), "out": str(scratch / "onnx"), "opset": to_onnx.OPSET}
            said = ask_optimum(self.python or "", asked, self.where)
            proto = onnx.load(scratch / "onnx" / "model.onnx")
        finally:
            remove(scratch)
        _order_inputs(proto, input_names(model), model_folder)
        to_onnx.finish(proto, model, model_folder, out)
        return {"exporter": {"name": self.name, "versions": said["versions"]}}


@cache
def _known_families(python: str, where: str) -> tuple[str, ...]:
    """The families of text classifiers that optimum exports, by `model_type`, from its environment."""
    return tuple(ask_optimum(python, {}, where)["families"])


def ask_optimum(python: str, asked: Json, where: str) -> Json:
    """What `optimum_script.py` says in optimum's environment, whose versions fit.

    Raises: UserError where the environment is missing or of other versions, or where the script failed.
    """
    versions = ask_other_python(python, _SCRIPT, {**asked, "only": "versions"}, where, _MAKE)["versions"]
    other = [
        f"{package} {versions.get(package) or 'is not installed'}"
        for package, (least, below) in _VERSIONS.items()
        if not least <= _numbers(versions.get(package)) < below
    ]
    if other:
        wanted = ", ".join(f"{name} {'.'.join(map(str, least))}" for name, (least, _) in _VERSIONS.items())
        raise UserError(
            "optimum's environment has other packages than the exporter needs",
            where=where,
            found=f"{python}: {', '.join(other)}; needed: {wanted}",
            do=f"make it anew: {_MAKE}",
        )
    return ask_other_python(python, _SCRIPT, asked, where, _MAKE)


def _numbers(version: str | None) -> tuple[int, ...]:
    return tuple(int(part) for part in (version or "0").split(".")[:2] if part.isdigit())


def _order_inputs(proto: onnx.ModelProto, names: list[str], model_folder: Path) -> None:
    """Put a graph's inputs into the order of the toolkit's. Raises: UserError where they are not the same ones."""
    found = {value.name: value for value in proto.graph.input}
    outputs = [value.name for value in proto.graph.output]
    if set(found) != set(names) or outputs != ["logits"]:
        raise UserError(
            "optimum exported the model with other inputs or outputs than the toolkit gives it",
            where=str(model_folder),
            found=f"{', '.join(found)} to {', '.join(outputs)}; needed: {', '.join(names)} to logits",
            do="export it without --exporter",
        )
    del proto.graph.input[:]
    proto.graph.input.extend(found[name] for name in names)
