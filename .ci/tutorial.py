"""Does what docs/tutorial.md tells a reader to do, and checks the commands of the guides, so that they cannot rot.

    python .ci/tutorial.py WEIR       (with the packages that the tutorial imports: fastapi, uvicorn, scikit-learn)

The tutorial: files are written and blocks of shell are run in their order, in a folder that goes afterwards, with free ports in
place of those of the page. What a block prints is compared with the block of text behind it, where numbers, ids and times may be
others, and where … stands for anything. What is started with & is ended at the end.

The guides, and the other pages for newcomers: each `weir ...` has to be a command with these options, each address has to be in
the description of the API, each experiment and each runtime is made on the server of the tutorial, and links lead somewhere.
"""
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

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.ports = {port: free_port() for port in PORTS}
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
        return re.sub(r"127\.0\.0\.1:(\d+)|\b(service\.py [\d.]+) (\d+)", self.port, text)

    def port(self, found):
        address, started, port = found.groups()
        mine = self.ports.get(address or port)
        if mine is None:
            fail("tutorial.md", f"a port that this script does not know: {found.group()}")
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
            fail("tutorial.md", f"this ends with {code}:", text, "it printed:", printed, *logs)
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
    counts = {"commands": 0, "addresses": 0, "experiments": 0, "runtimes": 0, "links": 0}
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
            if "candidates" in value:
                counts["experiments"] += 1
                made = reader.call("POST", "/experiments", value)
                reader.call("DELETE", f"/experiments/{made['experiment']}")
            elif "type" in value:
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


with tempfile.TemporaryDirectory() as folder:
    reader = Reader(folder)
    try:
        tutorial(reader)
        guides(reader)
    finally:
        reader.leave()
