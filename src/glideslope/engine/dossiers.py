"""From the record to a dossier: all that is known about one change at this moment. What is not known is left out, and that blocks."""

from collections.abc import Iterable, Sequence
from math import ceil

from msgspec import UNSET, UnsetType
from msgspec.structs import asdict, replace

from glideslope.domain.consent import closed, counting, lent
from glideslope.domain.decision import Verdict
from glideslope.domain.governing.agreement import Agreement
from glideslope.domain.governing.approval import Approval
from glideslope.domain.governing.compatibility import input_contract
from glideslope.domain.governing.dossier import (
    Advisories,
    Change,
    Dossier,
    Drill,
    Evaluated,
    Incidents,
    InputContract,
    OpenIncident,
    Owner,
    Result,
    Review,
    advisories_digest,
    change_digest,
    plan_figures,
)
from glideslope.domain.governing.facts import Ending, Facts, Measured
from glideslope.domain.governing.governed import Governed, Lane
from glideslope.domain.governing.kinds import REVIEWED, restored
from glideslope.domain.governing.organisation import ArtifactKind, Organisation
from glideslope.domain.governing.policy.kinds.version import normal
from glideslope.domain.governing.threats import ThreatModel
from glideslope.domain.ids import Digest, ModelName
from glideslope.domain.plan import Evaluation
from glideslope.domain.rollout import Rollout
from glideslope.engine.dues import last_review
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
        owners=tuple(_owners(record, rollout, facts, organisation)),
        drills=tuple(_drills(record, plan.model)),
        advisories=_advisories(record, facts),
        reviews=tuple(_reviews(record, plan.model)),
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
    brought: list[Approval] = []
    if not isinstance(lane, UnsetType) and not closed(rollout, governed, lane, now=now, change=change):
        brought = [replace(a, digest=change, envelope=lane.envelope) for a in lent(rollout, governed, lane)]
    return replace(found, approvals=(*own, *brought), incidents=_agreed_to(found.incidents, own))


def _agreed_to(incidents: Incidents | UnsetType, approvals: Sequence[Approval]) -> Incidents | UnsetType:
    """Say who agreed to go on in spite of an incident: whoever approved the change itself while it was open."""
    if isinstance(incidents, UnsetType):
        return UNSET
    told = (
        replace(i, agreed_by=tuple(sorted({f for a in approvals if a.at > i.opened_at for f in a.functions})))
        for i in incidents.open
    )
    return replace(incidents, open=tuple(told))


def _evaluations(facts: Facts | UnsetType, registered: Sequence[Evaluation]) -> tuple[Evaluated, ...] | UnsetType:
    """Return the offline evaluations whose bytes, time and report are known; a figure without these proves nothing."""
    if isinstance(facts, UnsetType) or isinstance(facts.evaluations, UnsetType):
        return UNSET
    if isinstance(facts.validations, UnsetType):
        return UNSET  # whether a check was left out is not known then
    skipped = tuple(v.name for v in facts.validations if v.outcome is Ending.SKIPPED)
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
    # Of the whole counts what was registered, which the machine judged; of a slice there is the report's own word alone.
    held = next((e for e in registered if (e.metric, e.report) == (measured.metric, measured.report)), None)
    verdict = measured.verdict if measured.slice != "all" else UNSET if held is None else held.verdict
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


def _owners(record: Record, rollout: Rollout, facts: Facts | UnsetType, organisation: Organisation) -> Iterable[Owner]:
    plan = rollout.plan
    of_model = organisation.owner_of(ArtifactKind.MODEL, plan.model)
    named = [
        (ArtifactKind.MODEL, str(plan.model), of_model),
        # A version is its model's, unless the organisation names somebody else.
        (
            ArtifactKind.VERSION,
            str(plan.candidate),
            organisation.owner_of(ArtifactKind.VERSION, plan.candidate) or of_model,
        ),
        (ArtifactKind.PLAN, rollout.id, plan.owner),
    ]
    named += [
        (kind, name, organisation.owner_of(kind, name))
        for kind, names in (
            (ArtifactKind.METRIC, dict.fromkeys(g.metric.name for g in plan.guardrails)),
            (ArtifactKind.POLICY, [a.name for a in record.agreements() if a.of == "policy" and a.in_force is not None]),
            (ArtifactKind.PLAYBOOK, [o.name for o in organisation.owned if o.kind is ArtifactKind.PLAYBOOK]),
        )
        for name in names
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


def _advisories(record: Record, facts: Facts | UnsetType) -> Advisories | UnsetType:
    """Return those about packages that the candidate names; the ledger has all of them, of which these follow."""
    found = record.advisories
    if found is None:
        return UNSET
    packages = () if isinstance(facts, UnsetType) else facts.dependencies or ()
    named = {normal(package.name) for package in packages}
    entries = tuple(entry for entry in found.entries if normal(entry.package) in named)
    return replace(found, entries=entries, digest=advisories_digest(entries))


def _drills(record: Record, model: ModelName) -> Iterable[Drill]:
    for held in record.drills(model).held:
        yield Drill(
            kind=held.kind,
            drilled_at=held.held_at,
            passed=held.passed,
            restored_in=UNSET if held.restored_in is None else ceil(held.restored_in),
            told_by=held.by if held.told else UNSET,
        )


def _reviews(record: Record, model: ModelName) -> Iterable[Review]:
    """Yield for each word the review that is longest ago: where one agreement was never stood by, nothing is said of the kind."""
    for word, of in REVIEWED.items():
        agreements = [a for a in record.agreements() if a.of == of and a.in_force is not None and _concerns(a, model)]
        last = [last_review(a) for a in agreements]
        known = [review for review in last if review is not None]
        if known and len(known) == len(last):
            by, at = min(known, key=lambda review: review[1])
            yield Review(of=word, by=by, reviewed_at=at)


def _concerns(agreement: Agreement, model: ModelName) -> bool:
    """Tell whether what is agreed is about a model; only threat models say of which they are."""
    if agreement.of != "threat-model" or agreement.in_force is None:
        return True
    found = restored(agreement.of, agreement.in_force.document)
    return isinstance(found, ThreatModel) and found.concerns(model)


def _incidents(record: Record, rollout: Rollout, *, now: int) -> Incidents:
    return Incidents(
        as_of=now,
        open=tuple(
            OpenIncident(id=i.opened.rollout, opened_at=i.opened_at)
            for i in record.incidents()
            if i.opened.model == rollout.plan.model and i.closed_by is None
        ),
    )
