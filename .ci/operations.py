"""A platform engineer's first day, by the documentation alone: TLS and keys, a rollout, an alert and a webhook that page, why it is
at 5 %, a backup and a restore. With a real Prometheus, and openssl for the certificate.

python3 .ci/operations.py WEIR
"""

import http.server
import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

WEIR = str(Path(sys.argv[1]).resolve())
ROOT = Path(__file__).resolve().parent.parent


def wait(what, condition, seconds=30):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = condition()
        if found:
            return found
        threading.Event().wait(0.05)
    raise SystemExit(f"FAILS: {what}")


def check(holds, what, got=""):
    if not holds:
        raise SystemExit(f"FAILS: {what}: {got}")


class Receiver(http.server.BaseHTTPRequestHandler):
    """What webhooks tell, and a model service that can be made to fail."""

    told, fails = [], False

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if self.path == "/hook":
            self.told.append(body)
            return self.reply(200, {})
        self.reply(500 if Receiver.fails else 200, {"prediction": "positive", "confidence": 0.9})

    def reply(self, status, body):
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        pass


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def serve(folder, config):
    log = open(folder / "log", "ab")
    checked = subprocess.run([WEIR, "config", "check", config], capture_output=True, text=True)
    check(checked.returncode == 0, "the settings are good", checked.stderr)
    process = subprocess.Popen([WEIR, "serve", "--config", config], stdout=subprocess.PIPE, stderr=log, text=True)
    return process, process.stdout.readline().strip()


def main():
    folder = Path(tempfile.mkdtemp(prefix="weir-operations-"))
    processes = []
    try:
        day(folder, processes)
    finally:
        for process in processes:
            process.kill()
            process.wait()
        shutil.rmtree(folder)
    print("operations: well")


