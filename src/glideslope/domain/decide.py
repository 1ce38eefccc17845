"""The heart: `decide(rollout, evidence, now) -> Decision`, a function of values.

Bad news wins over everything; good news must be proven; anything missing, stale or malformed holds. Nothing here reads a
clock, a disk or a network, so anyone can recompute every decision from the ledger, years later, bit for bit.
"""

from functools import lru_cache
from typing import assert_never

import msgspec

from glideslope.domain.alphas import is_paired
from glideslope.domain.awaited import answered
from glideslope.domain.budget import Measure, spendings
from glideslope.domain.consent import answered_for, passed, rested_on_envelope, unapproved, unsigned
from glideslope.domain.decision import Advance, Decision, Finding, Hold, Promote, Question, RollBack, Verdict
from glideslope.domain.doubt import Doubt, is_settled, stands
from glideslope.domain.evidence import Evidence, Exposed
from glideslope.domain.gate import (
    harm_found,
    is_lopsided,
    lopsided,
    needs_outcomes,
    offline_findings,
    proof_findings,
    split_found,
)
from glideslope.domain.governing.governed import Freeze, Governed, Permit
from glideslope.domain.ids import WHOLE, MetricName
from glideslope.domain.metric import Metric, Origin
from glideslope.domain.pairs import PAIRS
from glideslope.domain.plan import AtMaximum, Plan, StageKind, Step
from glideslope.domain.reasons import Reason
from glideslope.domain.recomputation import FRESH, Recomputation
from glideslope.domain.rollout import DECIDED, Phase, Rollout
from glideslope.domain.tables import Tables, sorted_tables
from glideslope.domain.tallied import limit_found
from glideslope.domain.traffic import Arm

EXTENSIONS = 3
"""How many maximum times an extended step may take in all, before a person must look."""


def decide(rollout: Rollout, evidence: Evidence, *, now: int) -> Decision:
    """Judge a rollout. Total over every state, evidence and time; `now` in milliseconds since the epoch, UTC."""
    return _decide(rollout, evidence, now=now, rules=4)


def decide_3(rollout: Rollout, evidence: Evidence, *, now: int) -> Decision:
    """Judge by the rules of version 3: a proof took an answer still to come for none, a shadow waited for what it never counts."""
    return _decide(rollout, evidence, now=now, rules=3)


def decide_2(rollout: Rollout, evidence: Evidence, *, now: int) -> Decision:
    """Judge by the rules of version 2, which took an answer that was still to come for none."""
    return _decide(rollout, evidence, now=now, rules=2)


def decide_1(rollout: Rollout, evidence: Evidence, *, now: int) -> Decision:
    """Judge by the rules of version 1, which believed every source."""
    return decide_2(rollout, msgspec.structs.replace(evidence, doubts=msgspec.UNSET), now=now)


def _decide(rollout: Rollout, evidence: Evidence, *, now: int, rules: int) -> Decision:
    if rollout.phase in DECIDED:
        return Hold(exposed=rollout.phase is Phase.PROMOTING, reasons=(Reason.ENDED,))
    if rollout.phase is Phase.PROPOSED or rollout.position < 0:
        return _start(rollout, evidence, now=now)
    tables = sorted_tables(rollout.plan, evidence)
    harm = harm_found(rollout.plan, evidence, answered(rollout.plan, tables) if rules >= 3 else tables)
    doubted = _doubted(rollout.plan, evidence)
    if broken := tuple(f for f in harm if f.verdict is Verdict.FAIL):
        doubt = _doubt(rollout.plan, evidence, tables, broken, doubted)
        return doubt or RollBack(reasons=(Reason.BREACHED,), findings=broken)
    if spent := _spent(rollout.plan, evidence, doubted):
        return spent
    if _wrong_content(rollout.plan, evidence):
        return RollBack(reasons=(Reason.DIGEST_DIFFERS,))
    if rollout.phase is Phase.HALTED:
        return Hold(exposed=False, reasons=(Reason.HALTED,))
    if pause := _pause(rollout.plan, evidence, harm, doubted):
        return pause
    if taken_back := _taken_back(rollout, evidence, now=now):
        return taken_back
    if rollout.phase is Phase.LAPSED:
        # What lapsed by itself comes back as it was; what a person lets go on is exposed anew, as if it began.
        if rollout.resumed and (forbidden := _forbidden(rollout, evidence, now=now)):
            return Hold(exposed=False, reasons=(forbidden,))
        return Advance(to=rollout.position, reasons=(Reason.LEASE_RESTORED,))
    step = rollout.step
    if step is None or now < rollout.entered_at:
        return Hold(exposed=True, reasons=(Reason.CLOCK_BACK,))
    return _progress(rollout, step, evidence, tables, doubted, now=now, rules=rules)


