"""The server and the clients that others wrote: onnxruntime, tritonclient, kserve, openai, mlserver, FastAPI.

Each part says what does not hold and goes on; the exit status is 1 when anything does not. Packages: onnxruntime, numpy,
scikit-learn, skl2onnx, tritonclient[http], openai, fastapi, uvicorn; kserve, mlserver and mlserver-sklearn are left out where
they are not installed.

Usage: clients.py WEIR [PART ...], with the path of the program; parts: onnx, triton, types, mlserver,
raw, kserve, openai, oip, http.
"""
import asyncio
import atexit
import gzip
import http.client
import http.server
import importlib.util
import json
import pathlib
import random
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import urllib.error
import urllib.parse
import urllib.request
import zlib

import numpy
import onnxruntime

from outcomes import Server

ROWS, COLUMNS, BATCH = 600, 6, 100
FAILED = []
PRICES = {"input_per_million": 2.0, "output_per_million": 10.0}
# Longer than the 15 s after which the server itself says something.
SILENCE = 16.5


def check(holds, what, got=""):
    if holds:
        return True
    told = str(got)
    FAILED.append(what)
    print(f"FAILS: {what}" + (f": {told[:1500]}" if told else ""), flush=True)
    return False


def same(what, got, want):
    return check(got == want, what, f"got {got!r}, and {want!r} was meant")


def raises(what, kind, do, says=None):
    """Checks that something fails in a certain way, and gives the exception."""
    try:
        given = do()
    except kind as error:
        if says is not None:
            check(says in str(error), f"{what} says {says!r}", error)
        return error
    except Exception as error:
        check(False, f"{what} raises {kind.__name__}", repr(error))
        return None
    check(False, f"{what} raises {kind.__name__}", f"it gave {given!r}")
    return None


def raw(server, method, path, body=None, headers=None):
    """A request as it is: the status, the headers and the bytes of the reply."""
    connection = http.client.HTTPConnection(urllib.parse.urlsplit(server.address).netloc, timeout=60)
    try:
        connection.request(method, path, body, headers or {})
        reply = connection.getresponse()
        return reply.status, {name.lower(): value for name, value in reply.getheaders()}, reply.read()
    finally:
        connection.close()


def register(server, name, version, runtime, percent=100, artifact=None):
    body = {"name": name, "version": version, "accuracy": 0.5, "runtime": runtime}
    model_id = server.call("POST", "/models", body)["model_id"]
    if artifact is not None:
        status, _, said = raw(server, "PUT", f"/models/{model_id}/artifact", artifact.read_bytes())
        if status not in (200, 201):
            raise RuntimeError(f"the artifact of {name} is not taken: {status} {said}")
    try:
        server.call("POST", f"/models/{model_id}/activate", {"traffic_percent": percent})
    except urllib.error.HTTPError as error:
        raise RuntimeError(f"{name} {version} cannot be activated: {error.code} {error.read()}") from None
    return model_id


def logged(server, prediction_id, ready=lambda prediction: True):
    """A prediction as it is logged, once it is there and ready."""
    until = time.monotonic() + 10
    found = None
    while time.monotonic() < until:
        try:
            found = server.call("GET", f"/predictions/{prediction_id}")
            if ready(found):
                return found
        except urllib.error.HTTPError as error:
            found = found or {"status": error.code, "read": error.read().decode()}
        time.sleep(0.02)
    return found


# What scikit-learn makes.


def numbers():
    from sklearn.datasets import make_classification

    x, y = make_classification(
        n_samples=1200, n_features=COLUMNS, n_informative=4, n_classes=3, random_state=7, class_sep=0.8
    )
    return x.astype(numpy.float32), y


def texts():
    """Reviews of seeded words, some of them with letters beyond ASCII."""
    chance = random.Random(3)
    words = {
        "good": "lovely great brave warm génial schön bright kind happy well".split(),
        "bad": "awful broken cold grim triste häßlich dull rude angry badly".split(),
    }
    plain = "the film was a story of two people in Köln and 2 dogs, really".split()
    made = []
    for number in range(1200):
        label = "good" if number % 2 else "bad"
        of_label = [chance.choice(words[label if chance.random() < 0.8 else "good"]) for _ in range(3)]
        said = of_label + [chance.choice(plain) for _ in range(chance.randint(0, 8))]
        chance.shuffle(said)
        made.append((" ".join(said).capitalize() + chance.choice([".", "!", " ..."]), label))
    return made


def trained(directory):
    """Models as files, with what each is asked: (name, path, inputs, how onnxruntime is fed)."""
    from skl2onnx import convert_sklearn
    from skl2onnx.common.data_types import FloatTensorType, StringTensorType
    from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    x, y = numbers()
    words = numpy.array(["setosa", "versicolor", "virginica"])[y]
    reviews = texts()
    of_texts = make_pipeline(TfidfVectorizer(), LogisticRegression())
    of_texts.fit([text for text, _ in reviews[ROWS:]], [label for _, label in reviews[ROWS:]])
    models = {
        "logistic": LogisticRegression(max_iter=500).fit(x[ROWS:], y[ROWS:]),
        "forest": RandomForestClassifier(30, max_depth=6, random_state=7).fit(x[ROWS:], words[ROWS:]),
        "boosting": GradientBoostingClassifier(n_estimators=20, random_state=7).fit(x[ROWS:], y[ROWS:]),
        "review": of_texts,
    }
    made = []
    for name, model in models.items():
        for maps in (False, True):
            options = {id(model): {"zipmap": maps}}
            if name == "review":
                options[TfidfVectorizer] = {"locale": "C"}
                kind, inputs = [("words", StringTensorType([None, 1]))], [text for text, _ in reviews[:ROWS]]
            else:
                kind, inputs = [("X", FloatTensorType([None, COLUMNS]))], x[:ROWS]
            onnx = convert_sklearn(model, initial_types=kind, options=options)
            path = pathlib.Path(directory) / f"{name}{'-maps' if maps else ''}.onnx"
            path.write_bytes(onnx.SerializeToString())
            made.append((path.stem, path, inputs))
    import joblib

    folder = pathlib.Path(directory) / "mlserver" / "logistic"
    folder.mkdir(parents=True)
    joblib.dump(models["logistic"], folder / "model.joblib")
    return made


def by_python(path, inputs):
    """Labels and probabilities of onnxruntime: a dictionary by class, as text, for each input."""
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    fed = inputs if isinstance(inputs, numpy.ndarray) else numpy.array(inputs, dtype=object).reshape(-1, 1)
    labels, scores = session.run(None, {session.get_inputs()[0].name: fed})
    classes = None
    if not isinstance(scores, list):
        scores = [dict(enumerate(row)) for row in scores.tolist()]
    else:
        classes = [str(key) for key in scores[0]]
    return labels.tolist(), [{str(key): value for key, value in row.items()} for row in scores], classes


class Models:
    """The files, made once."""

    def __init__(self, directory):
        self.directory = directory
        self.made = trained(directory)

    def path(self, stem):
        return next(path for name, path, _ in self.made if name == stem)

    def inputs(self, stem):
        return next(inputs for name, _, inputs in self.made if name == stem)


def part_onnx(server, models):
    for stem, path, inputs in models.made:
        register(server, f"onnx-{stem}", "1.0.0", {"type": "onnx", "engine": "onnxruntime"}, artifact=path)
        labels, scores, _ = by_python(path, inputs)
        asked = []
        for number, given in enumerate(inputs):
            if isinstance(given, str):
                # The same by each way that a text can come.
                forms = [{"text": given}, {"inputs": given}, {"inputs": [[given]]}]
            else:
                row = [float(value) for value in given]
                forms = [{"inputs": row}, {"inputs": [row]}, {"inputs": {"X": [row]}}]
            asked.append({"name": f"onnx-{stem}", **forms[number % 3]})
        replies = []
        for first in range(0, ROWS, BATCH):
            replies += server.call("POST", "/predict", asked[first : first + BATCH])
        check(len(replies) == ROWS, f"onnx {stem}: {ROWS} replies", len(replies))
        wrong, far, worst = [], [], 0.0
        for number, reply in enumerate(replies):
            if reply.get("prediction") != labels[number]:
                wrong.append((asked[number], labels[number], reply))
                continue
            told = (reply.get("outputs") or {}).get("probabilities")
            want = scores[number]
            if not told or set(told) != set(want):
                far.append((asked[number], want, reply))
                continue
            apart = max(abs(told[key] - want[key]) for key in want)
            worst = max(worst, apart)
            by_label = told[str(labels[number])] if str(labels[number]) in told else max(told.values())
            if apart > 1e-5 or abs(reply["confidence"] - by_label) > 1e-5:
                far.append((asked[number], want, reply))
        check(not wrong, f"onnx {stem}: labels as onnxruntime has them", f"{len(wrong)} are not, such as {wrong[:1]}")
        check(not far, f"onnx {stem}: probabilities as onnxruntime has them", f"{len(far)} are not, such as {far[:1]}")
        if not wrong and not far:
            print(f"  {stem}: {ROWS} inputs, at most {worst:.1e} apart")
    register(server, "onnx-columns", "1.0.0", {"type": "onnx", "columns": list("abcdef")}, artifact=models.path("logistic"))
    row = [float(value) for value in models.inputs("logistic")[0]]
    reply = server.call("POST", "/predict", {"name": "onnx-columns", "inputs": dict(zip("abcdef", row))})
    same("a row by the names of its columns", reply["prediction"], by_python(models.path("logistic"), models.inputs("logistic"))[0][0])
    batch = models.inputs("logistic")[:40]
    reply = server.call("POST", "/predict", {"name": "onnx-logistic", "inputs": batch.tolist()})
    same("rows of one request", reply["prediction"], by_python(models.path("logistic"), batch)[0])


