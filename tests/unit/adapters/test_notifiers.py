"""What goes out reaches real receivers on real sockets, signed as a stranger's library verifies; what they answer is understood."""

import base64
import email
import email.policy
import ipaddress
import json
import os
import ssl
import time
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from standardwebhooks import Webhook as StandardWebhook
from tests.unit.adapters.receivers import (
    Behave,
    Mailbox,
    answers,
    drips,
    hangs_up,
    mailing,
    never,
    receiving,
    silence,
    speaks_otherwise,
)

from glideslope.adapters.certificates import make_authority, make_certificate
from glideslope.adapters.notifiers import connecting, mail, payloads, signing, smtp
from glideslope.adapters.notifiers.built_in import Notifiers
from glideslope.adapters.notifiers.http import post
from glideslope.domain.telling.channel import Email, Other, PagerDuty, Reference, Slack, Teams, Webhook
from glideslope.domain.telling.message import Announced, Happening, Matter, Message, Parcel, Severity, parcel
from glideslope.domain.telling.standing import Delivered, Failed, Outcome

SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
SEED = bytes(range(32, 64))
KEY = "whsk_" + base64.b64encode(SEED).decode()
PASSWORD = "not-to-be-shown"  # noqa: S105 - a test's
LINKS = "https://glideslope.example"
NOW = int(time.time() * 1000)
HOSTILE = "<!channel> *bold* [x](http://evil.example) \u202e\r\nBcc: all@example.com"
MESSAGE = Message(
    id="msg_0123456789abcdef01234567",
    entry=12,
    at=1_767_268_800_000,
    happening=Happening.ROLLED_BACK,
    severity=Severity.CRITICAL,
    thread="r-0001",
    model="delays",
    rollout="r-0001",
    by="glideslope",
    title="delays v1 to v2 (r-0001): rolled back",
    happened=f"Roll back to v1. {HOSTILE}",
    done="All traffic returns to v1, by the machine.",
    asked="Say what it was about.",
    matter=Matter.OPEN,
    page="/rollouts/r-0001",
    announced=Announced(
        why="Retrained.",
        benefit="fewer late alarms",
        risks=("slower",),
        stands="It is rolled back: all traffic returns to v1.",
        back="It went back to v1.",
        page="/rollouts/r-0001/announcement",
    ),
)
DIGEST = Parcel(id="msg_d", channel="ops", messages=(MESSAGE,) * 30, left_out=4, digest=True, since=MESSAGE.at)


@pytest.fixture(scope="module")
def tls() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server's context, and that of who trusts it."""
    now = datetime.now(UTC)
    authority = make_authority(now=now)
    pair = make_certificate(("127.0.0.1", "localhost"), authority=authority, now=now)
    serving = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    folder = Path(os.environ.get("TMPDIR", "/tmp")) / f"glideslope-tls-{os.getpid()}"  # noqa: S108 - of this test alone
    folder.mkdir(mode=0o700)
    (folder / "c").write_bytes(pair.chain)
    (folder / "k").write_bytes(pair.key)
    serving.load_cert_chain(folder / "c", folder / "k")
    for each in folder.iterdir():
        each.unlink()
    folder.rmdir()
    return serving, ssl.create_default_context(cadata=authority.chain.decode())


def notifiers(folder: Path, tls: ssl.SSLContext | None = None, **environment: str) -> Notifiers:
    return Notifiers(folder, environment={"SECRET": SECRET, "KEY": KEY, "PASSWORD": PASSWORD, **environment}, tls=tls)


def webhook(port: int, *, scheme: str = "http", **said: Any) -> Webhook:
    return Webhook(url=f"{scheme}://127.0.0.1:{port}/in?x=1", secret=Reference(env="SECRET"), private=True, **said)


async def sent(channel: Any, folder: Path, what: Parcel | None = None, **more: Any) -> Outcome:
    return await notifiers(folder, **more).send(
        channel, what or parcel("ops", MESSAGE), links=LINKS, now=int(time.time() * 1000)
    )


