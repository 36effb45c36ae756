"""A client of a bundle that has optimum, transformers 4 and nothing of the toolkit: what it says of the golden records.

    OPTIMUM/bin/python -I optimum_client.py < {"bundle": folder, "files": {"fp32": "model.onnx"}}

Prints one JSON object: `tokens`, of each record the token ids of its two sides as transformers reads them (null where
the record is much longer than the view); by artifact `logits` (N, C) of the recorded windows, their mean, `labels`, and
`alone`, of each record what the tokenizer's own batch gives, the bundle's temperature included: its probabilities (C).
"""

import json
import sys
from contextlib import redirect_stdout
from pathlib import Path


def main() -> None:
    """Read the question, print what the bundle says."""
    asked = json.load(sys.stdin)
    with redirect_stdout(sys.stderr):
        folder = Path(asked["bundle"])
        golden = [json.loads(line) for line in (folder / "golden.jsonl").read_bytes().splitlines()]
        batches = _batches(folder, golden)
        said = {"tokens": [batch and batch["input_ids"][0].tolist() for batch in batches]}
        for name, file in asked["files"].items():
            said[name] = _answers(folder, name, file, golden, batches)
    json.dump(said, sys.stdout)


def _batches(folder, golden):
    """Each record as transformers gives it to a model: two lists of one text, cut and filled up as the bundle says."""
    sys.path.insert(0, str(folder))
    from rendering import Renderer

    sys.path.pop(0)  # the bundle's folder `triton` would be taken for the package of that name
    from tokenizers import Tokenizer
    from transformers import AutoTokenizer

    before = json.loads((folder / "preprocessing.json").read_bytes())
    texts = Renderer(before, Tokenizer.from_file(str(folder / "tokenizer.json")))
    tokenizer, found = AutoTokenizer.from_pretrained(folder), []
    for line in golden:
        left, right = texts.text(line["record"])
        short = len(left) + len(right or "") < 20 * before["max_tokens"]
        # As lists: given two texts, transformers 4 takes an empty right side for none.
        sides = ([left],) if right is None else ([left], [right])
        found.append(tokenizer(*sides, truncation=True, padding=True, return_tensors="pt") if short else None)
    return found


def _answers(folder, name, file, golden, batches):
    import torch
    from optimum.onnxruntime import ORTModelForSequenceClassification

    model = ORTModelForSequenceClassification.from_pretrained(folder, file_name=file)
    logits = []
    for line in golden:
        windows = []
        for window in line["windows"]:
            ids, types = torch.tensor([window["ids"]]), torch.tensor([window["type_ids"]])
            known = {"input_ids": ids, "attention_mask": torch.ones_like(ids), "token_type_ids": types}
            windows.append(model(**{name: known[name] for name in model.input_names}).logits[0])
        logits.append(torch.stack(windows).mean(dim=0))
    labels = [model.config.id2label[int(one.argmax())] for one in logits]
    temperature = json.loads((folder / "postprocessing.json").read_bytes())["temperature"][name]
    alone = [batch and torch.softmax(model(**batch).logits[0] / temperature, dim=0).tolist() for batch in batches]
    return {"logits": [one.tolist() for one in logits], "labels": labels, "alone": alone}


if __name__ == "__main__":
    main()
