"""Asks a bundle as its receivers will: in a process of its own, by the bundle's runtime.py, with nothing of distill.

    python -I client.py < {"bundle": folder, "threads": 1, "provider": "auto", "artifacts": ["fp32"], "records": []}

Prints one JSON object: of each artifact its `metadata`, `provider`, `operating_points`, `logits` (N, C), `answers` of
`predict`, `positive`: by operating point that was reached, N decisions, `class_thresholds`, and at these N lists of
labels. Of an artifact that this machine cannot run: `unavailable`, why.
"""

import json
import sys
from typing import Any


def main() -> None:
    """Read the question, print what the bundle says."""
    asked = json.load(sys.stdin)
    sys.path.insert(0, asked["bundle"])
    from runtime import Unavailable, load_bundle

    said: dict[str, dict[str, Any]] = {}
    for name in asked["artifacts"]:
        try:
            bundle = load_bundle(asked["bundle"], name, asked["threads"], provider=asked["provider"])
        except Unavailable as error:
            said[name] = {"unavailable": str(error)}
            continue
        points = bundle.operating_points
        said[name] = {
            "metadata": bundle.metadata,
            "provider": bundle.provider,
            "operating_points": points,
            "logits": bundle.logits(asked["records"]).tolist(),
            "answers": bundle.predict(asked["records"]),
            "positive": {
                point: [answer["positive"] for answer in bundle.predict(asked["records"], point)]
                for point, least in points.items()
                if least is not None
            },
            "class_thresholds": bundle.class_thresholds,
            "class_labels": [answer["label"] for answer in bundle.predict(asked["records"], "class_f1")]
            if bundle.class_thresholds
            else [],
        }
    json.dump(said, sys.stdout)


if __name__ == "__main__":
    main()
