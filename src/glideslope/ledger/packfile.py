"""The container of an evidence pack: a ZIP that can be written in one way only, so that any changed byte shows.

Nothing is compressed, every date is 1 January 1980, and no member has extra fields or a comment. A reader writes the
members again and compares; docs/reference/pack-format.md is the specification, `verifier/` reads it.
"""

import struct
from collections.abc import Mapping
from hashlib import sha256
from zlib import crc32

from glideslope.ledger import note
from glideslope.ledger.errors import LedgerError

TAG = "glideslope-pack/2"
MANIFEST = "manifest.json"
NOTE = "manifest.note"
MOST_MEMBERS = 60_000
LARGEST = 1 << 30
"""Bytes of a whole pack."""

_LOCAL = struct.Struct("<4s5H3I2H")
_CENTRAL = struct.Struct("<4s6H3I5H2I")
_END = struct.Struct("<4s4H2IH")
_MIDNIGHT, _NEW_YEAR_1980 = 0, 0x21


class PackTooLarge(LedgerError):
    """What belongs into the pack does not go into one file that every reader can read."""

    code = "pack-too-large"


def write(members: Mapping[str, bytes]) -> bytes:
    """Return the ZIP of *members*, in their order; the same members give the same bytes. Raises PackTooLarge."""
    if len(members) > MOST_MEMBERS or sum(map(len, members.values())) > LARGEST:
        raise PackTooLarge(f"a pack holds at most {MOST_MEMBERS:,} files and {LARGEST:,} bytes")
    whole, index = bytearray(), bytearray()
    for name, data in members.items():
        encoded = name.encode("ascii")
        common = (0, 0, _MIDNIGHT, _NEW_YEAR_1980, crc32(data), len(data), len(data), len(encoded), 0)
        index += _CENTRAL.pack(b"PK\x01\x02", 10, 10, *common, 0, 0, 0, 0, len(whole)) + encoded
        whole += _LOCAL.pack(b"PK\x03\x04", 10, *common) + encoded + data
    count, start = len(members), len(whole)
    return bytes(whole + index + _END.pack(b"PK\x05\x06", 0, 0, count, count, len(index), start, 0))


def text(*, origin: str, rollout: str, change: str, members: Mapping[str, bytes]) -> str:
    """Return what is signed for a pack: whose it is, about what, and the digest of every member but the note itself.

    The lines of members are as `sha256sum` writes them.
    """
    head = (TAG, origin, rollout, change)
    listed = (f"{sha256(data).hexdigest()}  {name}" for name, data in members.items())
    return "".join(f"{line}\n" for line in (*head, *listed))


def sealed(members: Mapping[str, bytes], signed: bytes) -> bytes:
    """Return the whole pack: the first member, the manifest (which must be among them), the note, then the others."""
    note.parse(signed)
    first = next(iter(members))
    ordered = {first: members[first], MANIFEST: members[MANIFEST], NOTE: signed}
    return write({**ordered, **{name: data for name, data in members.items() if name not in ordered}})
