"""Settings that must be there before any test module is read."""

import os

from hypothesis import settings

from tests.longest import LONGEST

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


def pytest_collection_modifyitems(items):
    """The longest files first, the others as they come."""
    order = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: order.get(item.path.name, len(order)))
