"""Signing in by OpenID providers: a real one in a process of its own, and one that lies in every way that we know of."""

import asyncio
import re
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey
from tests.interfaces.false_provider import CLIENT, FalseProvider, a_real_provider
from tests.interfaces.test_dashboard import Browser
from tests.interfaces.test_signing_in import GOOD, Place, is_in, sign_in

from glideslope.adapters.identity.providers import read_providers
from glideslope.domain.errors import PersonUnknown, ProvidersInvalid, StoreUnavailable
from glideslope.domain.identity import Role
from glideslope.domain.ids import Actor
from glideslope.domain.provider import is_safe, vouched, who

FILE = """
[[provider]]
name = "corp"
issuer = "ISSUER"
client_id = "glideslope"
client_secret = "hush"
scopes = ["profile"]

[[provider.people]]
sub = "id-of-grace"
actor = "grace"
role = "member"

[[provider.groups]]
claim = "groups"
has = "auditors"
role = "reader"
"""


def write(folder: Path, text: str) -> None:
    path = folder / "providers.toml"
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)


@pytest.fixture(scope="module")
def liar() -> Iterator[FalseProvider]:
    provider = FalseProvider()
    yield provider
    provider.close()


@pytest.fixture
def false(liar: FalseProvider) -> FalseProvider:
    """The lying provider, honest so far."""
    liar.metadata, liar.claims, liar.codes, liar.asked = {}, {}, {}, []
    liar.sign, liar.token_status = liar.honestly, 200
    return liar


@pytest.fixture
def place(service: Any, tmp_path: Path, false: FalseProvider) -> Iterator[Place]:
    write(tmp_path, FILE.replace("ISSUER", false.issuer))
    with asyncio.Runner() as runner:
        yield Place(service, tmp_path, runner)


def begin(browser: Browser, target: str = "/models", provider: str = "corp") -> dict[str, str]:
    """Follow the link to a provider, and return what it is asked."""
    response = browser.get(f"/sign-in/by/{provider}?next={target}")
    assert response.status_code == 303, response.text
    return dict(parse_qsl(urlsplit(response.headers["location"]).query))


def come_back(browser: Browser, provider: str = "corp", **query: str) -> httpx.Response:
    return browser.get(f"/sign-in/by/{provider}/done", params=query)


def now_of(place: Place) -> float:
    return place.clock.now().timestamp()


def test_somebody_who_is_named_signs_in_and_out(place: Place, false: FalseProvider) -> None:
    browser = place.browser()
    assert "Sign in with corp" in browser.get("/sign-in").text
    asked = begin(browser)
    assert asked["response_type"] == "code"
    assert asked["code_challenge_method"] == "S256"
    assert asked["scope"] == "openid profile"
    assert asked["redirect_uri"] == "http://test/sign-in/by/corp/done"
    assert len(asked["state"]) > 20
    assert asked["nonce"] not in (asked["state"], "")

    done = come_back(browser, code=false.code(asked["nonce"], now_of(place)), state=asked["state"])
    assert (done.status_code, done.headers["location"]) == (303, "/models"), done.text
    page = browser.get("/models")
    assert page.status_code == 200
    assert "grace" in page.text

    out = browser.send("/sign-out", form=re.findall(r'name="form" value="([^"]*)"', page.text)[0])
    assert f"{false.issuer}/logout?id_token_hint=" in out.text
    assert not is_in(browser)


def test_a_group_gives_a_role_and_a_name_that_nobody_can_choose(place: Place, false: FalseProvider) -> None:
    browser = place.browser()
    asked = begin(browser)
    code = false.code(asked["nonce"], now_of(place), sub="zoe", groups=["auditors"], preferred_username="grace")
    come_back(browser, code=code, state=asked["state"])

    shown = browser.get("/").text
    assert "corp:zoe" in shown
    assert "read only" in shown


