"""A peer that labels pairs of texts, run by the interpreter of an environment that has it.

`PYTHON labelling_peer.py FOLDER --side cross-encoder|cross-encoder-bf16|pipeline` reads what
`benchmarks.labelling_inputs` left in FOLDER: the `model`, `job.json` and `pairs.json`, blocks of pairs. It prints a
JSON line when its model is loaded, with the numbers that it computes in, and then one for each block whose number it is
given on a line of its own: wall and processor seconds. The block's logits are left in FOLDER.

Peers: `CrossEncoder.predict` of sentence-transformers, and the `text-classification` pipeline of transformers, each
with 32 pairs in a batch, as their users have them.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

_BATCH = 32
Pairs = list[list[str]]


def cross_encoder(folder: Path, job: dict[str, Any], dtype: torch.dtype) -> tuple[Callable[[Pairs], np.ndarray], str]:
    """What scores pairs, and the type of its weights."""
    from sentence_transformers import CrossEncoder

    model = CrossEncoder(
        str(folder / "model"),
        device="cpu",
        max_length=job["max_tokens"],
        activation_fn=torch.nn.Identity(),
        model_kwargs={"dtype": dtype},
        local_files_only=True,
    )

    def score(pairs: Pairs) -> np.ndarray:
        return model.predict([tuple(pair) for pair in pairs], batch_size=_BATCH, show_progress_bar=False)

    return score, _dtype(model)


def pipeline(folder: Path, job: dict[str, Any], dtype: torch.dtype) -> tuple[Callable[[Pairs], np.ndarray], str]:
    """As `cross_encoder`."""
    import transformers

    place = str(folder / "model")
    tokenizer = transformers.AutoTokenizer.from_pretrained(place, model_max_length=job["max_tokens"])
    classify = transformers.pipeline("text-classification", model=place, tokenizer=tokenizer, device="cpu", dtype=dtype)
    order: Any = classify.model.config.label2id

    def score(pairs: Pairs) -> np.ndarray:
        inputs = [{"text": left, "text_pair": right} for left, right in pairs]
        how: dict[str, Any] = {"truncation": True, "top_k": None, "function_to_apply": "none"}
        found: Any = classify(inputs, batch_size=_BATCH, **how)
        return np.array([[one["score"] for one in sorted(row, key=lambda one: order[one["label"]])] for row in found])

    return score, _dtype(classify.model)


SIDES = {
    "cross-encoder": (cross_encoder, torch.float32),
    "cross-encoder-bf16": (cross_encoder, torch.bfloat16),
    "pipeline": (pipeline, torch.float32),
}


def _dtype(model: Any) -> str:
    kinds = {str(weight.dtype).removeprefix("torch.") for weight in model.parameters()}
    return "+".join(sorted(kinds))


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--side", choices=SIDES, required=True)
    options = parser.parse_args()
    job = json.loads((options.folder / "job.json").read_text(encoding="utf-8"))
    blocks = json.loads((options.folder / "pairs.json").read_text(encoding="utf-8"))
    torch.set_num_threads(job["threads"])
    opened, dtype = SIDES[options.side]
    score, found = opened(options.folder, job, dtype)
    score(blocks[0][:_BATCH])
    print(json.dumps({"dtype": found, "threads": torch.get_num_threads()}), flush=True)
    for line in sys.stdin:
        number = int(line)
        started, used = time.perf_counter(), time.process_time()
        logits = score(blocks[number])
        seconds = {"seconds": time.perf_counter() - started, "cpu_seconds": time.process_time() - used}
        np.save(options.folder / f"{options.side}-{number}.npy", np.asarray(logits, np.float32))
        print(json.dumps(seconds), flush=True)


if __name__ == "__main__":
    main()
