"""Which fields of a request may leave the service: what its data contract tags as open, and nothing that it does not name."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from glideslope.domain.errors import Invalid
from glideslope.domain.pairs import LONGEST_TEXT, MOST_ATTRIBUTES

REDACTED: Final = "[personal]"


class Tag(StrEnum):
    """What a contract says of a field."""

    OPEN = "open"  # it may be seen by whoever looks at a rollout
    PERSONAL = "personal"  # that it was there may be seen, its value may not
    SECRET = "secret"  # noqa: S105 - a tag, not a password


Contract = Mapping[str, Tag]


def contract_of(tags: Mapping[str, str] | None) -> Contract:
    """Read a contract: a field's name to its tag. Raises Invalid for a tag that there is not."""
    try:
        return {str(name): Tag(tag) for name, tag in (tags or {}).items()}
    except ValueError as error:
        known = ", ".join(tag.value for tag in Tag)
        raise Invalid(f"A contract tags each field as one of {known}: {error}.") from error


def let_out(attributes: Mapping[str, object] | None, contract: Contract) -> dict[str, str]:
    """Return what may leave of a request's fields: open values as short text, personal ones redacted, all else dropped.

    A value that is no text, number or truth value is dropped too: what is inside it was never tagged.
    """
    found: dict[str, str] = {}
    for name, value in (attributes or {}).items():
        tag = contract.get(name)
        if tag is None or tag is Tag.SECRET or not isinstance(value, (str, int, float)) or len(name) > LONGEST_TEXT:
            continue
        found[name] = REDACTED if tag is Tag.PERSONAL else shortened(str(value))
        if len(found) == MOST_ATTRIBUTES:
            break
    return found


def open_only(fields: Mapping[str, str], contract: Contract) -> dict[str, str]:
    """Return the fields that may leave with their values."""
    return {name: shortened(value) for name, value in fields.items() if contract.get(name) is Tag.OPEN}


def shortened(text: str) -> str:
    """Return a text that can be shown on one line."""
    if len(text) <= LONGEST_TEXT and text.isprintable():
        return text
    return "".join(c if c.isprintable() else " " for c in text[:LONGEST_TEXT])
