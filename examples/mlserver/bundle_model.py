"""An MLServer model (KServe V2, HTTP and gRPC) over a bundle, with the tensors of its Triton model `_text`.

    cp -R examples/mlserver MODELS; cp -R runs/project/bundles/8L_trunc MODELS/bundle; mlserver start MODELS

A request has the tensor `RECORD`, BYTES, records as JSON; or a tensor of BYTES for each field, named by its column,
such as `page.title`. Its parameter `operating_point` adds `positive`. The response has `ANSWER`, BYTES, answers as
JSON, `label` and `probabilities`, in the order of the bundle's labels.
"""

import asyncio
import importlib.util
import json
import math
import sys
from pathlib import Path
from typing import Any

from mlserver import MLModel
from mlserver.codecs import StringCodec
from mlserver.errors import InferenceError
from mlserver.types import InferenceRequest, InferenceResponse, RequestInput, ResponseOutput
from mlserver.utils import get_model_uri

RECORD = "RECORD"


class BundleModel(MLModel):
    """A bundle, read by its own runtime.py; bad requests are refused with status 400 and the reason."""

    async def load(self) -> bool:
        """Open the bundle that `parameters.uri` names; it checks its files and its recorded answers."""
        folder, extra = Path(await get_model_uri(self.settings)), self.settings.parameters.extra or {}
        spec = importlib.util.spec_from_file_location(f"runtime_of_{self.name}", folder / "runtime.py")
        runtime = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(runtime)
        self.bundle = await asyncio.to_thread(
            runtime.load_bundle, folder, extra.get("precision"), extra.get("threads", 1)
        )
        self.fields = [*self.bundle.before["left"], *(self.bundle.before["right"] or [])]
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """The answers of a request's records, in order. Raises: InferenceError naming what is wrong with it."""
        point = getattr(payload.parameters, "operating_point", None)
        try:
            records = self._records(payload.inputs)
            answers = await asyncio.to_thread(self.bundle.predict, records, point)
        except (TypeError, ValueError) as error:
            raise InferenceError(str(error).encode(errors="backslashreplace").decode()) from error
        return InferenceResponse(id=payload.id, model_name=self.name, outputs=self._outputs(answers))

    def _records(self, tensors: list[RequestInput]) -> list[Any]:
        values = {tensor.name: texts(tensor) for tensor in tensors}
        if list(values) == [RECORD]:
            return [parsed(text, number) for number, text in enumerate(values[RECORD])]
        unknown = sorted(set(values) - set(self.fields))
        if unknown or not values or len({len(column) for column in values.values()}) > 1:
            known = f"{RECORD} alone, or columns of one length, any of {', '.join(self.fields)}"
            found = ", ".join(f"{name} ({len(column)})" for name, column in values.items())
            raise ValueError(f"inputs {found or 'none'}; needed: {known}")
        return [dict(zip(values, row, strict=True)) for row in zip(*values.values(), strict=True)]

    def _outputs(self, answers: list[dict[str, Any]]) -> list[ResponseOutput]:
        written = [json.dumps(answer, ensure_ascii=False) for answer in answers]
        labels = [one if isinstance(one, str) else json.dumps(one) for one in (answer["label"] for answer in answers)]
        chances = [answer["probabilities"][label] for answer in answers for label in self.bundle.labels]
        shape = [len(answers), len(self.bundle.labels)]
        return [
            StringCodec.encode_output("ANSWER", written),
            StringCodec.encode_output("label", labels),
            ResponseOutput(name="probabilities", datatype="FP64", shape=shape, data=chances),
        ]


def parsed(text: str, number: int) -> Any:
    """A record from its JSON. Raises: ValueError naming the record."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"record {number}: not JSON: {error}") from None


def texts(tensor: RequestInput) -> list[str]:
    """The texts of a tensor of BYTES, of any shape. Raises: ValueError naming the tensor."""
    found, values = tensor.data.root, []
    while isinstance(found, list) and found and all(isinstance(one, list) for one in found):
        found = [value for one in found for value in one]
    for value in found if isinstance(found, list) else [found]:
        if not isinstance(value, str | bytes):
            raise ValueError(f"input '{tensor.name}' needs texts, found {type(value).__name__}")
        try:
            values.append(value if isinstance(value, str) else value.decode())
        except UnicodeDecodeError as error:
            raise ValueError(f"input '{tensor.name}' needs texts in UTF-8: {error}") from None
    if tensor.datatype != "BYTES" or len(values) != math.prod(tensor.shape):
        said = f"{tensor.datatype} of shape {tensor.shape}"
        raise ValueError(f"input '{tensor.name}' needs BYTES of as many texts as it has, {len(values)}; found {said}")
    return values
