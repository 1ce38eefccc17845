"""Policies, dossiers and changes that were, from files that people name."""

from collections.abc import Iterator
from pathlib import Path

import msgspec

from glideslope.domain.errors import DossierInvalid, Invalid, NotFound
from glideslope.domain.governing.advisories import advisories_of
from glideslope.domain.governing.dossier import Advisories, Dossier, dossier_of
from glideslope.domain.governing.policy.trying import Case, Past
from glideslope.engine.record import EXAMINATION_PREFIX
from glideslope.interfaces.cli.contents import file_bytes
from glideslope.interfaces.document import policies
from glideslope.interfaces.document.policies import PolicyDocument
from glideslope.interfaces.document.text import decode
from glideslope.ledger import bundle, entry
from glideslope.ledger.errors import LedgerError

SUFFIXES = {".yaml", ".yml", ".json"}


def read_policy(path: Path) -> PolicyDocument:
    """Read a policy. Raises NotFound, Invalid."""
    return policies.read(_text(path, what="policy"), file=str(path))


def read_dossier(path: Path) -> Dossier:
    """Read a dossier. Raises NotFound, Invalid."""
    return policies.read_dossier(_text(path, what="dossier"), file=str(path))


def with_advisories(dossier: Dossier, path: Path | None) -> Dossier:
    """Return a dossier with the advisories of a file (JSON) in place of its own. Raises NotFound, Invalid."""
    return dossier if path is None else msgspec.structs.replace(dossier, advisories=read_advisories(path))


def read_advisories(path: Path) -> Advisories:
    """Read a file of advisories (JSON). Raises NotFound, Invalid."""
    try:
        document = msgspec.json.decode(file_bytes(path, what="advisories"))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Invalid(f"The advisories file {str(path)!r} is no JSON: {error}.") from None
    return advisories_of(document)


def read_document(path: Path) -> dict[str, object]:
    """Read a dossier's plain values. Raises NotFound, Invalid."""
    return policies.read_document(_text(path, what="dossier"), file=str(path))


def cases_of(policy: PolicyDocument, path: Path, beside: Path | None) -> tuple[tuple[Case, ...], Path]:
    """Return the cases of a policy and the folder in which their dossiers are named: a file's of its own, else its own."""
    usual = path.with_suffix(".cases.yaml")
    chosen = beside or (usual if usual.exists() and not policy.cases else None)
    if chosen is None:
        return policy.cases, path.parent
    return policies.read_cases(_text(chosen, what="cases"), file=str(chosen)), chosen.parent


def pasts(path: Path, *, last: int | None) -> tuple[Past, ...]:
    """Return changes that were, oldest first: every dossier of a folder, or the last of each change in a ledger's bundle.

    Raises NotFound, Invalid.
    """
    if not path.exists():
        raise NotFound(what="folder of dossiers, or ledger", name=str(path))
    found = list(_of_folder(path)) if path.is_dir() else list(_of_ledger(path))
    if not found:
        raise Invalid(f"{str(path)!r} holds no dossier, so nothing can be said about changes that were.")
    ordered = sorted(found, key=lambda past: (past.dossier.now, past.name))
    return tuple(ordered[-last:] if last else ordered)


def _of_folder(path: Path) -> Iterator[Past]:
    for each in sorted(path.iterdir()):
        if each.suffix in SUFFIXES and each.is_file():
            yield Past(each.stem, read_dossier(each))


def _of_ledger(path: Path) -> Iterator[Past]:
    """Yield the last dossier that each stream holds. It is believed as it is: `verify` checks a ledger."""
    latest: dict[str, Past] = {}
    try:
        with path.open("rb") as raw:
            lines = bundle.lines(raw.readline)
            bundle.read_head(lines)
            for position, line in enumerate(lines, start=1):
                found = entry.decode(line[bundle.HASH_LENGTH + 1 : -1])
                body = found.body
                if isinstance(body, dict) and isinstance(body.get("dossier"), dict):
                    latest[found.stream] = Past(_change(found.stream), _recorded(body["dossier"], position, path))
    except OSError as error:
        raise Invalid(f"The ledger file {str(path)!r} cannot be read: {error.strerror}.") from None
    except (LedgerError, msgspec.MsgspecError) as error:
        raise Invalid(
            f"{path.name} is no ledger that can be read: {error}.", next_command="glideslope verify --out ledger.bundle"
        ) from None
    yield from latest.values()


def _change(stream: str) -> str:
    """Return the name of the change that an entry is about: `r-0007`, by which people know it."""
    return stream.removeprefix(EXAMINATION_PREFIX)


def _recorded(document: object, position: int, path: Path) -> Dossier:
    try:
        return dossier_of(document)
    except DossierInvalid as error:
        raise Invalid(
            f"Entry {position} of {path.name} holds a dossier that cannot be read: {error.sentence}."
        ) from error


def _text(path: Path, *, what: str) -> str:
    return decode(file_bytes(path, what=what), file=str(path)).text