# The Open Inference Protocol.


def oip_models(server, models):
    register(server, "flower", "1.0.0", {"type": "onnx"}, artifact=models.path("logistic"))
    register(server, "flower", "2.0.0", {"type": "onnx"}, percent=0, artifact=models.path("boosting"))
    register(server, "species", "1.0.0", {"type": "onnx"}, artifact=models.path("forest"))
    register(server, "review", "1.0.0", {"type": "onnx"}, artifact=models.path("review"))
    register(server, "mood", "1.0.0", {"type": "sentiment", "method": "vader"})


def close_to(what, got, want):
    if got is None:
        return check(False, what, "there is none")
    got, want = numpy.asarray(got), numpy.asarray(want)
    fits = got.shape == want.shape and numpy.allclose(got.astype(float), want.astype(float), atol=1e-5, rtol=0)
    return check(fits, what, f"got {got.shape} {got.ravel()[:6]}, meant {want.shape} {want.ravel()[:6]}")


def part_triton(server, models):
    import tritonclient.http as triton
    from tritonclient.utils import InferenceServerException

    x = models.inputs("logistic")[:5]
    session = onnxruntime.InferenceSession(str(models.path("logistic")))
    labels, scores = session.run(None, {"X": x})

    def given(values=x, name="X", datatype="FP32", binary=True):
        tensor = triton.InferInput(name, list(values.shape), datatype)
        tensor.set_data_from_numpy(values, binary_data=binary)
        return [tensor]

    def of(result):
        return result.get_response()

    with triton.InferenceServerClient(urllib.parse.urlsplit(server.address).netloc) as client:
        check(client.is_server_live(), "triton: the server is live")
        check(client.is_server_ready(), "triton: the server is ready")
        check(client.is_model_ready("flower"), "triton: a model is ready")
        check(client.is_model_ready("flower", "1.0.0"), "triton: a version is ready")
        check(not client.is_model_ready("nobody"), "triton: a model that is not there is not ready")
        check(not client.is_model_ready("flower", "9.9.9"), "triton: a version that is not there is not ready")
        check("binary_tensor_data" in client.get_server_metadata()["extensions"], "triton: binary tensors are an extension")
        metadata = client.get_model_metadata("flower")
        same("triton: the name in the metadata", metadata["name"], "flower")
        same("triton: the inputs in the metadata", metadata["inputs"], [{"name": "X", "datatype": "FP32", "shape": [-1, COLUMNS]}])
        same("triton: the outputs in the metadata", [(out["name"], out["datatype"]) for out in metadata["outputs"]],
             [("label", "INT64"), ("probabilities", "FP32")])
        raises("triton: metadata of a model that is not there", InferenceServerException, lambda: client.get_model_metadata("nobody"))

        def answers(what, result, binary=True):
            close_to(f"triton: labels, {what}", result.as_numpy("label"), labels)
            close_to(f"triton: probabilities, {what}", result.as_numpy("probabilities"), scores)
            types = {out["name"]: out["datatype"] for out in of(result)["outputs"]}
            same(f"triton: datatypes, {what}", types, {"label": "INT64", "probabilities": "FP32"})
            for out in of(result)["outputs"]:
                check(("binary_data_size" in out.get("parameters", {})) == binary, f"triton: binary or not, {what}", out)
            return of(result)

        first = answers("binary", client.infer("flower", given()))
        same("triton: the version", (first["model_name"], first["model_version"]), ("flower", "1.0.0"))
        check("id" not in first, "triton: no id where none was sent", first)
        plain = [triton.InferRequestedOutput(name, binary_data=False) for name in ("label", "probabilities")]
        answers("without binary", client.infer("flower", given(binary=False), outputs=plain), binary=False)
        answers("binary in alone", client.infer("flower", given(), outputs=plain), binary=False)
        answers("binary out alone", client.infer("flower", given(binary=False)))
        for algorithm in ("gzip", "deflate"):
            answers(f"{algorithm} in and out", client.infer("flower", given(), request_compression_algorithm=algorithm,
                                                            response_compression_algorithm=algorithm))
            answers(f"{algorithm} in", client.infer("flower", given(binary=False), request_compression_algorithm=algorithm))

        same_id = [of(client.infer("flower", given(), request_id="mine")) for _ in range(2)]
        same("triton: the id comes back", [reply.get("id") for reply in same_id], ["mine", "mine"])
        ids = [reply["parameters"]["prediction_id"] for reply in same_id]
        check(ids[0] != ids[1], "triton: two requests with the same id are two predictions", ids)
        for each in ids:
            check(logged(server, each).get("prediction") == labels.tolist(), "triton: predictions are logged", logged(server, each))

        parameters = {"unit_id": "user 7", "attributes.country": "DE", "attributes.age": 41, "attributes.pro": True}
        reply = of(client.infer("flower", given(x[:1]), parameters=parameters))
        found = logged(server, reply["parameters"]["prediction_id"])
        same("triton: who asked is logged", found.get("unit_id"), "user 7")
        same("triton: attributes are logged", found.get("attributes"), {"country": "DE", "age": 41, "pro": True})
        check(0 < reply["parameters"]["propensity"] <= 1, "triton: the propensity", reply)
        twice = [of(client.infer("flower", given(), parameters={"request_id": "order 1"})) for _ in range(2)]
        check(twice[0]["parameters"]["prediction_id"] == twice[1]["parameters"]["prediction_id"],
              "triton: a repeat by request_id is one prediction", twice)
        check(twice[1]["parameters"].get("repeated") is True, "triton: a repeat says that it is one", twice[1])
        answers("repeated", client.infer("flower", given(), parameters={"request_id": "order 1"}))
        error = raises("triton: the same request_id for other inputs", InferenceServerException,
                       lambda: client.infer("flower", given(x[:2]), parameters={"request_id": "order 1"}))
        check(error is None or "409" in str(error.status()), "triton: that is a conflict", error)
        raises("triton: an attribute that is none", InferenceServerException,
               lambda: client.infer("flower", given(), parameters={"attributes.not a name!": "x" * 2000}))

        boosted = onnxruntime.InferenceSession(str(models.path("boosting"))).run(None, {"X": x})
        second = client.infer("flower", given(), model_version="2.0.0")
        same("triton: the version that was asked for", of(second)["model_version"], "2.0.0")
        close_to("triton: what it answers", second.as_numpy("probabilities"), boosted[1])
        raises("triton: a version that is not there", InferenceServerException,
               lambda: client.infer("flower", given(), model_version="9.9.9"), says="9.9.9")
        raises("triton: a model that is not there", InferenceServerException, lambda: client.infer("nobody", given()), says="nobody")

        one = client.infer("flower", given(), outputs=[triton.InferRequestedOutput("probabilities")])
        close_to("triton: the output that was asked for", one.as_numpy("probabilities"), scores)
        check(one.as_numpy("label") is None, "triton: no output that was not asked for", of(one))
        top = client.infer("flower", given(), outputs=[triton.InferRequestedOutput("probabilities", class_count=2)])
        told = top.as_numpy("probabilities")
        best = numpy.argsort(-scores, axis=1)[:, :2]
        same("triton: the two best classes", [[int(cell.split(b":")[1]) for cell in row] for row in told], best.tolist())
        for what, values, name, datatype in [
            ("a wrong shape", x[:, :3].copy(), "X", "FP32"), ("a wrong name", x, "Y", "FP32"),
            ("a wrong datatype", x.astype(numpy.float64), "X", "FP64"), ("whole numbers", x.astype(numpy.int64), "X", "INT64"),
        ]:
            for binary in (True, False):
                error = raises(f"triton: {what}", InferenceServerException, lambda: client.infer("flower", given(values, name, datatype, binary)))
                if error is not None:
                    said = error.message() or ""
                    check(len(said) > 15 and " " in said and said[0].isupper(), f"triton: {what} gives a sentence", said)
                    check(str(error.status()).startswith("4"), f"triton: {what} is the fault of who asks", (error.status(), said))
        raises("triton: an output that is not there", InferenceServerException,
               lambda: client.infer("flower", given(), outputs=[triton.InferRequestedOutput("nothing")]), says="nothing")

        named, of_named = onnxruntime.InferenceSession(str(models.path("forest"))).run(None, {"X": x})
        species = client.infer("species", given())
        same("triton: labels that are texts", [label.decode() for label in species.as_numpy("label").ravel()], named.tolist())
        close_to("triton: probabilities beside them", species.as_numpy("probabilities"), of_named)
        reviews = numpy.array(models.inputs("review")[:4], dtype=object).reshape(-1, 1)
        said = onnxruntime.InferenceSession(str(models.path("review"))).run(None, {"words": reviews})[0]
        for binary in (True, False):
            result = client.infer("review", given(reviews, "words", "BYTES", binary))
            same("triton: texts by the name of the input", [label.decode() for label in result.as_numpy("label").ravel()], said.tolist())
        for count, shape in ((1, [1]), (1, [1, 1])):
            for binary in (True, False):
                good = numpy.array(["What a lovely day, schön! 😀"], dtype=object).reshape(shape)
                result = client.infer("mood", given(good, "text", "BYTES", binary))
                same("triton: a text for the word list", [value.decode() for value in result.as_numpy("prediction").ravel()], ["positive"])
                confidence = result.as_numpy("confidence")
                check(confidence is not None and 0.5 < confidence.ravel()[0] <= 1, "triton: its confidence", confidence)
                found = logged(server, of(result)["parameters"]["prediction_id"])
                same("triton: the text is logged", found.get("text"), "What a lovely day, schön! 😀")
        result = client.infer("mood", given(numpy.array(["awful"], dtype=object), "text", "BYTES"),
                              outputs=[triton.InferRequestedOutput("prediction", binary_data=False)])
        same("triton: the prediction alone", [out["name"] for out in of(result)["outputs"]], ["prediction"])
        waits = [client.async_infer("flower", given(x[row : row + 1])) for row in range(5)]
        close_to("triton: several at once", numpy.concatenate([wait.get_result().as_numpy("probabilities") for wait in waits]), scores)


