"""Trains the two models of this folder and writes them, with `expected.tsv`. See README.md.

    pip install -r requirements.txt
    python3 train.py                      # asks pip for the training texts
    python3 train.py --sdist FILE         # or takes them from the file
    python3 train.py --check              # writes nothing, fails if a file would change
    python3 train.py --tune               # writes nothing, prints how the settings were chosen
"""

import argparse
import hashlib
import io
import json
import math
import pathlib
import subprocess
import sys
import tarfile
import tempfile

import numpy as np
import onnx
import onnxruntime
import scipy.sparse
from onnx import TensorProto, helper, numpy_helper
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold

from features import EXAMPLE, feature_ids

HERE = pathlib.Path(__file__).resolve().parent
REVIEWS = HERE.parent / "data" / "reviews.tsv"
SDIST = "vaderSentiment==3.3.2"
SDIST_SHA256 = "5d7c06e027fc8b99238edb0d53d970cf97066ef97654009890b83703849632f9"
LABELS = ["negative", "neutral", "positive"]
SNIPPETS = ["movieReviewSnippets", "tweets", "nytEditorialSnippets"]
SCALE = 4096
MODELS = {
    "unigrams": {
        "description": "A small model that looks at single words only; "
        "it learned from 1,500 texts.",
        "features": {**EXAMPLE, "buckets": 4096, "word_ngrams": [1, 1], "char_ngrams": None},
        "sources": SNIPPETS,
        "rows": 500,  # of each source, the first
        "c": 0.03,
    },
    "ngrams": {
        "description": "A large model that looks at words, pairs of words and parts of words; "
        "it learned from 21,008 texts.",
        "features": EXAMPLE,
        "sources": [*SNIPPETS, "reviews"],
        "rows": None,  # all
        "c": 0.003,
    },
}
# The few product reviews count more: they are most like what the model will read.
REVIEW_WEIGHT = 12.0


def label(rating):
    """The column of a mean rating, as in `reviews()` of src/demo.rs."""
    return 2 if rating > 0.5 else 0 if rating < -0.5 else 1


class Rows:
    """Texts with their labels, and for product reviews the number of the review."""

    def __init__(self, lines):
        rows = [line.rstrip("\r").split("\t", 2) for line in lines if line.strip()]
        self.texts = [text for _, _, text in rows]
        self.labels = np.array([label(float(rating)) for _, rating, _ in rows])
        self.reviews = np.array([int(row.split("_")[0]) for row, _, _ in rows])

    def keep(self, which):
        """Only the rows for which `which` is true."""
        kept = object.__new__(Rows)
        kept.texts = [text for text, keep in zip(self.texts, which) if keep]
        kept.labels, kept.reviews = self.labels[which], self.reviews[which]
        return kept

    def matrix(self, settings):
        """One row a text, one column an id, 1.0 where the text has the id."""
        ids = [feature_ids(text, settings) for text in self.texts]
        ends = np.cumsum([0] + [len(row) for row in ids])
        return scipy.sparse.csr_matrix(
            (np.ones(ends[-1]), np.concatenate(ids), ends), (len(ids), settings["buckets"])
        )


def load(sdist):
    """The training rows by source, and the rows held out."""
    if hashlib.sha256(sdist).hexdigest() != SDIST_SHA256:
        sys.exit(f"this is not the source distribution of {SDIST}")
    folder = "vaderSentiment-3.3.2/additional_resources/hutto_ICWSM_2014"
    with tarfile.open(fileobj=io.BytesIO(sdist)) as outer:
        inner = outer.extractfile(f"{folder}.tar.gz").read()
    sources = {}
    with tarfile.open(fileobj=io.BytesIO(inner)) as texts:
        for name in SNIPPETS:
            file = texts.extractfile(f"hutto_ICWSM_2014/{name}_GroundTruth.txt")
            sources[name] = Rows(file.read().decode("utf-8").split("\n"))
    reviews = Rows(REVIEWS.read_text(encoding="utf-8").split("\n")[1:])
    # Whole reviews, not single sentences: the id of a row is `<review>_<sentence>`.
    trained = reviews.reviews % 10 < 3
    held_out = reviews.keep(~trained)
    sources["reviews"] = reviews.keep(trained)
    known = {text.strip().lower() for text in held_out.texts}
    for name, rows in sources.items():
        new = np.array([text.strip().lower() not in known for text in rows.texts])
        sources[name] = rows.keep(new)
    return sources, held_out


