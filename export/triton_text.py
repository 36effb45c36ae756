"""Triton Python backend over a bundle: RECORD holds records as JSON, ANSWER their answers as JSON."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import triton_python_backend_utils as pb_utils


class TritonPythonModel:
    """Answers from the bundle next to this file."""

    def initialize(self, args: dict[str, str]) -> None:
        """Load the bundle as the parameters of config.pbtxt say."""
        parameters = json.loads(args["model_config"])["parameters"]
        chosen = {key: entry["string_value"] for key, entry in parameters.items()}
        folder = Path(__file__).parent / "bundle"
        sys.path.insert(0, str(folder))
        from runtime import load_bundle

        self.bundle = load_bundle(folder, chosen["precision"], int(chosen["threads"]))
        self.operating_point = chosen["operating_point"] or None

    def execute(self, requests: list[Any]) -> list[Any]:
        """One response per request; a request with a bad record gets an error of its own."""
        return [self._respond(request) for request in requests]

    def _respond(self, request: Any) -> Any:
        texts = pb_utils.get_input_tensor_by_name(request, "RECORD").as_numpy()
        try:
            answers = self.bundle.predict([json.loads(text) for text in texts.ravel()], self.operating_point)
        except (TypeError, ValueError, RecursionError) as error:
            return pb_utils.InferenceResponse(output_tensors=[], error=pb_utils.TritonError(str(error)))
        encoded = [json.dumps(answer, ensure_ascii=False).encode() for answer in answers]
        tensor = pb_utils.Tensor("ANSWER", np.array(encoded, np.object_).reshape(texts.shape))
        return pb_utils.InferenceResponse(output_tensors=[tensor])