def identity(directory, datatype):
    """A model that gives what it is given."""
    from onnx import TensorProto, helper

    kinds = {"FP16": "FLOAT16", "FP32": "FLOAT", "FP64": "DOUBLE", "BYTES": "STRING"}
    kind = getattr(TensorProto, kinds.get(datatype, datatype))
    ends = [helper.make_tensor_value_info(name, kind, [None, None]) for name in ("given", "same")]
    graph = helper.make_graph([helper.make_node("Identity", ["given"], ["same"])], "same", ends[:1], ends[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    path = pathlib.Path(directory) / f"{datatype}.onnx"
    path.write_bytes(model.SerializeToString())
    return path


def part_types(server, models):
    """Elements of each type, and those that few think of, through a model that changes none."""
    import tritonclient.http as triton

    whole = [kind for kind in ("INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64")]
    given = {"BOOL": [("truths", numpy.array([[True, False]]))]}
    for kind in whole:
        of = numpy.dtype(kind.lower())
        given[kind] = [("the least and the most", numpy.array([[numpy.iinfo(of).min, 0, 1, numpy.iinfo(of).max]], dtype=of))]
    for kind, of in (("FP16", numpy.float16), ("FP32", numpy.float32), ("FP64", numpy.float64)):
        about = numpy.finfo(of)
        given[kind] = [
            ("numbers", numpy.array([[0.1, -0.0, about.max, about.tiny, about.smallest_subnormal, 1 / 3]], dtype=of)),
            ("numbers that are none", numpy.array([[1, numpy.nan, numpy.inf, -numpy.inf]], dtype=of)),
            ("nothing", numpy.zeros((0, 3), dtype=of)),
        ]
    given["BYTES"] = [("texts", numpy.array([["", "Grüße 😀", "a\n\"b\""]], dtype=object)),
                      ("bytes that are no text", numpy.array([[b"\xff\xfe", b"a"]], dtype=object)),
                      ("a text with a zero", numpy.array([[b"a\x00b"]], dtype=object))]
    with triton.InferenceServerClient(urllib.parse.urlsplit(server.address).netloc) as client:
        for kind, cases in given.items():
            register(server, f"same-{kind}", "1.0.0", {"type": "onnx"}, artifact=identity(models.directory, kind))
            for what, values in cases:
                # JSON has no word for some of these.
                ways = (True, False) if what in ("truths", "numbers", "texts", "the least and the most") else (True,)
                for binary in [(one, other) for one in ways for other in ways]:
                    named = f"types: {kind}, {what}, binary in and out {binary}"
                    tensor = triton.InferInput("given", list(values.shape), kind)
                    tensor.set_data_from_numpy(values, binary_data=binary[0])
                    try:
                        asked = [triton.InferRequestedOutput("same", binary_data=binary[1])]
                        got = client.infer(f"same-{kind}", [tensor], outputs=asked).as_numpy("same")
                    except triton.InferenceServerException as error:
                        if what in ("bytes that are no text", "a text with a zero"):
                            # ONNX Runtime takes no such texts. That is not the fault of the version.
                            check(str(error.status()) in ("400", "422"), f"{named}: a refusal", (error.status(), error.message()))
                        else:
                            check(False, named, (error.status(), error.message()))
                        continue
                    if kind == "BYTES":
                        as_bytes = lambda cells: [cell if isinstance(cell, bytes) else cell.encode() for cell in cells.ravel()]
                        same(named, as_bytes(got), as_bytes(values))
                    else:
                        check(got.shape == values.shape and got.tobytes() == values.tobytes(), named, f"got {got}, meant {values}")
        tensor = triton.InferInput("given", [1, 1], "BYTES")
        tensor.set_data_from_numpy(numpy.array([[b"a\x00b"]], dtype=object))
        for _ in range(12):
            try:
                client.infer("same-BYTES", [tensor])
            except triton.InferenceServerException:
                pass
        tensor.set_data_from_numpy(numpy.array([["well"]], dtype=object))
        try:
            client.infer("same-BYTES", [tensor])
        except triton.InferenceServerException as error:
            check(False, "types: texts of one caller that the engine does not take keep no version from the others", error)


def part_mlserver_types(server, models):
    """Requests as MLServer's own types write them, with all that is not said as null."""
    if importlib.util.find_spec("mlserver") is None:
        print("  mlserver is not installed")
        return
    row = [float(value) for value in models.inputs("logistic")[0]]
    script = f"""
import json
from mlserver.types import InferenceRequest, RequestInput
print(json.dumps(InferenceRequest(inputs=[RequestInput(name="X", datatype="FP32", shape=[1, {COLUMNS}], data={row})]).model_dump()))
"""
    # Its protobuf messages and those of kserve have the same names, so it needs a process of its own.
    body = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    status, _, said = raw(server, "POST", "/v2/models/flower/infer", body, {"content-type": "application/json"})
    check(status == 200, "mlserver: a request of its types", f"{status} {said} to {body}")


def part_raw(server, models):
    x = models.inputs("logistic")[:2]
    body = x.tobytes()
    path = "/v2/models/flower/infer"

    def request(size=len(body), **more):
        tensor = {"name": "X", "datatype": "FP32", "shape": [2, COLUMNS], "parameters": {"binary_data_size": size}}
        return json.dumps({"inputs": [{**tensor, **more}]}).encode()

    def refused(what, sent, headers, says=None):
        status, _, said = raw(server, "POST", path, sent, headers)
        try:
            error = json.loads(said).get("error")
        except ValueError:
            error = None
        check(status == 400 and isinstance(error, str), f"raw: {what} is 400 with an error", (status, said))
        if says:
            check(says in (error or ""), f"raw: {what} says {says}", said)
        status, _, said = raw(server, "POST", path, request() + body, {"Inference-Header-Content-Length": str(len(request()))})
        check(status == 200, f"raw: the server answers after {what}", (status, said))

    head = request()
    length = {"Inference-Header-Content-Length": str(len(head))}
    refused("a length that is too long", head + body, {"Inference-Header-Content-Length": str(len(head) + 9)})
    refused("a length that is too short", head + body, {"Inference-Header-Content-Length": str(len(head) - 3)})
    refused("a length beyond the body", head + body, {"Inference-Header-Content-Length": "99999999"})
    refused("a length that is negative", head + body, {"Inference-Header-Content-Length": "-5"})
    refused("a length that is no number", head + body, {"Inference-Header-Content-Length": "many"})
    refused("a length of 0", head + body, {"Inference-Header-Content-Length": "0"})
    refused("a length beyond 64 bits", head + body, {"Inference-Header-Content-Length": "99999999999999999999999"})
    refused("bytes without the header", head + body, {}, "Inference-Header-Content-Length")
    ascii_bytes = numpy.full((2, COLUMNS), 0x41414141, dtype=numpy.uint32).tobytes()
    refused("bytes without the header that are letters", head + ascii_bytes, {})
    for what, size in (("too long", len(body) + 4), ("too short", len(body) - 4), ("negative", -48), ("no number", "48"),
                       ("beyond 31 bits", 2**31 + 48), ("beyond 64 bits", 2**64)):
        sent = request(size)
        refused(f"a binary_data_size that is {what}", sent + body, {"Inference-Header-Content-Length": str(len(sent))})
    refused("bytes behind the last tensor", head + body + b"xxxx", length)
    both = request(data=[0.0] * 12)
    refused("data beside bytes", both + body, {"Inference-Header-Content-Length": str(len(both))})
    huge = request(shape=[2**40, 2**40])
    refused("a shape beyond all numbers", huge + body, {"Inference-Header-Content-Length": str(len(huge))})
    refused("an empty body", b"", {})
    refused("a body that is no JSON", b"{", {})
    refused("no inputs", b'{"inputs": []}', {})
    refused("an array", b"[]", {})
    refused("a body that is said to be gzip", head + body, {**length, "Content-Encoding": "gzip"})
    texts = struct.pack("<I", 500) + b"abc"
    sent = json.dumps({"inputs": [{"name": "text", "datatype": "BYTES", "shape": [1], "parameters": {"binary_data_size": len(texts)}}]}).encode()
    refused("a text that is shorter than it says", sent + texts, {"Inference-Header-Content-Length": str(len(sent))})
    packed = gzip.compress(head + body)
    for accepted in ("gzip", "deflate", "gzip, deflate, br", "identity"):
        headers = {**length, "Content-Encoding": "gzip", "Accept-Encoding": accepted}
        status, told, said = raw(server, "POST", path, packed, headers)
        coding = told.get("content-encoding", "identity")
        check(status == 200 and coding in (*accepted.split(", "), "identity"), f"raw: a reply for {accepted}", (status, told))
        said = {"gzip": gzip.decompress, "deflate": zlib.decompress}.get(coding, bytes)(said)
        check(said.startswith(b"{"), f"raw: the reply is {coding} as it says", said[:80])
    bomb = gzip.compress(bytes(64 << 20))
    status, _, said = raw(server, "POST", path, bomb, {"Content-Encoding": "gzip"})
    check(status in (400, 413), "raw: what is very large unpacked is refused", (status, said))
    for method, other in (("GET", "/v2/models/flower/config"), ("POST", "/v2/repository/index"), ("GET", "/v2/models/flower/infer")):
        status, _, said = raw(server, method, other)
        check(status in (404, 405) and b'"error":' in said, f"raw: {method} {other} is an error in the form of the protocol", (status, said))
    status, _, said = raw(server, "POST", "/v2/models/flower/versions/1.0.0/infer", request() + body, length)
    check(status == 200, "raw: a version by the path", (status, said))
    nested = json.dumps({"id": "é", "inputs": [{"name": "X", "datatype": "FP32", "shape": [2, COLUMNS], "data": x.tolist()}]}).encode()
    status, _, said = raw(server, "POST", path, nested, {"Content-Type": "application/json"})
    check(status == 200 and json.loads(said)["id"] == "é", "raw: nested data", (status, said))


def part_kserve(server, models):
    if importlib.util.find_spec("kserve") is None:
        print("  kserve is not installed")
        return
    from kserve import InferInput, InferRequest, InferenceRESTClient
    from kserve.inference_client import RESTConfig
    from kserve.protocol.infer_type import RequestedOutput

    x = models.inputs("logistic")[:5]
    labels, scores = onnxruntime.InferenceSession(str(models.path("logistic"))).run(None, {"X": x})

    async def all_of_it():
        async with InferenceRESTClient(RESTConfig(protocol="v2")) as client:
            check(await client.is_server_live(server.address), "kserve: the server is live")
            check(await client.is_server_ready(server.address), "kserve: the server is ready")
            check(await client.is_model_ready(server.address, "flower"), "kserve: a model is ready")
            check(not await client.is_model_ready(server.address, "nobody"), "kserve: a model that is not there is not ready")
            for binary in (True, False):
                tensor = InferInput("X", [5, COLUMNS], "FP32")
                tensor.set_data_from_numpy(x, binary_data=binary)
                for outputs in (None, [RequestedOutput("probabilities", parameters={"binary_data": binary})]):
                    request = InferRequest("flower", [tensor], request_id="mine", request_outputs=outputs,
                                           parameters={"unit_id": "user 8", "attributes.country": "AT"})
                    reply = await client.infer(server.address, request, model_name="flower")
                    what = f"kserve: binary {binary}, outputs {outputs is not None}"
                    same(f"{what}: the id", reply.id, "mine")
                    by_name = {out.name: out.as_numpy() for out in reply.outputs}
                    close_to(f"{what}: probabilities", by_name.get("probabilities"), scores)
                    if outputs is None:
                        close_to(f"{what}: labels", by_name.get("label"), labels)
                    found = logged(server, reply.parameters["prediction_id"])
                    same(f"{what}: who asked", (found.get("unit_id"), found.get("attributes")), ("user 8", {"country": "AT"}))
            text = InferInput("text", [1], "BYTES")
            text.set_data_from_numpy(numpy.array(["a lovely day"], dtype=object), binary_data=True)
            reply = await client.infer(server.address, InferRequest("mood", [text]), model_name="mood")
            same("kserve: a text", [str(value) for out in reply.outputs if out.name == "prediction" for value in out.data], ["positive"])
            wrong = InferInput("X", [1, 2], "FP32")
            wrong.set_data_from_numpy(x[:1, :2].copy(), binary_data=False)
            import httpx

            try:
                await client.infer(server.address, InferRequest("flower", [wrong]), model_name="flower")
                check(False, "kserve: a wrong shape is refused")
            except httpx.HTTPStatusError as error:
                check(error.response.status_code in (400, 422) and "shape" in str(error), "kserve: a wrong shape is said", error)

    asyncio.run(all_of_it())


# Language models. The fake one behaves as the last message asks.


def event(data):
    return b"data: " + (data if isinstance(data, bytes) else json.dumps(data, ensure_ascii=False).encode()) + b"\n\n"


def chunk(delta, finish=None, **more):
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
    return {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1700000000, "model": "m-2024", "choices": [choice],
            "usage": None, **more}


USAGE = {"prompt_tokens": 11, "completion_tokens": 3, "total_tokens": 14, "completion_tokens_details": {"reasoning_tokens": 0}}
DONE = b"data: [DONE]\n\n"
SAYS = [event(chunk({"role": "assistant", "content": ""})), event(chunk({"content": "Grüße"})), event(chunk({"content": " 😀"})),
        event(chunk({"content": "!"}))]
STOP = event(chunk({}, "stop"))
COUNTED = event({**chunk({}), "choices": [], "usage": USAGE})
WHOLE_TEXT = "Grüße 😀!"


def tool(index, **function):
    more = {"id": f"call_{index}", "type": "function"} if "name" in function else {}
    return {"tool_calls": [{"index": index, **more, "function": function}]}


LOGPROBS = {"content": [{"token": "é", "logprob": -0.10000000000000001, "bytes": [195, 169], "top_logprobs": []}], "refusal": None}
# Odd spaces, numbers and escapes: whoever rebuilds an event shows it.
ODD = b'data: {"id":"chatcmpl-1" , "object":"chat.completion.chunk","created":1.7e9,"model":"m-2024","choices":[{"index":0,' \
      b'"delta":{"content":"\\u0047r\\u00fc"},"logprobs":' + json.dumps(LOGPROBS).encode() + b'}],"x":1.0,"big":123456789012345678901234567890}\n\n'
TOOLS = [event(chunk({"role": "assistant", "content": None})), event(chunk(tool(0, name="weather", arguments=""))),
         event(chunk(tool(0, arguments='{"ci'))), event(chunk(tool(1, name="time", arguments=""))),
         event(chunk(tool(0, arguments='ty": "Köln"}'))), event(chunk(tool(1, arguments="{}"))), ODD, event(chunk({}, "tool_calls"))]
CALLS = {0: ("weather", '{"city": "Köln"}'), 1: ("time", "{}")}
FAILURE = {"error": {"message": "The model is overloaded.", "type": "server_error", "param": None, "code": "overloaded"}}


def crlf(events):
    return [each.replace(b"\n", b"\r\n") for each in events]


def in_lines(data):
    """An event whose JSON stands in several lines."""
    return b"".join(b"data: " + line + b"\n" for line in json.dumps(data, indent=1, ensure_ascii=False).encode().split(b"\n")) + b"\n"


# By name: what comes before the usage, the event with the usage, what comes behind it.
STREAMS = {
    "plain": (SAYS + [STOP], COUNTED, [DONE]),
    "usage in the last chunk": (SAYS + [event(chunk({}, "stop", usage=USAGE))], b"", [DONE]),
    "usage with choices null": (SAYS + [STOP], event({**chunk({}), "choices": None, "usage": USAGE}), [DONE]),
    "usage without choices": (SAYS + [STOP], event({"id": "", "object": "chat.completion.chunk", "created": 0, "model": "", "usage": USAGE}), [DONE]),
    "usage with every chunk": ([event(chunk({"content": part}, usage={**USAGE, "completion_tokens": at + 1})) for at, part in
                                enumerate(["Grüße", " 😀", "!"])] + [event(chunk({}, "stop", usage=USAGE))], b"", [DONE]),
    "comments": ([b": PROCESSING\n\n", SAYS[0], b": PROCESSING\n\n: PROCESSING\n\n", b": x\n" + SAYS[1], SAYS[2], b":\n\n", SAYS[3], STOP],
                 COUNTED, [b": the end\n\n", DONE]),
    "crlf": (crlf(SAYS + [STOP]), crlf([COUNTED])[0], crlf([DONE])),
    "cr": ([each.replace(b"\n", b"\r") for each in SAYS + [STOP]], COUNTED.replace(b"\n", b"\r"), [DONE]),
    "several data lines": ([in_lines(chunk({"content": "Grüße"})), *SAYS[2:], in_lines(chunk({}, "stop"))], in_lines(json.loads(COUNTED[6:])), [DONE]),
    "no newline at the end": (SAYS + [STOP], COUNTED, [b"data: [DONE]"]),
    "one newline at the end": (SAYS + [STOP], COUNTED, [b"data: [DONE]\n"]),
    "no space": ([each.replace(b"data: ", b"data:") for each in SAYS + [STOP]], COUNTED.replace(b"data: ", b"data:"), [b"data:[DONE]\n\n"]),
    "other fields": ([b"event: message\nid: 7\nretry: 500\n" + SAYS[1], *SAYS[2:], STOP], b"id: 8\n" + COUNTED, [DONE]),
    "an event without choices first": ([event({**chunk({}), "choices": [], "prompt_filter_results": []}), *SAYS, STOP], COUNTED, [DONE]),
    "two choices": ([*SAYS, event({**chunk({}), "choices": [{"index": 1, "delta": {"content": "No"}, "finish_reason": None}]}), STOP], COUNTED, [DONE]),
    "tools": (TOOLS, COUNTED, [DONE]),
    "tools alone": ([each for each in TOOLS if each is not ODD], COUNTED, [DONE]),
    "behind the end": (SAYS + [STOP], COUNTED, [DONE]),
}


# What the answers say.
SAID = {"tools": "Grü", "tools alone": ""}


def whole(model, text, **more):
    message = {"role": "assistant", "content": text, "refusal": None, **more}
    return {"id": "chatcmpl-2", "object": "chat.completion", "created": 1700000000, "model": model, "service_tier": "default", "usage": USAGE,
            "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": "tool_calls" if more else "stop"}]}


