"""Exports as pandas, Polars and DuckDB read them, and a result that is computed again from one with scipy.

    python3 .ci/exports.py WEIR       (with pandas, pyarrow, polars, duckdb and scipy)
"""
import io
import json
import pathlib
import random
import re
import subprocess
import sys
import tempfile
import urllib.request

import duckdb
import pandas as pd
import polars as pl

WEIR = str(pathlib.Path(sys.argv[1]).resolve())
ROOT = pathlib.Path(__file__).resolve().parent.parent


def main(folder):
    server = subprocess.Popen([WEIR, "serve", "--data-dir", f"{folder}/data", "--listen", "127.0.0.1:0", "--tick-ms", "60000"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        url = re.search(r"http://\S+", server.stdout.readline()).group(0).rstrip("/")
        check(url, pathlib.Path(folder))
    finally:
        server.terminate()
        server.wait()


def call(url, method, path, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url + path, method=method, data=data, headers={"content-type": "application/json"})
    return json.load(urllib.request.urlopen(request, timeout=60))


def check(url, folder):
    for version, method, weight in [("1.0.0", "vader", 50), ("2.0.0", "afinn", 50)]:
        made = call(url, "POST", "/models", {"name": "sentiment", "version": version, "accuracy": 0.5, "runtime": {"type": "sentiment", "method": method}})
        call(url, "POST", f"/models/{made['model_id']}/activate", {"traffic_percent": weight})
    body = {"name": "sentiment", "control": "1.0.0", "candidates": ["2.0.0"], "primary_metric": "correct"}
    experiment = call(url, "POST", "/experiments", body)["experiment"]
    call(url, "POST", f"/experiments/{experiment}/start")
    rnd = random.Random(7)
    sent = []
    for at in range(1200):
        text = rnd.choice(["a great day", "an awful mess", "so\n\"so\", ö", "not bad", ""]) + f" {at}"
        reply = call(url, "POST", "/predict", {"text": text, "unit_id": f"user-{at}", "name": "sentiment", "attributes": {"n": at}})
        label = rnd.choice([reply["prediction"], "positive", "negative"])
        call(url, "POST", "/feedback", {"prediction_id": reply["prediction_id"], "label": label})
        sent.append((reply["prediction_id"], text, reply["model_version"], float(label == reply["prediction"])))

    def export(kind, ending, *more):
        path = folder / f"{kind}.{ending}"
        subprocess.run([WEIR, kind, "export", "--url", url, "--output", str(path), *more], check=True, capture_output=True)
        return path

    files = {ending: export("predictions", ending) for ending in ["ndjson", "csv", "parquet"]}
    frames = {
        "pandas, parquet": pd.read_parquet(files["parquet"]),
        "pandas, csv": pd.read_csv(files["csv"]),
        "pandas, ndjson": pd.read_json(io.StringIO(files["ndjson"].read_text()), lines=True),
        "polars, parquet": pl.read_parquet(files["parquet"]).to_pandas(),
        "polars, csv": pl.read_csv(files["csv"], infer_schema_length=None).to_pandas(),
        "polars, ndjson": pl.read_ndjson(files["ndjson"], infer_schema_length=None).to_pandas(),
        "duckdb, parquet": duckdb.sql(f"SELECT * FROM '{files['parquet']}'").df(),
        "duckdb, csv": duckdb.sql(f"SELECT * FROM '{files['csv']}'").df(),
        "duckdb, ndjson": duckdb.sql(f"SELECT * FROM '{files['ndjson']}'").df(),
    }
    for name, frame in frames.items():
        assert len(frame) == len(sent), (name, len(frame))
        assert [str(v) for v in frame["prediction_id"]] == [id for id, *_ in sent], name
        assert list(frame["text"]) == [text for _, text, *_ in sent], name
        values = [json.loads(v)["correct"] if isinstance(v, str) else v["correct"] for v in frame["feedback"]]
        assert values == [right for *_, right in sent], name
        assert frame["latency_ms"].astype(float).gt(0).all(), name
        assert frame["position"].is_monotonic_increasing, name
    # Columns have the types that the documentation says.
    types = frames["pandas, parquet"].dtypes
    assert str(types["created_at"]) == "datetime64[us, UTC]" and types["position"] == "int64" and types["propensity"] == "float64", types
    feedback = pd.read_parquet(export("feedback", "parquet"))
    assert len(feedback) == len(sent) and list(feedback["value"]) == [right for *_, right in sent]
    print(f"{len(frames)} readers read {len(sent)} rows alike")
    notebook(url, experiment, files["parquet"], folder)


def notebook(url, experiment, parquet, folder):
    """The cells of the notebook, run as they are on this export."""
    book = json.loads((ROOT / "docs" / "recompute.ipynb").read_text(encoding="utf-8"))
    code = "\n\n".join("".join(cell["source"]) for cell in book["cells"] if cell["cell_type"] == "code")
    code = code.replace('"http://127.0.0.1:8000"', repr(url)).replace('"exp-0123456789ab"', repr(experiment)).replace('"predictions.parquet"', repr(str(parquet)))
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=folder, timeout=120)
    assert ran.returncode == 0, ran.stderr
    assert "the same digits" in ran.stdout, ran.stdout
    print(ran.stdout.strip())


with tempfile.TemporaryDirectory() as folder:
    main(folder)
