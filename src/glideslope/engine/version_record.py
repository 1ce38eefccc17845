"""All that the ledger says about one version, each statement with the entry that it stands in: what documents are made from."""

import msgspec

from glideslope.domain.decision import Verdict
from glideslope.domain.errors import NotFound
from glideslope.domain.events import Confirmed, Decided, Installed, Proposed, Registered, rfc3339
from glideslope.domain.ids import ModelName, VersionName
from glideslope.domain.plan import Evaluation, Plan
from glideslope.domain.rollout import Rollout
from glideslope.engine.facts import FactsView, facts_view
from glideslope.engine.record import Record, Recorded, model_stream
from glideslope.engine.stories import decided


class EntryView(msgspec.Struct, frozen=True, kw_only=True):
    """Where something stands, by whose word."""

    entry: int
    at: str
    by: str
    what: str


class VerdictView(msgspec.Struct, frozen=True, kw_only=True):
    """What the last decision found of one guardrail on one part of the data."""

    subject: str
    slice: str
    verdict: Verdict
    wealth: float
    line: float
    candidate: int
    incumbent: int


class AttemptView(msgspec.Struct, frozen=True, kw_only=True):
    """A rollout in which the version was the candidate."""

    rollout: str
    phase: str
    plan: Plan
    proposed: EntryView
    last: EntryView | None
    """The last decision."""
    verdicts: tuple[VerdictView, ...]
    returned_in_ms: float | None
    """From the decision to roll back until the data plane confirmed it; None where that did not happen."""


class VersionRecordView(msgspec.Struct, frozen=True, kw_only=True):
    """A version as the ledger knows it."""

    model: str
    version: str
    digest: str
    registered: EntryView
    evaluations: tuple[Evaluation, ...]
    installed: tuple[EntryView, ...]
    facts: FactsView | None
    attempts: tuple[AttemptView, ...]
    incumbent: str
    """What serves now; empty for nothing."""


def version_record(record: Record, name: ModelName, version: VersionName) -> VersionRecordView:
    """Gather what is known. Raises NotFound."""
    model = record.model(name)
    known = model.version(version)
    history = record.history(model_stream(name))
    registered = [r for r in history if isinstance(r.event, Registered) and r.event.version == version]
    installed = [r for r in history if isinstance(r.event, Installed) and r.event.version == version]
    try:
        facts = facts_view(record, name, version)
    except NotFound:
        facts = None
    return VersionRecordView(
        model=name,
        version=version,
        digest=known.digest,
        registered=_entry(registered[-1], known.by, what=known.why),
        evaluations=known.evaluations,
        installed=tuple(
            _entry(each, each.event.by, what=each.event.why) for each in installed if isinstance(each.event, Installed)
        ),
        facts=facts,
        attempts=tuple(
            _attempt(record, rollout)
            for rollout in record.rollouts()
            if rollout.plan.model == name and rollout.plan.candidate == version
        ),
        incumbent=model.incumbent or "",
    )


def _entry(recorded: Recorded, by: str, *, what: str) -> EntryView:
    return EntryView(entry=recorded.entry, at=rfc3339(recorded.at), by=by, what=what)


def _attempt(record: Record, rollout: Rollout) -> AttemptView:
    history = record.history(rollout.id)
    first = next(r for r in history if isinstance(r.event, Proposed))
    decisions = [(r, r.event) for r in history if isinstance(r.event, Decided)]
    last: EntryView | None = None
    verdicts: tuple[VerdictView, ...] = ()
    if decisions:
        recorded, event = decisions[-1]
        last = _entry(recorded, event.by, what=decided(event.decision, plan=rollout.plan))
        verdicts = tuple(
            VerdictView(
                subject=f.subject,
                slice=f.slice,
                verdict=f.verdict,
                wealth=f.wealth,
                line=f.line,
                candidate=f.candidate,
                incumbent=f.incumbent,
            )
            for f in event.decision.findings
        )
    returned = [r.event.milliseconds for r in history if isinstance(r.event, Confirmed) and not r.event.exposed]
    return AttemptView(
        rollout=rollout.id,
        phase=rollout.phase.value,
        plan=rollout.plan,
        proposed=_entry(first, rollout.proposed_by, what=rollout.plan.why),
        last=last,
        verdicts=verdicts,
        returned_in_ms=returned[-1] if returned and rollout.phase.value == "rolled-back" else None,
    )