class Fake(http.server.BaseHTTPRequestHandler):
    """A language model; `asked` has each request, `ended` how each endless answer ended."""
    protocol_version = "HTTP/1.1"
    asked, texts, ended, flaky = [], [], [], []

    def log_message(self, *_):
        pass

    def reply(self, status, body, kind="application/json", **headers):
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def begin(self):
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        self.wfile.flush()

    def piece(self, data):
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.flush()

    def end(self):
        self.wfile.write(b"0\r\n\r\n")
        self.wfile.flush()

    def do_POST(self):
        text = self.rfile.read(int(self.headers["content-length"]))
        body = json.loads(text)
        said = body["messages"][-1]["content"]
        self.asked.append(body)
        self.texts.append(text)
        if said.startswith("status "):
            _, status, model = said.split()
            if model in (body["model"], "all"):
                return self.reply(int(status), json.dumps(FAILURE).encode(), retry_after="1")
            said = "plain"
        if not body.get("stream"):
            return self.whole(body["model"], said)
        if body.get("stream_options") != {"include_usage": True}:
            # Whoever does not ask gets none; so the log would have none.
            return self.reply(400, b'{"error": {"message": "The usage was not asked for."}}')
        try:
            self.stream(said)
        except (BrokenPipeError, ConnectionError):
            self.close_connection = True

    def whole(self, model, said):
        if said == "tools":
            calls = [{"id": "call_0", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Köln"}'}}]
            return self.reply(200, json.dumps(whole(model, None, tool_calls=calls)).encode())
        if said == "odd":
            text = json.dumps(whole(model, WHOLE_TEXT), indent=3).replace('"created": 1700000000', '"created": 1.7e9, "x": 1.0')
            return self.reply(200, text.encode())
        self.reply(200, json.dumps(whole(model, WHOLE_TEXT)).encode())

    def stream(self, said):
        if said == "a whole answer":
            return self.reply(200, json.dumps(whole("m", WHOLE_TEXT)).encode())
        self.begin()
        if said.startswith("endless"):
            return self.endless(said)
        if said == "silence":
            time.sleep(SILENCE)
        if said in ("no end", "flaky", "an error", "an error and the end", "a break"):
            if said == "flaky" and self.flaky:
                said = "plain"
            else:
                self.flaky.append(said) if said == "flaky" else None
                return self.broken(said)
        cut = said.removeprefix("cut ")
        before, usage, behind = STREAMS.get(cut, STREAMS["plain"])
        if cut != said:
            bytes_ = b"".join([*before, usage, *behind])
            for at in range(0, len(bytes_), 5):
                self.piece(bytes_[at : at + 5])
                time.sleep(0.0005)
        else:
            for each in [*before, *([usage] if usage else []), *behind]:
                self.piece(each)
                time.sleep(0.002)
        if said == "behind the end":
            self.piece(b": bye\n\n")
        self.end()

    def broken(self, said):
        for each in SAYS[:2]:
            self.piece(each)
        time.sleep(0.02)
        if said.startswith("an error"):
            self.piece(event(FAILURE))
            if said.endswith("the end"):
                self.piece(DONE)
        if said == "a break":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
            self.close_connection = True
            return
        self.end()

    def endless(self, said):
        began = time.monotonic()
        try:
            self.piece(SAYS[0])
            while time.monotonic() < began + 20:
                self.piece(event(chunk({"content": "on "})))
                time.sleep(0.02)
            self.ended.append((said, "nobody left"))
        except OSError:
            self.ended.append((said, "left"))
            raise


class FakeServer(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_):
        pass


def fake():
    server = FakeServer(("127.0.0.1", 0), Fake)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}/v1"


def chat(server, url, name="chat", **more):
    for version, model, percent in (("1.0.0", "m1", 50), ("2.0.0", "m2", 50)):
        runtime = {"type": "openai", "url": url, "model": model, "system": "Be kind.", "prices": PRICES, "timeout_ms": 40000, **more}
        register(server, name, version, runtime, percent)


def ask(said, **more):
    return {"model": "chat", "messages": [{"role": "user", "content": said}], **more}


def streamed_raw(server, said, usage=None, headers=None, model="chat"):
    body = ask(said, stream=True, **({} if usage is None else {"stream_options": {"include_usage": usage}}))
    return raw(server, "POST", "/v1/chat/completions", json.dumps({**body, "model": model}), {"content-type": "application/json", **(headers or {})})


def value_of(found, metric):
    return [value["value"] for value in found.get("feedback") or [] if value.get("metric") == metric]


def part_openai(server, url, behind):
    import openai

    client = openai.OpenAI(base_url=f"{server.address}/v1", api_key="none", max_retries=0, timeout=30)
    create = client.chat.completions.create

    def with_headers(**asked):
        told = client.chat.completions.with_raw_response.create(**asked)
        return told.headers, told.parse()

    # Whole.
    Fake.asked.clear()
    headers, answer = with_headers(**ask("plain", temperature=0.25, user="somebody", metadata={"country": "DE"}, seed=5))
    same("openai: the answer", (answer.choices[0].message.content, answer.choices[0].finish_reason), (WHOLE_TEXT, "stop"))
    same("openai: its usage", (answer.usage.prompt_tokens, answer.usage.completion_tokens), (11, 3))
    sent = Fake.asked[-1]
    same("openai: the prompt of the version", sent["messages"], [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "plain"}])
    check(sent["model"] in ("m1", "m2") and sent["temperature"] == 0.25 and sent["seed"] == 5 and sent["user"] == "somebody",
          "openai: what the caller says goes on", sent)
    check("stream" not in sent or sent["stream"] is False, "openai: a whole answer is asked for", sent)
    counted = lambda found: len(value_of(found, "tokens_out")) > 0 or found.get("status") not in ("ok", "fallback")
    found = logged(server, headers["weir-prediction-id"], counted)
    same("openai: who asked is logged", (found.get("unit_id"), found.get("attributes"), found.get("status")), ("somebody", {"country": "DE"}, "ok"))
    same("openai: the prediction", found.get("prediction"), WHOLE_TEXT)

    def tokens(what, found, streamed=False, length=len(WHOLE_TEXT)):
        outputs = found.get("outputs") or {}
        cost = (11 * 2.0 + 3 * 10.0) / 1e6
        told = {name: outputs.get(name) for name in ("tokens_in", "tokens_out", "output_length")}
        same(f"openai: outputs, {what}", told, {"tokens_in": 11, "tokens_out": 3, "output_length": length})
        check(abs((outputs.get("cost") or 0) - cost) < 1e-12, f"openai: the cost, {what}", outputs)
        check((outputs.get("time_to_first_token_ms") or 0) > 0 or not streamed, f"openai: the time to the first token, {what}", outputs)
        for metric, value in (("tokens_in", 11), ("tokens_out", 3), ("cost", cost), ("output_length", length)):
            told = value_of(found, metric)
            check(len(told) == 1 and abs(told[0] - value) < 1e-12, f"openai: the value of {metric}, {what}", f"{told}, and {value} was meant")

    tokens("whole", found)
    status, _, said = raw(server, "POST", "/v1/chat/completions", json.dumps(ask("odd")), {"content-type": "application/json"})
    check(status == 200 and b'"created": 1.7e9, "x": 1.0' in said and said.count(b"\n   ") > 5, "openai: a whole answer byte for byte", said)
    more = b'"seed": 12345678901234567890123, "z": 1, "a": 0.10, "z": 3'
    raw(server, "POST", "/v1/chat/completions", json.dumps(ask("plain"))[:-1].encode() + b", " + more + b"}", {"content-type": "application/json"})
    check(more.replace(b": ", b":").replace(b", ", b",") in Fake.texts[-1], "openai: what goes on keeps digits, order and repeated keys", Fake.texts[-1])
    headers, answer = with_headers(**ask("tools"))
    same("openai: a call of a tool", answer.choices[0].message.tool_calls[0].function.arguments, '{"city": "Köln"}')
    check("weather" in json.dumps(logged(server, headers["weir-prediction-id"]).get("prediction")), "openai: it is logged")

    # In parts.
    for said, (before, usage, behind_it) in STREAMS.items():
        for asked in (None, False, True):
            status, told, got = streamed_raw(server, said, asked)
            want = b"".join([*before, *([usage] if asked else []), *behind_it])
            check(status == 200 and told["content-type"].startswith("text/event-stream"), f"openai: {said}: events", (status, told))
            same(f"openai: {said}, usage {asked}: what comes is what was sent", got, want)
            found = logged(server, told.get("weir-prediction-id"), counted)
            same(f"openai: {said}, usage {asked}: it is well", (found.get("status"), found.get("failure")), ("ok", None))
            text = SAID.get(said, WHOLE_TEXT)
            if said in SAID:
                calls = (found.get("outputs") or {}).get("tool_calls") or []
                told_of = [(call["function"]["name"], call["function"]["arguments"]) for call in calls]
                same(f"openai: {said}, usage {asked}: calls in parts are put together in the log", told_of, list(CALLS.values()))
                text = text or calls
            same(f"openai: {said}, usage {asked}: the log has the text", found.get("prediction"), text)
            tokens(f"{said}, usage {asked}", found, True, len(SAID.get(said, WHOLE_TEXT)))
    for said in STREAMS:
        for asked in (False, True):
            status, _, got = streamed_raw(server, f"cut {said}", asked)
            before, usage, behind_it = STREAMS[said]
            same(f"openai: {said}, in pieces of 5 bytes, usage {asked}", got, b"".join([*before, *([usage] if asked else []), *behind_it]))
        if said == "cr":
            # The client does not read these.
            continue
        for asked in (None, True):
            options = {} if asked is None else {"stream_options": {"include_usage": True}}
            text, usages, calls = "", [], {}
            try:
                for part in create(**ask(f"cut {said}", stream=True, **options)):
                    usages += [part.usage] if part.usage else []
                    for choice in part.choices or []:
                        text += (choice.delta.content or "") if choice.index == 0 else ""
                        for call in choice.delta.tool_calls or []:
                            calls[call.index] = calls.get(call.index, "") + (call.function.arguments or "")
            except Exception as error:
                check(False, f"openai: the client reads {said}, usage {asked}", repr(error))
                continue
            same(f"openai: the client reads {said}, usage {asked}", text, SAID.get(said, WHOLE_TEXT))
            if said in SAID:
                same(f"openai: the client reads calls of {said}", calls, {at: arguments for at, (_, arguments) in CALLS.items()})
            if usage_apart(said):
                same(f"openai: {said}: the usage comes to who asked", len(usages), 1 if asked else 0)

    # Answers that do not come to their end.
    def broken(what, told, failure, error=None):
        found = logged(server, told.get("weir-prediction-id"))
        same(f"openai: {what} is logged", (found.get("status"), found.get("failure")), ("error", failure))
        outputs = found.get("outputs") or {}
        check(outputs.get("tokens_out", 0) >= 1 and outputs.get("tokens_are_estimated") is True, f"openai: {what}: tokens are estimated", found)
        check(outputs.get("received") and "cost" not in outputs, f"openai: {what}: the log has the text, and no cost that is half of one", found)
        if error:
            check(error in (found.get("error") or ""), f"openai: {what}: the log says {error!r}", found)
        return found

    status, told, got = streamed_raw(server, "no end")
    same("openai: no end: what came is passed on, and nothing more", got, b"".join(SAYS[:2]))
    broken("an answer without its end", told, "broken_off", "[DONE]")
    for said in ("an error", "an error and the end"):
        status, told, got = streamed_raw(server, said)
        same(f"openai: {said}: what came is passed on", got.removesuffix(DONE), b"".join([*SAYS[:2], event(FAILURE)]))
        broken(said, told, "failed", "overloaded")
        raises(f"openai: {said}: the client", openai.APIError, lambda: list(create(**ask(said, stream=True))), says="overloaded")
    status, told, got = streamed_raw(server, "a break")
    check(got.startswith(SAYS[0]) and b"[DONE]" not in got, "openai: a break is passed on", got)
    broken("a break", told, "broken_off")
    status, told, got = streamed_raw(server, "a whole answer")
    check(status >= 500 or b"data:" in got, "openai: an upstream that does not stream is no 200 without an event", (status, got))

    def leaves(said, how):
        parts = client.chat.completions.with_streaming_response.create(**ask(said, stream=True))
        with parts as reply:
            told = reply.headers
            read = 0
            for line in reply.iter_lines():
                read += line.startswith("data:")
                if read == 4:
                    break
        until = time.monotonic() + 5
        while not any(each[0] == said for each in Fake.ended) and time.monotonic() < until:
            time.sleep(0.02)
        same(f"openai: {how}: the upstream call ends", [each for each in Fake.ended if each[0] == said], [(said, "left")])
        found = broken(how, told, "broken_off", "caller")
        same(f"openai: {how}: its tokens are no values of metrics", value_of(found, "tokens_out"), [])

    leaves("endless 1", "a caller who leaves")
    parts = create(**ask("endless 2", stream=True))
    next(iter(parts))
    parts.close()
    until = time.monotonic() + 5
    while not any(each[0] == "endless 2" for each in Fake.ended) and time.monotonic() < until:
        time.sleep(0.02)
    check(("endless 2", "left") in Fake.ended, "openai: closing the stream of the client ends the upstream call", Fake.ended)

    # Who gets which version.
    def version_for(body, headers=None):
        _, told, _ = raw(server, "POST", "/v1/chat/completions", json.dumps(body), {"content-type": "application/json", **(headers or {})})
        return told.get("weir-model-version"), told.get("weir-prediction-id")

    met = {user: version_for(ask("plain", user=user))[0] for user in map("user {}".format, range(30))}
    same("openai: users meet both versions", set(met.values()), {"1.0.0", "2.0.0"})
    for user, version in list(met.items())[:10]:
        same("openai: a user stays with a version", version_for(ask("plain", user=user, stream=True))[0], version)
        headers = {"Weir-Unit-Id": user}
        got, prediction = version_for(ask("plain", user="another"), headers)
        same("openai: the header names the unit", (got, logged(server, prediction).get("unit_id")), (version, user))
    _, answer = with_headers(**ask("plain", extra_headers={"Weir-Unit-Id": "user 1"}))
    same("openai: the client sends the header", answer.model, {"1.0.0": "m1", "2.0.0": "m2"}[met["user 1"]])
    server.call("PUT", "/aliases/chat/champion", {"version": "2.0.0"})
    for model, want in (("chat@champion", "m2"), ("chat:1.0.0", "m1"), ("chat:2.0.0", "m2")):
        same(f"openai: {model}", create(**{**ask("plain"), "model": model}).model, want)

    # Repeats.
    for stream in (False, True):
        for said in ("plain", "tools"):
            headers = {"content-type": "application/json", "Weir-Request-Id": f"order {said} {stream}"}
            body = json.dumps(ask(said, stream=stream))
            Fake.asked.clear()
            replies = [raw(server, "POST", "/v1/chat/completions", body, headers) for _ in range(3)]
            what = f"openai: a repeat of {said}, in parts {stream}"
            same(f"{what}: one call", len(Fake.asked), 1)
            same(f"{what}: one prediction", len({told.get("weir-prediction-id") for _, told, _ in replies}), 1)
            same(f"{what}: one version", len({told.get("weir-model-version") for _, told, _ in replies}), 1)
            if not stream:
                same(f"{what}: one answer", len({got for *_, got in replies}), 1)
                continue
            # The client writes its JSON in its own way, so it has an id of its own.
            asked = ask(said, stream=True, extra_headers={"Weir-Request-Id": f"client's {said}"})
            try:
                list(create(**asked))
                parts = [choice for part in create(**asked) for choice in part.choices or []]
            except Exception as error:
                check(False, f"{what}: the client reads it", repr(error))
                continue
            if said == "plain":
                same(f"{what}: the text", "".join(choice.delta.content or "" for choice in parts), WHOLE_TEXT)
            else:
                calls = [call.function.name for choice in parts for call in choice.delta.tool_calls or [] if call.function.name]
                same(f"{what}: the calls", calls, ["weather", "time"])
            same(f"{what}: its end", [choice.finish_reason for choice in parts if choice.finish_reason], ["stop" if said == "plain" else "tool_calls"])
    error = raises("openai: another request with the same id", openai.ConflictError,
                   lambda: create(**ask("other", extra_headers={"Weir-Request-Id": "order plain False"})))
    Fake.flaky.clear()
    replies = [streamed_raw(server, "flaky", headers={"Weir-Request-Id": "flaky"}) for _ in range(3)]
    check(b"[DONE]" not in replies[0][2], "openai: the first one breaks off", replies[0])
    same("openai: a repeat of what broke off is answered anew", replies[1][2], b"".join([*STREAMS["plain"][0], DONE]))
    same("openai: and only once", replies[2][1].get("weir-prediction-id"), replies[1][1].get("weir-prediction-id"))

    # Models, and what is refused.
    check("chat" in [model.id for model in client.models.list()], "openai: models.list has the model")
    check("mood" not in [model.id for model in client.models.list()], "openai: models.list has no word list")
    same("openai: models.retrieve", client.models.retrieve("chat").id, "chat")
    error = raises("openai: a model that is not there", openai.NotFoundError, lambda: create(**{**ask("plain"), "model": "gpt-9"}), says="gpt-9")
    if error is not None:
        check(isinstance(error.body, dict) and {"message", "type", "param", "code"} <= set(error.body), "openai: the form of an error", error.body)
    raises("openai: in parts as well", openai.NotFoundError, lambda: create(**{**ask("plain", stream=True), "model": "gpt-9"}), says="gpt-9")
    raises("openai: retrieving it", openai.NotFoundError, lambda: client.models.retrieve("gpt-9"))
    for what, body in (("no messages", {"model": "chat"}), ("messages that are a text", {"model": "chat", "messages": "hi"}), ("an array", [1])):
        for more in ({}, {"stream": True}):
            sent = {**body, **more} if isinstance(body, dict) else body
            status, _, said = raw(server, "POST", "/v1/chat/completions", json.dumps(sent), {"content-type": "application/json"})
            check(status in (400, 422) and isinstance(json.loads(said).get("error", {}).get("message"), str), f"openai: {what} is refused in its form", (status, said))

    # One version fails.
    for status in (429, 500, 503):
        for stream in (False, True):
            said = f"status {status} m1"
            body = json.dumps({**ask(said, stream=stream), "user": next(user for user, version in met.items() if version == "1.0.0")})
            got_status, told, got = raw(server, "POST", "/v1/chat/completions", body, {"content-type": "application/json"})
            check(got_status == 200 and "Gr" in got.decode(), f"openai: another version answers after {status}, in parts {stream}", (got_status, got))
            found = logged(server, told.get("weir-prediction-id"), counted)
            check(found.get("status") == "fallback" and found.get("served_model_id") != found.get("model_id"),
                  f"openai: that is logged, {status}, in parts {stream}", found)
    for stream in (False, True):
        error = raises("openai: nobody answers", openai.APIStatusError, lambda: create(**ask("status 500 all", stream=stream)))
        check(error is None or error.status_code >= 500, "openai: that is the fault of the service", error)
        error = raises("openai: all are busy", openai.APIStatusError, lambda: create(**ask("status 429 all", stream=stream)))
        check(isinstance(error, openai.RateLimitError), "openai: that is to be tried later", error)
        error = raises("openai: a refusal", openai.APIStatusError, lambda: create(**ask("status 400 all", stream=stream)), says="overloaded")
        check(isinstance(error, openai.BadRequestError) and error.code == "overloaded" and error.type == "server_error",
              "openai: that is the fault of the caller, in the words of the service", error)

    # What was begun when the server was killed.
    headers, began, kept = [], threading.Event(), []

    def to_be_killed():
        try:
            connection = http.client.HTTPConnection(urllib.parse.urlsplit(server.address).netloc, timeout=30)
            connection.request("POST", "/v1/chat/completions", json.dumps(ask("endless 3", stream=True, user="killed")), {"content-type": "application/json"})
            reply = connection.getresponse()
            headers.append(dict(reply.getheaders()))
            kept.append(reply.read1(2000))
            began.set()
            while reply.read1(2000):
                pass
        except (OSError, http.client.HTTPException):
            pass

    behind.join()
    threading.Thread(target=to_be_killed, daemon=True).start()
    if check(began.wait(10), "openai: an answer begins"):
        server.kill()
        prediction = {name.lower(): value for name, value in headers[0].items()}["weir-prediction-id"]
        found = logged(server, prediction, lambda found: found.get("status") == "error")
        same("openai: after a kill it is logged as broken off", (found.get("status"), found.get("failure"), found.get("unit_id")),
             ("error", "broken_off", "killed"))
        until = time.monotonic() + 5
        while ("endless 3", "left") not in Fake.ended and time.monotonic() < until:
            time.sleep(0.02)
        check(("endless 3", "left") in Fake.ended, "openai: the upstream call ends with the server", Fake.ended)
        server.kill()
        again = logged(server, prediction, lambda found: found.get("status") == "error")
        same("openai: a second restart changes nothing", again, found)


