"""A real OpenFeature SDK asks which version each of many users gets, and `POST /predict` agrees on every one.

Usage: flags.py WEIR [USERS], with the path of the program.
"""
import json
import subprocess
import sys
import tempfile
import time

import requests
from openfeature import api
from openfeature.contrib.provider.ofrep import OFREPProvider
from openfeature.evaluation_context import EvaluationContext


def check(address, users):
    session = requests.Session()

    def call(method, path, body):
        reply = session.request(method, address + path, json=body)
        reply.raise_for_status()
        return reply.json()

    for version, method in (("1.0.0", "vader"), ("2.0.0", "afinn"), ("3.0.0", "vader")):
        runtime = {"type": "sentiment", "method": method}
        body = {"name": "sentiment", "version": version, "accuracy": 0.8, "runtime": runtime}
        model_id = call("POST", "/models", body)["model_id"]
        percent = 100 if version == "1.0.0" else 0
        call("POST", f"/models/{model_id}/activate", {"traffic_percent": percent})
    revision = session.get(address + "/rules/sentiment").json()["revision"]
    rules = [{"when": "beta = true", "model_version": "3.0.0"}]
    call("PUT", "/rules/sentiment", {"revision": revision, "rules": rules})
    experiment = call("POST", "/experiments", {
        "name": "sentiment", "control": "1.0.0", "candidates": ["2.0.0"], "primary_metric": "correct",
        "weights": {"1.0.0": 70, "2.0.0": 30},
        "audience": "country in [DE, AT]",
    })["experiment"]
    call("POST", f"/experiments/{experiment}/start", {})

    api.set_provider(OFREPProvider(address))
    client = api.get_client()
    seen, exposures = {}, []
    for user in range(users):
        attributes = {"country": ["DE", "AT", "FR"][user % 3], "beta": user % 10 == 0}
        context = EvaluationContext(targeting_key=f"user {user}", attributes=attributes)
        details = client.get_string_details("sentiment", "default", context)
        if details.error_code is not None:
            return f"user {user}: {details.error_code}: {details.error_message}"
        body = {"text": "good", "unit_id": f"user {user}", "attributes": attributes}
        predicted = call("POST", "/predict", body)
        if details.value != predicted["model_version"] or details.variant != details.value:
            return f"user {user}: the flag is {details.value}, the prediction is of {predicted['model_version']}"
        seen[details.value, str(details.reason)] = seen.get((details.value, str(details.reason)), 0) + 1
        if user < 1000:
            exposures.append({"token": details.flag_metadata["token"], "attributes": attributes})
    reply = call("POST", "/exposures", exposures)
    if reply["recorded"] != len(exposures):
        return f"exposures: {json.dumps(reply)[:500]}"
    missing = client.get_string_details("nothing", "default", EvaluationContext(targeting_key="user"))
    if missing.value != "default" or missing.error_code is None:
        return "a flag that is not there was evaluated"
    print(f"{users} users: " + ", ".join(f"{version} by {why}: {n}" for (version, why), n in sorted(seen.items())))
    return None


def main():
    weir, *users = sys.argv[1:]
    users = int(users[0]) if users else 10_000
    with tempfile.TemporaryDirectory() as data_dir:
        server = subprocess.Popen(
            [weir, "serve", "--listen", "127.0.0.1:0", "--data-dir", data_dir],
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            began = time.monotonic()
            wrong = check(server.stdout.readline().strip(), users)
            if wrong is None:
                print(f"agreed on every one, in {time.monotonic() - began:.0f} s")
            return wrong
        finally:
            server.terminate()
            server.wait()


sys.exit(main())
