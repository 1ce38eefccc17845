"""Which fields of a request may leave the service: what its data contract tags as open, and nothing that it does not name."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from glideslope.domain.contract import Contract
from glideslope.domain.errors import Invalid
from glideslope.domain.pairs import LONGEST_TEXT, MOST_ATTRIBUTES

REDACTED: Final = "[personal]"


class Tag(StrEnum):
    """What is said of a field; of a feature by its data contract."""

    OPEN = "open"  # it may be seen by whoever looks at a rollout
    PERSONAL = "personal"  # that it was there may be seen, its value may not
    SECRET = "secret"  # noqa: S105 - a tag, not a password


Tags = Mapping[str, Tag]


def tags_of(tags: Mapping[str, str] | None) -> Tags:
    """Read what a service says of its fields: name to tag. Raises Invalid for a tag that there is not."""
    try:
        return {str(name): Tag(tag) for name, tag in (tags or {}).items()}
    except ValueError as error:
        known = ", ".join(tag.value for tag in Tag)
        raise Invalid(f"A field is tagged as one of {known}: {error}.") from error


def with_data_contract(tags: Tags, contract: Contract) -> Tags:
    """Return the tags of a model's data contract, with what the service says itself before it.

    A feature that is tagged neither personal nor secret is open.
    """
    features = {
        rule.name: Tag.SECRET if Tag.SECRET in rule.tags else Tag.PERSONAL if Tag.PERSONAL in rule.tags else Tag.OPEN
        for rule in contract.features
    }
    return {**features, **tags}


def let_out(attributes: Mapping[str, object] | None, tags: Tags) -> dict[str, str]:
    """Return what may leave of a request's fields: open values as short text, personal ones redacted, all else dropped.

    A value that is no text, number or truth value is dropped too: what is inside it was never tagged.
    """
    found: dict[str, str] = {}
    for name, value in (attributes or {}).items():
        tag = tags.get(name)
        if tag is None or tag is Tag.SECRET or not isinstance(value, (str, int, float)) or len(name) > LONGEST_TEXT:
            continue
        found[name] = REDACTED if tag is Tag.PERSONAL else shortened(str(value))
        if len(found) == MOST_ATTRIBUTES:
            break
    return found


def open_only(fields: Mapping[str, str], tags: Tags) -> dict[str, str]:
    """Return the fields that may leave with their values."""
    return {name: shortened(value) for name, value in fields.items() if tags.get(name) is Tag.OPEN}


def shortened(text: str) -> str:
    """Return a text that can be shown on one line."""
    if len(text) <= LONGEST_TEXT and text.isprintable():
        return text
    return "".join(c if c.isprintable() else " " for c in text[:LONGEST_TEXT])
