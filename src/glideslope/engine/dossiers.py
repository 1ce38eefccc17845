"""From the record to a dossier: all that is known about one change at this moment. What is not known is left out, and that blocks."""

from collections.abc import Iterable, Sequence

from msgspec import UNSET, UnsetType
from msgspec.structs import asdict, replace

from glideslope.domain.consent import closed, counting, lent
from glideslope.domain.decision import Verdict
from glideslope.domain.governing.compatibility import input_contract
from glideslope.domain.governing.dossier import (
    Change,
    Dossier,
    Evaluated,
    Incidents,
    InputContract,
    OpenIncident,
    Owner,
    Result,
    Review,
    change_digest,
    plan_figures,
)
from glideslope.domain.governing.facts import Facts, Measured, Outcome
from glideslope.domain.governing.governed import Governed, Lane
from glideslope.domain.governing.organisation import ArtifactKind, Organisation
from glideslope.domain.ids import Digest
from glideslope.domain.plan import Evaluation
from glideslope.domain.rollout import Rollout
from glideslope.engine.record import Model, Record

NOT_YET = Digest("sha256:" + "0" * 64)
"""Stands for the digest of a change while it is computed; it is not covered by itself."""


def dossier(record: Record, rollout: Rollout, organisation: Organisation, *, now: int) -> Dossier:
    """Return what is known about a rollout's change, but for who has approved it."""
    plan, model = rollout.plan, record.model(rollout.plan.model)
    governed = plan.governed
    facts = model.facts.get(plan.candidate, UNSET)
    change = Change(
        model=plan.model,
        candidate=plan.candidate,
        candidate_digest=plan.candidate_digest,
        incumbent=plan.incumbent,
        incumbent_digest=plan.incumbent_digest,
        proposer=rollout.proposed_by,
        proposed_at=rollout.proposed_at,
        digest=NOT_YET,
        why=plan.why.strip() or UNSET,
        **({} if isinstance(plan.proposal, UnsetType) else asdict(plan.proposal)),
    )
    found = Dossier(
        now=now,
        change=change,
        tier=governed.tier or UNSET if isinstance(governed, Governed) else UNSET,
        policy=governed.policy if isinstance(governed, Governed) else UNSET,
        plan=plan_figures(plan, rollout.plan_digest),
        candidate=facts,
        incumbent=model.facts.get(plan.incumbent, UNSET),
        evaluations=_evaluations(facts, plan.evaluations),
        contract=_contract(model, facts),
        denied_by=tuple(sorted(rollout.denied)),
        owners=tuple(_owners(rollout, facts, organisation)),
        reviews=_reviews(record),
        incidents=_incidents(record, rollout, now=now),
    )
    return replace(found, change=replace(change, digest=change_digest(found)), approvals=())


def with_approvals(found: Dossier, rollout: Rollout, lane: Lane | UnsetType) -> Dossier:
    """Return a dossier with the approvals that count now: of this change, and those that its envelope brings."""
    governed, change, now = rollout.plan.governed, found.change.digest, found.now
    if not isinstance(governed, Governed):
        return found
    # What a policy asks is whether this change was approved, not which plan it came in.
    own = [replace(a, digest=change, change=UNSET) for a in counting(rollout, governed, now=now, change=change)]
    if not isinstance(lane, UnsetType) and not closed(rollout, governed, lane, now=now, change=change):
        own += [replace(a, digest=change, envelope=lane.envelope) for a in lent(rollout, governed, lane)]
    return replace(found, approvals=tuple(own))


def _evaluations(facts: Facts | UnsetType, registered: Sequence[Evaluation]) -> tuple[Evaluated, ...] | UnsetType:
    """Return the offline evaluations whose bytes, time and report are known; a figure without these proves nothing."""
    if isinstance(facts, UnsetType) or isinstance(facts.evaluations, UnsetType):
        return UNSET
    if isinstance(facts.validations, UnsetType):
        return UNSET  # whether a check was left out is not known then
    skipped = tuple(v.name for v in facts.validations if v.outcome is Outcome.SKIPPED)
    whole: dict[tuple[Digest, Digest, Digest, str, int], list[Measured]] = {}
    for m in facts.evaluations:
        if (
            isinstance(m.report, UnsetType)
            or isinstance(m.of, UnsetType)
            or isinstance(m.against, UnsetType)
            or isinstance(m.measured_at, UnsetType)
            or isinstance(m.rows, UnsetType)
        ):
            continue
        key = (m.report, m.of, m.against, m.dataset or "unnamed", m.measured_at)
        whole.setdefault(key, []).append(m)
    return tuple(
        Evaluated(
            report=report,
            of=of,
            against=against,
            holdout=holdout,
            measured_at=measured_at,
            results=tuple(_result(m, registered) for m in measured),
            skipped=skipped,
        )
        for (report, of, against, holdout, measured_at), measured in whole.items()
    )


def _result(measured: Measured, registered: Sequence[Evaluation]) -> Result:
    held = next((e for e in registered if (e.metric, e.report) == (measured.metric, measured.report)), None)
    verdict = held.verdict if held is not None and measured.slice == "all" else UNSET
    return Result(
        metric=measured.metric,
        slice=measured.slice,
        rows=measured.rows or 0,
        verdict=Verdict.INCONCLUSIVE if isinstance(verdict, UnsetType) else verdict,
        candidate=measured.value,
        incumbent=held.incumbent if held is not None and measured.slice == "all" else UNSET,
    )


def _contract(model: Model, facts: Facts | UnsetType) -> InputContract | UnsetType:
    """Return how the candidate's input contract differs, where it is the one in force; another one is not in the record."""
    if model.contract is None or isinstance(facts, UnsetType) or facts.contract != model.contract.short:
        return UNSET
    return input_contract(model.contract, model.contract)


def _owners(rollout: Rollout, facts: Facts | UnsetType, organisation: Organisation) -> Iterable[Owner]:
    named = [
        (ArtifactKind.MODEL, str(rollout.plan.model), organisation.owner_of(ArtifactKind.MODEL, rollout.plan.model)),
        (ArtifactKind.PLAN, rollout.id, rollout.plan.owner),
    ]
    if not isinstance(facts, UnsetType):
        named += [
            (ArtifactKind.DATASET, d.name, d.owner or organisation.owner_of(ArtifactKind.DATASET, d.name))
            for d in facts.datasets or ()
        ]
        named += [
            (ArtifactKind.FEATURES, p.name, p.owner or organisation.owner_of(ArtifactKind.FEATURES, p.name))
            for p in facts.pipelines or ()
        ]
    for kind, name, owner in named:
        if owner:
            yield Owner(kind=kind.value, name=name, owner=owner, reachable=organisation.is_reachable(owner))


def _reviews(record: Record) -> tuple[Review, ...]:
    return tuple(
        Review(of="access" if a.of == "organisation" else a.of, by=a.reviewed_by, reviewed_at=a.reviewed_at)
        for a in record.agreements()
        if a.reviewed_by is not None
    )


def _incidents(record: Record, rollout: Rollout, *, now: int) -> Incidents:
    return Incidents(
        as_of=now,
        open=tuple(
            OpenIncident(id=i.opened.rollout, opened_at=i.opened_at)
            for i in record.incidents()
            if i.opened.model == rollout.plan.model and i.closed_by is None
        ),
    )
