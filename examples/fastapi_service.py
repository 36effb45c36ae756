"""A bundle behind HTTP: python fastapi_service.py BUNDLE [--verify] [--port 8000]; POST /predict {"records": […]}."""

import argparse
import sys
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI, HTTPException
from pydantic import BaseModel

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("bundle", type=Path)
parser.add_argument("--verify", action="store_true", help="replay the golden records with every artifact first")
parser.add_argument("--port", type=int, default=8000)
options = parser.parse_args()
if not (options.bundle / "runtime.py").is_file():
    parser.error(f"{options.bundle}: not a bundle")
sys.path.insert(0, str(options.bundle))
from runtime import load_bundle, verify  # noqa: E402  the bundle's own

if options.verify and not (report := verify(options.bundle))["passed"]:
    sys.exit("\n".join(report["problems"]))
bundle, app = load_bundle(options.bundle, threads=1), FastAPI(title=options.bundle.name)


class Question(BaseModel):
    """Records, nested or flat, and where `positive` is asked for, the operating point."""

    records: list[dict[str, Any]]
    operating_point: str | None = None


@app.get("/healthz")
def healthz() -> dict[str, Any]:
    """What is served."""
    return {"precision": bundle.precision, "labels": bundle.labels, "operating_points": bundle.operating_points}


@app.post("/predict")
def predict(question: Question) -> list[dict[str, Any]]:
    """One answer per record, in order; 422 with the reason for a record that cannot be read."""
    try:
        return bundle.predict(question.records, question.operating_point)
    except (TypeError, ValueError) as error:
        raise HTTPException(422, str(error).encode(errors="backslashreplace").decode()) from error


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=options.port, log_level="warning")
