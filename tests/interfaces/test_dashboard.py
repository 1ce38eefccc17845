"""The pages over HTTP: who may see them, what a form must bring, and that nothing is done for another site."""

import asyncio
import re
from collections.abc import Iterator
from itertools import count
from typing import Any

import httpx
import pytest
from msgspec.structs import replace
from starlette.requests import Request

from glideslope.engine.dues import DueView
from glideslope.engine.governing_views import ClauseView, GovernedView, LaneView, NeedView
from glideslope.interfaces.api.app import create_app
from glideslope.interfaces.dashboard import attempts
from glideslope.interfaces.dashboard.door import cookie_of
from glideslope.interfaces.dashboard.entry import inside
from glideslope.interfaces.dashboard.rollouts import MOST_SLICES
from glideslope.interfaces.dashboard.site import beside, create_site

ORIGIN = {"Origin": "http://test"}


class Browser:
    """Keeps cookies and sends forms as a browser does; it follows nothing by itself."""

    def __init__(self, app: Any, runner: asyncio.Runner, *, address: str = "192.0.2.7") -> None:
        self._app = app
        self._address = address
        self._runner = runner
        self.cookies = httpx.Cookies()

    def request(self, method: str, path: str, **more: Any) -> httpx.Response:
        return self._runner.run(self._send(method, path, **more))

    async def _send(self, method: str, path: str, **more: Any) -> httpx.Response:
        transport = httpx.ASGITransport(self._app, raise_app_exceptions=False, client=(self._address, 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://test", cookies=self.cookies) as client:
            response = await client.request(method, path, **more)
            self.cookies = client.cookies
            return response

    def get(self, path: str, **more: Any) -> httpx.Response:
        return self.request("GET", path, **more)

    def send(self, path: str, *, headers: Any = ORIGIN, **fields: str) -> httpx.Response:
        return self.request("POST", path, data=fields, headers=headers)

    def sign_in(self, token: str) -> httpx.Response:
        return self.send("/sign-in", token=token)

    def form_of(self, path: str) -> dict[str, str]:
        """Return the hidden fields of the first form that carries a key."""
        found = re.findall(r'name="(form|key|plan_digest)" value="([^"]*)"', self.get(path).text)
        return dict(found)


@pytest.fixture
def browser(service: Any) -> Iterator[Browser]:
    secrets = (f"secret-{number:032d}" for number in count(1))
    stopping = asyncio.Event()
    api = create_app(service, new_key=lambda: next(secrets), stopping=stopping)
    site = create_site(service, monotonic=lambda: 0.0, chance=lambda: next(secrets), stopping=stopping)
    with asyncio.Runner() as runner:
        yield Browser(beside(api, site), runner)


@pytest.fixture
def rollout(http: Any, written: str) -> str:
    """A rollout that waits for an approval."""
    return str(http.post("/v1/rollouts", json={"text": written + "approvals: 1\n"}).json()["id"])


PAGES = [
    "/",
    "/approvals",
    "/models",
    "/models/late-arrival",
    "/models/late-arrival/live",
    "/incidents",
    "/policies",
    "/dues",
    "/people",
    "/settings",
    "/ledger",
    "/models/late-arrival/versions/v2",
    "/models/late-arrival/compare",
    "/settings/channels",
    "/ledger/3",
    "/ledger/verify",
    "/search",
    "/search?q=late",
    "/search/suggested?q=late",
    "/help",
    "/tour",
    "/rollouts/late-arrival-1",
    "/rollouts/late-arrival-1/glass",
]


@pytest.mark.usefixtures("rollout")
@pytest.mark.parametrize("path", PAGES)
def test_nobody_sees_a_page_before_signing_in(browser: Browser, path: str) -> None:
    response = browser.get(path)

    assert response.status_code == 303
    assert response.headers["location"].startswith("/sign-in")


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("token", ["gs_admin", "gs_member", "gs_reader"])
def test_whoever_may_look_sees_every_page(browser: Browser, rollout: str, path: str, token: str) -> None:
    browser.sign_in(token)
    if path == "/rollouts/late-arrival-1":
        path = f"/rollouts/{rollout}"
    response = browser.get(path)

    assert response.status_code == 200, response.text
    assert response.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in response.headers["content-security-policy"]
    assert response.headers["cache-control"] == "no-store"
    assert "<script>" not in response.text
    assert " style=" not in response.text


def test_a_page_leads_to_itself_after_signing_in(browser: Browser) -> None:
    asked = browser.get("/rollouts/r-1?as_of=3").headers["location"]
    page = browser.get(asked)
    target = re.findall(r'name="next" value="([^"]*)"', page.text)[-1]

    fields = {"token": "gs_admin", "next": target.replace("&amp;", "&")}
    response = browser.send("/sign-in", **fields)
    assert response.headers["location"] == "/rollouts/r-1?as_of=3"


@pytest.mark.parametrize(
    "target",
    ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)", "", "ledger", "/\x00"],
)
def test_nothing_leads_to_another_site(target: str) -> None:
    assert inside(target) == "/"


def test_the_cookie_is_out_of_reach_of_scripts_and_of_other_sites(browser: Browser) -> None:
    cookie = browser.sign_in("gs_admin").headers["set-cookie"].lower()

    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert "gs_admin" not in cookie


def test_over_tls_the_cookie_is_bound_to_the_host_and_each_port_has_its_own() -> None:
    def named(scheme: str, host: str) -> str:
        headers = [(b"host", host.encode())]
        return cookie_of(Request({"type": "http", "scheme": scheme, "path": "/", "headers": headers, "server": None}))

    assert named("https", "models.example") == "__Host-glideslope"
    assert named("http", "127.0.0.1:8787") == "glideslope-8787"
    assert named("http", "127.0.0.1:8788") != named("http", "127.0.0.1:8787")


def test_a_wrong_token_signs_nobody_in_and_many_are_asked_to_wait(browser: Browser) -> None:
    answers = [browser.sign_in("gs_wrong") for _ in range(attempts.MOST + 1)]

    assert "does not know this token: it was revoked" in answers[0].text
    assert [answer.status_code for answer in answers] == [401] * attempts.MOST + [429]
    assert browser.sign_in("gs_member").status_code == 303, "a right token is never kept out"


def test_a_source_cannot_sign_in(browser: Browser) -> None:
    response = browser.sign_in("gs_source")

    assert response.status_code == 401
    assert "cookie" not in response.headers.get("set-cookie", "")
    assert browser.get("/").status_code == 303


def test_a_revoked_token_takes_its_sessions_along(browser: Browser, service: Any) -> None:
    browser.sign_in("gs_member")
    assert browser.get("/").status_code == 200
    del service.tokens["gs_member"]

    assert browser.get("/").status_code == 303


def test_signing_out_ends_the_session_and_not_only_the_cookie(browser: Browser) -> None:
    browser.sign_in("gs_member")
    kept = dict(browser.cookies)
    form = re.search(r'name="form" value="([^"]*)"', browser.get("/").text)
    assert form is not None
    browser.send("/sign-out", form=form[1])
    browser.cookies = httpx.Cookies(kept)

    assert browser.get("/").status_code == 303


def test_an_approval_is_given_in_the_name_of_the_session_bound_to_the_plan_on_the_page(
    browser: Browser, service: Any, rollout: str
) -> None:
    browser.sign_in("gs_member")
    fields = browser.form_of("/approvals")
    assert fields["plan_digest"] == service.rollouts[rollout].plan_digest
    response = browser.send(f"/rollouts/{rollout}/approve", **fields, answer="grant", why="read it")

    assert response.status_code == 303, response.text
    assert service.rollouts[rollout].approved_by == ("mia",)
    assert fields["key"] in service.keys


@pytest.mark.usefixtures("rollout")
def test_whoever_proposed_is_told_why_and_offered_nothing(browser: Browser) -> None:
    browser.sign_in("gs_admin")
    page = browser.get("/approvals").text

    assert "You proposed it, so your yes does not count." in page
    assert 'value="grant"' not in page


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {},
    ],
)
def test_nothing_is_done_for_another_site(
    browser: Browser, service: Any, rollout: str, headers: dict[str, str]
) -> None:
    browser.sign_in("gs_member")
    fields = browser.form_of(f"/rollouts/{rollout}")
    response = browser.send(f"/rollouts/{rollout}/rollback", headers=headers, **fields, why="theirs")

    assert response.status_code == 403
    assert "form foreign" in response.text.lower()
    assert not service.rollouts[rollout].ended


