"""Ask about one case after another, and report each outcome: `python traffic.py 3000`, or without a number for ever."""

import json
import random
import sys
import time
from http.client import HTTPConnection
from pathlib import Path

from glideslope.sdk import Client, OutcomeSender

count = int(sys.argv[1]) if len(sys.argv) > 1 else sys.maxsize
cases = json.loads(Path("cases.json").read_text(encoding="utf-8"))
gateway = Path(".glideslope", "gateway-address").read_text(encoding="utf-8").strip().removeprefix("http://")
server = Path(".glideslope", "address").read_text(encoding="utf-8").strip()
token = Path("source-token").read_text(encoding="utf-8").strip()

connection = HTTPConnection(gateway)
outcomes = OutcomeSender(Client(server, token), every=0.2)
for _ in range(count):
    case = random.choice(cases)
    headers = {"content-type": "application/json", "x-glideslope-subject": f"case-{time.time_ns()}"}
    connection.request("POST", "/biopsy/predict", body=json.dumps(case["features"]), headers=headers)
    answer = connection.getresponse()
    body = answer.read()
    if answer.status != 200:
        sys.exit(f"the gateway answered {answer.status}: {body.decode()}")
    if prediction := answer.headers["x-glideslope-prediction"]:
        outcomes.send(prediction, happened=case["malignant"])  # in life this comes days later
outcomes.stop()
print(f"{outcomes.counted + outcomes.unmeasured} outcomes were counted, {outcomes.refused} refused")
