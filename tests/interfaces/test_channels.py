"""Channels and announcements at every door: the command line, HTTP, pages; and the file that says who is told what."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from msgspec.structs import replace
from tests.interfaces.fake_channels import DELIVERY, OPS
from tests.interfaces.test_dashboard import Browser, browser, rollout

from glideslope.domain.telling.channel import Digest, Email, Webhook
from glideslope.domain.telling.message import Happening, Severity
from glideslope.engine.telling.views import TriedView
from glideslope.interfaces.document import channels
from glideslope.interfaces.document.channels import ChannelsRefused
from glideslope.wiring.channels import ChannelsFile

__all__ = ["browser", "rollout"]

WRITTEN = """\
channels: 1
links: https://glideslope.example
to:
  hook:
    kind: webhook
    url: https://hooks.example/in
    secret: {file: hook.secret}
    tell: [{models: [fraud], severity: notice}, {people: [ana]}]
  mail:
    kind: email
    host: mail.example
    user: gs
    password: {env: MAIL_PASSWORD}
    sender: gs@example.com
    to: [risk@example.com]
    digest: {at: "08:30", zone: Europe/Berlin, at_once: critical}
    words: {critical: "WAKE UP"}
"""


def test_the_file_says_who_is_told_what() -> None:
    found = channels.read(WRITTEN, file="channels.yaml")
    hook, mail = found.to["hook"], found.to["mail"]
    assert isinstance(hook, Webhook)
    assert (hook.tell[0].models, hook.tell[0].severity, hook.tell[1].people) == (("fraud",), Severity.NOTICE, ("ana",))
    assert isinstance(mail, Email)
    assert mail.digest == Digest(at="08:30", zone="Europe/Berlin", at_once=Severity.CRITICAL)
    assert (mail.port, mail.security, mail.words) == (587, "starttls", {Severity.CRITICAL: "WAKE UP"})


HOOK = "channels: 1\nto:\n  ops: {kind: webhook, url: https://x.example, secret: {env: S}"


@pytest.mark.parametrize(
    ("text", "pointed", "words"),
    [
        ("to: {}\n", "to", "begins with its format"),
        ("channels: 2\n", "2", "format 1"),
        (f"{HOOK}, tels: []}}\n", "tels", "unknown key `tels`"),
        ("channels: 1\nto:\n  ops: {kind: webhok}\n", "webhok", "cannot be `webhok`"),
        (f"{HOOK}, tell: [{{severity: urgent}}]}}\n", "urgent", "there are info, notice, warning, critical"),
        (f"{HOOK}, tell: [{{happenings: [rolledback]}}]}}\n", "rolledback", "`rolled-back`"),
        (f'{HOOK}, digest: {{at: "8:30"}}}}\n', '"8:30"', "a time of day, like 08:30"),
        (f'{HOOK}, digest: {{at: "08:30", zone: Berlin}}}}\n', "Berlin", "no time zone"),
        ("channels: 1\nto:\n  Ops: {kind: slack, url: {env: S}}\n", "Ops", "cannot be a channel's name"),
        ("channels: 1\nto:\n  ops: {kind: slack, url: {}}\n", "{", "one of them"),
        ("channels: 1\nto:\n  ops: {kind: slack, url: {env: A, file: b}}\n", "{", "one of them"),
        (
            "channels: 1\nto:\n  m: {kind: email, host: h, user: u, sender: a@b.c, to: [a@b.c]}\n",
            "m",
            "given together",
        ),
        ("channels: 1\nto:\n  m: {kind: email, host: h, sender: a, to: [a@b.c]}\n", "a,", "`sender` must be"),
    ],
)
def test_what_is_wrong_is_refused_at_its_place(text: str, pointed: str, words: str) -> None:
    with pytest.raises(ChannelsRefused) as caught:
        channels.read(text, file="channels.yaml")
    assert words in f"{caught.value.sentence} {caught.value.suggestion}"
    line = text.splitlines()[caught.value.line - 1]
    assert line[caught.value.column - 1 :].startswith(pointed)


@pytest.mark.parametrize(
    "text",
    [
        "channels: 1\nto:\n  ops: {kind: slack, url: https://hooks.slack.com/T/B/sesame}\n",
        "channels: 1\nto:\n  ops: {kind: webhook, url: https://x.example, secret: sesame}\n",
        "channels: 1\nto:\n  ops: {kind: pagerduty, routing_key: [sesame]}\n",
        "channels: 1\nto:\n  ops: {kind: email, password: sesame, nonsense: 1}\n",
        "channels: 1\nto:\n  ops: {kind: webhook, url: https://me:sesame@x.example/, secret: {env: S}}\n",
        "channels: 1\nto:\n  ops: {kind: nonsense, token: sesame}\n",
    ],
)
def test_a_secret_in_the_file_is_refused_and_not_shown_again(text: str, desk: Any, tmp_path: Path) -> None:
    with pytest.raises(ChannelsRefused) as caught:
        channels.read(text, file="channels.yaml")
    assert "sesame" not in f"{caught.value.sentence}{caught.value.source}{caught.value.suggestion}"
    path = tmp_path / "channels.yaml"
    path.write_text(text)
    told = desk.run("channel", "check", str(path))
    assert told.exit_code == 2
    assert "sesame" not in told.output
    assert "channels-invalid" in told.output


def test_the_file_is_read_again_when_it_changes_and_those_from_before_stay_while_it_is_wrong(tmp_path: Path) -> None:
    path = tmp_path / "channels.yaml"
    file = ChannelsFile(path)
    assert dict(file().channels.to) == {}
    path.write_text(WRITTEN)
    assert set(file().channels.to) == {"hook", "mail"}
    path.write_text(f"{WRITTEN}  sesame\n")
    wrong = file()
    assert set(wrong.channels.to) == {"hook", "mail"}
    assert wrong.trouble.startswith("channels.yaml:")
    assert "sesame" not in wrong.trouble
    path.write_text(WRITTEN.replace("hook:", "hooks:"))
    assert (set(file().channels.to), file().trouble) == ({"hooks", "mail"}, "")
    path.unlink()
    assert dict(file().channels.to) == {}


def test_the_schema_knows_every_kind_and_key() -> None:
    found = json.dumps(channels.schema())
    assert all(f'"{each}"' in found for each in ("webhook", "slack", "teams", "pagerduty", "email", "apprise"))
    assert all(f'"{each.value}"' in found for each in Happening)


def test_the_command_line_lists_channels_and_ends_with_3_when_one_fails(desk: Any, service: Any) -> None:
    empty = desk.run("channel", "ls")
    assert (empty.exit_code, "Nobody is told of anything" in empty.stdout) == (0, True)
    service.channels_view = replace(service.channels_view, channels=(OPS,))
    fine = desk.run("channel", "ls")
    assert (fine.exit_code, "hooks.example" in fine.stdout) == (0, True)
    failing = replace(OPS, state="failing", sentence="3 attempts in a row failed: HTTP 500.")
    service.channels_view = replace(service.channels_view, channels=(failing,))
    told = desk.run("channel", "ls")
    assert (told.exit_code, "ops: 3 attempts in a row failed" in told.stdout) == (3, True)
    assert json.loads(desk.run("channel", "ls", "--json").stdout)["channels"][0]["state"] == "failing"
    service.channels_view = replace(service.channels_view, channels=(OPS,), trouble="channels.yaml:3:1: no.")
    assert desk.run("channel", "ls").exit_code == 3


def test_deliveries_are_listed_by_channel_and_page(desk: Any, service: Any) -> None:
    assert "Nothing was tried yet." in desk.run("channel", "deliveries").stdout
    service.attempts = [DELIVERY, replace(DELIVERY, number=6, channel="mail", title="another")]
    assert "another" in desk.run("channel", "deliveries").stdout
    assert "another" not in desk.run("channel", "deliveries", "ops").stdout
    assert "another" in desk.run("channel", "deliveries", "--below", "7").stdout
    assert len(json.loads(desk.run("channel", "deliveries", "--json").stdout)) == 2


def test_a_sample_is_sent_and_says_what_came_of_it(desk: Any, service: Any) -> None:
    service.channels_view = replace(service.channels_view, channels=(OPS,))
    assert "Delivered in 12 ms: HTTP 204." in desk.run("channel", "test", "ops").stdout
    service.trial = TriedView(channel="ops", delivered=False, detail="HTTP 500", took=3)
    wrong = desk.run("channel", "test", "ops")
    assert (wrong.exit_code, "Not delivered after 3 ms: HTTP 500." in wrong.stdout) == (1, True)
    assert desk.run("channel", "test", "nobody").exit_code == 2


def test_a_channel_is_told_again_from_an_entry(desk: Any, service: Any) -> None:
    service.channels_view = replace(service.channels_view, channels=(OPS,))
    assert "Nothing was sent." in desk.run("channel", "replay", "ops", "--from", "3", "--dry-run").stdout
    assert service.replayed == []
    assert "9 entries are looked at" in desk.run("channel", "replay", "ops", "--from", "3").stdout
    assert service.replayed == [("ops", 3)]


def test_an_announcement_is_printed_or_written_as_one_file_and_says_what_is_missing(
    desk: Any, http: Any, written: str, tmp_path: Path
) -> None:
    http.post("/v1/rollouts", json={"text": f"{written}proposal: {{benefit: fewer misses, risks: [slower]}}\n"})
    printed = desk.run("announce", "late-arrival").stdout
    assert "Expected benefit, as proposed: fewer misses" in printed
    assert "what is done besides returning the traffic: the proposal does not say" in printed
    out = tmp_path / "announcement.html"
    assert desk.run("announce", "late-arrival-1", "--out", str(out)).exit_code == 0
    page = out.read_text()
    assert page.startswith("<!doctype html>")
    assert "http" not in page.replace("http-equiv", "")


def test_the_pages_show_channels_and_let_who_runs_the_server_try_one(browser: Browser, service: Any) -> None:
    browser.sign_in("gs_admin")
    assert "Nobody is told of anything yet" in browser.get("/settings/channels").text
    service.channels_view = replace(service.channels_view, channels=(OPS,), trouble="channels.yaml:3:1: no.")
    service.attempts = [DELIVERY]
    page = browser.get("/settings/channels?channel=ops").text
    assert all(each in page for each in ("hooks.example", "at least notice", "channels.yaml:3:1", "HTTP 204"))
    sent = browser.send("/settings/channels/ops/test", **browser.form_of("/settings/channels"))
    assert (sent.status_code, service.tested) == (303, [("ops", "ada")])
    browser.cookies = httpx.Cookies()
    browser.sign_in("gs_member")
    assert "Send a sample" not in browser.get("/settings/channels").text
    refused = browser.send("/settings/channels/ops/test", **browser.form_of("/settings/channels"))
    assert (refused.status_code, len(service.tested)) == (401, 1)


def test_the_page_of_an_announcement_says_what_is_not_recorded(browser: Browser, rollout: str) -> None:
    browser.sign_in("gs_reader")
    page = browser.get(f"/rollouts/{rollout}/announcement").text
    assert "Nothing has changed yet: v1 serves everybody." in page
    assert "Not recorded" in page
    assert f'href="/rollouts/{rollout}/announcement"' in browser.get(f"/rollouts/{rollout}").text
