"""Serve one version: `python serve.py v1 9001`. It answers what it understands, and refuses the rest with a reason."""

import json
import math
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import joblib

version, port = sys.argv[1], int(sys.argv[2])
model, names, used = joblib.load(Path("models", version, "model.joblib"))


def row_of(body: bytes) -> list[float]:
    """Return the measurements in order. Raises ValueError for anything but one finite number of each."""
    case = json.loads(body)
    if not isinstance(case, dict) or set(case) != set(names):
        raise ValueError("expected one number for each measurement")
    row = [case[name] for name in names]
    if not all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in row):
        raise ValueError("a measurement is a number")
    if not all(math.isfinite(value) and 0 <= value < 1e6 for value in row):
        raise ValueError("a measurement is out of range")
    return row


class Handler(BaseHTTPRequestHandler):
    """POST /predict, and GET /healthz."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        try:
            probability = float(model.predict_proba([row_of(body)[:used]])[0, 1])
        except (ValueError, RecursionError) as error:
            self.answer(422, {"error": str(error)})
        else:
            self.answer(200, {"malignant": probability})

    def do_GET(self) -> None:
        self.answer(200, {"version": version})

    def answer(self, status: int, content: dict[str, object]) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing of single requests."""


server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
server.daemon_threads = True
server.serve_forever()
