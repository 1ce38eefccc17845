"""The desk for facts: what is known about how a version was made, recorded once, superseded later, never lost."""

from collections.abc import Awaitable, Callable, Sequence

import msgspec

from glideslope.domain.commands import RecordFacts
from glideslope.domain.errors import Conflict, FactsInvalid, Invalid, KeyReused, NotFound, VersionConflict
from glideslope.domain.events import FactsRecorded, rfc3339
from glideslope.domain.governing.facts import Facts, check_facts, unknown
from glideslope.domain.ids import Actor, Digest, ModelName, VersionName
from glideslope.engine.once import RETRIES
from glideslope.engine.record import Append, Record, Recorded, model_stream


class FactsView(msgspec.Struct, frozen=True, kw_only=True):
    """What is known about a version, by whose word, and where in the ledger it stands."""

    model: ModelName
    version: VersionName
    digest: Digest
    """The registered content that these facts are about."""
    facts: Facts
    unknown: tuple[str, ...]
    """Topics about which nothing is said; no is never read out of that."""
    by: Actor
    why: str
    at: str
    entry: int
    """The ledger entry."""
    superseded: tuple[int, ...]
    """The ledger entries of what was stated before, oldest first."""


class FactsDesk:
    """Takes facts down and shows them."""

    def __init__(self, *, record: Record, wake: Callable[[], None]) -> None:
        self._record = record
        self._wake = wake

    async def take(self, command: RecordFacts, *, key: str) -> FactsView:
        """Record facts; the same that stand already are recorded once.

        Raises NotFound for a version that is not registered, FactsInvalid, KeyReused, Invalid without a reason.
        """
        check_facts(command.facts)
        if not command.why.strip():
            raise Invalid("Every act needs a reason: say it with -m.")
        facts = command.facts
        event = FactsRecorded(facts=facts, by=command.by, why=command.why.strip())
        key = f"facts/{facts.model}/{facts.version}/{key}"
        done = await self._record.known(key)
        if done is None:
            await self._record.refresh()
            self._check_digest(facts)
            done = await self._append(event, key=key)
        if done is not None and done.event != event:
            raise KeyReused
        return facts_view(self._record, facts.model, facts.version)

    def _check_digest(self, facts: Facts) -> None:
        registered = self._record.model(facts.model).version(facts.version).digest
        if facts.digest not in (msgspec.UNSET, registered):
            raise FactsInvalid(
                f"{facts.model} {facts.version} is registered as {registered}; these facts are about {facts.digest}",
                where="digest",
                next_command=f"glideslope show {facts.model}",
            )

    async def _append(self, event: FactsRecorded, *, key: str) -> Recorded | None:
        async def once() -> Recorded | None:
            facts = event.facts
            if self._record.model(facts.model).facts.get(facts.version) == facts:
                return None
            stream = model_stream(facts.model)
            expected = self._record.version(stream)
            (recorded,) = await self._record.append(
                (Append(stream=stream, expected=expected, events=(event,), key=key),)
            )
            return recorded

        return await _persist(once, wake=self._wake)


def facts_view(record: Record, model: ModelName, version: VersionName) -> FactsView:
    """Return what is known of a version. Raises NotFound."""
    registered = record.model(model).version(version)
    stated = facts_about(record, model, version)
    if not stated:
        raise NotFound(
            what="facts about",
            name=f"{model} {version}",
            next_command=f"glideslope facts record {model} {version} -f facts.yaml -m WHY",
        )
    *before, (last, event) = stated
    return FactsView(
        model=model,
        version=version,
        digest=registered.digest,
        facts=event.facts,
        unknown=unknown(event.facts),
        by=event.by,
        why=event.why,
        at=rfc3339(last.at),
        entry=last.entry,
        superseded=tuple(recorded.entry for recorded, _ in before),
    )


def facts_about(record: Record, model: ModelName, version: VersionName) -> Sequence[tuple[Recorded, FactsRecorded]]:
    """Return all that was ever stated about a version, oldest first; the last is in force."""
    return [
        (recorded, recorded.event)
        for recorded in record.history(model_stream(model))
        if isinstance(recorded.event, FactsRecorded) and recorded.event.facts.version == version
    ]


async def _persist(once: Callable[[], Awaitable[Recorded | None]], *, wake: Callable[[], None]) -> Recorded | None:
    for _ in range(RETRIES):
        try:
            done = await once()
        except VersionConflict:
            continue
        wake()
        return done
    raise Conflict("Others kept writing first; nothing was recorded. Look again and repeat.")
