"""An incident: what a breach measured, what people make of it, and what they do about it. It cannot be closed without these."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import msgspec

from glideslope.domain.decision import Finding, RollBack, Verdict
from glideslope.domain.evidence import Evidence
from glideslope.domain.ids import Actor, ModelName, RolloutId, SliceName, VersionName
from glideslope.domain.plan import Plan
from glideslope.domain.reasons import Reason

OPENING = frozenset({Reason.BREACHED, Reason.BUDGET_SPENT, Reason.DIGEST_DIFFERS})
"""Rollbacks that open one."""

SHOWN = 20
"""Findings that are kept in it; the decision has them all."""


class Breach(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A guardrail that broke, as it was measured."""

    metric: str
    slice: SliceName
    wealth: float
    """Evidence of harm in nats, against `line`."""
    line: float
    candidate: int
    incumbent: int


class Remedy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Something to be done, by somebody, until a day. Ranked: the first matters most."""

    what: str
    owner: str
    due: str
    """A day, `2026-12-24`."""
    done: bool = False


class IncidentOpened(
    msgspec.Struct, frozen=True, kw_only=True, tag="incident-opened", tag_field="kind", forbid_unknown_fields=True
):
    """A rollback for cause opened it, with what was measured."""

    rollout: RolloutId
    model: ModelName
    incumbent: VersionName
    candidate: VersionName
    reasons: tuple[Reason, ...]
    breaches: tuple[Breach, ...]
    step: str
    exposed: int
    """Subjects that met the candidate."""
    lasted: int
    """Milliseconds from the proposal to the decision."""


class IncidentNoted(
    msgspec.Struct, frozen=True, kw_only=True, tag="incident-noted", tag_field="kind", forbid_unknown_fields=True
):
    """What somebody makes of it; each part replaces what was noted before, an absent one leaves it."""

    by: Actor
    why: str
    gap: str | msgspec.UnsetType = msgspec.UNSET
    """What should have been otherwise: where reality and expectation part."""
    hypotheses: tuple[str, ...] | msgspec.UnsetType = msgspec.UNSET
    remedies: tuple[Remedy, ...] | msgspec.UnsetType = msgspec.UNSET


class IncidentClosed(
    msgspec.Struct, frozen=True, kw_only=True, tag="incident-closed", tag_field="kind", forbid_unknown_fields=True
):
    """Everything that it asks for is there, and somebody who reviews says that it is enough."""

    by: Actor
    why: str


IncidentEvent = IncidentOpened | IncidentNoted | IncidentClosed


@dataclass(frozen=True, slots=True)
class Incident:
    """An incident, folded. Instants in milliseconds since the epoch, UTC."""

    opened: IncidentOpened
    opened_at: int
    gap: str = ""
    hypotheses: tuple[str, ...] = ()
    remedies: tuple[Remedy, ...] = ()
    closed_by: Actor | None = None
    closed_at: int = 0
    version: int = 1

    @property
    def lacking(self) -> tuple[str, ...]:
        """Return what must still be said or done before it can be closed."""
        found = [] if self.gap.strip() else ["the gap between what was expected and what happened"]
        found += [] if self.hypotheses else ["a hypothesis why"]
        found += [] if self.remedies else ["a remedy, with an owner and a day"]
        found += [f"that {r.owner} does: {r.what}" for r in self.remedies if not r.done]
        return tuple(found)


def open_incident(
    rollout: RolloutId, plan: Plan, decision: RollBack, evidence: Evidence, *, step: str, lasted: int
) -> IncidentOpened | None:
    """Return the incident that a rollback opens; None for one that nobody is to blame for."""
    if not OPENING.intersection(decision.reasons):
        return None
    return IncidentOpened(
        rollout=rollout,
        model=plan.model,
        incumbent=plan.incumbent,
        candidate=plan.candidate,
        reasons=decision.reasons,
        breaches=tuple(_breaches(decision.findings))[:SHOWN],
        step=step,
        exposed=sum(e.candidate for e in evidence.exposed),
        lasted=lasted,
    )


def _breaches(findings: Iterable[Finding]) -> Iterable[Breach]:
    broken = [f for f in findings if f.verdict is Verdict.FAIL]
    for f in sorted(broken, key=lambda f: f.line - f.wealth):
        yield Breach(
            metric=f.subject,
            slice=f.slice,
            wealth=f.wealth,
            line=f.line,
            candidate=f.candidate,
            incumbent=f.incumbent,
        )


def tell(before: Incident | None, event: IncidentEvent, *, at: int) -> Incident:
    """Take one more event into account. Raises ValueError for a history that does not begin with its opening."""
    if isinstance(event, IncidentOpened):
        return Incident(opened=event, opened_at=at)
    if before is None:
        msg = "an incident begins with its opening"
        raise ValueError(msg)
    after = replace(before, version=before.version + 1)
    if isinstance(event, IncidentClosed):
        return replace(after, closed_by=event.by, closed_at=at)
    return replace(
        after,
        gap=before.gap if isinstance(event.gap, msgspec.UnsetType) else event.gap,
        hypotheses=before.hypotheses if isinstance(event.hypotheses, msgspec.UnsetType) else event.hypotheses,
        remedies=before.remedies if isinstance(event.remedies, msgspec.UnsetType) else event.remedies,
    )
