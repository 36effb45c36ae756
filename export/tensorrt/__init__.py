"""TensorRT: shape profiles, the proof of what an engine computes in, and what the machine must have."""