@pytest.mark.parametrize("more", [{}, {"groups": ["engineers"]}, {"groups": "auditor"}, {"email": "grace@example.org"}])
def test_whoever_is_not_named_is_told_their_id_and_nothing_is_guessed(
    place: Place, false: FalseProvider, more: dict[str, Any]
) -> None:
    browser = place.browser()
    asked = begin(browser)
    code = false.code(asked["nonce"], now_of(place), sub="someone", **more)
    refused = come_back(browser, code=code, state=asked["state"])

    assert refused.status_code == 401
    assert "someone" in refused.text
    assert "providers.toml" in refused.text
    assert not is_in(browser)


LIES: dict[str, tuple[dict[str, Any], str]] = {
    "another nonce": ({"nonce": "another"}, "another attempt"),
    "no nonce": ({"nonce": None}, "another attempt"),
    "another audience": ({"aud": "somebody-else"}, "for somebody else"),
    "no audience": ({"aud": None}, "for somebody else"),
    "asked for by another": ({"aud": [CLIENT, "other"], "azp": "other"}, "asked for by somebody else"),
    "two audiences": ({"aud": [CLIENT, "other"]}, "asked for by somebody else"),
    "another issuer": ({"iss": "https://evil.test"}, "another issuer"),
    "no issuer": ({"iss": None}, "another issuer"),
    "expired": ({"exp": 1_000}, "expired"),
    "no end": ({"exp": None}, "from when to when"),
    "an end that is no number": ({"exp": True}, "from when to when"),
    "from the future": ({"iat": 9_000_000_000}, "not made now"),
    "from long ago": ({"iat": 1_000}, "not made now"),
    "nobody": ({"sub": None}, "who signed in"),
    "an empty name": ({"sub": ""}, "who signed in"),
    "a name that is none": ({"sub": 7}, "who signed in"),
    "a name with a line break": ({"sub": "a\nb"}, "who signed in"),
}


def test_a_token_that_is_not_of_this_sign_in_signs_nobody_in(place: Place, false: FalseProvider) -> None:
    wrong: dict[str, object] = {}
    for lie, (claims, told) in LIES.items():
        false.claims = claims
        browser = place.browser()
        asked = begin(browser)
        refused = come_back(browser, code=false.code(asked["nonce"], now_of(place)), state=asked["state"])
        if refused.status_code != 401 or told not in refused.text or is_in(browser):
            wrong[lie] = refused.text

    assert wrong == {}


def test_a_token_that_the_provider_did_not_sign_signs_nobody_in(place: Place, false: FalseProvider) -> None:
    for sign in (false.unsigned, false.by_a_stranger, false.by_the_public_key, false.cut):
        false.sign = sign
        browser = place.browser()
        asked = begin(browser)
        refused = come_back(browser, code=false.code(asked["nonce"], now_of(place)), state=asked["state"])
        assert refused.status_code == 401, sign
        assert "not signed by it" in refused.text
        assert not is_in(browser)
    assert false.asked.count("/jwks") == 1, "keys are not asked for again at every lie"


def test_keys_that_were_changed_since_are_asked_for_again(place: Place, false: FalseProvider) -> None:
    browser, before = place.browser(), false.key
    begin(browser)
    false.key = ECKey.generate_key("P-256", parameters={"kid": "two"})
    false.sign = lambda claims: jwt.encode({"alg": "ES256", "kid": "two"}, claims, false.key)
    try:
        place.runner.run(place.clock.advance(40))
        asked = begin(browser)
        done = come_back(browser, code=false.code(asked["nonce"], now_of(place)), state=asked["state"])
    finally:
        false.key = before

    assert done.status_code == 303
    assert false.asked.count("/jwks") == 2


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"state": "another"}, "another attempt"),
        ({"state": ""}, "another attempt"),
        ({"code": ""}, "no code"),
        ({"code": "made up"}, "did not take the code"),
        ({"error": "access_denied", "error_description": "<b>no</b>"}, "&lt;b&gt;no"),
        ({"iss": "https://evil.test"}, "another issuer"),
    ],
)
def test_an_answer_that_is_not_of_this_attempt_signs_nobody_in(
    place: Place, false: FalseProvider, change: dict[str, str], told: str
) -> None:
    browser = place.browser()
    asked = begin(browser)
    query = {"code": false.code(asked["nonce"], now_of(place)), "state": asked["state"], **change}
    refused = come_back(browser, **query)

    assert refused.status_code == 401
    assert told in refused.text
    assert not is_in(browser)
    again = come_back(browser, **{**query, "state": asked["state"]})
    assert "not begun at this browser" in again.text, "the attempt is over"


