"""Large text classifiers into small ones that production can afford, with measurements of what was kept."""

import os

# Nothing reports to anybody: ONNX Runtime would, from some seconds after its import on, and so would the Hub's client.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
