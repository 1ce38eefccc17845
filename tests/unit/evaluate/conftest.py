"""A small evaluation whose servers start in a moment: a logistic regression in the standard library, on rows drawn by a seed."""

import json
import math
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from glideslope.evaluate.declared import Evaluation
from glideslope.evaluate.reading import read
from glideslope.evaluate.rows import Prepared, prepare
from glideslope.interfaces.document.tree import Tree

SERVER = '''\
"""python serve.py PORT SLOPE CODES: 1 / (1 + exp(-slope * x)) for known codes; what it does with bad input is what is declared."""
import json, math, os, sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

port, slope, behaviour = int(sys.argv[1]), float(sys.argv[2]), sys.argv[3]

class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    def do_GET(self):
        self.answer(200, {})
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        try:
            row = json.loads(body)
            x = float(row["x"]) + (0.5 if row["code"] == "b" else 0.0)
            if not abs(x) < 1e3 or row["code"] not in ("a", "b"):
                raise ValueError("out of range")
            probability = 1 / (1 + math.exp(-slope * x))
        except Exception as error:
            if behaviour == "dies":
                os._exit(7)
            status = 500 if behaviour == "fails" else 422
            self.answer(status, {"error": str(error)})
            return
        self.answer(200, {"probability": probability})
    def answer(self, status, content):
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_):
        pass

server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
server.daemon_threads = True
server.serve_forever()
'''

DOCUMENT = """\
model: toy
holdout: days
candidate: {version: v2, command: ["{python}", serve.py, "{port}", "1.0", good], patience: 10m}
incumbent: {version: v1, command: ["{python}", serve.py, "{port}", "0.5", good], patience: 10m}
request: {timeout: 60s}  # a busy machine is no fault of the server
data: {file: rows.jsonl, outcome: happened, positive: true, time: at, group: day, features: [x, code], known_at: {x: known}}
split: {after: 2026-02-15, gap: 1d}
slices: {code: [a, b]}
seasons: [weekday]
targets:
  log_loss: {limit: 0.7, margin: 0.1}
  auc: {margin: 0.01}
scenarios: {cases: 20, direction: [{raise: x, by: 1.0}]}
replicates: 200
"""


def draw_rows(count: int = 600, *, seed: int = 5) -> list[dict[str, Any]]:
    """Rows over 60 days from 1 January 2026, whose truth follows slope 1 on x."""
    rng = random.Random(seed)
    found = []
    for k in range(count):
        day, hour = 1 + k * 60 // count, rng.randrange(24)
        month, date = (1, day) if day <= 31 else (2, day - 31) if day <= 59 else (3, 1)
        x, code = rng.gauss(0, 1.5), rng.choice("ab")
        p = 1 / (1 + math.exp(-(x + (0.5 if code == "b" else 0.0))))
        found.append(
            {
                "x": round(x, 4),
                "code": code,
                "at": f"2026-{month:02}-{date:02}T{hour:02}:30:00",
                "known": f"2026-{month:02}-{date:02}T{hour:02}:00:00",
                "day": f"2026-{month:02}-{date:02}",
                "happened": rng.random() < p,
            }
        )
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "serve.py").write_text(SERVER)
    write(tmp_path / "rows.jsonl", draw_rows())
    (tmp_path / "evaluation.yaml").write_text(DOCUMENT)
    return tmp_path


def write(path: Path, rows: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.fixture
def rows() -> Callable[..., list[dict[str, Any]]]:
    return draw_rows


@pytest.fixture
def document() -> str:
    return DOCUMENT


@pytest.fixture
def prepared(folder: Path) -> Callable[..., tuple[Evaluation, Tree, Prepared]]:
    """Read a document, with some text of it replaced, and its rows."""

    def make(*changes: tuple[str, str], rows: list[dict[str, Any]] | None = None) -> tuple[Evaluation, Tree, Prepared]:
        text = DOCUMENT
        for old, new in changes:
            assert old in text, old
            text = text.replace(old, new)
        if rows is not None:
            write(folder / "rows.jsonl", rows)
        written, tree = read(text, file="evaluation.yaml")
        return written, tree, prepare(written, tree, folder=folder)

    return make
