"""Who is behind an actor's id: kept beside the ledger, which holds only a salted commitment to it.

Erasing a person deletes data and salt. What stays in the ledger is a hash over 32 random bytes that nobody has any more,
so it says nothing, and every proof over the ledger holds as before.
"""

from hashlib import sha256
from typing import Final

import msgspec

from glideslope.domain.errors import Invalid
from glideslope.domain.ids import Actor, Digest
from glideslope.ledger import canonical
from glideslope.ledger.note import encode_base64

TAG: Final = "glideslope-person/1"
SALT: Final = 32
"""Random bytes; a name or an address could be guessed, these cannot."""
STREAM: Final = "people"
LONGEST: Final = 200


class Person(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Personal data; each part may be empty."""

    name: str = ""
    email: str = ""
    chat: str = ""
    """An address in a chat, such as @ana."""


def checked(person: Person) -> Person:
    """Return what may be kept. Raises Invalid."""
    parts = (person.name, person.email, person.chat)
    if not any(part.strip() for part in parts):
        raise Invalid("Say at least one of name, e-mail and chat address.")
    if any(len(part) > LONGEST or not part.isprintable() for part in parts):
        raise Invalid(f"A name or an address has at most {LONGEST} printable characters.")
    return person


def commitment(actor: Actor, person: Person, *, salt: bytes) -> Digest:
    """Return what the ledger says of a person: SHA-256 over the canonical JSON of actor, data, salt and this form's name.

    Raises Invalid for a salt of another length.
    """
    if len(salt) != SALT:
        raise Invalid(f"A salt has {SALT} bytes.")
    said = {"actor": actor, "person": msgspec.to_builtins(person), "salt": encode_base64(salt), "form": TAG}
    return Digest("sha256:" + sha256(canonical.encode(said)).hexdigest())