async def test_a_webhook_is_verified_by_the_library_of_the_standard_over_tls(
    tmp_path: Path, tls: tuple[ssl.SSLContext, ssl.SSLContext]
) -> None:
    async with receiving(tls=tls[0]) as receiver:
        outcome = await sent(webhook(receiver.port, scheme="https", key=Reference(env="KEY")), tmp_path, tls=tls[1])
    assert outcome == Delivered(how="HTTP 204")
    (heard,) = receiver.heard
    found = StandardWebhook(SECRET).verify(heard.body, heard.headers)
    assert (found["type"], found["data"]["url"]) == ("rolled-back", f"{LINKS}/rollouts/r-0001")
    assert found["data"]["announced"]["url"] == f"{LINKS}/rollouts/r-0001/announcement"
    assert heard.headers["webhook-id"] == MESSAGE.id
    signature = next(s for s in heard.headers["webhook-signature"].split(" ") if s.startswith("v1a,"))
    text = f"{heard.headers['webhook-id']}.{heard.headers['webhook-timestamp']}.".encode() + heard.body
    public = Ed25519PrivateKey.from_private_bytes(SEED).public_key()
    public.verify(base64.b64decode(signature.partition(",")[2]), text)  # raises if it is not of these bytes
    assert heard.path == "/in?x=1"


@pytest.mark.parametrize(
    ("behave", "outcome"),
    [
        (answers("200 OK", body="x" * 10_000), Delivered(how="HTTP 200")),
        (answers("500 Oops", body=PASSWORD), Failed(why="HTTP 500")),
        (answers("429 Slow", "Retry-After: 30"), Failed(why="HTTP 429", again_after=30.0)),
        (answers("503 Slow", "Retry-After: not a date"), Failed(why="HTTP 503")),
        (answers("400 Bad"), Failed(why="HTTP 400", refused=True)),
        (
            answers("302 Found", "Location: http://169.254.169.254/"),
            Failed(why="HTTP 302: it points elsewhere, and nobody is followed there", refused=True),
        ),
        (hangs_up, Failed(why="it answered no HTTP, or hung up before it answered")),
        (speaks_otherwise, Failed(why="it answered no HTTP, or hung up before it answered")),
    ],
)
async def test_what_a_receiver_answers_is_understood(tmp_path: Path, behave: Behave, outcome: Outcome) -> None:
    """Of a webhook's answer the status alone is shown: its body may be of anybody's."""
    async with receiving(behave) as receiver:
        assert await sent(webhook(receiver.port), tmp_path) == outcome
    assert len(receiver.heard) == 1


@pytest.mark.parametrize("behave", [never, drips])
async def test_a_receiver_that_never_finishes_holds_nobody_up(behave: Behave) -> None:
    async with receiving(behave) as receiver:
        began = time.monotonic()
        url = f"http://127.0.0.1:{receiver.port}/"
        assert await post(url, b"{}", {}, private=True, now=NOW, patience=0.3) == Failed(why="no answer within 0.3 s")
        assert time.monotonic() - began < 5