def select(model, sources):
    """The matrix, the labels and the weights that a model learns from."""
    parts = [sources[name] for name in model["sources"]]
    if model["rows"]:
        parts = [rows.keep(np.arange(len(rows.texts)) < model["rows"]) for rows in parts]
    x = scipy.sparse.vstack([rows.matrix(model["features"]) for rows in parts]).tocsr()
    y = np.concatenate([rows.labels for rows in parts])
    weight = [REVIEW_WEIGHT if name == "reviews" else 1.0 for name in model["sources"]]
    return x, y, np.repeat(weight, [len(rows.texts) for rows in parts])


def fit(x, y, weights, c):
    """The table and the bias of a logistic regression.

    The weights are rounded to multiples of 1/4096. So a sum of them is exact in float32 in any
    order, and the last bits, which differ from one processor to another, are dropped.
    """
    solver = LogisticRegression(C=c, solver="newton-cg", tol=1e-10, max_iter=1000)
    solver.fit(x, y, weights)
    bias = solver.intercept_ - solver.intercept_.mean()
    table = np.round(solver.coef_.T * SCALE) / SCALE + 0.0  # no -0.0
    table[0] = 0.0
    return table.astype(np.float32), (np.round(bias * SCALE) / SCALE + 0.0).astype(np.float32)


def probabilities(x, table, bias):
    """What a model answers, by numpy. Used for the choice of settings only."""
    logits = x @ table.astype(float) + bias
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def build(name, model, table, bias, accuracy):
    """The ONNX file: ids [N, L] -> rows of the table -> sum -> bias -> softmax."""
    graph = helper.make_graph(
        [
            helper.make_node("Gather", ["table", "ids"], ["rows"], axis=0),
            helper.make_node("ReduceSum", ["rows", "axis"], ["sum"], keepdims=0),
            helper.make_node("Add", ["sum", "bias"], ["logits"]),
            helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1),
            helper.make_node("ArgMax", ["probabilities"], ["label"], axis=1, keepdims=0),
        ],
        name,
        [helper.make_tensor_value_info("ids", TensorProto.INT64, ["N", "L"])],
        [
            helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["N", 3]),
            helper.make_tensor_value_info("label", TensorProto.INT64, ["N"]),
        ],
        [
            numpy_helper.from_array(table, "table"),
            numpy_helper.from_array(bias, "bias"),
            numpy_helper.from_array(np.array([1], np.int64), "axis"),
        ],
    )
    file = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=8,
        producer_name="weir/models/train.py",
    )
    metadata = {
        "weir.labels": json.dumps(LABELS),
        "weir.features": json.dumps(model["features"]),
        "weir.description": model["description"],
        "weir.accuracy": f"{accuracy:.3f}",
    }
    helper.set_model_props(file, metadata)
    onnx.checker.check_model(file, full_check=True)
    return file.SerializeToString(deterministic=True)


def predict(session, texts, settings):
    """Labels and probabilities by onnxruntime, and the ids it was given."""
    ids = [feature_ids(text, settings) for text in texts]
    padded = np.zeros((len(ids), max(map(len, ids))), np.int64)
    for row, values in zip(padded, ids):
        row[: len(values)] = values
    given, labels = session.run(["probabilities", "label"], {"ids": padded})
    return labels, given, ids


def wilson(share, count, z=1.959964):
    """The 95 % interval of a share."""
    middle = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count)
    half *= math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    return middle - half, middle + half


HOSTILE = [
    "",
    " ",
    "\t\r\n\x0b\x0c\x00\x1f\x7f",
    "!!!???...",
    "😀",
    "😀😀 great 👍🏽 👨‍👩‍👧",
    "Café déjà vu, naïve façade",
    "Cafe\u0301 in two scalars",
    "ÀÉÎ are not lowercased, ABC are",
    "good\tbad\nugly\r\nend",
    "don't can't 'quoted' '' '",
    "GOOD Good good gOOd",
    "not good , not bad",
    "a",
    "I",
    "x1 2.5 $100 50% a_b c-d e@f.g",
    "日本語のレビューはとても良い",
    "שלום عالم привет",
    "no\u00a0break\u2028line\u200bzero\ufeffmark",
    "\ufffd \U0010ffff \u0080",
    "<word> <w> c< w<",
    "\"quotes\" \\ back\\slash {\"json\": [1]}",
    "'; DROP TABLE reviews; --",
    "word" * 40,
    "very " * 60 + "good",
]