def _start(rollout: Rollout, evidence: Evidence, *, now: int) -> Decision:
    """Nothing moves before the approvals that the plan asks for; a denial ends it, and so does content known to be wrong."""
    counting = rollout.granted - {rollout.proposed_by}
    if rollout.denied - {rollout.proposed_by}:
        return RollBack(reasons=(Reason.DENIED,))
    if _wrong_content(rollout.plan, evidence):
        return RollBack(reasons=(Reason.DIGEST_DIFFERS,))
    if len(counting) < rollout.plan.approvals:
        return Hold(exposed=False, reasons=(Reason.AWAITING_APPROVAL,))
    if forbidden := _forbidden(rollout, evidence, now=now):
        return Hold(exposed=False, reasons=(forbidden,))
    return Advance(to=0, reasons=(_agreed(rollout, evidence, now=now),))


def _agreed(rollout: Rollout, evidence: Evidence, *, now: int) -> Reason:
    """Return by whose yes it begins: people's to this change, or also what they gave with an envelope."""
    governed, permit = rollout.plan.governed, evidence.permit
    if not (isinstance(governed, Governed) and isinstance(permit, Permit)):
        return Reason.APPROVED
    own = unapproved(rollout, answered_for(rollout, governed, now=now), now=now, change=permit.change)
    return Reason.INSIDE_ENVELOPE if own else Reason.APPROVED


def _forbidden(rollout: Rollout, evidence: Evidence, *, now: int) -> Reason | None:
    """Return why governance lets nothing be begun or widened at this moment; None when it does, or nothing governs."""
    governed, permit = rollout.plan.governed, evidence.permit
    if not isinstance(governed, Governed):
        # An organisation that came into force since it was proposed may forbid that it begins.
        return Reason.POLICY_BLOCKS if isinstance(permit, Permit) and permit.blocks else None
    change, lane = (permit.change, permit.lane) if isinstance(permit, Permit) else (msgspec.UNSET, msgspec.UNSET)
    asked = answered_for(rollout, governed, now=now)
    if unapproved(rollout, asked, now=now, change=change, lane=lane):
        if rollout.phase is Phase.PROPOSED:
            return Reason.AWAITING_APPROVAL
        return Reason.ENVELOPE_LEFT if rested_on_envelope(rollout, asked) else Reason.APPROVALS_RUN_OUT
    if passed(rollout, now=now):
        return None
    if not isinstance(permit, Permit) or permit.policy != governed.policy:
        return Reason.PERMIT_MISSING
    if permit.blocks:
        return Reason.POLICY_BLOCKS
    if permit.window and (rollout.phase is Phase.PROPOSED or permit.window.asks is not Freeze.FINISH):
        return Reason.FROZEN
    return None


def _taken_back(rollout: Rollout, evidence: Evidence, *, now: int) -> Hold | None:
    """What ends an exposure though nothing was measured: an approval withdrawn, a freeze that says so, a sign-off still missing."""
    governed = rollout.plan.governed
    if not isinstance(governed, Governed):
        return None
    # A no that is said under way is a yes taken back.
    if (rollout.withdrawn or rollout.denied) and unapproved(rollout, answered_for(rollout, governed, now=now), now=now):
        return Hold(exposed=False, reasons=(Reason.APPROVAL_WITHDRAWN,))
    permit = evidence.permit
    if (
        not passed(rollout, now=now)
        and isinstance(permit, Permit)
        and permit.window
        and permit.window.asks is Freeze.RETURN
    ):
        return Hold(exposed=False, reasons=(Reason.FROZEN_RETURN,))
    if rollout.phase is Phase.LAPSED and unsigned(rollout, governed, now=now):
        return Hold(exposed=False, reasons=(Reason.SIGN_OFF_MISSING,))
    return None


