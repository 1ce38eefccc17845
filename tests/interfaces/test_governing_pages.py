"""The pages of governance over a real engine: what they say is what the record says, and each act is the command behind it."""

import asyncio
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from typing import Any

import pytest
from msgspec.structs import replace
from tests.browser.governed import EDITED, TOKENS, governed
from tests.interfaces.test_dashboard import Browser

from glideslope.domain.commands import OrderRollback
from glideslope.domain.ids import RolloutId
from glideslope.interfaces.dashboard.site import create_site
from glideslope.testing.traffic import SOUND, Behaviour
from glideslope.testing.world import ADA, World, draft

PAGES = (
    "/policies",
    "/agreements/organisation/organisation",
    "/agreements/policy/flights",
    "/agreements/policy/flights?change=r-0001",
    "/agreements/policy/flights?change=r-0002",
    "/agreements/policy/flights?as_of=24",
    "/agreements/calendar/releases",
    "/agreements/envelope/monthly",
    "/agreements/threat-model/flights",
    "/incidents",
    "/incidents/r-0001",
    "/incidents/r-0001?as_of=20",
    "/drills",
    "/drills/late-arrival",
    "/drills/late-arrival?as_of=5",
    "/dues",
    "/people",
    "/people?as_of=0",
    "/settings",
    "/settings/health",
    "/settings/tokens",
    "/settings/witnesses",
)
BAD = RolloutId("r-0001")
FORM = re.compile(r'<form method="post" action="([^"]+)"')


@dataclass
class Site:
    """A world, and people before its pages."""

    world: World
    app: Any
    runner: asyncio.Runner

    def visitor(self, token: str) -> Browser:
        browser = Browser(self.app, self.runner)
        browser.sign_in(token)
        return browser

    def size(self) -> int:
        return self.world.app.record.size()

    def until_over(self, seconds: float) -> None:
        self.runner.run(self.world.pass_time(seconds))


def opened(world: World, runner: asyncio.Runner) -> Site:
    secrets = (f"secret-{number:032d}" for number in count(1))
    app = create_site(world.app, monotonic=lambda: 0.0, chance=lambda: next(secrets))
    return Site(world, app, runner)


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with asyncio.Runner() as runner:
        yield opened(runner.run(governed()), runner)


def text_of(browser: Browser, path: str) -> str:
    """Return what a page says, without its marks."""
    without = re.sub(r"</?(a|bdi|code|q|span|strong|time)\b[^>]*>", "", browser.get(path).text)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", without))


def sent(browser: Browser, page: str, action: str, **fields: str) -> Any:
    return browser.send(action, **{**browser.form_of(page), **fields})


def refuses(response: Any, code: str) -> None:
    """Hold a refusal to be a page with its code and where to read on."""
    assert response.status_code in (403, 409), response.text
    assert f"glideslope explain {code}" in response.text


@pytest.mark.parametrize("path", PAGES)
def test_whoever_may_look_sees_every_page_and_a_reader_no_form(site: Site, path: str) -> None:
    for who in ("gs_ada", "gs_rio"):
        response = site.visitor(who).get(path)
        assert response.status_code == 200, response.text
        assert " style=" not in response.text
        if who == "gs_rio" or "as_of" in path:
            assert FORM.findall(response.text) == []


@pytest.mark.parametrize(
    ("path", "taught"),
    [
        ("/policies", "glideslope agree table organisation.yaml"),
        ("/incidents", "glideslope incident ls"),
        ("/drills", "glideslope drill run"),
        ("/dues", "drill_within: 90d"),
        ("/people", "glideslope agree table organisation.yaml"),
    ],
)
def test_an_empty_page_teaches_the_next_step(path: str, taught: str) -> None:
    with asyncio.Runner() as runner:
        world = World(identify=TOKENS.get)
        runner.run(world.start())
        assert taught in opened(world, runner).visitor("gs_ada").get(path).text


def test_an_agreement_is_said_in_words_beside_its_text_with_whom_it_binds(site: Site) -> None:
    grace = site.visitor("gs_grace")
    policy = text_of(grace, "/agreements/policy/flights")
    assert "The evaluation is at most 30 days old. (Only at the tier high.)" in policy
    assert "kind: evaluated_within, tiers: [high], within: 30d" in policy
    assert "late-arrival high 5 of 5 rules speak of its tier" in policy
    assert "ranking low 3 of 5 rules speak of its tier" in policy
    assert "stricter EVAL-FRESH asked" in policy
    assert "looser EXPOSURE asked" in policy
    envelope = text_of(grace, "/agreements/envelope/monthly")
    assert "late-arrival, until 2027-06-30" in envelope
    assert "r-0002 late-arrival v3 outside" in envelope
    first = text_of(grace, "/agreements/threat-model/flights")
    assert "tabled, not in force" in first
    assert "Against it: Records come from the airport." in first
    assert "Nobody, as long as it is not in force." in first