def expected(held_out, session, settings):
    """`expected.tsv`: what any other reader of the model must come to."""
    step = len(held_out.texts) // 60
    texts = held_out.texts[: 60 * step : step] + HOSTILE
    lines = ["text\tids\tlabel\tprobabilities"]
    for text in texts:
        labels, given, ids = predict(session, [text], settings)
        numbers = ",".join(f"{value:.6f}" for value in given[0])
        listed = ",".join(map(str, ids[0]))
        lines.append(f"{json.dumps(text)}\t{listed}\t{LABELS[labels[0]]}\t{numbers}")
    return ("\n".join(lines) + "\n").encode("utf-8")


def tune(sources):
    """Prints accuracy and mean log loss on the reviews for training, never on those held out.

    `MODELS` has the settings with the lowest log loss. Three folds, each of whole reviews.
    """
    reviews = sources["reviews"]
    for name, model in MODELS.items():
        own = "reviews" in model["sources"]
        target = reviews.matrix(model["features"])
        rest = {**model, "sources": [it for it in model["sources"] if it != "reviews"]}
        x, y, weights = select(rest, sources)
        for c in (0.001, 0.003, 0.01, 0.03, 0.1):
            for weight in (1.0, 4.0, 12.0) if own else (0.0,):
                given = np.zeros((len(reviews.labels), 3))
                for train, test in GroupKFold(3).split(target, reviews.labels, reviews.reviews):
                    train = train if own else train[:0]
                    table, bias = fit(
                        scipy.sparse.vstack([x, target[train]]).tocsr(),
                        np.concatenate([y, reviews.labels[train]]),
                        np.concatenate([weights, np.full(len(train), weight)]),
                        c,
                    )
                    given[test] = probabilities(target[test], table, bias)
                right = given.argmax(axis=1) == reviews.labels
                loss = -np.log(given[np.arange(len(right)), reviews.labels]).mean()
                print(f"{name}\tC {c}\tweight {weight}\t{right.mean():.3f}\t{loss:.3f}", flush=True)


def download():
    """The bytes of the source distribution, by pip."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-binary", ":all:"]
        subprocess.run([*command, "--no-deps", SDIST, "--dest", folder], check=True)
        (file,) = pathlib.Path(folder).iterdir()
        return file.read_bytes()


def main():
    parser = argparse.ArgumentParser(description="Trains the models of this folder.")
    parser.add_argument("--sdist", type=pathlib.Path, help=f"source distribution of {SDIST}")
    parser.add_argument("--check", action="store_true", help="fail if a file would change")
    parser.add_argument("--tune", action="store_true", help="print how the settings were chosen")
    arguments = parser.parse_args()
    sources, held_out = load(arguments.sdist.read_bytes() if arguments.sdist else download())
    for name, rows in [*sources.items(), ("held out", held_out)]:
        print(f"{name}: {len(rows.texts)} rows")
    if arguments.tune:
        return tune(sources)

    files = {}
    for name, model in MODELS.items():
        x, y, weights = select(model, sources)
        table, bias = fit(x, y, weights, model["c"])
        # Built twice, as the file carries the accuracy that was measured with it.
        draft = onnxruntime.InferenceSession(build(name, model, table, bias, 0.0))
        labels, given, _ = predict(draft, held_out.texts, model["features"])
        accuracy = float((labels == held_out.labels).mean())
        files[f"{name}.onnx"] = build(name, model, table, bias, accuracy)
        low, high = wilson(accuracy, len(held_out.texts))
        print(
            f"{name}: {len(y)} rows, accuracy {accuracy:.3f} ({low:.3f} to {high:.3f}),"
            f" mean top probability {given.max(axis=1).mean():.3f},"
            f" {len(files[f'{name}.onnx'])} bytes"
        )
    session = onnxruntime.InferenceSession(files["ngrams.onnx"])
    files["expected.tsv"] = expected(held_out, session, MODELS["ngrams"]["features"])
    for name, data in files.items():
        print(hashlib.sha256(data).hexdigest(), name)
        if not arguments.check:
            (HERE / name).write_bytes(data)
        elif (HERE / name).read_bytes() != data:
            sys.exit(f"{name} would change")


if __name__ == "__main__":
    main()
