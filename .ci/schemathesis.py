"""Tests the API against its own description: no server error, no status or form that it does not say.

Usage: schemathesis.py ST WEIR, with the paths of the two programs.
"""
import json
import pathlib
import subprocess
import sys
import tempfile
import urllib.request

CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,negative_data_rejection,unsupported_method"


def call(method, url, body):
    data = json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"content-type": "application/json"}, method=method)
    with urllib.request.urlopen(request) as reply:
        return json.load(reply)


def fill(address):
    """What a server in use has: versions, traffic, an alias, predictions."""
    for version, method in (("1.0.0", "afinn"), ("2.0.0", "vader")):
        runtime = {"type": "sentiment", "method": method}
        body = {"name": "sentiment", "version": version, "accuracy": 0.5, "runtime": runtime}
        model_id = call("POST", f"{address}/models", body)["model_id"]
        call("POST", f"{address}/models/{model_id}/activate", {"traffic_percent": 50})
    call("PUT", f"{address}/aliases/sentiment/champion", {"version": "2.0.0"})
    for text in ("good", "bad"):
        call("POST", f"{address}/predict", {"text": text, "unit_id": "someone"})


def main():
    st, weir = sys.argv[1:]
    here = pathlib.Path(__file__).parent
    with tempfile.TemporaryDirectory() as data_dir:
        server = subprocess.Popen(
            [weir, "serve", "--listen", "127.0.0.1:0", "--data-dir", data_dir],
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            address = server.stdout.readline().strip()
            fill(address)
            command = [st, "--config-file", str(here / "schemathesis.toml"), "run"]
            command += [f"{address}/openapi.json", "--checks", CHECKS, "--seed", "1"]
            command += ["--max-examples", "40", "--generation-database", "none", "--no-color"]
            # A stream that never ends costs every case its patience; the tests of the binary read it.
            command += ["--exclude-path", "/events"]
            command += ["--warnings", "off", "--suppress-health-check", "all"]
            return subprocess.run(command, cwd=data_dir).returncode
        finally:
            server.terminate()
            server.wait()


sys.exit(main())