def usage_apart(said):
    return STREAMS[said][1] != b""


def silence(late):
    """An answer whose first part comes late: something comes before that."""
    [(status, _, got)] = late or [(0, {}, b"")]
    first, _, rest = got.partition(b"\n\n")
    check(status == 200 and first.startswith(b":"), "openai: a comment comes where nothing else does for long", got[:200])
    same("openai: and then the answer", rest, b"".join([*SAYS, STOP, DONE]))


# Servers behind the server.


class Mlserver:
    """Started early, because it takes its time."""

    def __init__(self, directory):
        self.process = None
        program = pathlib.Path(sys.executable).with_name("mlserver")
        if importlib.util.find_spec("mlserver_sklearn") is None or not program.exists():
            return
        folder = pathlib.Path(directory) / "mlserver"
        ports = []
        for _ in range(3):
            with socket.socket() as found:
                found.bind(("127.0.0.1", 0))
                ports.append(found.getsockname()[1])
        self.address = f"http://127.0.0.1:{ports[0]}"
        settings = {"host": "127.0.0.1", "http_port": ports[0], "grpc_port": ports[1], "metrics_port": ports[2], "parallel_workers": 0}
        (folder / "settings.json").write_text(json.dumps(settings))
        model = {"name": "logistic", "implementation": "mlserver_sklearn.SKLearnModel", "parameters": {"uri": "./model.joblib", "version": "v1"}}
        (folder / "logistic" / "model-settings.json").write_text(json.dumps(model))
        self.log = open(pathlib.Path(directory) / "mlserver.log", "wb")
        self.process = subprocess.Popen([program, "start", folder], stdout=self.log, stderr=self.log, cwd=folder)
        atexit.register(self.process.kill)

    def ready(self):
        until = time.monotonic() + 40
        while time.monotonic() < until and self.process.poll() is None:
            try:
                with urllib.request.urlopen(f"{self.address}/v2/models/logistic/ready", timeout=2):
                    return True
            except OSError:
                time.sleep(0.1)
        return False

    def stop(self):
        if self.process is not None:
            self.process.terminate()
            self.process.wait()


