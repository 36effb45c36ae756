"""Asks an MLServer over HTTP and gRPC what it says of records, alone and eight at once, and of bad requests.

SERVING/bin/python mlserver_client.py < {"http": port, "grpc": port, "records": [...], "fields": {...}}
"""

import asyncio
import json
import sys

import httpx2
import numpy as np
from tritonclient import grpc
from tritonclient.utils import InferenceServerException

MODEL = "bundle"
POINT = {"operating_point": "f1"}


def main() -> None:
    """Read the question, print all answers."""
    asked = json.load(sys.stdin)
    with httpx2.Client(base_url=f"http://127.0.0.1:{asked['http']}", timeout=60) as client:
        said = {"http": [_answers(_post(client, request([one], POINT)))[0] for one in asked["records"]]}
        said["fields"] = _of_fields(_post(client, {"inputs": [tensor(*item) for item in asked["fields"].items()]}))
        both = _post(client, request(asked["records"]), "several")
        said |= {"several": _answers(both), "several_labels": list(map(json.loads, _outputs(both)["label"]))}
        said["bad"] = {name: _refused(client, body) for name, body in BAD.items()}
        said["after"] = _answers(_post(client, request(asked["records"][:1], POINT)))[0]
    said["together"] = asyncio.run(_together(asked))
    said |= _over_grpc(asked)
    json.dump(said, sys.stdout)


def tensor(name, values, shape=None):
    return {"name": name, "datatype": "BYTES", "shape": shape or [len(values)], "data": values}


def request(records, parameters=None, raw=()):
    texts = [*(json.dumps(one) for one in records), *raw]
    return {"inputs": [tensor("RECORD", texts)], **({"parameters": parameters} if parameters else {})}


BAD = {
    "no JSON": request([{}], raw=["[1"]),
    "deep": request([], raw=["[" * 100_000]),
    "no record": request([[]]),
    "no text": request([{}, {"page.title": {"a": 1}}]),
    "surrogate": request([{"page.title": "\ud800"}]),
    "numbers": {"inputs": [tensor("RECORD", [3])]},
    "unknown column": {"inputs": [tensor("page.titel", ["x"])]},
    "lengths": {"inputs": [tensor("page.title", ["x"]), tensor("page.body", ["x", "y"])]},
    "shape": {"inputs": [tensor("page.title", ["x"], [5])]},
    "no inputs": {"inputs": []},
    "point": request([{}], {"operating_point": "nothing"}),
    "body": "{",
}


def _post(client, body, model=MODEL):
    reply = client.post(f"/v2/models/{model}/infer", json=body)
    assert reply.status_code == 200, reply.text
    return reply.json()


def _refused(client, body):
    content = body if isinstance(body, str) else json.dumps(body)
    reply = client.post(f"/v2/models/{MODEL}/infer", content=content, headers={"content-type": "application/json"})
    return [reply.status_code, reply.text if reply.status_code == 422 else reply.json().get("error")]


def _outputs(reply):
    return {one["name"]: one["data"] for one in reply["outputs"]}


def _answers(reply):
    return [json.loads(text) for text in _outputs(reply)["ANSWER"]]


def _of_fields(reply):
    found = _outputs(reply)
    return {"answers": _answers(reply), "label": found["label"], "probabilities": found["probabilities"]}


async def _together(asked):
    """Eight clients that take the records in turn; answers in the order of the records."""
    records, answers = asked["records"], [None] * len(asked["records"])
    numbers = iter(range(len(records)))

    async def one(client):
        for number in numbers:
            reply = await client.post(f"/v2/models/{MODEL}/infer", json=request([records[number]], POINT))
            answers[number] = _answers(reply.json())[0]

    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{asked['http']}", timeout=60) as client:
        await asyncio.gather(*(one(client) for _ in range(8)))
    return answers


def _over_grpc(asked):
    """All records in one request of gRPC, and what it says of bytes that are no JSON and no text."""
    client = grpc.InferenceServerClient(f"127.0.0.1:{asked['grpc']}")

    def infer(texts):
        values = grpc.InferInput("RECORD", [len(texts)], "BYTES")
        values.set_data_from_numpy(np.array(texts, np.object_))
        return client.infer(MODEL, [values], parameters=POINT).as_numpy("ANSWER")

    def refused(text):
        try:
            return f"answered: {infer([text])}"
        except InferenceServerException as error:
            return str(error)

    found = infer([json.dumps(one).encode() for one in asked["records"]])
    bad = {"utf8": refused(b"\xff\xfe"), "json": refused(b"[")}
    return {"grpc": [json.loads(text) for text in found.ravel()], "grpc_bad": bad}


if __name__ == "__main__":
    main()