def test_nothing_is_done_without_the_token_of_the_session(browser: Browser, service: Any, rollout: str) -> None:
    browser.sign_in("gs_member")
    fields = browser.form_of(f"/rollouts/{rollout}")
    browser.sign_in("gs_member")
    response = browser.send(f"/rollouts/{rollout}/rollback", **fields, why="of a page from before")

    assert response.status_code == 403
    assert not service.rollouts[rollout].ended


def test_a_reader_is_offered_no_form_and_refused_one(browser: Browser, service: Any, rollout: str) -> None:
    browser.sign_in("gs_reader")
    page = browser.get(f"/rollouts/{rollout}").text
    assert 'name="why"' not in page
    form = re.search(r'name="form" value="([^"]*)"', page)
    assert form is not None
    response = browser.send(f"/rollouts/{rollout}/rollback", form=form[1], key="k", why="mine")

    assert response.status_code == 401
    assert not service.rollouts[rollout].ended


def test_a_refusal_is_a_page_that_says_what_became_of_the_traffic(browser: Browser, rollout: str) -> None:
    browser.sign_in("gs_member")
    fields = browser.form_of(f"/rollouts/{rollout}")
    response = browser.send(f"/rollouts/{rollout}/resume", **fields, why="go on")

    assert response.status_code == 409
    assert "Traffic is unchanged." in response.text
    assert "glideslope explain not-in-phase" in response.text