def tensor_of(values, name="X"):
    return [{"name": name, "datatype": "FP32", "shape": list(values.shape), "data": values.ravel().tolist()}]


def part_oip(server, models, mlserver, program, library):
    x = models.inputs("logistic")
    labels, scores, _ = by_python(models.path("logistic"), x)
    if mlserver.process is None:
        print("  mlserver is not installed")
    elif check(mlserver.ready(), "oip: mlserver starts", pathlib.Path(mlserver.log.name).read_text()[-1500:]):
        runtime = {"type": "oip", "url": mlserver.address, "model": "logistic", "probe": tensor_of(x[:1], "predict")}
        register(server, "by-mlserver", "1.0.0", {**runtime, "prediction_output": "predict"})
        register(server, "by-mlserver", "2.0.0", {**runtime, "model_version": "v1"}, percent=0)
        asked = [{"name": "by-mlserver", "inputs": tensor_of(row.reshape(1, -1), "predict")} for row in x[:BATCH]]
        replies = server.call("POST", "/predict", asked)
        same("oip: labels of mlserver", [reply.get("prediction") for reply in replies], labels[:BATCH])
        reply = server.call("POST", "/predict", {**asked[0], "model_version": "2.0.0"})
        same("oip: a version of mlserver", reply.get("prediction"), labels[0])
        reply = server.call("POST", "/predict", {"name": "by-mlserver", "inputs": tensor_of(x[:4], "predict")})
        same("oip: rows of mlserver", numpy.ravel(reply.get("prediction")).tolist(), labels[:4])
        import tritonclient.http as triton

        with triton.InferenceServerClient(urllib.parse.urlsplit(server.address).netloc) as client:
            tensor = triton.InferInput("predict", [5, COLUMNS], "FP32")
            tensor.set_data_from_numpy(x[:5])
            result = client.infer("by-mlserver", [tensor], request_id="through")
            same("oip: tritonclient before Weir before mlserver", numpy.ravel(result.as_numpy("predict")).tolist(), labels[:5])
            same("oip: the id of the caller", result.get_response().get("id"), "through")
        try:
            server.call("POST", "/predict", {"name": "by-mlserver", "inputs": tensor_of(x[:1, :2].copy(), "predict")})
            check(False, "oip: a shape that mlserver does not take is an error")
        except urllib.error.HTTPError as error:
            check(error.code in (400, 422, 502, 503), "oip: a shape that mlserver does not take is an error", (error.code, error.read()))
    with tempfile.TemporaryDirectory() as directory:
        second = Server(program, directory, "--onnxruntime", library)
        oip_models(second, models)
        runtime = {"type": "oip", "url": second.address, "model": "flower", "probe": tensor_of(x[:1])}
        register(server, "by-weir", "1.0.0", {**runtime, "prediction_output": "label"})
        register(server, "by-weir", "2.0.0", {**runtime, "model_version": "2.0.0", "prediction_output": "probabilities"}, percent=0)
        register(server, "mood-by-weir", "1.0.0", {"type": "oip", "url": second.address, "model": "mood", "confidence_output": "confidence"})
        register(server, "review-by-weir", "1.0.0", {"type": "oip", "url": second.address, "model": "review", "text_input": "words",
                                                     "probe": [{"name": "words", "datatype": "BYTES", "shape": [1, 1], "data": ["hello"]}]})
        asked = [{"name": "by-weir", "inputs": tensor_of(row.reshape(1, -1))} for row in x[:BATCH]]
        replies = server.call("POST", "/predict", asked)
        same("oip: labels of a second Weir", [reply.get("prediction") for reply in replies], labels[:BATCH])
        told = [next((out["data"] for out in (reply.get("outputs") or {}).get("tensors", []) if out["name"] == "probabilities"), [9.0] * 3) for reply in replies]
        close_to("oip: probabilities of a second Weir", told, [list(row.values()) for row in scores[:BATCH]])
        reply = server.call("POST", "/predict", {**asked[0], "model_version": "2.0.0"})
        close_to("oip: another output of another version", numpy.ravel(reply["prediction"]),
                 onnxruntime.InferenceSession(str(models.path("boosting"))).run(None, {"X": x[:1]})[1][0])
        for text in ("What a lovely day!", "awful, häßlich", "a table"):
            want = second.call("POST", "/predict", {"name": "mood", "text": text})
            got = server.call("POST", "/predict", {"name": "mood-by-weir", "text": text})
            same("oip: a text", (got["prediction"], got["confidence"]), (want["prediction"], want["confidence"]))
        reviews = models.inputs("review")[:20]
        for number, text in enumerate(reviews):
            want = by_python(models.path("review"), reviews)[0][number]
            try:
                got = server.call("POST", "/predict", {"name": "review-by-weir", "text": text})["prediction"]
            except urllib.error.HTTPError as error:
                got = (error.code, error.read())
            if not same("oip: a text for an input of two dimensions", got, want):
                break
        status, _, said = raw(server, "POST", "/v2/models/by-weir/infer", json.dumps({"inputs": tensor_of(x[:3])}), {})
        named = {out["name"]: out for out in json.loads(said).get("outputs", [])}
        check(status == 200 and set(named) == {"label", "probabilities"}, "oip: the outputs pass through", said)
        same("oip: labels pass through", named.get("label", {}).get("data"), labels[:3])
        # With its upstream gone, calls fail in time, and are logged.
        second.stop()
        try:
            server.call("POST", "/predict", {"name": "mood-by-weir", "text": "hello"})
            check(False, "oip: without its server a version does not answer")
        except urllib.error.HTTPError as error:
            check(error.code in (502, 503, 504), "oip: without its server a version does not answer", (error.code, error.read()))


