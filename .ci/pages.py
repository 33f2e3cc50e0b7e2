"""Runs the examples of the pages on models and protocols as a reader would: real clients, one server.

    python3 .ci/pages.py WEIR       (with the packages that the examples import)
"""
import http.server
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import threading
import urllib.request

WEIR = pathlib.Path(sys.argv[1]).resolve()
ROOT = pathlib.Path(__file__).resolve().parent.parent
HERE = "127.0.0.1:8000"


def blocks(page, languages):
    """The code of a page, in its order."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    return [(kind, code) for kind, code in re.findall(r"^```(\w+)\n(.*?)^```", text, re.M | re.S) if kind in languages]


def run(page, address, folder):
    for kind, code in blocks(page, ("sh", "python")):
        code = code.replace(HERE, address)
        command = ["bash", "-euo", "pipefail", "-c", code] if kind == "sh" else [sys.executable, "-c", code]
        path = f"{WEIR.parent}{os.pathsep}{os.environ['PATH']}"
        ended = subprocess.run(command, cwd=ROOT, env={**os.environ, "PATH": path}, capture_output=True, text=True, timeout=120)
        said = (ended.stdout + ended.stderr).strip()
        if ended.returncode != 0 or not said:
            sys.exit(f"an example of {page} fails:\n{code}\n{said}")
        print(f"{page}: {said.splitlines()[-1][:100]}")


class Service(http.server.BaseHTTPRequestHandler):
    """A language model that says the same to everybody, whole or in parts."""

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        assert asked["model"] == "gpt-4o-mini" and asked["messages"][0]["role"] == "system", asked
        base = {"id": "chatcmpl-1", "created": 1, "model": "gpt-4o-mini"}
        usage = {"prompt_tokens": 12, "completion_tokens": 2, "total_tokens": 14}
        if not asked.get("stream"):
            message = {"role": "assistant", "content": "Hello yourself"}
            choices = [{"index": 0, "message": message, "finish_reason": "stop"}]
            return self.say(json.dumps({**base, "object": "chat.completion", "choices": choices, "usage": usage}), "application/json")
        chunk = {**base, "object": "chat.completion.chunk"}
        parts = [
            {**chunk, "choices": [{"index": 0, "delta": {"content": "Hello "}, "finish_reason": None}]},
            {**chunk, "choices": [{"index": 0, "delta": {"content": "yourself"}, "finish_reason": "stop"}]},
            {**chunk, "choices": [], "usage": usage},
        ]
        self.say("".join(f"data: {json.dumps(part)}\n\n" for part in parts) + "data: [DONE]\n\n", "text/event-stream")

    def say(self, text, kind):
        body = text.encode()
        self.send_response(200)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def post(url, body):
    request = urllib.request.Request(url, json.dumps(body).encode(), {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as reply:
        return json.load(reply)


def language_model(address):
    """Registers the version of the page, with this script in place of the provider."""
    service = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Service)
    threading.Thread(target=service.serve_forever, daemon=True).start()
    [(_, version)] = blocks("chat-completions.md", ("json",))
    version = json.loads(version)
    version["runtime"]["url"] = f"http://127.0.0.1:{service.server_port}/v1"
    version["runtime"]["bearer"] = {"env": "WEIR_SECRET_OPENAI"}
    model_id = post(f"http://{address}/models", version)["model_id"]
    post(f"http://{address}/models/{model_id}/activate", {"traffic_percent": 100})


with tempfile.TemporaryDirectory() as folder:
    command = [WEIR, "serve", "--listen", "127.0.0.1:0", "--data-dir", f"{folder}/data"]
    environment = {**os.environ, "WEIR_SECRET_OPENAI": "secret", "WEIR_LOG": "off", "VIRTUAL_ENV": sys.prefix}
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    try:
        address = server.stdout.readline().strip().removeprefix("http://")
        run("models.md", address, folder)
        run("open-inference.md", address, folder)
        language_model(address)
        run("chat-completions.md", address, folder)
    finally:
        server.terminate()
        server.wait(30)
