"""The channels' file as people write it, with a position for everything that is wrong. A secret in it is refused, and not shown again."""

from collections.abc import Iterator, Mapping
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec
from msgspec import UnsetType

from glideslope.domain.errors import ChannelsInvalid
from glideslope.domain.telling.channel import FORMAT, MOST_CHANNELS, NAME, Channels, Email, Reference, Webhook
from glideslope.interfaces.document import tree
from glideslope.interfaces.document.structs import converted
from glideslope.interfaces.document.text import DocumentInvalid, Source
from glideslope.interfaces.document.tree import Path, Tree, dotted

SCHEMA_FILE: Final = "channels.schema.json"
DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
KEY: Final = "channels"
SECRETS: Final[Mapping[str, frozenset[str]]] = {
    "webhook": frozenset({"secret", "key"}),
    "slack": frozenset({"url"}),
    "teams": frozenset({"url"}),
    "pagerduty": frozenset({"routing_key"}),
    "email": frozenset({"password"}),
    "apprise": frozenset({"url"}),
}
_ANY: Final = frozenset({"secret", "key", "routing_key", "password", "token"})
"""What is a secret wherever it stands."""


class ChannelsRefused(ChannelsInvalid, DocumentInvalid):
    """What is wrong with the channels, at its place in the file."""


def read(text: str, *, file: str) -> Channels:
    """Read channels as written. Raises ChannelsRefused."""
    found = tree.read(Source(text=text, file=file, what="list of channels", error=ChannelsRefused))
    if KEY not in found.value:
        raise found.source.refusal(
            f"`{KEY}` is missing; the file begins with its format, `{KEY}: {FORMAT}`", found.span(())
        )
    if found.value[KEY] != FORMAT or isinstance(found.value[KEY], bool):
        raise found.source.refusal(f"this reads channels of format {FORMAT}", found.span((KEY,)), where=KEY)
    for path in _secrets(found):
        raise _hidden(found, path)
    channels = converted(found, Channels, without=KEY)
    _check(channels, found)
    return channels


def schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of the file, for editors."""
    (ref,), parts = msgspec.json.schema_components([Channels], ref_template="#/$defs/{name}")
    root = parts.pop(str(ref["$ref"]).rsplit("/", 1)[1])
    root["properties"] = {KEY: {"const": FORMAT, "description": "The format of this file."}, **root["properties"]}
    return {"$schema": DIALECT, **root, "required": [KEY], "title": "channels.yaml", "$defs": parts}


def _secrets(found: Tree) -> Iterator[Path]:
    """Yield where a secret may stand in plain sight."""
    channels = found.value.get("to")
    for name, channel in channels.items() if isinstance(channels, dict) else ():
        if isinstance(channel, dict):
            held = SECRETS.get(str(channel.get("kind")), frozenset()) | _ANY
            yield from (
                ("to", name, key) for key, value in channel.items() if key in held and not isinstance(value, dict)
            )


def _hidden(found: Tree, path: Path) -> DocumentInvalid:
    """Refuse a secret, with its line as far as it."""
    span = found.span(path)
    error = found.source.refusal(
        f"`{path[-1]}` is a secret and does not stand in this file: write {{file: PATH}} or {{env: NAME}}",
        span,
        where=dotted(path),
    )
    error.source = f"{error.source[: error.column - 1]}\u2026"
    error.width = 1
    return error


def _check(channels: Channels, found: Tree) -> None:
    """Refuse what no type can: names, references, zones, words that go nowhere. Raises ChannelsRefused."""
    if len(channels.to) > MOST_CHANNELS:
        raise found.source.refusal(
            f"there are more than {MOST_CHANNELS} channels", found.span(("to",), key=True), where="to"
        )
    for name, channel in channels.to.items():
        path: Path = ("to", name)
        if not NAME.fullmatch(name):
            raise found.source.refusal(
                f"{name!r} cannot be a channel's name: expected up to 40 lower-case letters, digits or dashes",
                found.span(path, key=True),
                where=dotted(path),
            )
        for key in channel.__struct_fields__:
            value = getattr(channel, key)
            if isinstance(value, Reference):
                _check_reference(value, (*path, key), found)
        digest = channel.digest
        if not isinstance(digest, UnsetType):
            _check_zone(digest.zone, (*path, "digest", "zone"), found)
        if isinstance(channel, Email) and isinstance(channel.user, UnsetType) != isinstance(
            channel.password, UnsetType
        ):
            raise found.source.refusal(
                "`user` and `password` are given together", found.span(path, key=True), where=dotted(path)
            )
        if isinstance(channel, Webhook) and "@" in channel.url.partition("://")[2].partition("/")[0]:
            error = found.source.refusal(
                "an address holds no password; what signs is `secret`",
                found.span((*path, "url")),
                where=dotted((*path, "url")),
            )
            error.source = f"{error.source[: error.column - 1]}\u2026"
            raise error


def _check_reference(where: Reference, path: Path, found: Tree) -> None:
    if isinstance(where.file, UnsetType) == isinstance(where.env, UnsetType):
        raise found.source.refusal(
            f"`{path[-1]}` is {{file: PATH}} or {{env: NAME}}, one of them", found.span(path), where=dotted(path)
        )


def _check_zone(zone: str, path: Path, found: Tree) -> None:
    try:
        ZoneInfo(zone)
    except (OSError, ValueError, KeyError):
        sentence = f"{zone!r} is no time zone, like Europe/Berlin"
        raise found.source.refusal(sentence, found.span(path), where=dotted(path)) from None
