"""Signing in by an account: links that work once, passwords that nobody may guess, and sessions that end with what they rest on."""

import asyncio
import json
import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.interfaces.test_dashboard import ORIGIN, Browser

from glideslope.adapters.identity.accounts import FileAccounts
from glideslope.adapters.identity.argon2 import Argon2, common_passwords
from glideslope.adapters.identity.passkeys import WebAuthn
from glideslope.adapters.identity.providers import FileProviders
from glideslope.domain.account import Account
from glideslope.domain.errors import NotFound, SetupLinkSpent, SignInRefused
from glideslope.domain.identity import Role
from glideslope.domain.ids import Actor
from glideslope.engine import accounts as engine_accounts
from glideslope.engine.accounts import Accounts, SignInBusy
from glideslope.interfaces.dashboard import guesses
from glideslope.interfaces.dashboard.own_account import FRESH
from glideslope.interfaces.dashboard.site import create_site
from glideslope.interfaces.dashboard.ways import Ways
from glideslope.testing.clock import ManualClock

GOOD, OTHER = "correct horse battery staple", "aller anfang ist schwer"
GRACE = Actor("grace")
DAY = timedelta(days=1)


class Counting(Argon2):
    """Counts what it does: a name that is not known must cost as much as one that is."""

    def __init__(self, memory: int = 64) -> None:
        super().__init__(memory=memory)
        self.matched = 0

    def matches(self, password: str, hashed: str) -> bool:
        self.matched += 1
        return super().matches(password, hashed)


class Place:
    """A server with accounts, its clock in hand."""

    def __init__(self, service: Any, folder: Path, runner: asyncio.Runner) -> None:
        self.clock = ManualClock()
        self.hasher = Counting()
        self.folder = folder
        self.accounts = self.opened()
        self.runner = runner
        self.seconds = 0.0
        secrets = (f"secret-{number:032d}" for number in count(1))
        ways = Ways(
            self.accounts,
            authenticators=WebAuthn(),
            providers=FileProviders(folder, monotonic=self.clock.monotonic, now=self.clock.now),
            now=self.clock.now,
        )
        self.app = create_site(service, monotonic=lambda: self.seconds, chance=lambda: next(secrets), ways=ways)

    def opened(self) -> Accounts:
        chances = count(1)
        return Accounts(
            FileAccounts(self.folder),
            hasher=self.hasher,
            clock=self.clock,
            chance=lambda size: next(chances).to_bytes(size, "big"),
            common=common_passwords,
        )

    def browser(self, address: str = "192.0.2.7") -> Browser:
        return Browser(self.app, self.runner, address=address)

    def invite(self, actor: str = "grace", role: Role = Role.MEMBER) -> str:
        return self.accounts.invite(Actor(actor), role=role, lasting=DAY)

    def known(self, actor: str = "grace", role: Role = Role.MEMBER) -> None:
        code = self.invite(actor, role)
        self.runner.run(self.accounts.set_up(code, GOOD))


@pytest.fixture
def place(service: Any, tmp_path: Path) -> Iterator[Place]:
    with asyncio.Runner() as runner:
        yield Place(service, tmp_path, runner)


def sign_in(browser: Browser, name: str = "grace", password: str = GOOD, **more: str) -> httpx.Response:
    return browser.send("/sign-in/password", name=name, password=password, **more)


def is_in(browser: Browser) -> bool:
    return browser.get("/models").status_code == 200


def test_a_link_sets_a_password_once_and_signs_in(place: Place) -> None:
    code, browser = place.invite(), place.browser()
    shown = browser.get(f"/setup/{code}")
    assert shown.status_code == 200
    assert "Welcome" in shown.text
    assert "propose, approve and stop" in shown.text
    assert browser.get(f"/setup/{code}").status_code == 200, "looking uses nothing up"

    done = browser.send(f"/setup/{code}", password=GOOD, again=GOOD)
    assert (done.status_code, done.headers["location"]) == (303, "/account")
    assert is_in(browser)

    for again in (browser.get(f"/setup/{code}"), browser.send(f"/setup/{code}", password=OTHER, again=OTHER)):
        assert again.status_code == 401
        assert "setup-link-spent" in again.text
    other = place.browser()
    assert sign_in(other).status_code == 303
    assert is_in(other)


def test_neither_a_password_nor_a_code_is_in_any_file(place: Place) -> None:
    code, browser = place.invite(), place.browser()
    browser.send(f"/setup/{code}", password=GOOD, again=GOOD)
    sign_in(place.browser())
    again = place.accounts.reset(GRACE, lasting=DAY)

    kept = b"".join(path.read_bytes() for path in place.folder.iterdir())
    assert [secret for secret in (GOOD, code, again) if secret.encode() in kept] == []


