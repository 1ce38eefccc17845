"""`glideslope browse` as a process: its pages open by the link that it prints, change nothing, and end with it."""

import re
import signal
import subprocess
import sys

import httpx

PATIENCE = 60.0
"""Seconds on a busy machine."""


def test_the_recorded_run_opens_by_its_link_and_ends_when_told() -> None:
    command = [sys.executable, "-m", "glideslope", "browse"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            said = []
            for line in process.stdout:
                said.append(line)
                if "/sign-in/" in line:
                    break
            assert said[1].startswith("OK"), "it is verified before it is shown"
            address, path = re.fullmatch(r"(http://127\.0\.0\.1:\d+)(/sign-in/\S+)\n", said[-1]).groups()  # type: ignore[union-attr]
            token = re.search(r"paste (\S+)", process.stdout.readline())
            assert token is not None
            page = httpx.get(f"{address}{path}", timeout=PATIENCE)
            assert "reader" in page.text
            asked = {"Authorization": f"Bearer {token[1]}"}
            halt = httpx.post(
                f"{address}/v1/rollouts/r-0001/halt", json={"why": "mine"}, headers=asked, timeout=PATIENCE
            )
            assert halt.status_code in (401, 403), "a copy lets nobody act"
        finally:
            process.send_signal(signal.SIGINT)
            assert process.wait(PATIENCE) == 0