def _wrong_content(plan: Plan, evidence: Evidence) -> bool:
    """A server that reports other content than was registered under its version must not serve in a comparison."""
    registered = {
        (Arm.CANDIDATE, plan.candidate): plan.candidate_digest,
        (Arm.INCUMBENT, plan.incumbent): plan.incumbent_digest,
    }
    return any(registered.get((s.arm, s.version)) != s.digest for s in evidence.serving)


def _doubted(plan: Plan, evidence: Evidence) -> tuple[Finding, ...]:
    """Return what sources said that cannot be true: INVALID, or INCONCLUSIVE while what is served may yet catch up."""
    doubts: tuple[Doubt, ...] = evidence.doubts or ()
    return tuple(
        Finding(
            question=Question.SOURCE,
            verdict=Verdict.INVALID if is_settled(doubt) else Verdict.INCONCLUSIVE,
            subject=doubt.metric,
            slice=doubt.slice,
            wealth=0.0,
            line=0.0,
            candidate=0,
            incumbent=0,
            doubt=doubt,
        )
        for doubt in doubts
        if stands(doubt, lease=plan.lease)
    )


def _not_credible(doubted: tuple[Finding, ...]) -> frozenset[MetricName]:
    return frozenset(metric for f in doubted if f.doubt for metric in f.doubt.metrics)


def _doubt(
    plan: Plan, evidence: Evidence, tables: Tables, broken: tuple[Finding, ...], doubted: tuple[Finding, ...]
) -> Hold | None:
    """A comparison that means nothing must not blame the candidate: its exposure ends all the same, and a person looks."""
    if split := split_found(plan, evidence):
        return Hold(exposed=False, reasons=(Reason.SPLIT_BROKEN,), findings=(*split, *broken))
    unbelieved = _not_credible(doubted)
    if all(f.subject in unbelieved for f in broken):
        return Hold(exposed=False, reasons=(Reason.SOURCE_DOUBTED,), findings=(*doubted, *broken))
    partial = lopsided(plan, tables)
    if all(f.subject in partial for f in broken):
        return Hold(exposed=False, reasons=(Reason.LOPSIDED,), findings=broken)
    return None


def _spent(plan: Plan, evidence: Evidence, doubted: tuple[Finding, ...]) -> Hold | RollBack | None:
    """A spent budget ends the rollout, proof or not. What is not believed was not spent; then a person looks, nobody exposed."""
    budgets = plan.budgets or ()
    found = spendings(budgets, {metric.name: metric for metric in plan.counted}, evidence) if budgets else ()
    if malformed := tuple(f for f in found if f.verdict is Verdict.INVALID):
        return Hold(exposed=False, reasons=(Reason.MALFORMED,), findings=malformed)
    if not (spent := tuple(f for f in found if f.verdict is Verdict.FAIL)):
        return None
    unbelieved = _not_credible(doubted)
    if all(f.subject in unbelieved for f in spent):
        return Hold(exposed=False, reasons=(Reason.SOURCE_DOUBTED,), findings=(*doubted, *spent))
    if all(f.spending and f.spending.measure == Measure.EXCESS for f in spent) and (
        split := split_found(plan, evidence)
    ):
        return Hold(exposed=False, reasons=(Reason.SPLIT_BROKEN,), findings=(*split, *spent))
    return RollBack(reasons=(Reason.BUDGET_SPENT,), findings=spent)


def _pause(plan: Plan, evidence: Evidence, harm: tuple[Finding, ...], doubted: tuple[Finding, ...]) -> Hold | None:
    """Harm to both arms, or a comparison that means nothing: withdraw the exposure, blame nobody, call a person."""
    limits = limit_found(plan, evidence)
    if malformed := tuple(f for f in (*harm, *limits) if f.verdict is Verdict.INVALID):
        return Hold(exposed=False, reasons=(Reason.MALFORMED,), findings=malformed)
    if lies := tuple(f for f in doubted if f.verdict is Verdict.INVALID):
        return Hold(exposed=False, reasons=(Reason.SOURCE_DOUBTED,), findings=lies)
    if limits:
        return Hold(exposed=False, reasons=(Reason.LIMIT_BREACHED,), findings=limits)
    if broken := split_found(plan, evidence):
        return Hold(exposed=False, reasons=(Reason.SPLIT_BROKEN,), findings=broken)
    return None


