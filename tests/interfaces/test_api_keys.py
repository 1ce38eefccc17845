"""A key carries a command out once: sent again it is answered, with another body it is refused, and a restart forgets none."""

import asyncio
from dataclasses import replace
from typing import Any

import httpx
import pytest
from tests.interfaces.test_api_conforms import ADA, GRACE, OPS, contract_text, lived, organisation_text, plan

from glideslope.domain.identity import Identity, Role
from glideslope.interfaces.api.app import create_app
from glideslope.testing.traffic import Behaviour
from glideslope.testing.world import World

WHY = {"why": "it is needed"}
NEVER = {"why": "never mind"}
DIGEST = "sha256:" + "1" * 64

COMMANDS: dict[str, tuple[str, str, dict[str, Any], dict[str, Any]]] = {
    "/v1/models/{model}/contract": (
        "grace",
        "/v1/models/fraud/contract",
        {**WHY, "text": contract_text("fraud")},
        NEVER,
    ),
    "/v1/rollouts": (
        "grace",
        "/v1/rollouts",
        {"text": plan("mail")},
        {"text": plan("mail").replace("better", "worse")},
    ),
    "/v1/rollouts/{rollout}/retry": ("grace", "/v1/rollouts/r-0003/retry", {**WHY, "text": plan("spam")}, {}),
    "/v1/models/{model}/versions": (
        "grace",
        "/v1/models/new/versions",
        {**WHY, "version": "v1", "digest": DIGEST, "url": "http://new:1", "incumbent": True},
        NEVER,
    ),
    "/v1/rollouts/{rollout}/approvals": ("ola", "/v1/rollouts/r-0002/approvals", WHY, NEVER),
    "/v1/rollouts/{rollout}/questions": ("ola", "/v1/rollouts/r-0002/questions", WHY, NEVER),
    "/v1/rollouts/{rollout}/questions/{question}/reply": ("ada", "/v1/rollouts/r-0002/questions/0/reply", WHY, NEVER),
    "/v1/rollouts/{rollout}/halt": ("grace", "/v1/rollouts/r-0001/halt", WHY, NEVER),
    "/v1/rollouts/{rollout}/resume": ("grace", "/v1/rollouts/r-0004/resume", WHY, NEVER),
    "/v1/rollouts/{rollout}/rollback": ("grace", "/v1/rollouts/r-0001/rollback", WHY, NEVER),
    "/v1/agreements": ("ada", "/v1/agreements", {**WHY, "file": "o.yaml", "text": organisation_text(3)}, NEVER),
    "/v1/agreements/{of}/{name}/reviews": ("grace", "/v1/agreements/organisation/organisation/reviews", WHY, NEVER),
    "/v1/agreements/{of}/{name}/answers": (
        "grace",
        "/v1/agreements/organisation/organisation/answers",
        {**WHY, "granted": False},
        NEVER,
    ),
    "/v1/rollouts/{rollout}/glass": (
        "ada",
        "/v1/rollouts/r-0005/glass",
        {**WHY, "emergency": "outage", "minutes": 5},
        NEVER,
    ),
    "/v1/rollouts/{rollout}/glass/agree": ("grace", "/v1/rollouts/r-0006/glass/agree", WHY, NEVER),
    "/v1/rollouts/{rollout}/glass/review": (
        "grace",
        "/v1/rollouts/r-0005/glass/review",
        {**WHY, "justified": True},
        NEVER,
    ),
    "/v1/rollouts/{rollout}/withdraw": ("grace", "/v1/rollouts/r-0002/withdraw", WHY, NEVER),
    "/v1/incidents/{rollout}/notes": ("grace", "/v1/incidents/r-0003/notes", WHY, NEVER),
    "/v1/incidents/{rollout}/close": ("grace", "/v1/incidents/r-0003/close", WHY, NEVER),
    "/v1/models/{model}/drills": ("grace", "/v1/models/mail/drills", {**WHY, "drill": "rollback"}, NEVER),
    "/v1/models/{model}/drills/told": (
        "grace",
        "/v1/models/mail/drills/told",
        {**WHY, "drill": "rollback", "held_at": 1_000, "passed": True},
        NEVER,
    ),
    "/v1/advisories": ("grace", "/v1/advisories", {**WHY, "source": "osv.dev", "as_of": 2, "entries": []}, NEVER),
    "/v1/models/{model}/versions/{version}/facts": (
        "grace",
        "/v1/models/delays/versions/v1/facts",
        {**WHY, "text": "facts: 1\nseed: 9\n"},
        NEVER,
    ),
    "/v1/people/{actor}": ("grace", "/v1/people/grace", {"name": "Grace Hopper"}, {"name": "Ada"}),
    "/v1/people/{actor}/erase": ("grace", "/v1/people/grace/erase", WHY, NEVER),
}
"""Who sends what, and what else under the same key; in an order in which each is possible. An empty second is not tried."""