def test_a_policy_is_explained_for_a_change_and_nothing_is_recorded_by_it(site: Site) -> None:
    before = site.size()
    grace = site.visitor("gs_grace")
    now = text_of(grace, "/agreements/policy/flights?change=r-0002")
    ended = text_of(grace, "/agreements/policy/flights?change=r-0001")

    assert "What is in force says: it may not go on, 2 of 5 rules block it" in now
    assert "What is tabled would say: it may not go on" in now
    assert "not shown: anything to look at" in now
    assert "as all is known now" in now
    assert "r-0001 late-arrival v2, tier high" in ended
    assert "There is no rollout" in text_of(grace, "/agreements/policy/flights?change=r-9999")
    assert site.size() == before


def test_a_page_of_the_past_shows_what_was_tabled_then_and_is_where_its_entry_leads(site: Site) -> None:
    grace = site.visitor("gs_grace")
    entry = next(r.entry for r in site.world.app.record.history("agreement.policy.flights"))
    then = text_of(grace, f"/agreements/policy/flights?as_of={entry}")
    assert "tabled, not in force" in then
    assert "It waits for 1 of compliance." in then
    assert f'href="/agreements/policy/flights?as_of={entry}"' in grace.get(f"/ledger/{entry}").text
    noted = site.world.app.record.history("incident.r-0001")[-1].entry
    assert f'href="/incidents/r-0001?as_of={noted}"' in grace.get(f"/ledger/{noted}").text
    assert "It won on a random holdout" not in text_of(grace, f"/incidents/r-0001?as_of={noted - 1}")
    assert grace.get("/incidents/r-0001?as_of=999999").status_code == 404
    assert "None was held yet" in text_of(grace, "/drills/late-arrival?as_of=5")


def test_an_incident_shows_its_course_from_the_record(site: Site) -> None:
    found = site.runner.run(site.world.app.incident_record(BAD))
    page = text_of(site.visitor("gs_grace"), "/incidents/r-0001")

    whats = [moment.what for moment in found.moments]
    assert whats == ["first exposed", "detected", "opened", "zero exposure", "noted"]
    assert [moment.entry for moment in found.moments] == sorted(moment.entry for moment in found.moments)
    assert found.largest_share == 1_000
    assert found.detected_in is not None
    assert found.detected_in > 0
    assert found.exposure == pytest.approx((found.exposed_for or 0.0) / 10), (
        "a tenth, from the first moment to the last"
    )
    assert "Zero exposure confirmed" in page
    assert "that flights does: Hold out by whole days" in page
    assert f"{found.incident.exposed:,}".replace(",", "\u202f") in page


def test_drills_tell_what_was_measured_from_what_was_told_and_what_is_due(site: Site) -> None:
    page = text_of(site.visitor("gs_grace"), "/drills")

    assert "told by ada, not measured" in page
    assert "measured, for ada" in page
    assert re.search(r"rollback passed 0 ms \d+ of \d+ measured, for ada", page)
    assert "rollback passed 4 s \u2013 told by ada" in page
    assert "2025-12" in page
    assert "rollback passed, told" in page
    people = text_of(site.visitor("gs_grace"), "/people")
    assert "pia hands product to grace" in people
    assert "has no right to review" in people
    assert "model ranking nobody it is registered" in people
    dues = text_of(site.visitor("gs_grace"), "/dues")
    assert "threat model review there is none yet" in dues


def test_nobody_is_offered_what_the_organisation_would_refuse_them(site: Site) -> None:
    ada, cat = site.visitor("gs_ada"), site.visitor("gs_cat")

    assert FORM.findall(ada.get("/drills/ranking").text) == ["/drills/ranking/begin"]
    assert "does not give you the right to operate" in text_of(cat, "/drills/ranking")
    assert "/drills/ranking/begin" not in FORM.findall(cat.get("/drills/ranking").text)
    assert "/agreements/calendar/releases/review" in FORM.findall(cat.get("/agreements/calendar/releases").text)
    assert "and is forbidden besides: WAY-BACK" in text_of(ada, "/rollouts/r-0002")


def test_what_people_do_on_pages_is_the_command_behind_them_with_its_refusals() -> None:
    """Answers, notes, a drill, a closing: bound to what was read, in the name of the session, refused with code and next step."""
    with asyncio.Runner() as runner:
        site = opened(runner.run(governed()), runner)
        _answers(site)
        _works_on_the_incident(site)
        _drills(site)


