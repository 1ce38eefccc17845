"""A process that speaks OPA's data API, as much of it as a rule needs: it says how wide a step may be, or keeps silent.

    python opa_server.py FOLDER

It writes its port to FOLDER/port, and reads what to do from FOLDER/does at each request: a share in basis points, or `hang`.
"""

import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

FOLDER = Path(sys.argv[1])


class Handler(BaseHTTPRequestHandler):
    """Judges the input it is sent."""

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        does = (FOLDER / "does").read_text()
        if does == "hang":
            threading.Event().wait()
        wide = [f"{s['share']}" for s in body["input"]["plan"]["steps"] if s.get("share", 0) > int(does)]
        shown = self.headers.get("Authorization") == "Bearer sesame" and self.path == "/v1/data/house/models"
        raw = json.dumps({"result": {"passes": shown and not wide, "findings": wide}}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, *_: object) -> None: ...


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    (FOLDER / "port.new").write_text(str(server.server_port))
    (FOLDER / "port.new").rename(FOLDER / "port")
    server.serve_forever()