def fastapi_service():
    import fastapi
    import pydantic
    import uvicorn

    app = fastapi.FastAPI()

    class Asked(pydantic.BaseModel):
        text: str

    class Rows(pydantic.BaseModel):
        inputs: list[list[float]]

    @app.post("/classify")
    def classify(asked: Asked):
        return {"label": asked.text.upper(), "score": len(asked.text) / 100, "model": {"name": "upper"}}

    @app.post("/sum")
    def total(rows: Rows):
        return {"label": [sum(row) for row in rows.inputs], "score": None}

    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    service = uvicorn.Server(uvicorn.Config(app, log_level="error"))
    threading.Thread(target=service.run, kwargs={"sockets": [listener]}, daemon=True).start()
    until = time.monotonic() + 10
    while not service.started and time.monotonic() < until:
        time.sleep(0.01)
    return f"http://127.0.0.1:{listener.getsockname()[1]}"


def part_http(server):
    url = fastapi_service()
    runtime = {"type": "http", "prediction_pointer": "/label", "outputs": {"score": "/score", "by": "/model/name", "nothing": "/nothing"}}
    register(server, "fast", "1.0.0", {**runtime, "url": f"{url}/classify", "confidence_pointer": "/score"})
    register(server, "fast-rows", "1.0.0", {**runtime, "url": f"{url}/sum", "probe": [[1.0]]})
    said = ["hello", "Grüße 😀", "a \"quoted\" \\ text\n"]
    replies = server.call("POST", "/predict", [{"name": "fast", "text": text} for text in said])
    same("http: labels", [reply.get("prediction") for reply in replies], [text.upper() for text in said])
    same("http: outputs", [reply.get("outputs") for reply in replies], [{"score": len(text) / 100, "by": "upper"} for text in said])
    same("http: confidences", [reply.get("confidence") for reply in replies], [len(text) / 100 for text in said])
    found = logged(server, replies[0]["prediction_id"])
    same("http: they are logged", (found.get("prediction"), found.get("outputs")), ("HELLO", {"score": 0.05, "by": "upper"}))
    reply = server.call("POST", "/predict", {"name": "fast-rows", "inputs": [[1.5, 2.0], [3.0]]})
    same("http: rows", (reply["prediction"], reply.get("outputs")), ([3.5, 3.0], {"score": None}))
    try:
        server.call("POST", "/predict", {"name": "fast-rows", "inputs": [["x"]]})
        check(False, "http: what FastAPI refuses is refused")
    except urllib.error.HTTPError as error:
        same("http: what FastAPI refuses is refused", error.code, 422)
    status, _, said = raw(server, "POST", "/v2/models/fast/infer",
                          json.dumps({"inputs": [{"name": "text", "datatype": "BYTES", "shape": [1], "data": ["hi"]}]}), {})
    check(status == 200 and ["HI"] in [out.get("data") for out in json.loads(said).get("outputs", [])], "http: by the Open Inference Protocol", said)


