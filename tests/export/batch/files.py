"""Files of records and of answers in every format, and the command that makes the ones of the others."""

import csv
import gzip
import json

import pyarrow as pa
import pyarrow.parquet as pq

from export.batch.predict import predict_files
from export.predict_options import PredictOptions

TITLES = ["дрель Bosch", "🎧 наушники", ""]


def predict(bundle, source, out=None, point=None, precision=None, **options):
    return predict_files(bundle, [str(source)], PredictOptions(out, point, precision, **options))


def write_source(path, titles=TITLES):
    """Rows with `id` and `page.title` in the format of the file's name."""
    rows = [{"id": f"r{i}", "page.title": title} for i, title in enumerate(titles)]
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
        return path
    if "json" in path.name:
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    else:
        between = "\t" if ".tsv" in path.name else ","
        text = "".join(between.join(line) + "\n" for line in [("id", "page.title"), *map(dict.values, rows)])
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


def answers(path):
    """The answers in a file of any format as JSONL holds them."""
    if path.suffix == ".parquet":
        return pq.read_table(path).to_pylist()
    content = path.read_bytes()
    text = (gzip.decompress(content) if path.suffix == ".gz" else content).decode()
    if "json" in path.name:
        return list(map(json.loads, text.splitlines()))
    tabs = {"delimiter": "\t", "quoting": csv.QUOTE_NONE} if ".tsv" in path.name else {}
    found = []
    for row in csv.DictReader(text.splitlines(), **tabs):
        chances = {name.removeprefix("probability."): float(row.pop(name)) for name in list(row) if "." in name}
        positive = {"positive": row.pop("positive") == "True"} if "positive" in row else {}
        found.append({**row, "probabilities": chances, **positive})
    return found
