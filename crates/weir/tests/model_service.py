"""A small model service for the tests: answers by what its input says.

It prints its port, and ends when its standard input does.
"""
import gzip
import json
import os
import socket
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


dropped = set()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        sent = self.rfile.read(int(self.headers["Content-Length"]))
        body = json.loads(sent)
        if "echo" in body:
            return self.send(200, sent[:-1] + b', "sure": 0.5}')
        text = str(body.get("text", body.get("inputs", body.get("asked"))))
        if "fail" in text or (self.path == "/worse" and "harm" in text):
            return self.reply(500, {"error": "asked to fail"})
        if "#header " in text:
            value = self.headers.get(text.split("#header ")[1])
            return self.reply(200, {"result": {"label": value, "score": 1}})
        if "#tell " in text:
            return self.reply(500, {"asked with": self.headers.get(text.split("#tell ")[1])})
        if "#status " in text:
            return self.reply(int(text.split("#status ")[1]), {"error": "as asked"})
        if "#gzip" in text:
            return self.compressed(b'{"result": {"label": "small", "score": 1}}')
        if "#bomb" in text:
            return self.compressed(bytes(64 << 20))
        if "#drop" in text and text not in dropped:
            dropped.add(text)
            self.close_connection = True
            return self.connection.shutdown(socket.SHUT_RDWR)
        if "#busy" in text:
            return self.reply(503, {"error": "too much to do"})
        if "hang" in text:
            time.sleep(30)
        if "#refuse at length" in text:
            return self.refuse_at_length()
        if "#refuse" in text:
            return self.reply(422, {"detail": "too odd"})
        if "#sure " in text:
            score = float(text.split("#sure ")[1])
            return self.reply(200, {"result": {"label": "positive", "score": score}})
        if "report" in text:
            return self.reply(200, {"error": "asked to report"})
        if "junk" in text:
            return self.reply(200, None)
        label = "positive" if "good" in text else "negative"
        self.reply(200, {"result": {"label": label, "score": 0.75}, "error": None})

    def compressed(self, body):
        body = gzip.compress(body)
        self.send_response(200)
        self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def refuse_at_length(self):
        """Says at once that it refuses, and never ends saying why."""
        self.send_response(422)
        self.send_header("Content-Length", str(1 << 30))
        self.end_headers()
        self.wfile.write(b"too odd, ")
        self.wfile.flush()
        time.sleep(30)

    def reply(self, status, value):
        self.send(status, b"<html>" if value is None else json.dumps(value).encode())

    def send(self, status, body):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


ThreadingHTTPServer.request_queue_size = 128
server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
threading.Thread(target=server.serve_forever, daemon=True).start()
sys.stdin.read()
os._exit(0)
