"""Commands about agreements: table, answer, review. What was needed being there, it is in force in the same transaction."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from glideslope.domain.commands import AnswerAgreement, ReviewAgreement, TableAgreement
from glideslope.domain.errors import Conflict, DigestChanged, NotEntitled, NotFound, SelfApproval
from glideslope.domain.events import Event
from glideslope.domain.governing.agreement import (
    ORGANISATION,
    Agreement,
    AgreementAnswered,
    AgreementInForce,
    AgreementReviewed,
    AgreementTabled,
    Edition,
    agreement_digest,
)
from glideslope.domain.governing.approval import Approval, Need, together, unmet
from glideslope.domain.governing.envelope import Envelope
from glideslope.domain.governing.kinds import agreed_of, restored
from glideslope.domain.governing.organisation import Organisation, Right
from glideslope.domain.ids import Actor
from glideslope.engine.governing import Governing
from glideslope.engine.handlers import reason
from glideslope.engine.once import Once, require_same
from glideslope.engine.record import Append, Record, Recorded, agreement_stream
from glideslope.engine.stale import require_stream

ENVELOPE = "envelope"
ADMINISTER = Right.ADMINISTER.value
"""The pseudo-function in which administrators answer."""


class Agreements:
    """Documents that people agree on."""

    def __init__(self, record: Record, governing: Governing, *, once: Once) -> None:
        self._record = record
        self._governing = governing
        self._once = once

    async def table(self, command: TableAgreement, *, key: str) -> Agreement:
        """Ask that a document be in force. The first organisation is in force at once, by the word of an administrator's token.

        Raises AgreementInvalid, NotEntitled, Conflict, KeyReused.
        """
        self._governing.check(agreed_of(command.of, command.document))
        digest = agreement_digest(command.document)
        tabled = AgreementTabled(
            of=command.of,
            name=command.name,
            document=command.document,
            digest=digest,
            text=command.text,
            by=command.by,
            why=reason(command.why),
        )

        def events() -> Sequence[Event]:
            found = self._record.agreement(command.of, command.name)
            if found is not None and found.in_force is not None and found.in_force.digest == digest:
                return ()
            waits = found.tabled if found is not None else None
            if waits is not None and (waits.digest, waits.by) == (digest, command.by):
                return ()
            organisation = self._governing.organisation
            self._check_tabling(command, organisation)
            if _needs(command.of, command.document, organisation, by=command.by):
                return (tabled,)
            return tabled, AgreementInForce(digest=digest, by=command.by, why="Nobody else need agree.")

        return await self._append(command.of, command.name, tabled, events, key=f"table/{key}")

    async def answer(self, command: AnswerAgreement, *, key: str) -> Agreement:
        """Say yes or no to exactly what is tabled; or to the envelope in force, to take a yes to it back or to give it again.

        Raises NotFound, NotEntitled, SelfApproval, DigestChanged, Conflict for a yes that was never given.
        """
        answered = AgreementAnswered(
            digest=command.digest,
            granted=command.granted,
            functions=self._functions(command.by),
            by=command.by,
            why=reason(command.why),
        )

        def events() -> Sequence[Event]:
            found, tabled = self._answerable(command)
            look = f"glideslope agree diff {found.of} {found.name}"
            if tabled.digest != command.digest:
                raise DigestChanged(
                    rollout=f"{found.of} {found.name}",
                    seen=command.digest,
                    current=tabled.digest,
                    what="the text",
                    next_command=look,
                )
            if tabled.by == command.by:
                raise SelfApproval(rollout=f"{found.of} {found.name}", actor=command.by, next_command=look)
            functions = self._require_functions(command.by)
            answer = msgspec.structs.replace(answered, functions=functions)
            if tabled is found.in_force:
                if not command.granted and command.by not in {a.by for a in tabled.granted}:
                    raise Conflict(f"{command.by} has not agreed to it, so there is nothing to take back.")
                return (answer,)
            if not command.granted:
                return (answer,)
            given = Approval(by=command.by, digest=tabled.digest, functions=functions, at=self._record.now())
            granted = (*(a for a in tabled.granted if a.by != command.by), given)
            needs = _needs(found.of, tabled.document, self._governing.organisation, by=tabled.by)
            if unmet(needs, granted) or tabled.denied - {command.by}:
                return (answer,)
            return answer, AgreementInForce(digest=tabled.digest, by=tabled.by, why=tabled.why)

        return await self._append(command.of, command.name, answered, events, key=f"answer/{key}")

    async def review(self, command: ReviewAgreement, *, key: str) -> Agreement:
        """Stand by what is in force, so that its next review is due a cadence later. Raises NotFound, NotEntitled."""
        await self._record.refresh()
        reviewed = self._reviewed(command)

        def events() -> Sequence[Event]:
            self._require_functions(command.by)
            stream, what = agreement_stream(command.of, command.name), f"{command.of} {command.name}"
            look = f"glideslope agree show {command.of} {command.name}"
            require_stream(self._record, stream, seen=command.tag, what=what, next_command=look)
            return (self._reviewed(command),)

        return await self._append(command.of, command.name, reviewed, events, key=f"review/{key}")

    def _reviewed(self, command: ReviewAgreement) -> AgreementReviewed:
        found = self._record.agreement(command.of, command.name)
        if found is None or found.in_force is None:
            raise NotFound(what=f"{command.of} in force", name=command.name, next_command="glideslope agree ls")
        return AgreementReviewed(digest=found.in_force.digest, by=command.by, why=reason(command.why))

    def _check_tabling(self, command: TableAgreement, organisation: Organisation | None) -> None:
        if organisation is None:
            if not command.admin:
                raise NotEntitled(actor=command.by, needs="an administrator's token, while no organisation is in force")
            if command.of != ORGANISATION:
                raise Conflict(
                    "No organisation is in force, so nobody could agree to this. Table that first.",
                    next_command="glideslope agree table organisation.yaml -m WHY",
                )
        elif command.of == ORGANISATION:
            self._governing.require(command.by, Right.ADMINISTER, to="the organisation")
        elif organisation.person(command.by) is None:
            raise NotEntitled(actor=command.by, needs="a person of the organisation")

    def _functions(self, actor: Actor) -> tuple[str, ...]:
        organisation = self._governing.organisation
        if organisation is None:
            return ()
        functions = organisation.authority(actor, now=self._record.now())
        return (*functions, *((ADMINISTER,) if organisation.may(actor, Right.ADMINISTER) else ()))

    def _answerable(self, command: AnswerAgreement) -> tuple[Agreement, Edition]:
        """Return what is answered: an envelope in force that is named, since what was given with it goes on counting; else what is tabled.

        So nobody keeps a yes from being taken back by tabling something else.
        """
        found = self._record.agreement(command.of, command.name)
        held = found.in_force if found is not None and command.of == ENVELOPE else None
        if found is not None and held is not None and held.digest == command.digest:
            return found, held
        if found is None or found.tabled is None:
            raise NotFound(what=f"tabled {command.of}", name=command.name, next_command="glideslope agree ls")
        return found, found.tabled

    def _require_functions(self, actor: Actor) -> tuple[str, ...]:
        found = self._functions(actor)
        if not found:
            raise NotEntitled(actor=actor, needs="the right to review in a function, or to administer")
        return found

    async def _append(
        self, of: str, name: str, asked: Event, events: Callable[[], Sequence[Event]], *, key: str
    ) -> Agreement:
        """Record what follows from what is asked, as things stand; nothing when it is so already."""
        stream = agreement_stream(of, name)
        key = f"{stream}/{key}"

        def same(done: Recorded) -> Agreement:
            require_same(done.event, asked)
            found = self._record.agreement(of, name)
            if found is None:
                raise NotFound(what=of, name=name)
            return found

        async def once() -> Agreement:
            if following := events():
                append = Append(stream=stream, expected=self._record.version(stream), events=following, key=key)
                return same((await self._record.append((append,)))[0])
            found = self._record.agreement(of, name)
            if found is None:
                raise NotFound(what=of, name=name)
            return found

        return await self._once.carry_out(key, same=same, act=lambda: self._once.persist(once))


def needs(agreement: Agreement, organisation: Organisation | None) -> tuple[Need, ...]:
    """Return whose yes a tabled document still needs."""
    if agreement.tabled is None:
        return ()
    tabled = agreement.tabled
    return unmet(_needs(agreement.of, tabled.document, organisation, by=tabled.by), tabled.granted)


def _needs(of: str, document: Mapping[str, Any], organisation: Organisation | None, *, by: Actor) -> Sequence[Need]:
    """Return who must agree: to an envelope also everybody whose approval falls away with it, since it is theirs to give."""
    named = _named(of, organisation, by=by)
    envelope = restored(of, document) if of == ENVELOPE else None
    return together(named, envelope.falls_away) if isinstance(envelope, Envelope) and organisation else named


def _named(of: str, organisation: Organisation | None, *, by: Actor) -> Sequence[Need]:
    """Return who must agree: for the organisation another administrator, for else whom it names, or compliance."""
    if organisation is None:
        return ()
    others = [p for p in organisation.people if p.id != by]
    administrators = sum(Right.ADMINISTER in p.rights for p in others)
    if of == ORGANISATION and of not in organisation.agreements:
        return (Need(ADMINISTER),) if administrators else ()
    named = organisation.agreements.get(of)
    if named is not None:
        return named
    reviewers = [p for p in others if Right.REVIEW in p.rights]
    if any("compliance" in p.functions for p in reviewers):
        return (Need("compliance"),)
    return (Need(ADMINISTER),) if administrators else ()