@pytest.mark.parametrize(("password", "again", "told"), [("short", "short", "15 is the least"), (GOOD, OTHER, "twice")])
def test_a_password_that_will_not_do_leaves_the_link_good(place: Place, password: str, again: str, told: str) -> None:
    code, browser = place.invite(), place.browser()

    refused = browser.send(f"/setup/{code}", password=password, again=again)

    assert refused.status_code == 422
    assert told in refused.text
    assert password not in refused.text
    assert browser.send(f"/setup/{code}", password=GOOD, again=GOOD).status_code == 303


def test_of_many_who_use_a_link_at_once_one_succeeds(place: Place) -> None:
    """Two servers even, or threads that read the file before either wrote it: the code is looked at again under the lock."""
    code = place.invite()

    def use(number: int) -> str:
        try:
            asyncio.run(place.opened().set_up(code, f"{GOOD} {number}"))
        except SetupLinkSpent:
            return "spent"
        return "set"

    with ThreadPoolExecutor(8) as pool:
        ends = list(pool.map(use, range(8)))

    assert sorted(ends) == ["set"] + ["spent"] * 7


def test_a_link_ends_by_itself_and_with_what_is_done_to_its_account(place: Place) -> None:
    old = place.invite()
    place.runner.run(place.clock.advance(DAY.total_seconds() + 1))
    assert place.browser().get(f"/setup/{old}").status_code == 401
    first = place.accounts.reset(GRACE, lasting=DAY)
    second = place.accounts.reset(GRACE, lasting=DAY)
    assert place.browser().get(f"/setup/{first}").status_code == 401, "the newer link replaces the older"
    place.accounts.disable(GRACE)
    place.accounts.disable(GRACE, yes=False)
    assert place.browser().get(f"/setup/{second}").status_code == 401, "disabling takes its link along"


def test_an_unknown_name_a_wrong_password_and_a_disabled_account_look_and_cost_the_same(place: Place) -> None:
    place.known()
    place.known("mallory")
    place.accounts.disable(Actor("mallory"))
    place.invite("newcomer")
    sign_in(place.browser("192.0.2.1"), "nobody", OTHER)  # the first one of all also makes the decoy
    told: set[str] = set()
    for number, (name, password) in enumerate(
        [("nobody", GOOD), ("grace", OTHER), ("mallory", GOOD), ("newcomer", GOOD), ("", ""), ("grace", "ä" * 9_999)]
    ):
        place.hasher.matched = 0
        response = sign_in(place.browser(f"192.0.2.{number + 10}"), name, password)
        assert response.status_code == 401, name
        assert place.hasher.matched == 1, name
        told.add(response.text.replace(f'value="{name}"', "").replace(" autofocus", ""))
    assert len({_without_secrets(text) for text in told}) == 1


def _without_secrets(text: str) -> str:
    return re.sub(r'data-options="[^"]*"', "", text)


def test_really_slow_hashes_take_as_long_for_nobody_as_for_somebody(place: Place) -> None:
    """With the strength that is shipped; the quicker of several each, since a busy machine only adds."""
    slow = Argon2()
    chances = count(100)
    accounts = Accounts(
        FileAccounts(place.folder),
        hasher=slow,
        clock=place.clock,
        chance=lambda size: next(chances).to_bytes(size, "big"),
        common=common_passwords,
    )
    code = accounts.invite(GRACE, role=Role.MEMBER, lasting=DAY)

    async def took(name: str) -> float:
        began = time.perf_counter()
        with pytest.raises(SignInRefused):
            await accounts.with_password(name, OTHER)
        return time.perf_counter() - began

    async def both() -> tuple[float, float]:
        await accounts.set_up(code, GOOD)
        await took("nobody")
        found = [(await took("grace"), await took("nobody")) for _ in range(4)]
        return min(known for known, _ in found), min(unknown for _, unknown in found)

    known, unknown = asyncio.run(both())
    assert 0.2 < known / unknown < 5, "without a hash it would be a hundred"


@pytest.mark.parametrize("act", ["disable", "role", "reset", "remove"])
def test_what_is_done_to_an_account_ends_its_sessions(place: Place, act: str) -> None:
    place.known()
    browser = place.browser()
    sign_in(browser)
    assert is_in(browser)

    match act:
        case "disable":
            place.opened().disable(GRACE)
        case "role":
            place.opened().set_role(GRACE, Role.READER)
        case "reset":
            place.opened().reset(GRACE, lasting=DAY)
        case _:
            place.opened().remove(GRACE)

    assert not is_in(browser)
    assert (sign_in(place.browser()).status_code == 303) is (act == "role")


def test_the_same_role_again_ends_nothing(place: Place) -> None:
    place.known()
    browser = place.browser()
    sign_in(browser)
    place.accounts.set_role(GRACE, Role.MEMBER)

    assert is_in(browser)


