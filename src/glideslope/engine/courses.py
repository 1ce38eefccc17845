"""How a rollout went: whom it exposed when, what each guardrail showed at each decision, and what served a model before and after.

All of it is folded from the record, so a page of it is the same whoever asks and whenever.
"""

from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from glideslope.domain.events import Decided, Installed, rfc3339
from glideslope.domain.evidence import Evidence
from glideslope.domain.ids import ModelName, RolloutId
from glideslope.domain.plan import Plan
from glideslope.domain.rollout import ENDED, Phase, Rollout, apply, begin, exposure
from glideslope.domain.traffic import FULL
from glideslope.engine.display import whole_views
from glideslope.engine.record import Record, Recorded, model_stream, proposal

MOST_LOOKS: Final = 60
"""Decisions of which the guardrails are shown: an interval costs a millisecond, and nobody reads more points."""


class ProposalView(msgspec.Struct, frozen=True, kw_only=True):
    """What was proposed: the plan as it was frozen, and what an earlier attempt taught."""

    rollout: str
    plan: Plan
    digest: str
    by: str
    at: str
    attempt_of: str
    learned: str


class ExposedView(msgspec.Struct, frozen=True, kw_only=True):
    """From when on a share of the subjects was to meet the candidate, by which entry. In basis points."""

    at: str
    share: int
    mirror: int
    step: str
    entry: int


class LookView(msgspec.Struct, frozen=True, kw_only=True):
    """What a guardrail showed on the whole when a decision was recorded; the interval holds with 95 % at all times."""

    entry: int
    at: str
    step: str
    metric: str
    kind: str
    low: float | None
    estimate: float | None
    high: float | None
    margin: float
    candidate_count: int
    incumbent_count: int
    candidate: float | None = None
    """What each arm showed by itself; None in the shadow, where only pairs are compared."""
    incumbent: float | None = None


class CourseView(msgspec.Struct, frozen=True, kw_only=True):
    """The course of a rollout so far, oldest first."""

    rollout: str
    until: str
    """Up to when it is told: now, the end, or the entry as of which it was asked for."""
    exposed: tuple[ExposedView, ...]
    looks: tuple[LookView, ...]
    """Of the last MOST_LOOKS decisions that rested on evidence."""


class ServedView(msgspec.Struct, frozen=True, kw_only=True):
    """A version that served everybody, from when until when, and by which rollout it came."""

    version: str
    since: str
    until: str
    """Empty while it serves."""
    by: str
    rollout: str
    """Empty for the first."""
    why: str
    entry: int


class PulseView(msgspec.Struct, frozen=True, kw_only=True):
    """What tells whether anything is new: the size of the ledger, and what is under way."""

    entries: int
    under_way: tuple[str, ...]
    busy: bool = False
    """Requests come, so that figures move although nothing is recorded."""


class Courses:
    """Reads courses from a record; what was computed of an entry is kept, since it never changes."""

    def __init__(self, record: Record) -> None:
        self._record = record
        self._looks: dict[int, tuple[LookView, ...]] = {}

    def proposal(self, id_: RolloutId) -> ProposalView:
        """Return what was proposed. Raises NotFound."""
        rollout = self._record.rollout(id_)
        proposed = proposal(self._record.history(id_))
        return ProposalView(
            rollout=id_,
            plan=proposed.plan,
            digest=proposed.plan_digest,
            by=proposed.by,
            at=rfc3339(rollout.proposed_at),
            attempt_of=proposed.attempt_of,
            learned=proposed.learned,
        )

    def course(self, id_: RolloutId, *, as_of: int | None = None) -> CourseView:
        """Return how it went, up to the ledger entry `as_of`. Raises NotFound."""
        rollout = self._record.rollout(id_)
        until = rollout.changed_at if rollout.phase in ENDED else self._record.now()
        history = [r for r in self._record.history(id_) if as_of is None or r.entry <= as_of]
        decided = [r for r in history if isinstance(r.event, Decided) and _rests_on_something(r.event.evidence)][
            -MOST_LOOKS:
        ]
        before = {r.entry: rollout for r, rollout in _folded(id_, history)}
        looks = [look for r in decided for look in self._look(r, before[r.entry])]
        if as_of is not None:
            until = history[-1].at if history else rollout.proposed_at
        return CourseView(rollout=id_, until=rfc3339(until), exposed=tuple(exposed(id_, history)), looks=tuple(looks))

    def served(self, name: ModelName) -> tuple[ServedView, ...]:
        """Return what served a model, the newest first. Raises NotFound."""
        self._record.model(name)
        installed = [(r, r.event) for r in self._record.history(model_stream(name)) if isinstance(r.event, Installed)]
        ends = [*(r.at for r, _ in installed[1:]), None]
        return tuple(
            ServedView(
                version=event.version,
                since=rfc3339(r.at),
                until="" if end is None else rfc3339(end),
                by=event.by,
                rollout=event.rollout,
                why=event.why,
                entry=r.entry,
            )
            for (r, event), end in reversed(list(zip(installed, ends, strict=True)))
        )

    def pulse(self) -> PulseView:
        """Return whether anything is new, at next to no cost."""
        return PulseView(
            entries=self._record.size(), under_way=tuple(str(each.id) for each in self._record.open_rollouts())
        )

    def _look(self, recorded: Recorded, before: Rollout) -> tuple[LookView, ...]:
        known = self._looks.get(recorded.entry)
        if known is not None or before.step is None or not isinstance(recorded.event, Decided):
            return known or ()
        views = whole_views(before.plan, recorded.event.evidence, before.step)
        found = self._looks[recorded.entry] = tuple(
            LookView(
                entry=recorded.entry,
                at=rfc3339(recorded.at),
                step=before.step.name,
                metric=view.metric,
                kind=view.kind,
                low=view.low,
                estimate=view.estimate,
                high=view.high,
                margin=view.margin,
                candidate_count=view.candidate_count,
                incumbent_count=view.incumbent_count,
                candidate=view.candidate,
                incumbent=view.incumbent,
            )
            for view in views
        )
        return found


def _rests_on_something(evidence: Evidence) -> bool:
    return bool(evidence.counts or evidence.pairs)


def _folded(id_: RolloutId, history: Sequence[Recorded]) -> Iterator[tuple[Recorded, Rollout]]:
    """Yield each entry but the first with the rollout as it was before."""
    rollout: Rollout | None = None
    for r in history:
        if rollout is not None:
            yield r, rollout
        rollout = begin(id_, r.event, at=r.at) if rollout is None else apply(rollout, r.event, at=r.at)


def exposed(id_: RolloutId, history: Sequence[Recorded]) -> Iterator[ExposedView]:
    """Yield whom a rollout exposed from when on, by its history."""
    shown: tuple[int, int, str] | None = None
    rollout: Rollout | None = None
    for r in history:
        rollout = begin(id_, r.event, at=r.at) if rollout is None else apply(rollout, r.event, at=r.at)
        wanted = exposure(rollout)
        share, mirror = (wanted.split.candidate, wanted.mirror) if wanted else (0, 0)
        if rollout.phase is Phase.PROMOTED:
            share = FULL
        now = (share, mirror, rollout.step.name if rollout.step else "")
        if now != shown:
            yield ExposedView(at=rfc3339(r.at), share=share, mirror=mirror, step=now[2], entry=r.entry)
            shown = now