def run(name, part, *given):
    began, failed = time.monotonic(), len(FAILED)
    try:
        part(*given)
    except Exception:
        check(False, f"{name} goes on to its end", traceback.format_exc()[-1500:])
    count = len(FAILED) - failed
    print(f"{name}: {'well' if not count else f'{count} fail'}, {time.monotonic() - began:.1f} s", flush=True)


def main():
    program, *parts = sys.argv[1:]
    program = shutil.which(program) or program
    wanted = lambda part: not parts or part in parts
    library = str(pathlib.Path(onnxruntime.__file__).parent)
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as directory:
        models = Models(directory)
        mlserver = Mlserver(directory) if wanted("oip") else None
        data = pathlib.Path(directory) / "data"
        server = Server(program, str(data), "--onnxruntime", library)
        print(f"models are trained and the server runs, {time.monotonic() - began:.1f} s", flush=True)
        late = []
        behind = threading.Thread(target=lambda: late.append(streamed_raw(server, "silence", model="slow")))
        if wanted("openai"):
            url = fake()
            chat(server, url)
            register(server, "slow", "1.0.0", {"type": "openai", "url": url, "model": "m1", "timeout_ms": 40000})
            behind.start()
        run("models", oip_models, server, models)
        for name, part, *given in [
            ("onnx", part_onnx, server, models), ("triton", part_triton, server, models), ("raw", part_raw, server, models),
            ("types", part_types, server, models), ("mlserver", part_mlserver_types, server, models),
            ("kserve", part_kserve, server, models), ("http", part_http, server),
            ("oip", part_oip, server, models, mlserver, program, library),
        ]:
            if wanted(name):
                run(name, part, *given)
        if wanted("openai"):
            run("openai", part_openai, server, url, behind)
            run("silence", silence, late)
        ready = server.call("GET", "/health/ready")
        check(ready.get("panics") == 0, "nothing panicked", ready)
        if mlserver is not None:
            mlserver.stop()
        server.stop()
    print(f"{len(FAILED)} fail" if FAILED else "all is well", f"{time.monotonic() - began:.1f} s")
    sys.exit(bool(FAILED))


if __name__ == "__main__":
    main()