def day(folder, processes):
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-keyout", folder / "key.pem", "-out", folder / "cert.pem", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-addext", "basicConstraints=critical,CA:FALSE"], check=True, capture_output=True)
    receiver = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=receiver.serve_forever, daemon=True).start()
    behind = f"http://127.0.0.1:{receiver.server_address[1]}"
    port = free_port()
    config = folder / "weir.toml"
    config.write_text(f"""
listen = "127.0.0.1:{port}"
auth = "required"
tls_certificate = "{folder}/cert.pem"
tls_key = "{folder}/key.pem"
allowed_hosts = ["weir.example.com"]
data_dir = "{folder}/data"
private_webhooks = true
tick_ms = 200
""")
    process, address = serve(folder, config)
    processes.append(process)
    check(address == f"https://127.0.0.1:{port}", "it listens", address)
    first = re.search(r"weir_\S+", (folder / "log").read_text()).group()
    env = {**os.environ, "WEIR_URL": address, "WEIR_CA_FILE": f"{folder}/cert.pem"}

    def weir(key, *args, fails=False):
        done = subprocess.run([WEIR, *args], env={**env, "WEIR_KEY": key}, capture_output=True, text=True)
        check((done.returncode != 0) == fails, f"weir {' '.join(args)}", done.stdout + done.stderr)
        return done.stdout.strip()

    operator = weir(first, "keys", "create", "--role", "operator", "--description", "on call")
    caller = weir(first, "keys", "create", "--role", "predictor", "--models", "shop*")
    viewer = weir(first, "keys", "create", "--role", "viewer", "--description", "prometheus")
    trust = ssl.create_default_context(cafile=folder / "cert.pem")

    def call(key, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
        request = urllib.request.Request(address + path, data, headers, method=method)
        try:
            with urllib.request.urlopen(request, context=trust) as reply:
                return reply.status, json.loads(reply.read())
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read())

    def made(method, path, body):
        status, said = call(operator, method, path, body)
        check(status == 200, f"{method} {path}", said)
        return said

    for version, runtime in (("1.0.0", {"type": "sentiment", "method": "vader"}), ("2.0.0", {"type": "http", "url": behind})):
        one = made("POST", "/models", {"name": "shop", "version": version, "accuracy": 0.8, "runtime": runtime})
        if version == "1.0.0":
            made("POST", f"/models/{one['model_id']}/activate", {"traffic_percent": 100})
    made("POST", "/webhooks", {"url": f"{behind}/hook"})
    start = ["rollout", "start", "--name", "shop", "--control", "1.0.0", "--candidate", "2.0.0", "--steps", "5,50,100"]
    weir(caller, *start, fails=True)
    weir(operator, *start, "--reason", "the new model")
    wait("a webhook tells of the start", lambda: any(told["type"] == "experiment.started" for told in Receiver.told))
    for n in range(300):
        status, said = call(caller, "POST", "/predict", {"text": "good", "unit_id": f"user {n}"})
        check(status == 200, "a prediction", said)
    check(call(caller, "GET", "/audit?name=shop")[0] == 403, "a predictor reads no audit")
    status = weir(operator, "rollout", "status", "shop")
    check("step 1 of 3" in status and "5.0 %" in status, "why it is at 5 %", status)

    def audit():
        return call(viewer, "GET", "/audit?name=shop&experiments_only=true")[1]["entries"]

    started = next(entry for entry in audit() if entry["action"] == "experiment.started")
    check(started["author"]["reason"] == "the new model", "who has started it, and why", started)
    served = weir(viewer, "audit", "at", started["at"], "--name", "shop")
    check("1.0.0 95.0 %" in served and "2.0.0 5.0 %" in served, "what served when", served)

    # An alert: its rules are those that are shipped, without their patience.
    (folder / "viewer").write_text(viewer)
    rules = re.sub(r"for: \d+m", "for: 0s", (ROOT / "deploy" / "alerts.yml").read_text())
    (folder / "alerts.yml").write_text(rules)
    (folder / "prometheus.yml").write_text(f"""
global: {{scrape_interval: 500ms, evaluation_interval: 500ms}}
rule_files: [alerts.yml]
scrape_configs:
  - job_name: weir
    scheme: https
    authorization: {{credentials_file: {folder}/viewer}}
    tls_config: {{ca_file: {folder}/cert.pem}}
    static_configs: [{{targets: ["127.0.0.1:{port}"]}}]
""")
    listens = free_port()
    processes.append(subprocess.Popen(
        ["prometheus", f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/tsdb",
         f"--web.listen-address=127.0.0.1:{listens}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))

    def prometheus(path):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{listens}/api/v1/{path}") as reply:
                return json.loads(reply.read())["data"]
        except (urllib.error.URLError, ConnectionError):
            return {}

    def alerts():
        firing = [one["labels"] for one in prometheus("alerts").get("alerts", []) if one["state"] == "firing"]
        return {(labels["alertname"], labels.get("version")) for labels in firing}

    def scraped(series):
        found = prometheus(f"query?query={series}").get("result", [])
        return [one["value"][1] for one in found]

    wait("Prometheus scrapes it", lambda: scraped("up") == ["1"] and scraped("weir_log_position"))
    check(not alerts(), "nothing pages while all is well", alerts())
    Receiver.fails = True

    def pages():
        call(caller, "POST", "/predict", {"text": "good", "unit_id": f"user {time.monotonic_ns()}"})
        return {("WeirVersionNotCalled", "2.0.0"), ("WeirVersionFailing", "2.0.0")} & alerts()

    wait("an alert pages for the candidate", pages, 60)
    running = call(viewer, "GET", "/experiments?name=shop&status=running")[1]
    if running:
        weir(operator, "rollout", "rollback", "shop", "--reason", "it fails")
    wait("a webhook tells of the end", lambda: any(told["type"] == "experiment.rolled_back" for told in Receiver.told))

    # A backup, and another machine.
    subprocess.run([WEIR, "backup", "--data-dir", folder / "data", "--to", folder / "copy"], check=True, capture_output=True)
    before = audit()
    process.terminate()
    process.wait()
    subprocess.run([WEIR, "restore", "--from", folder / "copy", "--data-dir", folder / "again"], check=True, capture_output=True)
    whole = subprocess.run([WEIR, "audit", "verify", "--data-dir", folder / "again"], capture_output=True, text=True)
    check(whole.returncode == 0 and whole.stdout.startswith("whole"), "the audit is whole", whole.stdout)
    config.write_text(config.read_text().replace(f"{folder}/data", f"{folder}/again"))
    process, _ = serve(folder, config)
    processes.append(process)
    status, said = call(caller, "POST", "/predict", {"text": "good", "unit_id": "user 1"})
    check(status == 200 and said["model_version"] == "1.0.0", "it goes on with the keys that there were", said)
    check(audit() == before, "the audit is the one that there was")


main()
