"""What is looked up afterwards: versions, packs, checkpoints, and the ledger itself."""

from collections.abc import Sequence

from glideslope.domain.governing.dossier import Dossier
from glideslope.engine.facts import FactsView
from glideslope.engine.version_record import VersionRecordView
from glideslope.engine.views import CheckpointView, FoundView, SearchView
from glideslope.sdk.calls.making import ask, at, order, tell
from glideslope.sdk.requests import Call, Stream


def version(model: str, version: str) -> Call[VersionRecordView]:
    """Ask for all that the ledger says about a version."""
    return ask(VersionRecordView, at("models", model, "versions", version))


def facts(model: str, version: str) -> Call[FactsView]:
    """Ask how a version was made."""
    return ask(FactsView, at("models", model, "versions", version, "facts"))


def record_facts(
    model: str, version: str, text: str, *, why: str, file: str = "facts.yaml", key: str = ""
) -> Call[FactsView]:
    """Record how a version was made."""
    body = {"text": text, "file": file, "why": why}
    return order(FactsView, at("models", model, "versions", version, "facts"), body, key=key)


def pack(rollout: str, *, checkpoint: int | None = None, published: Sequence[int] = ()) -> Call[bytes]:
    """Ask for the evidence pack of a rollout, a ZIP file."""
    return ask(bytes, at("rollouts", rollout, "pack"), {"checkpoint": checkpoint, "published": list(published)})


def dossier(rollout: str) -> Call[Dossier]:
    """Ask for all that a policy is shown about a rollout's change now."""
    return ask(Dossier, at("rollouts", rollout, "dossier"))


def checkpoint(*, size: int | None = None, cosigned: int | None = None) -> Call[CheckpointView]:
    """Ask for a signed checkpoint."""
    return ask(CheckpointView, at("ledger", "checkpoint"), {"size": size, "cosigned": cosigned})


def witness_request(*, older: int, size: int | None = None) -> Call[str]:
    """Ask for what a witness is sent."""
    return ask(str, at("ledger", "checkpoint", "request"), {"older": older, "size": size})


def cosign(*, size: int, lines: str) -> Call[CheckpointView]:
    """Hand in what witnesses signed; twice is as good as once."""
    return tell(CheckpointView, at("ledger", "checkpoint", "cosignatures"), {"size": size, "lines": lines})


def search(
    question: str, *, limit: int | None = None, below: int | None = None, whole: bool = False
) -> Call[SearchView]:
    """Ask for entries by words and fields, newest first; older ones with `below` the `next` of the answer."""
    query = {"q": question, "limit": limit, "below": below, "whole": whole or None}
    return ask(SearchView, at("search"), query)


def ledger() -> Call[bytes]:
    """Ask for the whole ledger as a bundle; `Client.stream` yields its lines as they come."""
    return ask(bytes, at("ledger"))


def entry_events(*, start: int | None = None, model: str = "", kinds: Sequence[str] = ()) -> Stream[FoundView]:
    """Follow the ledger from an entry on, else from the next one: each entry once, in order, over any break."""
    query = {"from": start, "model": model, "kind": list(kinds)}
    return Stream(call=ask(FoundView, at("events"), query), ends=lambda _: False)