def test_an_answer_works_at_the_browser_that_began_it_once_and_for_ten_minutes(
    place: Place, false: FalseProvider
) -> None:
    """Login CSRF (the attacker's answer at a victim's browser), replay at the same one, and an answer that is late."""
    victim, attacker = place.browser(), place.browser()
    asked = begin(attacker)
    answer = {"code": false.code(asked["nonce"], now_of(place)), "state": asked["state"]}
    assert come_back(victim, **answer).status_code == 401
    begin(victim)
    assert "another attempt" in come_back(victim, **answer).text
    cookies = dict(attacker.cookies)
    assert come_back(attacker, **answer).status_code == 303

    attacker.cookies.clear()
    attacker.cookies.update(cookies)
    false.codes[answer["code"]] = {}
    replayed = come_back(attacker, **answer)
    assert replayed.status_code == 401
    assert "used already" in replayed.text

    late = place.browser()
    asked = begin(late)
    place.seconds += 601
    assert come_back(late, code=false.code(asked["nonce"], now_of(place)), state=asked["state"]).status_code == 401


def test_of_two_providers_neither_speaks_for_the_other(place: Place, false: FalseProvider) -> None:
    """The mix-up attack: begun with one, answered by the other, at either one's address."""
    other = FalseProvider()
    try:
        both = FILE.replace("ISSUER", false.issuer) + FILE.replace("ISSUER", other.issuer).replace('"corp"', '"other"')
        write(place.folder, both)
        browser = place.browser()
        asked = begin(browser, provider="corp")
        code = other.code(asked["nonce"], now_of(place))
        elsewhere = come_back(browser, provider="other", code=code, state=asked["state"])
        assert "another provider answered" in elsewhere.text
        asked = begin(browser, provider="corp")
        code = other.code(asked["nonce"], now_of(place))
        assert "did not take the code" in come_back(browser, code=code, state=asked["state"]).text
        assert "/token" not in other.asked, "a code is shown to nobody but its provider"
        false.metadata = {"authorization_response_iss_parameter_supported": True}
        fresh = Place(None, place.folder, place.runner).browser()
        asked = begin(fresh)
        code = false.code(asked["nonce"], now_of(place))
        assert "another issuer" in come_back(fresh, code=code, state=asked["state"]).text, "promised, and not said"
    finally:
        other.close()


@pytest.mark.parametrize(
    ("metadata", "told"),
    [
        ({"issuer": "https://evil.test"}, "another issuer"),
        ({"issuer": None}, "another issuer"),
        ({"token_endpoint": "http://evil.test/token"}, "token_endpoint"),
        ({"jwks_uri": "file:///etc/passwd"}, "jwks_uri"),
        ({"authorization_endpoint": None}, "authorization_endpoint"),
    ],
)
def test_a_provider_that_says_of_itself_what_cannot_be_is_not_asked(
    place: Place, false: FalseProvider, metadata: dict[str, Any], told: str
) -> None:
    false.metadata = metadata
    response = place.browser().get("/sign-in/by/corp")

    assert response.status_code == 503
    assert told in response.text
    assert place.browser().sign_in("gs_member").status_code == 303


def test_a_provider_that_is_not_there_closes_no_other_way_in(place: Place) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    write(place.folder, FILE.replace("ISSUER", f"http://127.0.0.1:{port}"))
    response = place.browser().get("/sign-in/by/corp")

    assert response.status_code == 503
    assert "does not answer" in response.text
    place.known()
    assert sign_in(place.browser()).status_code == 303


