"""Recompute what was decided from what was recorded, and hold the record against the rules that it promises to keep.

Pure: entries in, findings out. Whether the entries are the ones that were signed is asked by `ledger.verify`.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Protocol, assert_never

import msgspec

from glideslope.domain.decide import decide, decide_1, decide_2, decide_3
from glideslope.domain.decision import Advance, Decision, Hold, Promote, RollBack
from glideslope.domain.errors import GlideslopeError, Invalid, NotFound
from glideslope.domain.events import Closed, Decided, Event, body_of, event_of, instant
from glideslope.domain.evidence import Evidence
from glideslope.domain.freeze import plan_digest
from glideslope.domain.governing.envelope.replaying import Reclassifying
from glideslope.domain.ids import MACHINE, RolloutId
from glideslope.domain.rollout import Rollout, apply, begin
from glideslope.ledger import canonical
from glideslope.ledger.entry import Entry
from glideslope.ledger.errors import CanonicalError


class Decider(Protocol):
    """One version of the rules."""

    def __call__(self, rollout: Rollout, evidence: Evidence, *, now: int) -> Decision:
        """Judge."""
        ...


DECIDERS: Final[Mapping[int, Decider]] = {1: decide_1, 2: decide_2, 3: decide_3, 4: decide}
"""Every version of the rules that ever decided, for ever importable."""

MOST_PER_FLAW: Final = 20

_KIND_PROPOSED: Final = "rollout-proposed"
_KIND_DECIDED: Final = "decided"


class Flaw(StrEnum):
    """What a replay can find; codes never change their meaning."""

    DECISION_DIFFERS = "decision-differs"  # the same evidence gives another decision
    DECISION_UNCOMPUTABLE = "decision-uncomputable"  # the rules cannot judge what was recorded
    DECIDER_UNKNOWN = "decider-unknown"  # made by rules that this version does not have
    ENTRY_UNREADABLE = "entry-unreadable"  # of no kind we know, or not of its kind
    ENTRY_IMPOSSIBLE = "entry-impossible"  # cannot follow what came before it
    ENTRY_AFTER_CLOSE = "entry-after-close"
    PLAN_DIFFERS = "plan-differs"  # the digest that people approved is not the plan's
    APPROVALS_MISSING = "approvals-missing"  # exposed before the people whom the plan asks for had agreed
    STEP_SKIPPED = "step-skipped"
    ORDER_FORBIDDEN = "order-forbidden"  # a person may order a rollback, never an exposure
    CLASSIFICATION_DIFFERS = "classification-differs"  # the envelope answers otherwise about the recorded dossier


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayFinding:
    """What is wrong, and where. `position` is the entry's place in the ledger, from 0."""

    flaw: Flaw
    stream: str
    version: int
    position: int
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayReport:
    """What a replay saw: an honest record has no findings. Of each flaw the first MOST_PER_FLAW are listed."""

    rollouts: int
    decisions: int
    """Machine-made decisions that were recomputed and came out the same, to the byte."""
    orders: int
    """Decisions by people, which were only checked for being possible."""
    findings: tuple[ReplayFinding, ...]
    classifications: int = 0
    """By envelopes, which were asked again and answered the same, to the byte."""
    omitted: tuple[tuple[Flaw, int], ...] = ()
    """How many more there were of a flaw."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayedDecision:
    """One decision with all that it rests on, recorded and recomputed. `at` in milliseconds since the epoch, UTC."""

    stream: str
    version: int
    at: int
    before: Rollout
    recorded: Decided
    recomputed: Decision | None
    """None for a person's order, which no rule made."""
    same: bool