def test_another_password_ends_every_other_session_and_not_this_one(place: Place) -> None:
    place.known()
    here, there = place.browser(), place.browser()
    sign_in(here)
    sign_in(there)
    form = _form(here, "/account")

    assert here.send("/account/password", form=form, password=OTHER, again=OTHER).status_code == 303
    assert is_in(here)
    assert not is_in(there)
    assert sign_in(place.browser()).status_code == 401
    assert sign_in(place.browser(), password=OTHER).status_code == 303


def _form(browser: Browser, path: str) -> str:
    return browser.form_of(path)["form"]


def test_what_an_account_signs_in_with_is_changed_right_after_a_proof_by_it_alone(place: Place, service: Any) -> None:
    """Not with a session that was left open, and not with a token: whoever stole one gains nothing that outlives it."""
    service.tokens["gs_grace"] = service.tokens["gs_member"].__class__(GRACE, Role.MEMBER)
    place.known()
    left_open, thief = place.browser(), place.browser()
    sign_in(left_open)
    place.seconds += FRESH / 1000 + 1
    thief.sign_in("gs_grace")

    for browser in (left_open, thief):
        page = browser.get("/account")
        assert "prove again who you are" in page.text
        assert "data-options" not in page.text
        form = _form(browser, "/account")
        for path in ("/account/password", "/account/passkeys", "/account/passkeys/remove"):
            response = browser.send(path, form=form, password=OTHER, again=OTHER, passkey="aWQ=", answer="{}")
            assert response.status_code == 403, path
            assert "proof-too-old" in response.text

    assert sign_in(left_open, next="/account").headers["location"] == "/account"
    assert "Set the password" in left_open.get("/account").text


def test_whoever_is_signed_in_proves_to_be_nobody_else(place: Place) -> None:
    place.known()
    place.known("ada")
    browser = place.browser()
    sign_in(browser)
    before = dict(browser.cookies)

    refused = sign_in(browser, "ada")
    assert refused.status_code == 401
    assert "somebody else" in refused.text
    assert dict(browser.cookies) == before
    assert "Prove that you are" in browser.get("/sign-in").text
    sign_in(browser)
    assert dict(browser.cookies) != before, "a proof begins a session of its own"


def test_a_session_that_somebody_else_planted_is_not_the_one_that_begins(place: Place) -> None:
    place.known()
    browser = place.browser()
    browser.cookies.set("glideslope", "planted", domain="test")
    response = sign_in(browser)

    assert "planted" not in response.headers["set-cookie"]
    assert "httponly" in response.headers["set-cookie"].lower()
    assert "samesite=strict" in response.headers["set-cookie"].lower()
    thief = place.browser()
    thief.cookies.set("glideslope", "planted", domain="test")
    assert not is_in(thief)


@pytest.mark.parametrize("path", ["/sign-in/password", "/sign-in/passkey", "/setup/CODE", "/setup/CODE/passkey"])
@pytest.mark.parametrize("headers", [{"Origin": "http://evil.test"}, {"Origin": "null"}, {}])
def test_no_other_site_signs_anybody_in(place: Place, path: str, headers: dict[str, str]) -> None:
    place.known()
    code = place.invite("newcomer")
    response = place.browser().send(
        path.replace("CODE", code), headers=headers, name="grace", password=GOOD, again=GOOD, answer="{}"
    )

    assert response.status_code == 403
    assert "form-foreign" in response.text
    assert place.accounts.invited(code).actor == "newcomer"


@pytest.mark.parametrize("target", ["//evil.test", "https://evil.test", "/\\evil.test", "javascript:alert(1)"])
def test_signing_in_leads_to_no_other_site(place: Place, target: str) -> None:
    place.known()

    assert sign_in(place.browser(), next=target).headers["location"] == "/"


def test_whoever_guesses_waits_ever_longer_and_keeps_nobody_out(place: Place) -> None:
    place.known()
    thief, owner = place.browser("198.51.100.1"), place.browser("192.0.2.7")
    answers = [sign_in(thief, password=f"{OTHER} {k}") for k in range(guesses.FREE + 1)]
    assert [each.status_code for each in answers] == [401] * guesses.FREE + [429]
    assert answers[-1].headers["Retry-After"] == "1"
    assert sign_in(thief).status_code == 429, "the right one, too early, is not even looked at"
    assert sign_in(owner).status_code == 303, "from elsewhere nothing has changed"

    waits = []
    for _ in range(12):
        place.seconds += float(sign_in(thief, password=OTHER).headers.get("Retry-After", "0")) + 0.01
        assert sign_in(thief, password=OTHER).status_code == 401
        waits.append(int(sign_in(thief, password=OTHER).headers["Retry-After"]))
    assert waits == sorted(waits)
    assert waits[-1] == guesses.LONGEST
    place.seconds += guesses.LONGEST + 1
    assert sign_in(thief).status_code == 303


