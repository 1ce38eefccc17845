"""A real server is killed in the middle of telling: started again it goes on where it was; nothing is lost, and order is kept."""

import asyncio
import json
import os
import signal
from pathlib import Path

from standardwebhooks import Webhook
from tests.unit.adapters.receivers import Heard, answers, receiving

from glideslope.testing.tree import Tree, tree, until

SECRET = "whsec_" + "QUJD" * 10
VERSIONS = 12


def written(state: Path, port: int) -> None:
    """Write two channels into a state folder: one that takes its time, and one where nobody answers."""
    state.mkdir(mode=0o700)
    secret = state / "hook.secret"
    secret.write_text(SECRET)
    secret.chmod(0o600)
    (state / "channels.yaml").write_text(
        "channels: 1\nto:\n"
        f"  hook: {{kind: webhook, url: 'http://127.0.0.1:{port}/', secret: {{file: hook.secret}}, private: true}}\n"
        "  dead: {kind: webhook, url: 'http://127.0.0.1:9/', secret: {file: hook.secret}, private: true}\n"
    )


async def register(running: Tree, url: str, model: str, number: int) -> None:
    body = {"version": f"v{number}", "digest": f"sha256:{number:064x}", "url": url, "why": "trained"}
    status, told = await running.call("POST", f"/v1/models/{model}/versions", body | {"incumbent": number == 1})
    assert status == 200, told


async def test_a_server_killed_between_deliveries_tells_all_the_rest_in_order(tmp_path: Path) -> None:
    state = tmp_path / "state"

    async def slowly(heard: Heard, writer: asyncio.StreamWriter) -> None:
        if heard.body:
            await asyncio.sleep(0.1)  # the receiver's, so that the kill comes between two deliveries
        await answers("204 No Content")(heard, writer)

    async with receiving(slowly) as receiver:
        written(state, receiver.port)
        url = f"http://127.0.0.1:{receiver.port}"
        async with tree(state, "--no-gateway") as running:
            for number in range(1, VERSIONS + 1):
                for model in ("delays", "spam"):
                    await register(running, url, model, number)

            def messages() -> list[Heard]:
                return [each for each in receiver.heard if each.body]

            await until(lambda: len(messages()) >= 4, what="the first were told")
            os.kill(running.pids()["server"], signal.SIGKILL)
            at_the_kill = len(messages())
            assert at_the_kill < 2 * VERSIONS, "it was killed in the middle"
            await until(
                lambda: len({each.headers["webhook-id"] for each in messages()}) == 2 * VERSIONS + 2,
                what="all were told",
                seconds=60,
            )
            found = [Webhook(SECRET).verify(each.body, each.headers) for each in messages()]
            for model in ("delays", "spam"):
                titles = list(dict.fromkeys(each["data"]["title"] for each in found if each["data"]["model"] == model))
                registered = [f"{model}: v{number} is registered" for number in range(1, VERSIONS + 1)]
                assert titles == [registered[0], f"{model}: v1 is the incumbent", *registered[1:]]
            assert len(found) <= 2 * VERSIONS + 2 + 1, "what was under way at the kill may come twice, nothing else"

            status, shown = await running.call("GET", "/v1/channels")
            assert (status, {each["name"]: each["state"] for each in shown["channels"]}) == (
                200,
                {"hook": "works", "dead": "failing"},
            )
            _, checks = await running.call("GET", "/v1/doctor")
            wrong = [each["name"] for each in checks if not each["ok"]]
            assert wrong == ["channel dead"]
            assert SECRET not in json.dumps(checks) + json.dumps(shown)
