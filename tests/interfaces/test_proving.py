"""A change whose tier asks for a proof is approved on the page right after one, and from a session left open not at all."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace
from tests.interfaces.test_signing_in import Place, sign_in
from tests.scenarios.test_governed import SAM, change, given
from tests.scenarios.test_proving import CAREFUL

from glideslope.domain.events import Approved
from glideslope.domain.governing.glass import GlassAsked, GlassBroken
from glideslope.domain.governing.organisation import Right
from glideslope.domain.identity import Identity, Means, Role
from glideslope.domain.ids import Actor, RolloutId
from glideslope.interfaces.api.app import create_app
from glideslope.testing.world import World


@pytest.fixture
def told(tmp_path: Path) -> Iterator[tuple[Place, World, RolloutId]]:
    with asyncio.Runner() as runner:
        both = tuple(replace(p, rights=(*p.rights, Right.OPERATE)) if p.id == SAM else p for p in CAREFUL.people)
        world = runner.run(given(911, replace(CAREFUL, people=both)))
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


def test_the_glass_is_broken_on_the_page_by_two_who_proved_who_they_are_and_reviewed_by_a_third(
    told: tuple[Place, World, RolloutId],
) -> None:
    place, world, rollout = told
    page = f"/rollouts/{rollout}/glass"
    for name in ("ada", "cat", "sam"):
        place.known(name)
    ada, pia, cat, sam = (place.browser() for _ in range(4))
    sign_in(ada, "ada")
    sign_in(pia, "pia")
    sign_in(cat, "cat")
    assert "Break the glass, in an emergency" in ada.get(f"/rollouts/{rollout}").text
    ask = {"act": "ask", "emergency": "outage", "minutes": "30", "why": "v1 is down"}
    for wrong in ({"emergency": "boredom"}, {"minutes": "soon"}, {"act": "break"}, {"minutes": "9999"}):
        fields = ada.form_of(page)
        assert ada.send(page, **{**fields, **ask, **wrong}).status_code == 422, wrong

    place.seconds += 901
    assert 'value="ask"' not in ada.get(page).text
    refused = ada.send(page, **{**ada.form_of("/"), "key": "k-1", **ask})
    assert "proof-too-old" in refused.text
    sign_in(ada, "ada")
    assert ada.send(page, **ada.form_of(page), **ask).status_code == 303
    asked = world.app.record.history(rollout)[-1].event
    assert isinstance(asked, GlassAsked)
    assert (asked.lasting, asked.proved) == (30 * 60_000, Means.PASSWORD)
    assert "somebody else must agree" in ada.get(page).text

    assert 'value="agree"' not in pia.get(page).text, "she must prove who she is first"
    sign_in(pia, "pia")
    agreed = pia.send(page, **pia.form_of(page), act="agree", why="seen")
    assert agreed.status_code == 403
    assert "not-entitled" in agreed.text, "she may review, and not operate"
    assert 'value="justified"' not in cat.get(page).text, "nothing is broken yet"
    sign_in(sam, "sam")
    assert sam.send(page, **sam.form_of(page), act="agree", why="I see it too").status_code == 303
    broken = world.app.record.history(rollout)[-1].event
    assert isinstance(broken, GlassBroken)
    assert broken.proved is Means.PASSWORD
    assert 'value="justified"' not in sam.get(page).text, "whoever broke it does not review it"
    assert cat.send(page, **cat.form_of(page), act="justified", why="callers were failed").status_code == 303
    assert 'value="justified"' not in cat.get(page).text