def replay(entries: Iterable[Entry]) -> ReplayReport:
    """Replay every rollout among the entries of a ledger, given in its order. Never raises on what they hold."""
    streams: dict[str, _Stream] = {}
    found, envelopes = _Findings(), Reclassifying()
    for position, entry in enumerate(entries):
        if differs := envelopes.take(entry.kind, entry.body):
            flaw = Flaw.CLASSIFICATION_DIFFERS
            found.add(
                ReplayFinding(
                    flaw=flaw, stream=entry.stream, version=entry.version, position=position, sentence=differs
                )
            )
        stream = streams.get(entry.stream)
        if stream is None:
            stream = streams[entry.stream] = _Stream(name=entry.stream, found=found)
        stream.take(entry, position=position)
    rollouts = [s for s in streams.values() if s.concerns_a_rollout]
    return ReplayReport(
        rollouts=len(rollouts),
        decisions=sum(s.decisions for s in rollouts),
        orders=sum(s.orders for s in rollouts),
        classifications=envelopes.made_again,
        findings=tuple(sorted(found.listed, key=lambda f: f.position)),
        omitted=tuple((flaw, n - MOST_PER_FLAW) for flaw, n in sorted(found.counts.items()) if n > MOST_PER_FLAW),
    )


@dataclass(slots=True)
class _Findings:
    """A record with a million flaws needs no million sentences."""

    listed: list[ReplayFinding] = field(default_factory=list)
    counts: Counter[Flaw] = field(default_factory=Counter)

    def add(self, finding: ReplayFinding) -> None:
        self.counts[finding.flaw] += 1
        if self.counts[finding.flaw] <= MOST_PER_FLAW:
            self.listed.append(finding)


@dataclass(slots=True)
class _Stream:
    """One stream on its way through the replay. After an entry that makes no sense nothing that follows is judged."""

    name: str
    found: _Findings
    rollout: Rollout | None = None
    concerns_a_rollout: bool = False
    broken: bool = False
    closed: bool = False
    decisions: int = 0
    orders: int = 0

    def take(self, entry: Entry, *, position: int) -> None:
        # A model's stream holds neither; a decision without a proposal must not hide by being no rollout's.
        self.concerns_a_rollout |= entry.kind in (_KIND_PROPOSED, _KIND_DECIDED)
        if not self.concerns_a_rollout or self.broken:
            return
        if self.closed:
            self._find(entry, position, Flaw.ENTRY_AFTER_CLOSE, "The stream was closed before.")
            return
        try:
            event, at = _understood(entry), instant(entry.at)
        except (GlideslopeError, CanonicalError) as error:
            self._find(entry, position, Flaw.ENTRY_UNREADABLE, str(error))
            self.broken = True
            return
        if isinstance(event, Decided) and self.rollout is not None:
            self._judge(self.rollout, event, entry=entry, at=at, position=position)
        try:
            self.rollout = self._after(event, at=at)
        except Invalid as error:
            self._find(entry, position, Flaw.ENTRY_IMPOSSIBLE, str(error))
            self.broken = True
        if (
            self.rollout is not None
            and self.rollout.version == 1
            and plan_digest(self.rollout.plan) != (self.rollout.plan_digest)
        ):
            self._find(entry, position, Flaw.PLAN_DIFFERS, "The plan's content has another digest than was approved.")
        self.closed = isinstance(event, Closed)

    def _after(self, event: Event, *, at: int) -> Rollout:
        if self.rollout is None:
            return begin(RolloutId(self.name), event, at=at)
        return apply(self.rollout, event, at=at)

    def _judge(self, before: Rollout, event: Decided, *, entry: Entry, at: int, position: int) -> None:
        for flaw, sentence in _broken_rules(before, event):
            self._find(entry, position, flaw, sentence)
        if event.by != MACHINE:
            self.orders += 1
            return
        if event.decider not in DECIDERS:
            self._find(
                entry, position, Flaw.DECIDER_UNKNOWN, f"It was made by rules {event.decider}; upgrade to replay."
            )
            return
        try:
            found = _recomputed(before, event, entry=entry, at=at)
        except Invalid as error:
            self._find(entry, position, Flaw.DECISION_UNCOMPUTABLE, str(error))
            return
        if found.same:
            self.decisions += 1
            return
        self._find(
            entry,
            position,
            Flaw.DECISION_DIFFERS,
            f"Recorded: {_said(event.decision)}. The recorded evidence gives: "
            f"{'nothing' if found.recomputed is None else _said(found.recomputed)}.",
        )

    def _find(self, entry: Entry, position: int, flaw: Flaw, sentence: str) -> None:
        self.found.add(
            ReplayFinding(flaw=flaw, stream=self.name, version=entry.version, position=position, sentence=sentence)
        )


