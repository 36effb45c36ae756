"""What protobuf, in which ONNX files are written, allows."""

MOST_BYTES = 2**31 - 1
"""Of one file."""
