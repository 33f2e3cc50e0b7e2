"""Requests that two servers might read in two ways: sent to Weir itself, through nginx and through HAProxy. What is hidden in them would
register a model; nothing may be registered, and whoever comes after them gets the answer to their own request. Memory is shown after
heads and bodies that never end.

python3 .ci/smuggling.py WEIR [PORT]

nginx and haproxy must be installed; the three ports from PORT on (9620) must be free.
"""

import json
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

WEIR = str(Path(sys.argv[1]).resolve())
PORT = int(sys.argv[2]) if len(sys.argv) > 2 else 9620
FRONTS = {"direct": PORT, "nginx": PORT + 1, "haproxy": PORT + 2}


def hidden(name):
    body = json.dumps({"name": name, "version": "1", "accuracy": 0.5})
    return (
        f"POST /models HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    ).encode()


def post(headers, body, line=b"POST /predict HTTP/1.1"):
    return line + b"\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n" + headers + b"\r\n" + body


def chunked(inner):
    return b"0\r\n\r\n" + inner


def cases(inner):
    """Names and bytes. `inner` begins where one reading ends the request and another one goes on."""
    n = str(len(inner)).encode()
    end = chunked(inner)
    length = str(len(end)).encode()
    te = b"Transfer-Encoding: chunked\r\n"
    cl = b"Content-Length: " + length + b"\r\n"
    yield "length, then chunked", post(cl + te, end)
    yield "chunked, then length", post(te + cl, end)
    yield "chunked behind a tab", post(cl + b"Transfer-Encoding:\tchunked\r\n", end)
    yield "a blank before the colon", post(cl + b"Transfer-Encoding : chunked\r\n", end)
    yield "an unknown coding", post(cl + b"Transfer-Encoding: xchunked\r\n", end)
    yield "chunked twice", post(cl + te + b"Transfer-Encoding: identity\r\n", end)
    yield "chunked, identity", post(cl + b"Transfer-Encoding: chunked, identity\r\n", end)
    yield "a folded header", post(cl + b"Transfer-Encoding:\r\n chunked\r\n", end)
    yield "a vertical tab", post(cl + b"Transfer-Encoding: \x0bchunked\r\n", end)
    yield "two lengths", post(b"Content-Length: 0\r\nContent-Length: " + n + b"\r\n", inner)
    yield "a list of lengths", post(b"Content-Length: 0, " + n + b"\r\n", inner)
    yield "a length with a sign", post(b"Content-Length: +0\r\n", inner)
    yield "a length in hex", post(b"Content-Length: 0x0\r\n", inner)
    yield "a body of a GET", post(b"Content-Length: " + n + b"\r\n", inner, b"GET /health HTTP/1.1")
    yield "HTTP/1.0 chunked", post(cl + te, end, b"POST /predict HTTP/1.0")
    yield "a lone line feed in a header", post(b"X-A: b\n" + te + cl, end)
    yield "a lone carriage return", post(b"X-A: b\rTransfer-Encoding: chunked\r\n" + cl, end)
    yield "a chunk extension with a line feed", post(te, b"1;a=\nb\r\nx\r\n" + end)
    yield "a chunk size that overflows", post(te, b"10000000000000000\r\n" + inner)
    yield "a chunk without its end", post(te, b"2\r\nxxxx\r\n" + end)
    yield "a null byte in a name", post(b"Content\x00-Length: 0\r\n" + te, end)


def exchange(port, data, seconds=1.0):
    answer = b""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        connection.settimeout(seconds)
        try:
            connection.sendall(data)
        except OSError:
            pass  # It may have answered before it had all.
        try:
            while part := connection.recv(65536):
                answer += part
        except OSError:
            pass
    return answer


def victim(port, at):
    text = json.dumps({"text": "good", "unit_id": f"victim-{at}"})
    head = f"POST /predict HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {len(text)}\r\n\r\n"
    answer = exchange(port, head.encode() + text.encode(), 5)
    return answer.startswith(b"HTTP/1.1 200") and b'"prediction"' in answer and answer.count(b"HTTP/1.1 ") == 1


def call(path, body=None):
    import urllib.request

    request = urllib.request.Request(f"http://127.0.0.1:{PORT}{path}", headers={"content-type": "application/json"})
    with urllib.request.urlopen(request, None if body is None else json.dumps(body).encode()) as reply:
        return json.load(reply)


def memory(pid):
    """The most it has had, in MiB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) // 1024
    return 0


def bombs(pid):
    """Heads and bodies that go on and on, headers without end, and what unpacks to much more than it is."""
    import gzip

    before = memory(pid)
    slow = []
    for at in range(500):
        connection = socket.create_connection(("127.0.0.1", PORT))
        start = b"POST /predict HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        connection.sendall(start if at % 2 else start + b"Content-Type: application/json\r\nContent-Length: 1000000\r\n\r\n{")
        slow.append(connection)
    many = b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n" + b"".join(b"X-%d: y\r\n" % n for n in range(100_000)) + b"\r\n"
    long = b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nX: " + b"y" * (8 << 20) + b"\r\n\r\n"
    packed = gzip.compress(b" " * (1 << 30), 1)
    found = {}
    for name, data in {
        "100,000 headers": many,
        "a header of 8 MiB": long,
        "a GiB in gzip": post(b"Content-Encoding: gzip\r\nContent-Length: %d\r\n" % len(packed), packed),
    }.items():
        found[name] = exchange(PORT, data, 5)[:40].decode(errors="replace").split("\r")[0] or "closed"
    ok = victim(PORT, "bombs")
    after = memory(pid)
    for connection in slow:
        connection.close()
    for name, status in found.items():
        print(f"{name}: {status}")
    print(f"250 slow heads and 250 slow bodies beside: served {ok}, memory {before} -> {after} MiB")
    refused = all(status == "closed" or status.startswith("HTTP/1.1 4") for status in found.values())
    return ok and refused and after < before + 100


def main():
    where = Path(tempfile.mkdtemp())
    weir = subprocess.Popen(
        [WEIR, "serve", "--listen", f"127.0.0.1:{PORT}", "--data-dir", str(where / "data")],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    weir.stdout.readline()
    (where / "nginx.conf").write_text(
        f"""daemon off; pid {where}/nginx.pid; error_log {where}/nginx.log; events {{}}
        http {{ access_log off; client_body_temp_path {where}; proxy_temp_path {where}; fastcgi_temp_path {where}; uwsgi_temp_path {where};
        scgi_temp_path {where}; upstream weir {{ server 127.0.0.1:{PORT}; keepalive 1; }}
        server {{ listen 127.0.0.1:{PORT + 1}; location / {{ proxy_pass http://weir; proxy_http_version 1.1; proxy_set_header Connection "";
        proxy_set_header Host 127.0.0.1; proxy_request_buffering off; }} }} }}"""
    )
    (where / "haproxy.cfg").write_text(
        f"""defaults
    mode http
    timeout connect 5s
    timeout client 5s
    timeout server 5s
    http-reuse always
frontend front
    bind 127.0.0.1:{PORT + 2}
    default_backend weir
backend weir
    server weir 127.0.0.1:{PORT}
"""
    )
    fronts = []
    try:
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        fronts.append(subprocess.Popen(["nginx", "-c", str(where / "nginx.conf")], **quiet))
        fronts.append(subprocess.Popen(["haproxy", "-db", "-f", str(where / "haproxy.cfg")], **quiet))
        for port in FRONTS.values():
            for _ in range(100):
                try:
                    socket.create_connection(("127.0.0.1", port)).close()
                    break
                except OSError:
                    threading.Event().wait(0.05)
        version = call("/models", {"name": "s", "version": "1", "accuracy": 0.5})
        call(f"/models/{version['model_id']}/activate", {"traffic_percent": 100})
        # What is hidden does something where it is read.
        exchange(PORT, hidden("control"))
        wrong, tried = [] if any(model["name"] == "control" for model in call("/models")) else ["the control was not registered"], 0
        for front, port in FRONTS.items():
            for at, (name, _) in enumerate(cases(b"")):
                smuggled = f"smuggled-{front}-{at}"
                data = dict(cases(hidden(smuggled)))[name]
                answer = exchange(port, data)
                tried += 1
                if not victim(port, f"{front}-{at}"):
                    wrong.append(f"{front}: {name}: the next caller got another answer")
                if any(model["name"] == smuggled for model in call("/models")):
                    wrong.append(f"{front}: {name}: registered a model: {answer[:60]}")
        print(f"{tried} tried, {len(wrong)} wrong")
        for line in wrong:
            print(line)
        ok = bombs(weir.pid)
        return 0 if ok and not wrong else 1
    finally:
        for process in [*fronts, weir]:
            process.terminate()


sys.exit(main())
