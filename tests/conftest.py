"""Settings that must be in the environment before any test module imports a library that reads them once."""

import os

os.environ.update({"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"})
# torch and BLAS read these when first imported, so tests that need no torch need not load it to set its threads.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MKL_NUM_THREADS", "1")