def test_a_link_signs_in_once_and_after_a_button(browser: Browser) -> None:
    offered = browser.request("POST", "/sign-in/links", headers={"Authorization": "Bearer gs_member"}).json()
    page = browser.get(offered["path"])
    assert "mia" in page.text
    assert browser.get("/").status_code == 303, "looking at the link signs nobody in"
    assert browser.send(offered["path"], next="/ledger").headers["location"] == "/ledger"
    assert "mia" in browser.get("/").text

    again = browser.send(offered["path"])
    assert again.status_code == 401
    assert "sign-in-link-spent" in again.text


def test_a_link_is_for_holders_of_tokens(browser: Browser) -> None:
    for headers in ({}, {"Authorization": "Bearer gs_wrong"}, {"Authorization": "Bearer gs_source"}):
        response = browser.request("POST", "/sign-in/links", headers=headers)
        assert response.status_code == 401


def test_who_comes_from_another_site_is_asked_again_by_this_one(browser: Browser) -> None:
    """A strict cookie stays at home then; the page that this site asks for brings it."""
    response = browser.get("/rollouts/r-1", headers={"Sec-Fetch-Site": "cross-site"})

    assert response.status_code == 200
    assert '<meta http-equiv="refresh" content="0">' in response.text


def test_files_are_named_after_their_content_and_kept_for_ever(browser: Browser) -> None:
    found = set(re.findall(r'/static/[^"]+', browser.get("/sign-in").text))
    assert len(found) == 4
    for path in found:
        response = browser.get(path, headers={"Accept-Encoding": "gzip"})
        assert response.status_code == 200
        assert "immutable" in response.headers["cache-control"]
        tag = response.headers["etag"]
        assert browser.get(path, headers={"If-None-Match": tag}).status_code == 304
    assert browser.get("/static/style.0000000000000000.css").status_code == 404


def test_the_api_is_beside_the_pages_and_unchanged(browser: Browser) -> None:
    assert browser.get("/v1/healthz").json() == {"status": "ok"}
    assert browser.get("/v1/nothing").json()["code"] == "not-found"
    assert "There is no page" in browser.get("/nothing").text
    assert browser.request("PUT", "/ledger").status_code == 405


def test_a_tour_is_drawn_from_the_record_and_teaches_where_there_is_none(
    browser: Browser, http: Any, written: str
) -> None:
    browser.sign_in("gs_reader")
    assert "glideslope browse" in browser.get("/tour").text
    id_ = http.post("/v1/rollouts", json={"text": written}).json()["id"]

    page = browser.get("/tour").text
    assert "The promises, before anything moved" in page
    assert f"/rollouts/{id_}?as_of=" in page
    assert "withdrawn" not in page


def test_who_types_without_a_session_signs_in_and_goes_on_with_the_page(browser: Browser) -> None:
    headers = {"HX-Request": "true", "HX-Current-URL": "http://test/rollouts/r-1?as_of=3"}
    response = browser.get("/search/suggested?q=late", headers=headers)

    assert response.status_code == 401
    assert response.headers["hx-redirect"] == "/sign-in?next=%2Frollouts%2Fr-1%3Fas_of%3D3"


def test_two_hundred_slices_are_folded_and_paged(browser: Browser, service: Any, rollout: str) -> None:
    one = service.rollouts[rollout].guardrails[0]
    slices = [replace(one, slice=f"store=s{number:03d}", harm_wealth=number / 100) for number in range(200)]
    service.rollouts[rollout] = replace(service.rollouts[rollout], guardrails=(one, *slices))
    browser.sign_in("gs_reader")
    page = browser.get(f"/rollouts/{rollout}").text
    assert page.count('class="plot"') == MOST_SLICES
    assert f"{200 - MOST_SLICES} more" in page

    pages = [browser.get(f"/rollouts/{rollout}/slices?page={number}").text for number in range(1, 6)]
    shown = [re.findall(r"store=s\d{3}", each) for each in pages]
    assert [len(each) for each in shown] == [50, 50, 50, 50, 0]
    assert shown[0][0] == "store=s199", "the worst come first"
    assert browser.get(f"/rollouts/{rollout}/slices?page=x").status_code == 422