def test_without_the_extra_it_is_said(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "glideslope.adapters.identity.openid", None)
    response = place.browser().get("/sign-in/by/corp")

    assert response.status_code == 503
    assert "lacks the extra" in response.text


def test_over_tls_no_cookie_leaves_the_host_or_the_encryption(place: Place) -> None:
    """The one of the session is never sent from elsewhere; the one of an attempt is, with the link that leads back."""
    place.known()

    async def cookies() -> tuple[str, str]:
        transport = httpx.ASGITransport(place.app)
        async with httpx.AsyncClient(transport=transport, base_url="https://glideslope.test") as client:
            begun = await client.get("/sign-in/by/corp")
            assert (
                "redirect_uri=https%3A%2F%2Fglideslope.test%2Fsign-in%2Fby%2Fcorp%2Fdone" in begun.headers["location"]
            )
            entered = await client.post(
                "/sign-in/password",
                data={"name": "grace", "password": GOOD},
                headers={"Origin": "https://glideslope.test"},
            )
            return begun.headers["set-cookie"], entered.headers["set-cookie"]

    flow, session = (each.lower() for each in place.runner.run(cookies()))
    for cookie, name in ((flow, "__host-glideslope-flow="), (session, "__host-glideslope=")):
        assert cookie.startswith(name)
        assert {"secure", "httponly", "path=/"} <= {part.strip() for part in cookie.split(";")}
        assert "domain" not in cookie
    assert "samesite=lax" in flow
    assert "samesite=strict" in session


def test_who_is_no_longer_named_is_signed_out_at_the_next_request(place: Place, false: FalseProvider) -> None:
    browser = place.browser()
    asked = begin(browser)
    come_back(browser, code=false.code(asked["nonce"], now_of(place)), state=asked["state"])
    assert is_in(browser)

    write(place.folder, FILE.replace("ISSUER", false.issuer).replace("id-of-grace", "id-of-ada"))
    assert not is_in(browser)


def test_who_proves_again_signs_in_again_there_and_is_nobody_else(place: Place, false: FalseProvider) -> None:
    place.known()
    browser = place.browser()
    sign_in(browser, password=GOOD)
    for proved, told in ((None, "just now"), (-3_600, "just now"), (0, "")):
        asked = begin(browser, target="/account")
        assert (asked["prompt"], asked["max_age"]) == ("login", "0")
        more = {} if proved is None else {"auth_time": int(now_of(place)) + proved}
        code = false.code(asked["nonce"], now_of(place), **more)
        response = come_back(browser, code=code, state=asked["state"])
        assert response.status_code == (401 if told else 303)
        assert told in response.text
    assert "provider" in browser.get("/account").text

    asked = begin(browser)
    code = false.code(asked["nonce"], now_of(place), sub="zoe", groups=["auditors"], auth_time=int(now_of(place)))
    other = come_back(browser, code=code, state=asked["state"])
    assert "somebody else" in other.text
    assert "grace" in browser.get("/").text


def test_a_file_that_is_wrong_says_where_and_closes_no_other_way_in(place: Place, false: FalseProvider) -> None:
    write(place.folder, FILE.replace("ISSUER", false.issuer).replace("client_id", "client"))
    page = place.browser().get("/sign-in")

    assert page.status_code == 200
    assert "unknown field `client`" in page.text
    assert place.browser().sign_in("gs_member").status_code == 303


def test_a_file_that_goes_wrong_ends_the_sessions_that_rest_on_it_and_breaks_no_page(
    place: Place, false: FalseProvider
) -> None:
    browser = place.browser()
    asked = begin(browser)
    come_back(browser, code=false.code(asked["nonce"], now_of(place)), state=asked["state"])
    write(place.folder, "[[provider]")

    response = browser.get("/models")
    assert (response.status_code, response.headers["location"]) == (303, "/sign-in?next=%2Fmodels")


