"""Serve one version: `python serve.py wine v1 9001`. It answers what it understands, and refuses the rest with a reason."""

import json
import math
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import joblib

what, version, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
model, names, used = joblib.load(Path("models", f"{what}-{version}", "model.joblib"))


def row_of(body: bytes) -> list[float]:
    """Return the measurements in order. Raises ValueError for anything but one finite number of each."""
    case = json.loads(body)
    if not isinstance(case, dict) or set(case) != set(names):
        raise ValueError("expected one number for each measurement")
    row = [case[name] for name in names]
    if not all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in row):
        raise ValueError("a measurement is a number")
    if not all(math.isfinite(value) and -1e6 < value < 1e6 for value in row):
        raise ValueError("a measurement is out of range")
    return row


def predict(row: list[float]) -> dict[str, object]:
    """Return a probability for each class, or a number."""
    if what == "wine":
        return {"probabilities": dict(zip(model.classes_, model.predict_proba([row])[0].tolist(), strict=True))}
    return {"prediction": float(model.predict([row])[0])}


class Handler(BaseHTTPRequestHandler):
    """POST /predict, and GET /healthz."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        try:
            answer = predict(row_of(body)[:used])
        except (ValueError, RecursionError) as error:
            self.answer(422, {"error": str(error)})
        else:
            self.answer(200, answer)

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