def test_guesses_from_everywhere_close_a_name_to_strangers_and_not_to_whoever_signed_in_before(place: Place) -> None:
    place.known()
    owner = place.browser("192.0.2.7")
    sign_in(owner)
    wrong = [sign_in(place.browser(f"203.0.{k}.1"), password=OTHER).status_code for k in range(guesses.MOST_PER_NAME)]
    assert set(wrong) == {401}

    assert sign_in(place.browser("203.0.200.1")).status_code == 429
    assert sign_in(place.browser("192.0.2.7")).status_code == 303
    assert place.browser("203.0.200.1").sign_in("gs_member").status_code == 303, "a token is no password"
    place.seconds += guesses.FORGET + 1
    assert sign_in(place.browser("203.0.200.1")).status_code == 303


def test_one_address_that_tries_many_names_waits(place: Place) -> None:
    codes = [sign_in(place.browser("2001:db8::1"), f"name{k}").status_code for k in range(guesses.MOST_PER_NETWORK + 1)]

    assert codes[-2:] == [401, 429]
    assert sign_in(place.browser("2001:db8::ffff"), "name-else").status_code == 429, "64 bits are one sender"


def test_many_tries_at_once_are_counted_before_they_are_checked(place: Place) -> None:
    place.known()

    async def at_once() -> list[int]:
        transport = httpx.ASGITransport(place.app, client=("198.51.100.9", 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            fields = {"name": "grace", "password": OTHER}
            posts = (client.post("/sign-in/password", data=fields, headers=ORIGIN) for _ in range(30))
            return [response.status_code for response in await asyncio.gather(*posts)]

    codes = place.runner.run(at_once())
    assert codes.count(401) == guesses.FREE
    assert codes.count(429) == 30 - guesses.FREE


def test_more_hashes_than_the_machine_has_room_for_are_refused(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_accounts, "MOST_WAITING", 3)
    place.known()

    async def at_once() -> list[object]:
        tries = (place.accounts.with_password("grace", GOOD) for _ in range(8))
        return await asyncio.gather(*tries, return_exceptions=True)

    ends = place.runner.run(at_once())
    assert {type(end) for end in ends} == {Account, SignInBusy}


def test_a_hash_becomes_stronger_when_its_owner_next_signs_in_and_no_session_ends(place: Place) -> None:
    place.known()
    browser = place.browser()
    sign_in(browser)
    before = place.accounts.of(GRACE).password
    place.hasher._strength = (128, 1, 1)
    sign_in(place.browser())

    after = place.accounts.of(GRACE).password
    assert before != after
    assert "m=128" in after
    assert is_in(browser)
    assert sign_in(place.browser()).status_code == 303


def test_nobody_is_invited_twice_or_as_a_source(place: Place) -> None:
    place.invite()
    with pytest.raises(Exception, match="has an account already"):
        place.invite()
    with pytest.raises(Exception, match="cannot have the role 'source'"):
        place.invite("svc", Role.SOURCE)
    with pytest.raises(NotFound):
        place.accounts.reset(Actor("nobody"), lasting=DAY)


def test_whoever_has_no_account_is_told_who_makes_one(place: Place) -> None:
    browser = place.browser()
    assert "invite" in browser.get("/sign-in").text
    assert 'name="password"' not in browser.get("/sign-in").text
    browser.sign_in("gs_reader")

    assert "glideslope account invite rob --role reader" in browser.get("/account").text


def test_the_command_line_invites_lists_and_takes_back(desk: Any, tmp_path: Path) -> None:
    link = json.loads(desk.run("account", "invite", "grace", "--role", "member", "--json").stdout)
    assert link["url"].startswith("http://localhost:8787/setup/")
    code = link["url"].rpartition("/")[2]
    assert desk.run("account", "invite", "grace", "--role", "member").exit_code == 3
    assert "invited" in desk.run("account", "ls").stdout
    assert code not in desk.run("account", "ls", "--json").stdout
    assert code not in (tmp_path / ".glideslope" / "accounts.json").read_text()
    assert "is reader now" in desk.run("account", "role", "grace", "--role", "reader").stdout
    assert "disabled" in desk.run("account", "disable", "grace").stdout
    assert "may sign in again" in desk.run("account", "enable", "grace").stdout
    assert "lapsed" in desk.run("account", "ls").stdout
    again = desk.run("account", "reset", "grace", "--expires", "2h").stdout
    assert "/setup/" in again
    assert code not in again
    assert desk.run("account", "remove", "grace").exit_code == 0
    assert desk.run("account", "remove", "grace").exit_code == 2
    assert "There is no account" in desk.run("account", "ls").stdout
    assert desk.run("account", "invite", "x", "--role", "member", "--expires", "5s").exit_code == 2
