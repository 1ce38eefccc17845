"""A file of advisories in the OSV format (osv.dev, schema 1.x) as the block of a dossier. Versions are compared as they are named."""

from collections.abc import Iterator
from typing import Any, Final

import msgspec

from glideslope.domain.errors import DossierInvalid
from glideslope.domain.governing.dossier import Advisories, Advisory, advisories_digest, with_moments

SEVERITIES: Final = {"LOW": "low", "MODERATE": "moderate", "MEDIUM": "moderate", "HIGH": "high", "CRITICAL": "critical"}
"""As GitHub's database and others say them in `database_specific`."""
UNKNOWN: Final = "unknown"
EVERY: Final = "*"
"""Stands for every version, where an advisory names ranges and no versions: then none can be shown to be free of it."""


class File(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a file holds: when it was asked for, from where, and the records as they came."""

    as_of: int
    source: str
    advisories: tuple[dict[str, Any], ...]


def advisories_of(document: object) -> Advisories:
    """Return a file's advisories as a dossier holds them. Raises DossierInvalid for what is no such file."""
    try:
        file = msgspec.convert(with_moments(document), File)
        entries = tuple(entry for record in file.advisories for entry in _entries(record))
    except (msgspec.ValidationError, KeyError, TypeError, AttributeError) as error:
        raise DossierInvalid(f"this is no file of advisories: {error}", where="advisories") from None
    return Advisories(source=file.source, as_of=file.as_of, digest=advisories_digest(entries), entries=entries)


def _entries(record: dict[str, Any]) -> Iterator[Advisory]:
    if record.get("withdrawn"):
        return
    said = (record.get("database_specific") or {}).get("severity")
    for affected in record["affected"]:
        yield Advisory(
            id=str(record["id"]),
            package=str(affected["package"]["name"]),
            versions=tuple(str(version) for version in affected.get("versions") or (EVERY,)),
            severity=SEVERITIES.get(str(said).upper(), UNKNOWN),
        )