def _progress(
    rollout: Rollout,
    step: Step,
    evidence: Evidence,
    tables: Tables,
    doubted: tuple[Finding, ...],
    *,
    now: int,
    rules: int,
) -> Decision:
    elapsed = now - rollout.entered_at
    findings, reason = _judge(rollout.plan, step, evidence, tables, rules=rules)
    if doubted and reason in (Reason.PASSED, Reason.BAKED):
        findings, reason = (*doubted, *findings), Reason.COUNTS_AHEAD
    if reason in (Reason.PASSED, Reason.BAKED) and (unconfirmed := _unconfirmed(rollout.plan, evidence)):
        told, reason = unconfirmed
        findings = (*told, *findings)
    if elapsed < step.minimum:
        return Hold(exposed=True, reasons=(Reason.MINIMUM_TIME,), findings=findings)
    if reason in (Reason.PASSED, Reason.BAKED, Reason.OFFLINE_PASSED):
        # What was proven stays proven, so a deadline that passes meanwhile is none of the candidate's doing.
        if forbidden := _forbidden(rollout, evidence, now=now):
            return Hold(exposed=True, reasons=(forbidden,), findings=findings)
        return _onward(rollout, findings, reason)
    if reason is Reason.OFFLINE_FAILED:
        return RollBack(reasons=(reason,), findings=findings)
    if elapsed < step.maximum:
        return Hold(exposed=True, reasons=(reason,), findings=findings)
    return _at_maximum(step, findings, reason, elapsed=elapsed)


def _judge(
    plan: Plan, step: Step, evidence: Evidence, tables: Tables, *, rules: int
) -> tuple[tuple[Finding, ...], Reason]:
    """Return what was found and the one word for it; only PASSED, BAKED and OFFLINE_PASSED let a step end well."""
    match step.stage:
        case StageKind.OFFLINE:
            found = offline_findings(plan)
            if any(f.verdict is Verdict.FAIL for f in found):
                return found, Reason.OFFLINE_FAILED
            proven = bool(found) and all(f.verdict is Verdict.PASS for f in found)
            return found, Reason.OFFLINE_PASSED if proven else Reason.OFFLINE_MISSING
        case StageKind.SHADOW | StageKind.CANARY:
            found = proof_findings(plan, evidence, step, tables, awaiting=rules >= 4)
            if missing := _missing(plan, step, evidence, rules=rules):
                return found, missing
            if not (found and all(f.verdict is Verdict.PASS for f in found)):
                return found, Reason.NOT_ENOUGH
            return found, Reason.LOPSIDED if step.has_coin and is_lopsided(plan, tables) else Reason.PASSED
        case StageKind.FULL | StageKind.BAKE:
            # The proof was given when the last step with a coin was left, and stands: without a coin none can be asked
            # for again. Harm that shows later, in outcomes still to come, is asked about before this.
            return (), _missing(plan, step, evidence, rules=rules) or Reason.BAKED
        case _:
            assert_never(step.stage)


def _unconfirmed(plan: Plan, evidence: Evidence) -> tuple[tuple[Finding, ...], Reason] | None:
    """Return why the second opinion that the plan asks for does not confirm the counters; None when it does, or is not asked for."""
    if plan.recompute is msgspec.UNSET:
        return None
    found = evidence.recomputation
    if isinstance(found, Recomputation) and found.differing:
        told = tuple(
            Finding(
                question=Question.RECOMPUTATION,
                verdict=Verdict.INVALID,
                subject=difference.metric,
                slice=difference.slice,
                wealth=0.0,
                line=0.0,
                candidate=0,
                incumbent=0,
                difference=difference,
            )
            for difference in found.differences
        )
        return told, Reason.RECOMPUTATION_DIFFERS
    if not isinstance(found, Recomputation) or not found.agrees or not 0 <= found.age <= FRESH:
        return (), Reason.RECOMPUTATION_MISSING
    return None