async def test_a_retry_after_that_is_a_date_is_read() -> None:
    then = datetime.fromtimestamp(NOW / 1000 + 90, UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")
    async with receiving(answers("503 Later", f"Retry-After: {then}")) as receiver:
        outcome = await post(f"http://127.0.0.1:{receiver.port}/", b"", {}, private=True, now=NOW)
    assert isinstance(outcome, Failed)
    assert outcome.again_after is not None
    assert 88 < outcome.again_after <= 90


@pytest.mark.parametrize(
    ("address", "public", "private"),
    [
        ("93.184.215.14", True, True),
        ("2606:2800:21f:cb07:6820:80da:af6b:8b2c", True, True),
        ("127.0.0.1", False, True),
        ("10.1.2.3", False, True),
        ("192.168.0.1", False, True),
        ("100.64.0.1", False, True),
        ("::1", False, True),
        ("fd00::7", False, True),
        ("::ffff:10.0.0.1", False, True),
        ("169.254.169.254", False, False),
        ("::ffff:169.254.169.254", False, False),
        ("fd00:ec2::254", False, False),
        ("fe80::1", False, False),
        ("0.0.0.0", False, False),  # noqa: S104 - nobody listens
        ("224.0.0.1", False, False),
    ],
)
def test_a_channel_leads_to_the_public_and_into_private_networks_if_that_is_said(
    address: str, public: bool, private: bool
) -> None:
    found = ipaddress.ip_address(address)
    assert (not connecting.forbidden(found, private=False), not connecting.forbidden(found, private=True)) == (
        public,
        private,
    )


async def test_nothing_goes_to_this_machine_or_in_the_clear_unless_that_is_said(tmp_path: Path) -> None:
    async with receiving() as receiver:
        for url, why in (
            (f"https://localhost:{receiver.port}/", "is of a private network"),
            (f"http://localhost:{receiver.port}/", "without TLS"),
            ("https://169.254.169.254/latest", "is no address that a channel leads to"),
            ("https://no-such-host.invalid/", "has no address"),
        ):
            outcome = await sent(Webhook(url=url, secret=Reference(env="SECRET")), tmp_path)
            assert isinstance(outcome, Failed)
            assert why in outcome.why
    assert receiver.heard == []


async def test_a_certificate_that_nobody_vouches_for_is_not_believed(
    tmp_path: Path, tls: tuple[ssl.SSLContext, ssl.SSLContext]
) -> None:
    async with receiving(tls=tls[0]) as receiver:
        outcome = await sent(webhook(receiver.port, scheme="https"), tmp_path)
    assert isinstance(outcome, Failed)
    assert "is not trusted" in outcome.why
    assert receiver.heard == []


async def test_a_secret_is_read_when_it_is_needed_and_shown_nowhere(tmp_path: Path) -> None:
    async with receiving() as receiver:
        channel = Webhook(url=f"http://127.0.0.1:{receiver.port}/", secret=Reference(file="hook.secret"), private=True)
        assert await sent(channel, tmp_path) == Failed(why="the file hook.secret does not exist")
        path = tmp_path / "hook.secret"
        path.write_text(SECRET)
        path.chmod(0o644)
        outcome = await sent(channel, tmp_path)
        assert isinstance(outcome, Failed)
        assert "others have rights on it" in outcome.why
        path.chmod(0o600)
        assert await sent(channel, tmp_path) == Delivered(how="HTTP 204")
        path.write_text(f"whsec_{PASSWORD}")
        outcome = await sent(channel, tmp_path)
    assert isinstance(outcome, Failed)
    assert "base64 of 24 to 64 bytes" in outcome.why
    assert PASSWORD not in outcome.why
    assert await sent(Slack(url=Reference(env="NOTHING")), tmp_path) == Failed(
        why="the variable NOTHING is not set for the server"
    )


async def test_slack_gets_blocks_that_mention_nobody_and_a_plain_link(tmp_path: Path) -> None:
    async with receiving(answers("404 Not Found", body="no_service")) as receiver:
        url = f"http://127.0.0.1:{receiver.port}/services/T/B/X"
        channel = Slack(url=Reference(env="CHAT"), private=True)
        outcome = await notifiers(tmp_path, CHAT=url).send(channel, parcel("ops", MESSAGE), links=LINKS, now=NOW)
    assert outcome == Failed(why="HTTP 404: no_service", refused=True), "Slack says of itself what is wrong"
    body = json.loads(receiver.heard[0].body)
    text = json.dumps(body)
    assert "<!channel>" not in text
    assert "&lt;!channel&gt;" in text
    assert f"<{LINKS}/rollouts/r-0001|See it and decide there>" in text
    assert body["text"].startswith("URGENT: ")
    assert '"button"' not in text
    digest = payloads.slack(channel, DIGEST, links=LINKS)
    assert len(digest["blocks"]) <= 50
    assert "15 more" in json.dumps(digest)


def test_teams_gets_a_card_in_which_people_s_words_are_no_markdown() -> None:
    card = payloads.teams(Teams(url=Reference(env="X")), parcel("ops", MESSAGE), links=LINKS)
    content = card["attachments"][0]["content"]
    assert (content["type"], content["version"]) == ("AdaptiveCard", "1.4")
    blocks = [block for block in content["body"] if block["type"] == "TextBlock"]
    assert all(HOSTILE.split(maxsplit=1)[0] not in block["text"] for block in blocks), (
        "text blocks are of our own words"
    )
    assert any("Roll back to v1." in run["text"] for block in content["body"] for run in block.get("inlines", ()))


def test_pagerduty_is_paged_once_per_rollout_and_stood_down() -> None:
    channel = PagerDuty(routing_key=Reference(env="X"))

    def event(matter: Matter) -> dict[str, Any] | None:
        message = Message(**{name: getattr(MESSAGE, name) for name in MESSAGE.__struct_fields__} | {"matter": matter})
        return payloads.pagerduty(channel, message, links=LINKS, routing_key="R", id_="m")

    opened, taken, settled = event(Matter.OPEN), event(Matter.TAKEN), event(Matter.SETTLED)
    assert event(Matter.NONE) is None
    assert opened is not None
    assert (opened["event_action"], opened["payload"]["severity"]) == ("trigger", "critical")
    assert opened["links"][0]["href"] == f"{LINKS}/rollouts/r-0001"
    assert [e and (e["event_action"], e["dedup_key"]) for e in (taken, settled)] == [
        ("acknowledge", "glideslope/r-0001"),
        ("resolve", "glideslope/r-0001"),
    ]


async def test_pagerduty_s_digest_is_the_last_word_of_each_rollout(tmp_path: Path) -> None:
    async with receiving(answers("202 Accepted")) as receiver:
        channel = PagerDuty(
            routing_key=Reference(env="SECRET"), url=f"http://127.0.0.1:{receiver.port}/v2", private=True
        )
        assert await sent(channel, tmp_path, DIGEST) == Delivered(how="HTTP 202")
    assert len(receiver.heard) == 1


def mailer(port: int, *to: str, **said: Any) -> Email:
    said = {"security": "none", **said}
    return Email(
        host="127.0.0.1", port=port, sender="gs@example.com", to=to or ("a@example.com",), private=True, **said
    )


async def test_a_mail_is_taken_over_starttls_by_a_real_server_that_asks_for_a_password(
    tmp_path: Path, tls: tuple[ssl.SSLContext, ssl.SSLContext]
) -> None:
    box = Mailbox()
    said = {"security": "starttls", "user": "gs", "password": Reference(env="PASSWORD")}
    async with mailing(box, tls=tls[0], login=("gs", PASSWORD)) as port:
        outcome = await sent(mailer(port, "a@example.com", "b@example.com", **said), tmp_path, tls=tls[1])
        assert outcome == Delivered(how="taken for 2")
        wrong = await sent(mailer(port, **said), tmp_path, tls=tls[1], PASSWORD="wrong")  # noqa: S106 - it is
    assert wrong == Failed(why="the mail server said 535 to AUTH", refused=True)
    (envelope,) = box.envelopes
    assert envelope.rcpt_tos == ["a@example.com", "b@example.com"]
    assert isinstance(envelope.content, bytes)
    found = email.message_from_bytes(envelope.content, policy=email.policy.default)
    assert isinstance(found, EmailMessage)
    assert found["Subject"] == "URGENT: delays v1 to v2 (r-0001): rolled back"
    assert "Bcc" not in found
    plain, html = found.get_body(("plain",)), found.get_body(("html",))
    assert plain is not None
    assert html is not None
    assert f"{LINKS}/rollouts/r-0001" in plain.get_content()
    assert "&lt;!channel&gt;" in html.get_content()


async def test_a_rollout_is_one_conversation_and_what_is_sent_twice_is_one_mail() -> None:
    channel = mailer(25)
    later = Message(**{n: getattr(MESSAGE, n) for n in MESSAGE.__struct_fields__} | {"id": "msg_2", "entry": 13})
    first, again, second = (
        email.message_from_bytes(mail.compose(channel, parcel("ops", each), links=LINKS), policy=email.policy.default)
        for each in (MESSAGE, MESSAGE, later)
    )
    assert first["Message-ID"] == again["Message-ID"] != second["Message-ID"]
    assert first["References"] == second["References"]


async def test_tls_from_the_first_byte_and_a_server_that_offers_none(
    tmp_path: Path, tls: tuple[ssl.SSLContext, ssl.SSLContext]
) -> None:
    box = Mailbox()
    async with mailing(box, tls=tls[0], direct=True) as port:
        assert await sent(mailer(port, security="tls"), tmp_path, tls=tls[1]) == Delivered(how="taken for 1")
    async with mailing(box) as port:
        outcome = await sent(mailer(port, security="starttls"), tmp_path, tls=tls[1])
    assert outcome == Failed(why="127.0.0.1 offers no STARTTLS; nothing was sent in the clear")
    assert len(box.envelopes) == 1


async def test_who_is_refused_keeps_nobody_else_from_their_mail(tmp_path: Path) -> None:
    box = Mailbox(unknown=frozenset({"gone@example.com"}))
    async with mailing(box) as port:
        channel = mailer(port, "gone@example.com", "here@example.com")
        assert await sent(channel, tmp_path) == Delivered(how="taken for 1 of 2")
        alone = await sent(mailer(port, "gone@example.com"), tmp_path)
        box.answer = "451 later"
        later = await sent(mailer(port), tmp_path)
    assert alone == Failed(why="the mail server said 550 to RCPT", refused=True)
    assert later == Failed(why="the mail server said 451 to the mail")


async def test_a_mail_with_a_dot_alone_on_a_line_arrives_whole() -> None:
    box = Mailbox()
    text = b"Subject: x\r\n\r\nbefore\r\n.\r\n..after\r\n"
    async with mailing(box) as port:
        server = smtp.Server("127.0.0.1", port, "none", private=True)
        outcome = await smtp.send(server, text, sender="a@example.com", to=("b@example.com",))
    assert outcome == Delivered(how="taken for 1")
    assert box.envelopes[0].content == text


async def test_a_mail_server_that_never_answers_holds_nobody_up(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(smtp, "PATIENCE", 0.3)

    async with silence() as port:
        outcome = await sent(mailer(port), tmp_path)
    assert outcome == Failed(why="the mail server did not finish within 0.3 s")


@pytest.mark.filterwarnings("ignore:.*:DeprecationWarning")  # apprise's own, on some Pythons
async def test_what_apprise_reaches_is_reached(tmp_path: Path) -> None:
    pytest.importorskip("apprise")
    async with receiving(answers("200 OK")) as receiver:
        channel = Other(url=Reference(env="OTHER"))
        there = notifiers(tmp_path, OTHER=f"json://127.0.0.1:{receiver.port}/x")
        outcome = await there.send(channel, parcel("ops", MESSAGE), links=LINKS, now=NOW)
        nowhere = await notifiers(tmp_path, OTHER=f"nosuch://{PASSWORD}").send(
            channel, parcel("ops", MESSAGE), links=LINKS, now=NOW
        )
    assert outcome == Delivered(how="taken by apprise")
    assert "rolled back" in json.loads(receiver.heard[0].body)["title"]
    assert nowhere == Failed(why="apprise does not know such an address", refused=True)


@pytest.mark.parametrize("text", ["", "whsec_", "whsec_c2hvcnQ=", "whsec_***", SECRET.removeprefix("whsec_"), KEY])
def test_what_cannot_sign_is_said_without_saying_it(text: str) -> None:
    with pytest.raises(signing.SecretUnusable) as caught:
        signing.headers(b"{}", id_="m", at=0, secret=text)
    assert text[6:] not in str(caught.value) or not text[6:]


def test_the_words_of_the_people_affected_are_those_of_the_announcement() -> None:
    channel = Slack(url=Reference(env="X"), announce=True)
    text = json.dumps(payloads.slack(channel, parcel("users", MESSAGE), links=LINKS))
    assert "*Expected benefit*: fewer late alarms" in text
    assert "*Trade-offs*: slower" in text
    assert f"<{LINKS}/rollouts/r-0001/announcement|The announcement>" in text
    assert "Say what it was about" not in text


def test_a_channel_says_how_urgent_it_is_in_its_own_words() -> None:
    channel = Slack(url=Reference(env="X"), words={Severity.CRITICAL: "WAKE UP"})
    assert payloads.slack(channel, parcel("ops", MESSAGE), links=LINKS)["text"].startswith("WAKE UP: delays")