def test_accounts_that_cannot_be_read_close_no_other_way_in(place: Place) -> None:
    place.known()
    (place.folder / "accounts.json").write_text("{")
    page = place.browser().get("/sign-in")

    assert page.status_code == 200
    assert "accounts.json" in page.text
    assert place.browser().sign_in("gs_member").status_code == 303


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ('name = "corp"', 'name = "Corp!"', "provider.0.name"),
        ("http://127.0.0.1:1", "http://login.example.org", "provider.0.issuer"),
        ("http://127.0.0.1:1", "https://x.test/.well-known/openid-configuration", "provider.0.issuer"),
        ('client_id = "glideslope"', 'client_id = ""', "client_id"),
        ('role = "member"', 'role = "source"', "people.0.role"),
        ('role = "member"', 'role = "owner"', "Invalid enum value"),
        ('actor = "grace"', 'actor = "corp:zoe"', "could be somebody of a group"),
        ('sub = "id-of-grace"', 'sub = ""', "people.0.sub"),
        ('has = "auditors"', 'has = ""', "groups.0"),
        ("[[provider]]", "[[provider]", "line 2"),
        ("[[provider.people]]", "[[provider.folk]]", "unknown field `folk`"),
    ],
)
def test_what_could_let_in_somebody_else_than_meant_is_refused(
    tmp_path: Path, before: str, after: str, told: str
) -> None:
    write(tmp_path, FILE.replace("ISSUER", "http://127.0.0.1:1").replace(before, after))

    with pytest.raises(ProvidersInvalid, match=re.escape(told)):
        read_providers(tmp_path / "providers.toml")


def test_a_file_that_others_may_read_is_not_taken(tmp_path: Path) -> None:
    write(tmp_path, FILE.replace("ISSUER", "https://x.test"))
    (tmp_path / "providers.toml").chmod(0o644)

    with pytest.raises(StoreUnavailable, match="others have rights"):
        read_providers(tmp_path / "providers.toml")


def test_a_person_is_known_by_id_before_any_group_and_by_the_issuer_that_vouched(tmp_path: Path) -> None:
    write(tmp_path, FILE.replace("ISSUER", "https://x.test"))
    (provider,) = read_providers(tmp_path / "providers.toml")
    found = vouched(provider, "id-of-grace", {"groups": ["auditors"], "secret": "kept nowhere"})

    assert who([provider], found).actor == Actor("grace")
    assert who([provider], found).role is Role.MEMBER
    assert "secret" not in repr(found)
    assert "hush" not in repr(provider)
    write(tmp_path, FILE.replace("ISSUER", "https://y.test"))
    with pytest.raises(PersonUnknown):
        who(read_providers(tmp_path / "providers.toml"), found)


@pytest.mark.parametrize(
    ("address", "safe"),
    [
        ("https://login.example.org", True),
        ("http://127.0.0.1:9400", True),
        ("http://[::1]:9400", True),
        ("http://localhost", True),
        ("http://login.example.org", False),
        ("http://127.0.0.1.evil.test", False),
        ("https://user@evil.test", False),
        ("ftp://127.0.0.1", False),
        ("https://", False),
        ("", False),
    ],
)
def test_nobody_listens_on_the_way_to_a_provider(address: str, safe: bool) -> None:
    assert is_safe(address) is safe


@pytest.fixture
def real(tmp_path: Path) -> Iterator[str]:
    with a_real_provider(tmp_path) as address:
        yield address


def test_a_real_provider_in_a_process_of_its_own_signs_somebody_in(place: Place, real: str) -> None:
    write(place.folder, FILE.replace("ISSUER", real))
    place.clock._wall = place.clock._wall.__class__.now(place.clock._wall.tzinfo)  # the provider's clock goes
    browser = place.browser()
    response = browser.get("/sign-in/by/corp?next=/models")
    there = httpx.post(response.headers["location"], data={"sub": "id-of-grace"})
    assert there.status_code in (302, 303), there.text
    back = urlsplit(there.headers["location"])
    done = browser.get(f"{back.path}?{back.query}")

    assert (done.status_code, done.headers["location"]) == (303, "/models"), done.text
    assert "grace" in browser.get("/models").text
    assert browser.get(f"{back.path}?{back.query}").status_code == 401
