"""The pages about channels say what the code says: their files are read, their keys exist, and the message they show is one."""

import json
import re
from pathlib import Path
from typing import get_args

import msgspec
import pytest

from glideslope.adapters.notifiers import payloads
from glideslope.domain.telling import channel as kinds
from glideslope.domain.telling import standing
from glideslope.domain.telling.channel import Channels, Digest, Subscription, kind_of
from glideslope.domain.telling.message import Happening, Message, Severity, parcel
from glideslope.interfaces.document import channels


@pytest.fixture(scope="module")
def how_to(root: Path) -> str:
    return (root / "docs/how-to/tell-people.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def reference(root: Path) -> str:
    return (root / "docs/reference/channels.md").read_text(encoding="utf-8")


def test_the_file_on_the_page_is_one_that_the_server_takes(how_to: str) -> None:
    (text,) = re.findall(r"^```yaml\n(channels: 1.*?)^```", how_to, flags=re.MULTILINE | re.DOTALL)
    found = channels.read(text, file="channels.yaml")
    assert sorted(map(kind_of, found.to.values())) == ["email", "pagerduty", "slack", "teams", "webhook"]
    assert found.to["callers"].announce


def test_the_reference_names_every_key_kind_happening_and_severity(reference: str) -> None:
    named = set(re.findall(r"`([^`\s]+)`", reference))
    every = {*Channels.__struct_fields__, *Subscription.__struct_fields__, *Digest.__struct_fields__}
    for kind in get_args(kinds.Channel):
        every |= {*kind.__struct_fields__, str(kind.__struct_config__.tag)}
    every |= {each.value for each in Severity}
    every |= {each.value for each in Happening if each not in (Happening.DIGEST, Happening.SAMPLE)}
    written = named | set(re.findall(r"\b(\w+)[:,`(]", reference))
    assert every - written == set()


def test_the_message_on_the_page_has_the_keys_of_every_message(reference: str) -> None:
    (text,) = re.findall(r"^```json\n(.*?)^```", reference, flags=re.MULTILINE | re.DOTALL)
    shown = json.loads(text)
    data = {**shown["data"], "page": "/rollouts/r-0001", "at": 1_769_850_000_000}
    data["announced"] = {**data["announced"], "page": "/rollouts/r-0001/announcement"}
    del data["url"], data["announced"]["url"]
    message = msgspec.convert(data, Message)
    made = payloads.webhook(parcel("hook", message), links="https://glideslope.example.com", now=message.at)
    assert json.loads(msgspec.json.encode(made)) == shown


def test_the_promises_on_the_page_are_the_ones_that_are_kept(reference: str) -> None:
    flat = " ".join(reference.split())
    assert standing.FIRST_PAUSE == 1_000
    assert f"at most {standing.LONGEST_PAUSE // 60_000} minutes" in flat
    assert f"at most {'an hour' if standing.LONGEST_ASKED == 3_600_000 else '?'}" in flat
    assert f"after {standing.TRIES_REFUSED} attempts" in flat
    assert standing.PATIENCE == 3 * 86_400_000
    assert "given up after three days" in flat
