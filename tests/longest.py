"""Files that take longest, which workers begin with: one left for the end would keep a single worker busy."""

LONGEST = (
    "test_readme.py",
    "test_seeds.py",
    "test_family_runs.py",
    "test_choice_runs.py",
    "test_estimate.py",
    "test_to_onnx.py",
    "test_planted.py",
    "test_start_runs.py",
    "test_small.py",
    "test_surroundings.py",
    "test_ray.py",
    "test_strong_types.py",
    "test_random_kills.py",
    "test_together.py",
    "test_checkpoints.py",
)
