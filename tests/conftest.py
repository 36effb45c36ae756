"""Settings that must be there before any test module is read."""

import os

from hypothesis import settings

os.environ.update({"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"})
# A bundle replays all its golden records at every start, and leaves nothing in the user's cache.
os.environ["DISTILL_RECEIPTS"] = ""
# Output is as wide as where nobody says how wide: a worker of xdist inherits the width of the terminal that started it.
os.environ.pop("COLUMNS", None)
# torch and BLAS read these when first imported, so tests that need no torch need not load it to set its threads.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MKL_NUM_THREADS", "1")

# A busy machine is slow, not wrong.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")

# The small project and one whole run of it, which tests of several rooms share.
pytest_plugins = ["tests.tiny_run"]

# Files that take longest, which workers begin with: one that is left for the end would keep a single worker busy.
LONGEST = (
    "test_readme.py",
    "test_seeds.py",
    "test_family_runs.py",
    "test_choice_runs.py",
    "test_estimate.py",
    "test_to_onnx.py",
    "test_planted.py",
    "test_ablation.py",
    "test_small.py",
    "test_surroundings.py",
    "test_ray.py",
    "test_strong_types.py",
    "test_graphs.py",
    "test_checkpoints.py",
)


def pytest_collection_modifyitems(items):
    """The longest files first, the others as they come."""
    order = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: order.get(item.path.name, len(order)))