def _missing(plan: Plan, step: Step, evidence: Evidence, *, rules: int) -> Reason | None:
    """Return why the evidence may not be believed yet; None when nothing is missing."""
    if not evidence.in_force:
        return Reason.UNCONFIRMED
    for origin in _needed(plan, step.stage, rules):
        ages = [f.age for f in evidence.freshness if f.origin == origin.value]
        if not ages or min(ages) < 0:
            return Reason.NO_EVIDENCE
        if max(ages) > (plan.outcomes_stale_after if origin is Origin.OUTCOME else plan.stale_after):
            return Reason.STALE
    if step.stage is StageKind.SHADOW:
        return _pairs_missing(plan, evidence)
    exposed = next((e for e in evidence.exposed if e.step == step.name), None)
    if exposed is None or exposed.candidate < 1 or (step.has_coin and exposed.incumbent < 1):
        return Reason.NO_EVIDENCE
    late = [g.metric for g in plan.guardrails if g.required and needs_outcomes(g)] if step.has_coin else []
    if any(not _mature(plan, step, evidence, exposed, metric) for metric in late):
        return Reason.IMMATURE
    return None


def _pairs_missing(plan: Plan, evidence: Evidence) -> Reason | None:
    """Where pairs are limited, some must have been made lately."""
    if not any(limit.required for limit in plan.rules.limits):
        return None
    ages = [f.age for f in evidence.freshness if f.origin == PAIRS]
    if not ages or min(ages) < 0:
        return Reason.NO_EVIDENCE
    return Reason.STALE if max(ages) > plan.stale_after else None


@lru_cache(maxsize=4096)
def _needed(plan: Plan, stage: StageKind, rules: int) -> tuple[Origin, ...]:
    """Return who must have reported lately."""
    match stage:
        case StageKind.FULL | StageKind.BAKE:
            # Nothing is compared here, so outcomes may come in their own time; the gateway must still be seen to serve.
            return (Origin.GATEWAY,)
        case StageKind.SHADOW if rules >= 4:
            # Only what a shadow compares, and the gateway, which is seen to work there too. Services count nothing of a
            # mirrored copy, and some outcomes compare no pairs: to wait for those would be to wait for ever.
            origins = {
                g.metric.origin
                for g in plan.guardrails
                if g.required and (is_paired(g.metric) or g.metric.origin is Origin.GATEWAY)
            }
        case StageKind.SHADOW:
            origins = {g.metric.origin for g in plan.guardrails if g.required}
        case StageKind.OFFLINE | StageKind.CANARY:
            origins = {g.metric.origin for g in plan.guardrails if g.required} | {Origin.GATEWAY}
        case _:
            assert_never(stage)
    return tuple(sorted(origins))


def _mature(plan: Plan, step: Step, evidence: Evidence, exposed: Exposed, metric: Metric) -> bool:
    """Fast outcomes of one arm must not run ahead: both arms' must have arrived, in the share that the plan asks.

    A formula may ask for more than the truth, which comes in messages of its own or not at all: so what counts is where it had a value.
    So it is of silence, which has one once the deadline has passed.
    """
    if not metric.is_of_outcomes:
        row = next((c for c in evidence.counts if (c.step, c.metric, c.slice) == (step.name, metric.name, WHOLE)), None)
        candidate, incumbent = (sum(row.candidate), sum(row.incumbent)) if row else (0, 0)
    else:
        arrived = next((m for m in evidence.maturity if m.step == step.name), None)
        candidate, incumbent = (arrived.candidate, arrived.incumbent) if arrived else (-1, -1)
    return candidate >= plan.maturity * exposed.candidate and incumbent >= plan.maturity * exposed.incumbent


def _onward(rollout: Rollout, findings: tuple[Finding, ...], reason: Reason) -> Decision:
    after = rollout.position + 1
    if after < len(rollout.plan.steps):
        return Advance(to=after, reasons=(reason,), findings=findings)
    return Promote(reasons=(reason,), findings=findings)


def _at_maximum(step: Step, findings: tuple[Finding, ...], reason: Reason, *, elapsed: int) -> Decision:
    match step.at_maximum:
        case AtMaximum.ROLL_BACK:
            return RollBack(reasons=(Reason.DEADLINE_ROLLBACK, reason), findings=findings)
        case AtMaximum.EXTEND if elapsed < EXTENSIONS * step.maximum:
            return Hold(exposed=True, reasons=(Reason.DEADLINE_EXTENDED, reason), findings=findings)
        case AtMaximum.EXTEND | AtMaximum.HOLD:
            return Hold(exposed=True, reasons=(Reason.DEADLINE_HOLD, reason), findings=findings)
        case _:
            assert_never(step.at_maximum)
