"""Does what docs/tutorial.md tells a reader to do, and checks the commands of the guides, so that they cannot rot.

    python .ci/tutorial.py WEIR       (with the packages that the tutorial imports)

The tutorial: files are written and blocks of shell are run in their order, in a folder that goes afterwards, with free ports in
place of those of the page. What a block prints is compared with the block of text behind it, where numbers, ids and times may be
others, and where … stands for anything. What is started with & is ended at the end.

The guides, and the pages of reference that show commands: all their blocks of shell are run, page by page, each on a server of its
own that has what the page takes for granted. Model services are one that answers everything. What a page says of the future (a watch
that ends in days) is run for some seconds. Beside that, each `weir ...` in a sentence has to be a command with these options, each
address has to be in the description of the API, each runtime is made, and links lead somewhere.
"""
import http.server
import importlib.util
import json
import os
import pathlib
import re
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request

WEIR = pathlib.Path(sys.argv[1]).resolve()
DOCS = pathlib.Path(__file__).resolve().parent.parent / "docs"
PORTS = ("8000", "9001", "9002")
PAGES = ["tutorial.md", "faq.md", "statistics-for-everyone.md", *sorted(f"guides/{page.name}" for page in (DOCS / "guides").glob("*.md"))]
# Pages of the book that need not be there yet when this runs.
MADE = {"cli.md", "export.md"}


def fail(where, *said):
    sys.exit("\n".join([f"{where}:", *(str(line) for line in said)]))


def blocks(page):
    """The blocks of a page: their language, the rest of the line that opens them, and their text."""
    text = (DOCS / page).read_text(encoding="utf-8")
    return re.findall(r"^```(\w+)[ ,]*([^\n]*)\n(.*?)^```", text, re.M | re.S)


def free_port():
    with socket.socket() as made:
        made.bind(("127.0.0.1", 0))
        return str(made.getsockname()[1])


