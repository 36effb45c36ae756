"""How a student leaves: ONNX files, parity, and the bundle for serving."""

import distill  # noqa: F401  turns telemetry off before anything here imports ONNX Runtime
