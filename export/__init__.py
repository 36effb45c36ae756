"""How a student leaves: ONNX files, parity, and the bundle for serving."""
