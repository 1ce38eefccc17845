"""A change whose tier asks for a proof is approved on the page right after one, and from a session left open not at all."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.interfaces.test_signing_in import Place, sign_in
from tests.scenarios.test_governed import change, given
from tests.scenarios.test_proving import CAREFUL

from glideslope.domain.events import Approved
from glideslope.domain.identity import Identity, Means, Role
from glideslope.domain.ids import Actor, RolloutId
from glideslope.interfaces.api.app import create_app
from glideslope.testing.world import World


@pytest.fixture
def told(tmp_path: Path) -> Iterator[tuple[Place, World, RolloutId]]:
    with asyncio.Runner() as runner:
        world = runner.run(given(911, CAREFUL))
        rollout = runner.run(world.propose(change()))
        place = Place(world.app, tmp_path, runner)
        place.known("pia")
        yield place, world, rollout


def test_a_session_left_open_must_prove_again_before_it_may_say_yes(told: tuple[Place, World, RolloutId]) -> None:
    place, world, rollout = told
    browser = place.browser()
    sign_in(browser, "pia")
    fresh = browser.get("/approvals").text
    assert "asks that whoever approves has proved who they are by passkey or password within 15 min" in fresh
    assert 'value="grant"' in fresh
    fields = browser.form_of("/approvals")

    place.seconds += 901
    stale = browser.get("/approvals").text
    assert 'value="grant"' not in stale
    assert f"/sign-in?next=/approvals%23{rollout}" in stale
    refused = browser.send(f"/rollouts/{rollout}/approve", **fields, answer="grant", why="from a page left open")
    assert refused.status_code == 403
    assert "proof-too-old" in refused.text
    assert world.app.record.rollout(rollout).granted == frozenset()

    again = sign_in(browser, "pia", next=f"/approvals#{rollout}")
    assert again.headers["location"] == f"/approvals#{rollout}"
    fields = browser.form_of("/approvals")
    done = browser.send(f"/rollouts/{rollout}/approve", **fields, answer="grant", why="read it again")
    assert done.status_code == 303
    yes = world.app.record.history(rollout)[-1].event
    assert isinstance(yes, Approved)
    assert yes.proved is Means.PASSWORD


def test_a_no_is_said_from_a_session_left_open(told: tuple[Place, World, RolloutId]) -> None:
    place, world, rollout = told
    browser = place.browser()
    sign_in(browser, "pia")
    place.seconds += 901
    fields = browser.form_of("/approvals")

    assert browser.send(f"/rollouts/{rollout}/approve", **fields, answer="deny", why="no").status_code == 303
    no = world.app.record.history(rollout)[-1].event
    assert isinstance(no, Approved)
    assert not no.granted


def test_a_token_alone_is_no_such_proof_neither_on_the_page_nor_in_a_call(
    told: tuple[Place, World, RolloutId],
) -> None:
    place, world, rollout = told
    object.__setattr__(world.app._world, "identify", lambda _: Identity(Actor("pia"), Role.MEMBER))
    browser = place.browser()
    browser.sign_in("gs_pia")
    assert 'value="grant"' not in browser.get("/approvals").text
    place.app = create_app(world.app, new_key=lambda: "key")
    digest = world.app.record.rollout(rollout).plan_digest
    called = place.browser().request(
        "POST",
        f"/v1/rollouts/{rollout}/approvals",
        json={"plan_digest": digest, "granted": True, "why": "by a program"},
        headers={"Authorization": "Bearer gs_pia"},
    )

    assert called.status_code == 403, called.text
    assert called.json()["code"] == "proof-too-old"
    assert "glideslope open" in called.text