def test_a_ledger_that_is_not_as_signed_is_not_called_sound(browser: Browser, service: Any) -> None:
    service.same = False
    browser.sign_in("gs_reader")
    page = browser.get("/ledger/verify").text

    assert "not as it should be" in page
    assert "Entry 7 was changed." in page
    service.covered = 3
    assert "No checkpoint covers it yet" in browser.get("/ledger/3").text


def test_hostile_text_stays_text(browser: Browser, http: Any, written: str) -> None:
    text = written.replace("Fewer misses in the evening.", "<script>alert(1)</script>")
    id_ = http.post("/v1/rollouts", json={"text": text}).json()["id"]
    browser.sign_in("gs_member")

    for path in (
        "/",
        f"/rollouts/{id_}",
        "/search?q=<script>alert(1)</script>",
        "/search/suggested?q=<script>",
        "/ledger?q=<script>",
        "/tour",
    ):
        assert "<script>alert" not in browser.get(path).text


def test_what_is_overdue_is_on_the_first_page_with_the_command_that_does_it(browser: Browser, service: Any) -> None:
    due = DueView(
        what="drill",
        of="rollback",
        name="late-arrival",
        last="",
        by="",
        due="",
        overdue=True,
        next_command="glideslope drill",
    )

    async def dues() -> list[DueView]:
        return [due, replace(due, name="not-yet", overdue=False)]

    service.dues = dues
    browser.sign_in("gs_reader")
    page = browser.get("/").text

    assert "never done" in page
    assert 'href="/drills/late-arrival"' in page
    assert "not-yet" not in page


def test_an_envelope_and_what_does_not_permit_a_change_are_on_its_card(
    browser: Browser, service: Any, rollout: str
) -> None:
    left = ClauseView(clause="rows", answer="no-evidence", why="no dataset is named")
    need = NeedView(function="security", count=1)
    lane = LaneView(
        envelope="monthly", digest="sha256:0", inside=False, left=(left,), held=(), closed="", given=(), missing=(need,)
    )
    governed = GovernedView(
        tier="high", needs=(need,), missing=(need,), approvals=(), makers=(), withdrawn=(), after_breach="", glass="",
        blocks=("freeze: until 2026-03-01T09:00:00.000Z",), policy="", lane=lane,
    )  # fmt: skip
    service.rollouts[rollout] = replace(service.rollouts[rollout], governed=governed)
    browser.sign_in("gs_member")
    page = browser.get("/approvals").text

    assert "Outside the envelope <bdi>monthly</bdi>" in page
    assert "no dataset is named" in page
    assert '<time datetime="2026-03-01T09:00:00.000Z"' in page


def test_the_theme_is_remembered_and_nothing_else_is(browser: Browser) -> None:
    browser.send("/theme", theme="dark", next="/sign-in")
    assert 'data-theme="dark"' in browser.get("/sign-in").text
    browser.send("/theme", theme="<b>", next="/sign-in")

    assert "data-theme" not in browser.get("/sign-in").text


def test_the_command_line_opens_a_link(desk: Any, service: Any) -> None:
    site = create_site(service, monotonic=lambda: 0.0, chance=lambda: "chance")
    desk.http._app = beside(desk.http._app, site)
    result = desk.run("open", "r-1", "--json")

    assert result.exit_code == 0, result.output
    assert desk.opened == ["http://127.0.0.1:8787/sign-in/chance?next=/rollouts/r-1"]
    assert desk.run("open", "--print").exit_code == 0
    assert len(desk.opened) == 1


@pytest.mark.parametrize(
    ("thing", "page"),
    [
        (("r-0001",), "/rollouts/r-0001"),
        (("41",), "/ledger/41"),
        (("late-arrival",), "/models/late-arrival"),
        (("incident", "r-0002"), "/incidents/r-0002"),
        (("review", "r-0002"), "/review/r-0002"),
        (("entry", "7"), "/ledger/7"),
        (("agreement", "policy", "bank"), "/agreements/policy/bank"),
        (("approvals",), "/approvals"),
    ],
)
def test_the_command_line_opens_the_page_of_anything(
    desk: Any, service: Any, thing: tuple[str, ...], page: str
) -> None:
    desk.http._app = beside(desk.http._app, create_site(service, monotonic=lambda: 0.0, chance=lambda: "chance"))

    assert desk.run("open", *thing, "--print").stdout.splitlines()[0].endswith(f"?next={page}")


def test_the_command_line_opens_no_page_that_is_not_there(desk: Any, service: Any) -> None:
    desk.http._app = beside(desk.http._app, create_site(service, monotonic=lambda: 0.0, chance=lambda: "chance"))

    for thing in (("nothing-such",), ("policy", "none"), ("a", "b", "c")):
        result = desk.run("open", *thing)
        assert (result.exit_code, desk.opened) == (2, []), result.output