def _answers(site: Site) -> None:
    ada, cat, page = site.visitor("gs_ada"), site.visitor("gs_cat"), "/agreements/policy/flights"
    assert "You tabled it, so your yes does not count." in ada.get(page).text
    digest = site.world.app.record.agreement("policy", "flights")
    assert digest is not None
    assert digest.tabled is not None
    own = sent(ada, page, f"{page}/answer", digest=digest.tabled.digest, answer="grant", why="mine")
    refuses(own, "self-approval")
    assert "glideslope agree diff policy flights" in own.text
    other = sent(cat, page, f"{page}/answer", digest="sha256:" + "0" * 64, answer="grant", why="another text")
    refuses(other, "digest-changed")
    assert sent(cat, page, f"{page}/answer", digest=digest.tabled.digest, answer="grant", why="").status_code == 422
    said = sent(cat, page, f"{page}/answer", digest=digest.tabled.digest, answer="grant", why="Fresher is better.")
    assert said.headers["location"] == page
    history = text_of(cat, page)
    assert "Was in force" in history
    assert "cat agreed as compliance: Fresher is better." in history
    assert "within: 14d" in EDITED
    assert "The evaluation is at most 14 days old." in history
    reviewed = sent(cat, page, f"{page}/review", why="Read it again.")
    assert reviewed.status_code == 303
    assert "Reviewed by cat: Read it again." in text_of(cat, page)
    rio = site.visitor("gs_rio")
    form = re.search(r'name="form" value="([^"]*)"', rio.get(page).text)
    assert form is not None
    assert rio.send(f"{page}/review", form=form[1], key="k", why="mine").status_code == 401


def _works_on_the_incident(site: Site) -> None:
    grace, page = site.visitor("gs_grace"), "/incidents/r-0001"
    fields = grace.form_of(page)
    early = grace.send(f"{page}/close", **{**fields, "key": "early"}, why="enough")
    refuses(early, "incident-incomplete")
    for _ in range(2):
        noted = grace.send(
            f"{page}/note", **fields, hypothesis="Weather days were shared.", why="looked", **{"done-1": "yes"}
        )
        assert noted.status_code == 303, "a double click is one act"
    nobody = sent(grace, page, f"{page}/note", what="Watch it", owner="nobody", due="2027-03-01", why="to do")
    assert "owner-unknown" in nobody.text
    assert sent(grace, page, f"{page}/note", what="Watch it", owner="flights", why="no day").status_code == 422
    view = site.runner.run(site.world.app.incident(BAD))
    assert view.hypotheses == ("Weather days were shared.",)
    assert view.gap == "It won on a random holdout and lost on live flights."
    assert [remedy.done for remedy in view.remedies] == [True, True]
    assert view.lacking == ()
    assert "it says all that it must" in text_of(grace, page).lower()
    assert sent(grace, page, f"{page}/close", why="All of it is done.").status_code == 303
    closed = text_of(grace, page)
    assert "Closed: All of it is done." in closed
    assert FORM.findall(grace.get(page).text) == []


def _drills(site: Site) -> None:
    grace, ada, page = site.visitor("gs_grace"), site.visitor("gs_ada"), "/drills/ranking"
    before = text_of(grace, page)
    assert "nobody meets another version" in before
    assert sent(grace, page, f"{page}/begin", kind="sabotage", why="x").status_code == 422
    site.runner.run(site.world.serves("churn", v1=SOUND, per_second=0.0))
    page = "/drills/churn"
    assert "None was held yet" in text_of(grace, page)
    assert sent(grace, page, f"{page}/begin", kind="rollback", why="The quarter's.").status_code == 303
    assert "under way" in text_of(grace, page)
    again = sent(ada, page, f"{page}/begin", kind="rollback", why="Me too.")
    refuses(again, "conflict")
    site.until_over(6)
    assert "passed" in text_of(grace, page)


def test_whoever_is_asked_again_for_what_was_rolled_back_is_told_so_on_top() -> None:
    """The same bytes under another reason are the same bytes; other bytes of the same model are not."""

    async def asked_again() -> World:
        world = World(seed=19, identify=TOKENS.get)
        traffic = await world.serves("delays", v1=SOUND, v2=Behaviour(noise=0.8, errors=0.05), v3=SOUND)
        await world.pass_time(4)
        bad = await world.propose(draft("delays", "v2"))
        await world.until(bad, phase="rolled-back", within=600)
        traffic.demand.per_second = 0.0
        await world.propose(replace(draft("delays", "v2", approvals=1), why="It should be fine now."))
        return world

    with asyncio.Runner() as runner:
        site = opened(runner.run(asked_again()), runner)
        page = text_of(site.visitor("gs_grace"), "/approvals")
        assert "This very content was rolled back before, in r-0001" in page
        assert "A guardrail got worse than the plan allows." in page
        order = OrderRollback(rollout=RolloutId("r-0002"), by=ADA, why="the other one instead")
        runner.run(site.world.app.roll_back(order, key=site.world.key()))
        site.until_over(1)
        runner.run(site.world.propose(draft("delays", "v3", approvals=1)))
        assert "This very content" not in text_of(site.visitor("gs_grace"), "/approvals")