def shape(line):
    """A line without what differs from run to run."""
    line = re.sub(r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", "UUID", line)
    line = re.sub(r"\b(model|exp)-[0-9a-f]{12}\b", r"\1-ID", line)
    line = re.sub(r"(--generation) \w+", r"\1 ID", line)
    line = re.sub(r"[+−-]?\d[\d,.:]*(e-?\d+)?", "#", line)
    return " ".join(line.split())


def check(shown, printed):
    """Whether the lines of a block of text were printed, in their order. Lines between them may be there."""
    rest = "\n".join(shape(line) for line in printed.splitlines())
    for line in shown.splitlines():
        parts = [part for part in re.split("…", line.strip())]
        pattern = ".*".join(re.escape(shape(part)).replace("\\ ", r"\s*") for part in parts)
        found = re.search(pattern, rest) if line.strip() != "…" else None
        if line.strip() and line.strip() != "…":
            if not found:
                return line
            rest = rest[found.end():]
    return None


class Reader:
    """Somebody who does what the page says, in a shell in a folder."""

    def __init__(self, folder, page="tutorial.md", ports=PORTS):
        self.folder, self.page = pathlib.Path(folder), page
        self.ports = {port: free_port() for port in ports}
        self.groups = []
        tools = self.folder / "bin"
        tools.mkdir()
        (tools / "weir").symlink_to(WEIR)
        # A link to the interpreter would not know its environment.
        (tools / "python").write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
        (tools / "python").chmod(0o755)
        here = f"127.0.0.1:{self.ports['8000']}"
        kept = {name: value for name, value in os.environ.items() if not name.startswith("WEIR_")}
        self.environment = {
            **kept,
            "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}",
            "WEIR_LISTEN": here,
            "WEIR_URL": f"http://{here}",
            "HOME": folder,
            "NO_PROXY": "127.0.0.1",
            "PYTHONDONTWRITEBYTECODE": "1",
        }

    def here(self, text):
        return re.sub(r"(?:127\.0\.0\.1|localhost):(\d+)|\b(service\.py [\d.]+) (\d+)", self.port, text)

    def port(self, found):
        address, started, port = found.groups()
        mine = self.ports.get(address or port)
        if mine is None:
            fail(self.page, f"a port that this script does not know: {found.group()}")
        return f"127.0.0.1:{mine}" if address else f"{started} {mine}"

    def save(self, name, text):
        (self.folder / name).write_text(self.here(text), encoding="utf-8")

    def run(self, text):
        """What the commands of a block print, each of which must succeed."""
        said = self.folder / "said"
        with said.open("wb") as out:
            # Commands that go on in the background keep the file, and nobody waits for them.
            shell = subprocess.Popen(
                ["bash", "-euo", "pipefail", "-c", self.here(text)],
                cwd=self.folder, env=self.environment, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, start_new_session=True)
        self.groups.append(shell.pid)
        try:
            code = shell.wait(240)
        except subprocess.TimeoutExpired:
            code = "no end within four minutes"
        printed = said.read_text(encoding="utf-8", errors="replace")
        said.unlink()
        if code != 0:
            logs = [log.read_text(errors="replace")[-2000:] for log in self.folder.glob("*.log")]
            fail(self.page, f"this ends with {code}:", text, "it printed:", printed, *logs)
        return printed

    def leave(self):
        for kind in (signal.SIGTERM, signal.SIGKILL):
            for group in self.groups:
                try:
                    os.killpg(group, kind)
                except ProcessLookupError:
                    pass
            time.sleep(2 if kind == signal.SIGTERM else 0)

    def call(self, method, path, body=None):
        request = urllib.request.Request(
            self.environment["WEIR_URL"] + path, None if body is None else json.dumps(body).encode(), {"content-type": "application/json"}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as reply:
                return json.load(reply)
        except urllib.error.HTTPError as error:
            fail(f"{method} {path}", json.dumps(body), error.read().decode())


def left_out(text):
    """Why a block is not run here."""
    if "pip install" in text or "venv" in text:
        return "the packages are there"
    missing = [name for name in ("pandas", "pyarrow") if name in text or ("read_parquet" in text and name == "pyarrow")]
    missing = [name for name in missing if importlib.util.find_spec(name) is None]
    return f"{' and '.join(missing)} not installed" if missing else None


def tutorial(reader):
    parts = blocks("tutorial.md")
    for at, (language, name, text) in enumerate(parts):
        named = re.match(r"(?:#|//) ([\w.-]+)\n", text)
        if language in ("python", "json") and (name or named):
            reader.save(name or named.group(1), text.removeprefix(named.group()) if named and language == "json" else text)
        elif language == "sh":
            first = text.splitlines()[0]
            why = left_out(text)
            if why:
                print(f"tutorial.md: left out ({why}): {first}")
                continue
            began = time.monotonic()
            printed = reader.run(text)
            following = parts[at + 1] if at + 1 < len(parts) else ("", "", "")
            if following[0] == "text":
                # What began in the background may print a moment later.
                differs = check(following[2], printed)
                if differs:
                    fail("tutorial.md", "after", text, "this was to be printed:", differs, "and this was:", printed)
            print(f"tutorial.md: {time.monotonic() - began:5.1f} s  {first[:100]}")
        elif language != "text":
            fail("tutorial.md", f"a block of {language} that nobody would run", text)
    export = (reader.folder / "predictions.parquet").read_bytes()
    if not (export.startswith(b"PAR1") and export.endswith(b"PAR1")):
        fail("tutorial.md", "the export is no Parquet file")


def commands(text):
    """Commands of weir in a block of shell, without what stands around them."""
    text = re.sub(r"(?<=\s)\d(?=[<>])", "", text.replace("\\\n", " "))
    lexer = shlex.shlex(text, posix=True, punctuation_chars="|&;<>()\n")
    lexer.whitespace, lexer.whitespace_split, lexer.commenters = " \t", True, "#"
    words = []
    for token in [*lexer, "\n"]:
        if set(token) <= set("|&;<>()\n"):
            if words and words[0] == "weir":
                yield words[1:]
            words = []
        else:
            words.append(token)


def guides(reader):
    paths = reader.call("GET", "/openapi.json")["paths"]
    known = [re.compile(re.sub(r"\\{[^}]*\\}|{[^}]*}", "[^/]+", re.escape(path).replace("\\{", "{").replace("\\}", "}")) + "$") for path in paths]
    counts = {"commands": 0, "addresses": 0, "runtimes": 0, "links": 0}
    for page in PAGES:
        text = (DOCS / page).read_text(encoding="utf-8")
        shells = [body for language, _, body in blocks(page) if language == "sh"]
        inline = [code for code in re.findall(r"(?<!`)`(weir [^`\n]+)`(?!`)", re.sub(r"^```.*?^```", "", text, flags=re.M | re.S)) if "..." not in code]
        for shell in [*shells, *inline]:
            for words in commands(shell):
                counts["commands"] += 1
                asked = subprocess.run([WEIR, *words, "--help"], capture_output=True, text=True, timeout=30, env=reader.environment)
                if asked.returncode != 0:
                    fail(page, f"weir {shlex.join(words)}", asked.stderr)
            for path in re.findall(r"http://127\.0\.0\.1:8000(/[^\s'\"?]*)", shell):
                counts["addresses"] += 1
                # Variables of the shell stand for ids.
                if not any(one.match(re.sub(r"\$\w+", "x", path)) for one in known) and path != "/health/ready":
                    fail(page, f"no such address: {path}")
        for language, _, body in blocks(page):
            if language != "json":
                continue
            value = json.loads(body)
            if "type" in value:
                counts["runtimes"] += 1
                version = {"name": "guides", "version": str(counts["runtimes"]), "accuracy": 0, "runtime": value}
                reader.call("POST", "/models", version)
        for link in re.findall(r"\]\(([^)\s]+)\)", text):
            if re.match(r"[a-z]+:", link):
                continue
            counts["links"] += 1
            path, _, anchor = link.partition("#")
            target = (DOCS / page).parent / path if path else DOCS / page
            if not target.is_file():
                if target.name in MADE:
                    continue
                fail(page, f"this link leads nowhere: {link}")
            heads = re.findall(r"^#+ (.*)$", target.read_text(encoding="utf-8"), re.M)
            slugs = {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}
            if anchor and anchor not in slugs:
                fail(page, f"there is no such heading: {link}")
    listed = re.findall(r"\]\(([^)]+)\)", (DOCS / "SUMMARY.md").read_text(encoding="utf-8"))
    for page in [*PAGES, *(page.name for page in DOCS.glob("*.md") if page.name != "SUMMARY.md")]:
        if page not in listed:
            fail("SUMMARY.md", f"{page} is not in it")
    print("guides:", ", ".join(f"{count} {what}" for what, count in counts.items()))


class Service(http.server.BaseHTTPRequestHandler):
    """A model service that has an answer for everybody."""

    protocol_version, wbufsize = "HTTP/1.1", -1

    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        said = json.dumps({"prediction": "garden", "confidence": 0.9, "result": {"label": "setosa", "score": 0.97}, "predictions": ["setosa"]}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, *_):
        pass


# What the pages take for granted.
SEARCH = """
weir models register --name search --model-version 1.0.0 --service http://127.0.0.1:9001/predict
weir models register --name search --model-version 2.0.0 --service http://127.0.0.1:9002/predict
weir traffic set search 1.0.0=70 2.0.0=30
weir metrics declare search bought --kind binary
use search
"""
SENTIMENT = """
weir models register --name sentiment --model-version 1.0.0
weir models register --name sentiment --model-version 2.0.0 --runtime '{"type": "sentiment", "method": "afinn"}'
weir traffic set sentiment 1.0.0=70 2.0.0=30
weir metrics declare sentiment clicked --kind binary
weir metrics declare sentiment revenue --kind continuous --per unit --window 7d
use sentiment
"""
BEFORE = {
    "guides/beside-the-path.md": "",
    "guides/from-fastapi.md": "printf 'features,answer,score,when,customer\\n\"[5.1,3.5,1.4,0.2]\",setosa,0.9,%s,customer-1\\n' \"$(date -u +%FT%TZ)\" > history.csv",
    "guides/from-feature-flags.md": "",
    "guides/from-mlflow.md": """weir models register --name search --model-version 6 --service http://127.0.0.1:9001/predict
weir traffic set search 6=100""",
    "guides/late-labels.md": SEARCH + """
echo '{"name": "search", "control": "1.0.0", "candidates": ["2.0.0"], "primary_metric": "bought"}' | weir experiment create -
weir experiment start search""",
    "export.md": """weir models register --name fraud --model-version 1.4
weir models register --name fraud --model-version 1.5
weir traffic set fraud 1.4=100
echo '{"name": "fraud", "control": "1.4", "candidates": ["1.5"], "primary_metric": "error"}' | weir experiment create -
printf 'text,prediction,score,customer,country,when,note\\na,fraud,0.9,c1,DE,%s,x\\n' "$(date -u +%FT%TZ)" > history.csv""",
    "rollouts.md": SENTIMENT,
    "experiments.md": SENTIMENT.replace("weir models register --name sentiment --model-version 2.0.0", "weir models register --name sentiment --model-version 3.0.0").replace("2.0.0=30", "3.0.0=30"),
    "privacy.md": SENTIMENT + """
weir predict good --name sentiment --unit customer-17""",
    "statistics.md": SENTIMENT,
    "../README.md": "",
    "operations.md": "weir models register --name sentiment --model-version 1.0.0",
}
# Commands that say here that there is too little to go by: a fresh server has no log of days.
TOO_EARLY = ("weir plan --model", "weir simulate aa", "weir evaluate --name")
# Blocks that are somebody else's: what they need is not of this machine, or is tested in a place of its own.
ELSEWHERE = {
    "statistics.md": ("weir simulate --table",),
    "../README.md": ("cargo run", "./test.sh"),
}
REFERENCE = ("../README.md", "export.md", "rollouts.md", "experiments.md", "privacy.md", "statistics.md", "operations.md")
TOOLS = """
# Predictions with what came of them.
use() {
    for at in $(seq 60); do
        weir predict "red hose" --name $1 --unit customer-$at --request-id use-$at > /dev/null
        if [ $((at % 3)) = 0 ]; then
            for metric in bought clicked; do
                weir feedback send --name $1 --request use-$at --metric $metric --value 1 > /dev/null 2>&1 || true
            done
        fi
    done
}
curl() { command curl --fail-with-body "$@"; }
newest() { weir experiment list --json | python -c 'import json, sys; print(json.load(sys.stdin)[0]["experiment"])'; }
model() { weir models list --json | python -c 'import json, sys; print(json.load(sys.stdin)[0]["model_id"])'; }
# What goes on for days.
days() { timeout 3 weir "$@" || [ $? = 124 ]; }
early() { weir "$@" || true; }
trap 'echo "it failed at: $BASH_COMMAND"' ERR
"""


def prepared(text, prediction):
    """A block as it can be run here: ids in place of words for them, now in place of a moment, and what takes days cut short."""
    text = text.replace("PREDICTION_ID", prediction).replace("/MODEL_ID/", "/$(model)/")
    text = re.sub(r"'([^'\n]*)/EXPERIMENT\b([^'\n]*)'", r'"\1/$(newest)\2"', text)
    text = re.sub(r"(?<=/)EXPERIMENT\b|exp-0123456789ab", "$(newest)", text)
    text = re.sub(r"\b20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ", "$(date -u +%FT%TZ)" if "audit at" in text else "2026-11-01T00:00:00Z", text)
    text = re.sub(r"/(backups|var/lib)/", "./", text)
    joined = re.sub(r"\\\n\s*", "", text)
    lines = []
    for line in joined.splitlines():
        line = re.sub(r"(weir restore .* --data-dir) \S+", r"\1 ./restored", line)
        if re.match(r"weir \S+ watch |weir .* --watch|weir simulate (?!aa)", line):
            line = re.sub("^weir", "days", line)
        elif line.startswith(TOO_EARLY):
            line = re.sub("^weir", "early", line)
        lines.append(line)
    return "\n".join(lines)


def run_page(page):
    """All blocks of a page in one shell, so that a variable of one is there in the next."""
    with tempfile.TemporaryDirectory() as folder:
        reader = Reader(folder, page, ("8000", "9001", "9002", "9003", "5007"))
        services = [http.server.ThreadingHTTPServer(("127.0.0.1", int(port)), Service) for name, port in reader.ports.items() if name != "8000"]
        for service in services:
            threading.Thread(target=service.serve_forever, daemon=True).start()
        try:
            reader.run("weir serve --data-dir weir > serve.log 2>&1 &\nfor n in $(seq 100); do weir models list > /dev/null 2>&1 && break; sleep 0.1; done")
            reader.run(TOOLS + BEFORE.get(page, SEARCH))
            logged = reader.call("GET", "/predictions?limit=1")["predictions"]
            text = (DOCS / page).read_text(encoding="utf-8")
            blocks_run = 0
            script = [TOOLS]
            for before, language, body in re.findall(r"(?:^|\n)([^\n]*)\n*\n```(\w+)[^\n]*\n(.*?)^```", text, re.M | re.S):
                if language == "json":
                    # The page says how the file is called: before it, or behind it.
                    after = text.split(body, 1)[1][:200]
                    named = re.search(r"`([\w-]+\.json)`", before) or re.search(r"`([\w-]+\.json)`", after)
                    if named:
                        reader.save(named.group(1), body)
                elif language == "python":
                    compile(body, page, "exec")
                elif language == "sh" and not any(mark in body for mark in ELSEWHERE.get(page, ())):
                    if re.search(r"rollout start|experiment start|localhost:8000/experiments ", body):
                        script.append("for model in search sentiment; do weir experiment abort $model > /dev/null 2>&1 || true; done")
                    script.append(prepared(body, logged[0]["prediction_id"] if logged else "none"))
                    blocks_run += 1
            began = time.monotonic()
            reader.run("\n".join(script))
            print(f"{page}: {blocks_run} blocks run in {time.monotonic() - began:.1f} s")
        finally:
            reader.leave()
            for service in services:
                service.shutdown()


def everything():
    only = sys.argv[2:]
    if not only:
        with tempfile.TemporaryDirectory() as folder:
            reader = Reader(folder)
            try:
                tutorial(reader)
                guides(reader)
            finally:
                reader.leave()
    for page in [page for page in PAGES if page.startswith("guides/")] + list(REFERENCE):
        if not only or page in only:
            run_page(page)


everything()