def _understood(entry: Entry) -> Event:
    """Read an entry whole: what would be lost on the way back was not understood. Raises Invalid, CanonicalError."""
    event = event_of(entry.kind, entry.body)
    if canonical.encode(body_of(event)) != canonical.encode(dict(entry.body)):
        raise Invalid(f"A ledger entry of kind {entry.kind} says more or less than this version understands.")
    return event


def _broken_rules(before: Rollout, event: Decided) -> Iterable[tuple[Flaw, str]]:
    """Ask the record itself, without the rules that decided, whether what we promise was kept."""
    match event.decision:
        case Advance(to=to):
            agreed = len(before.granted - {before.proposed_by})
            if before.position < 0 and (agreed < before.plan.approvals or before.denied - {before.proposed_by}):
                yield Flaw.APPROVALS_MISSING, f"The plan asks for {before.plan.approvals} approvals; {agreed} counted."
            if to not in (before.position, before.position + 1):
                yield Flaw.STEP_SKIPPED, f"It goes from step {before.position + 1} to step {to + 1}."
        case Promote():
            if before.position + 1 != len(before.plan.steps):
                yield Flaw.STEP_SKIPPED, f"It promotes from step {before.position + 1} of {len(before.plan.steps)}."
        case Hold() | RollBack():
            pass
        case _:
            assert_never(event.decision)
    if event.by != MACHINE and not isinstance(event.decision, RollBack):
        yield Flaw.ORDER_FORBIDDEN, f"{event.by} may order a rollback and nothing else."


def _said(decision: Decision) -> str:
    reasons = ", ".join(decision.reasons)
    match decision:
        case Advance(to=to):
            return f"advance to step {to + 1} ({reasons})"
        case Hold(exposed=exposed):
            return f"hold {'exposed' if exposed else 'withdrawn'} ({reasons})"
        case RollBack():
            return f"roll back ({reasons})"
        case Promote():
            return f"promote ({reasons})"
        case _:
            assert_never(decision)


def replay_decision(entries: Iterable[Entry], *, stream: str, version: int) -> ReplayedDecision:
    """Recompute one decision from its stream's entries (others are passed over).

    Raises NotFound when it is not there or is no decision, Invalid when it or what came before cannot be understood.
    """
    before: Rollout | None = None
    for entry in entries:
        if entry.stream != stream:
            continue
        event, at = event_of(entry.kind, entry.body), instant(entry.at)
        if entry.version == version and before is not None and isinstance(event, Decided):
            return _recomputed(before, event, entry=entry, at=at)
        if entry.version >= version:
            break
        before = begin(RolloutId(stream), event, at=at) if before is None else apply(before, event, at=at)
    raise NotFound(what="decision", name=f"{stream} {version}", next_command=f"glideslope show {stream}")


def _recomputed(before: Rollout, event: Decided, *, entry: Entry, at: int) -> ReplayedDecision:
    found: Decision | None = None
    same = True
    if event.by == MACHINE:
        decider = DECIDERS.get(event.decider)
        if decider is None:
            raise Invalid(f"The decision was made by rules {event.decider}, which this version does not have.")
        try:
            found = decider(before, event.evidence, now=at)
            # A forged time can give figures that no ledger holds, which is a ValueError as well.
            same = _bytes(found) == canonical.encode(entry.body["decision"])
        except (ArithmeticError, LookupError, ValueError) as error:
            raise Invalid(f"The rules cannot judge what was recorded: {error}.") from error
    return ReplayedDecision(
        stream=entry.stream, version=entry.version, at=at, before=before, recorded=event, recomputed=found, same=same
    )


def _bytes(decision: Decision) -> bytes:
    return canonical.encode(msgspec.to_builtins(decision))
