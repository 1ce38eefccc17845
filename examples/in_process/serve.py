"""Serve every version from one process: `python serve.py 9001`. Glideslope says which of them answers whom."""

import json
import math
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from glideslope.sdk import Service

DEPLOYED = "v1"  # answers while nobody has said anything else, and when another version cannot
service = Service(
    "late-arrival",
    server=Path(".glideslope", "address").read_text(encoding="utf-8").strip(),
    token=Path("source-token").read_text(encoding="utf-8").strip(),
)


def load(version: str) -> dict[str, float]:
    """Read a version's model: here a logistic regression on the hour of departure."""
    return json.loads(Path("models", version, "model.json").read_text(encoding="utf-8"))


models = {folder.name: load(folder.name) for folder in Path("models").iterdir()}


def predict(version: str, hour: float) -> float:
    """Return the probability that a flight arrives late."""
    model = models[version]
    return 1 / (1 + math.exp(-(model["intercept"] + model["slope"] * hour)))


def answer(flight: str, hour: float) -> dict[str, object]:
    """Predict by the version that the flight is assigned to, and take note of how that went."""
    assigned = service.assign(flight)
    version = assigned.version or DEPLOYED
    began = time.perf_counter()
    try:
        probability, failed = predict(version, hour), False
    except (KeyError, ArithmeticError):  # the caller is answered all the same; the assigned arm is charged with it
        probability, failed = predict(DEPLOYED, hour), True
    prediction = service.served(
        assigned,
        subject=flight,
        seconds=time.perf_counter() - began,
        failed=failed,
        score=None if failed else probability,
    )
    return {"late": probability, "version": version, "prediction": prediction}


class Handler(BaseHTTPRequestHandler):
    """GET /predict?flight=UA123&hour=17, and GET /healthz."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        asked = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(asked.query).items()}
        content = answer(query["flight"], float(query["hour"])) if asked.path == "/predict" else {"status": "ok"}
        body = json.dumps(content).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing of single requests."""


service.start()
port = int(sys.argv[1])
server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
server.daemon_threads = True
print(f"late-arrival is served at http://127.0.0.1:{port}", flush=True)
server.serve_forever()
