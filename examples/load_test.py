"""Asks a service of `fastapi_service.py` from many clients at once and compares with what it says one at a time.

    python load_test.py http://127.0.0.1:8000 RECORDS.jsonl --clients 8 --requests 2000

Needs httpx2. Prints one JSON line: requests per second, milliseconds at the median and the 99th percentile, of one
client and of all, and how many answers of the many differ from those of the one. Exit code 3 where any does, 2
where the service or a record cannot be asked.
"""

import argparse
import asyncio
import itertools
import json
import sys
import time
from pathlib import Path
from typing import Any

import httpx2


async def asked(client: httpx2.AsyncClient, record: Any) -> tuple[float, Any]:
    """The seconds that one answer took, and the answer."""
    start = time.perf_counter()
    reply = await client.post("/predict", json={"records": [record]})
    reply.raise_for_status()
    return time.perf_counter() - start, reply.json()[0]


async def load(url: str, records: list[Any], clients: int, requests: int) -> tuple[dict[str, float], list[Any]]:
    """Figures and answers of `requests` requests by `clients` clients, which take the records in turn."""
    answers: list[Any] = [None] * requests
    took: list[float] = []
    numbers = iter(range(requests))

    async def one(client: httpx2.AsyncClient) -> None:
        for number in numbers:
            seconds, answers[number] = await asked(client, records[number % len(records)])
            took.append(seconds)

    async with httpx2.AsyncClient(base_url=url, timeout=30) as client:
        start = time.perf_counter()
        await asyncio.gather(*(one(client) for _ in range(clients)))
        elapsed = time.perf_counter() - start
    took.sort()
    p50, p99 = (1000 * took[min(requests - 1, int(share * requests))] for share in (0.5, 0.99))
    return {"requests_per_s": requests / elapsed, "p50_ms": p50, "p99_ms": p99}, answers


def main() -> int:
    """Ask one at a time, then all at once; compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url")
    parser.add_argument("records", type=Path, help="JSONL of records, or a bundle's golden.jsonl")
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--requests", type=int, default=2000)
    options = parser.parse_args()
    try:
        lines = [json.loads(line) for line in options.records.read_bytes().splitlines() if line.strip()]
    except (OSError, ValueError) as error:
        parser.error(f"{options.records}: {error}")
    if not lines or min(options.clients, options.requests) < 1:
        parser.error("records, clients and requests: at least one of each is needed")
    records = [line["record"] if "windows" in line else line for line in lines]
    try:
        single, alone = asyncio.run(load(options.url, records, 1, len(records)))
        many, together = asyncio.run(load(options.url, records, options.clients, options.requests))
    except httpx2.HTTPError as error:
        parser.error(f"{options.url}: {error}")
    different = sum(one != other for one, other in zip(together, itertools.cycle(alone), strict=False))
    print(json.dumps({"one": single, "many": many, "clients": options.clients, "different": different}))
    return 3 if different else 0


if __name__ == "__main__":
    sys.exit(main())