ELSEWHERE = {"/v1/rollouts/{rollout}/judgements"}
"""It needs a signal that only a person can judge: `tests/scenarios/test_said.py` gives it one."""


class Asking:
    """A server and, after a restart, the next one on the same store, asked over HTTP."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._open()

    def _open(self) -> None:
        app = self.world.app
        known = {name: Identity(name, Role.ADMIN if name == ADA else Role.MEMBER) for name in (ADA, GRACE, *OPS)}
        app._world = replace(app._world, identify=known.get)
        self._transport = httpx.ASGITransport(create_app(app, new_key=self.world.key))

    async def post(self, who: str, path: str, body: dict[str, Any], key: str) -> httpx.Response:
        headers = {"Authorization": f"Bearer {who}", "Idempotency-Key": key}
        async with httpx.AsyncClient(transport=self._transport, base_url="http://test", headers=headers) as client:
            return await client.post(path, json=body)

    async def restart(self) -> None:
        self.world.kill(self.world.app)
        await self.world.start()
        self._open()


@pytest.fixture(scope="module")
def keyed() -> set[str]:
    """The addresses of commands: those that take a key."""
    with asyncio.Runner() as runner:
        world = World()
        paths = create_app(runner.run(world.start()), new_key=world.key).openapi()["paths"]
    return {
        path
        for path, operations in paths.items()
        if any(each["name"] == "Idempotency-Key" for each in operations.get("post", {}).get("parameters", ()))
    }


def test_every_command_is_tried_here(keyed: set[str]) -> None:
    assert set(COMMANDS) == keyed - ELSEWHERE


def completed(world: World, template: str, body: dict[str, Any]) -> dict[str, Any]:
    """Put in the digest of what is answered, which the table cannot know."""
    tabled = world.app.record.agreement("organisation", "organisation")
    if template.endswith("/approvals"):
        return {**body, "plan_digest": world.app.record.rollouts()[1].plan_digest}
    if template.endswith("/answers") and tabled is not None and tabled.tabled is not None:
        return {**body, "digest": tabled.tabled.digest}
    return body


async def test_a_command_is_carried_out_once_with_one_body_and_over_a_restart() -> None:
    asking = Asking(await lived())
    sent: list[tuple[str, str, dict[str, Any], str, httpx.Response]] = []
    for number, (template, (who, at, asked, other)) in enumerate(COMMANDS.items()):
        record, key = asking.world.app.record, f"mine-{number}"
        body = completed(asking.world, template, asked)
        path = at.replace("/questions/0/", f"/questions/{record.rollouts()[1].version}/")
        before = record.size()
        first = await asking.post(who, path, body, key)
        after = record.size()
        assert first.status_code in {200, 201}, (template, first.text)
        assert after > before, template

        again = await asking.post(who, path, body, key)
        assert (again.status_code, record.size()) == (first.status_code, after), (template, again.text)
        if other:
            wrong = await asking.post(who, path, {**body, **other}, key)
            assert (wrong.status_code, wrong.json()["code"]) == (409, "key-reused"), (template, wrong.text)
        sent.append((who, path, body, key, first))

    size = asking.world.app.record.size()
    await asking.restart()
    for who, path, body, key, first in sent:
        late = await asking.post(who, path, body, key)
        assert late.status_code == first.status_code, (path, late.text)
        assert late.headers.get("location") == first.headers.get("location")
    assert asking.world.app.record.size() == size


async def test_another_plan_under_the_key_of_a_proposal_is_refused() -> None:
    """Also one that differs in what the frozen plan does not say in the words of the draft."""
    world = World()
    await world.serves("mail", per_second=8, v1=Behaviour(), v2=Behaviour())
    asking = Asking(world)
    await asking.post("ada", "/v1/rollouts", {"text": plan("mail")}, "mine")

    other = await asking.post("ada", "/v1/rollouts", {"text": plan("mail", more="alpha: 0.02\n")}, "mine")

    assert (other.status_code, other.json()["code"]) == (409, "key-reused")
