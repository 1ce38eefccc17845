"""What `decide` answers, row by row: the phase, what is known, how long the step has run; and the decision with its reasons.

Long because it is one table, and whoever reads it asks what it leaves out.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import msgspec
import pytest
from tests.unit.domain.situations import (
    AGREES,
    BLOCK,
    ENTERED,
    ENVELOPE,
    LANE,
    OUTSIDE,
    PLAN,
    S1,
    S2,
    S3,
    S4,
    S5,
    S6,
    S7,
    again,
    at_most,
    at_step,
    broken_at_both,
    budgeted,
    counted,
    doubting,
    errors_of,
    exposed_as,
    from_source,
    frozen,
    governed,
    harmful,
    known,
    matured,
    measured,
    permitted,
    serving,
    thinned,
    twice,
    waiting,
)

from glideslope.domain.decide import EXTENSIONS, decide
from glideslope.domain.decision import Advance, Hold, Promote, RollBack, breach
from glideslope.domain.doubt import Claim
from glideslope.domain.evidence import NOTHING, Counts, Evidence, Freshness
from glideslope.domain.governing.approval import Need
from glideslope.domain.governing.governed import Freeze, Window
from glideslope.domain.ids import WHOLE, Actor, Digest, MetricName, SliceName, StepName
from glideslope.domain.metric import Kind, Metric, Origin
from glideslope.domain.plan import AtMaximum, Guardrail, HarmNull, Margin, MarginKind
from glideslope.domain.reasons import Reason
from glideslope.domain.recomputation import FRESH
from glideslope.domain.rollout import Phase, Rollout
from glideslope.domain.traffic import Arm
from glideslope.testing import examples
from glideslope.testing.examples import APPROVER, MINUTE, OWNER, SECOND


@dataclass(frozen=True)
class Row:
    name: str
    rollout: Rollout
    evidence: Evidence
    says: type[Advance | Hold | RollBack | Promote]
    because: tuple[Reason, ...]
    after: int = 2 * MINUTE
    expect: Mapping[str, object] = field(default_factory=dict)


EXPOSED, WITHDRAWN = {"exposed": True}, {"exposed": False}
NO = NOTHING
UNPROVEN = examples.evidence(PLAN, "s4", size=100)

ROWS = [
    # Who decides: nothing missing is a yes, nothing taken back goes on, and harm is asked about before all of it.
    Row("governed, approved and permitted", governed(S4), permitted(), Advance, (Reason.PASSED,)),
    Row("without a permit nothing widens", governed(S4), known(S4), Hold, (Reason.PERMIT_MISSING,), expect=EXPOSED),
    Row(
        "a permit by another policy is none",
        governed(S4, policy=Digest("sha256:" + "8" * 64)),
        permitted(),
        Hold,
        (Reason.PERMIT_MISSING,),
        expect=EXPOSED,
    ),
    Row("a rule that blocks", governed(S4), permitted(blocks=(BLOCK,)), Hold, (Reason.POLICY_BLOCKS,), expect=EXPOSED),
    Row("a freeze that lets it finish", governed(S4), frozen(Freeze.FINISH), Advance, (Reason.PASSED,)),
    Row("a freeze that holds it", governed(S4), frozen(Freeze.HOLD), Hold, (Reason.FROZEN,), expect=EXPOSED),
    Row(
        "a freeze that sends it back",
        governed(S4),
        frozen(Freeze.RETURN),
        Hold,
        (Reason.FROZEN_RETURN,),
        expect=WITHDRAWN,
    ),
    Row(
        "no freeze delays a rollback",
        governed(S4),
        permitted(harmful(S4, errors=0.5), window=Window(name="f", asks=Freeze.HOLD, until=ENTERED + MINUTE)),
        RollBack,
        (Reason.BREACHED,),
    ),
    Row(
        "nothing begins in a freeze",
        replace(governed(S4), phase=Phase.PROPOSED, position=-1),
        frozen(Freeze.FINISH),
        Hold,
        (Reason.FROZEN,),
        expect=WITHDRAWN,
    ),
    Row(
        "approvals that ran out hold it where it is",
        governed(S4),
        permitted(),
        Hold,
        (Reason.APPROVALS_RUN_OUT,),
        after=61 * MINUTE,
        expect=EXPOSED,
    ),
    Row(
        "an approval that was taken back withdraws it",
        replace(governed(S4, given=False), withdrawn=frozenset({APPROVER})),
        permitted(),
        Hold,
        (Reason.APPROVAL_WITHDRAWN,),
        expect=WITHDRAWN,
    ),
    *(
        Row(
            name,
            replace(governed(S4, given=False, **({"envelope": ENVELOPE} | under)), phase=Phase.PROPOSED, position=-1),
            permitted(lane=lane),
            Advance if reason is Reason.INSIDE_ENVELOPE else Hold,
            (reason,),
            expect={} if reason is Reason.INSIDE_ENVELOPE else WITHDRAWN,
        )
        for name, lane, under, reason in (
            ("inside an envelope it begins by what was given", LANE, {}, Reason.INSIDE_ENVELOPE),
            ("outside its envelope it waits", OUTSIDE, {}, Reason.AWAITING_APPROVAL),
            ("without a word on the envelope it waits", msgspec.UNSET, {}, Reason.AWAITING_APPROVAL),
            (
                "inside another envelope it waits",
                LANE,
                {"envelope": Digest("sha256:" + "f" * 64)},
                Reason.AWAITING_APPROVAL,
            ),
            ("what its maker gave does not count", LANE, {"makers": (APPROVER,)}, Reason.AWAITING_APPROVAL),
            ("after a breach it waits", LANE, {"after_breach": "r-0001"}, Reason.AWAITING_APPROVAL),
            ("for what does not fall away it waits", LANE, {"needs": (Need("legal"),)}, Reason.AWAITING_APPROVAL),
            ("for more than falls away it waits", LANE, {"needs": (Need("security", 2),)}, Reason.AWAITING_APPROVAL),
        )
    ),
    Row(
        "a change that left its envelope under way is held where it is",
        governed(S4, given=False, envelope=ENVELOPE),
        permitted(lane=OUTSIDE),
        Hold,
        (Reason.ENVELOPE_LEFT,),
        expect=EXPOSED,
    ),
    Row(
        "a no under way closes the fast lane",
        replace(governed(S4, given=False, envelope=ENVELOPE), denied=frozenset({Actor("cat")})),
        permitted(lane=LANE),
        Hold,
        (Reason.APPROVAL_WITHDRAWN,),
        expect=WITHDRAWN,
    ),
    Row(
        "after a broken limit sign-offs of before say nothing",
        replace(governed(S4, phase=Phase.LAPSED), limit_broken_at=ENTERED + 1),
        permitted(),
        Hold,
        (Reason.SIGN_OFF_MISSING,),
        expect=WITHDRAWN,
    ),
    # Before anything moves, approvals are all that counts, and that the right content is served.
    Row("a proposal waits for its approvals", waiting(), NO, Hold, (Reason.AWAITING_APPROVAL,), expect=WITHDRAWN),
    Row("the proposer's own approval does not count", waiting(granted={OWNER}), NO, Hold, (Reason.AWAITING_APPROVAL,)),
    Row("an approval starts it", waiting(granted={APPROVER}), NO, Advance, (Reason.APPROVED,), expect={"to": 0}),
    Row(
        "a plan that asks for none starts at once",
        waiting(plan=examples.plan(approvals=0)),
        NO,
        Advance,
        (Reason.APPROVED,),
    ),
    Row("a denial ends it", waiting(granted={APPROVER}, denied={Actor("joan")}), NO, RollBack, (Reason.DENIED,)),
    Row(
        "a proposal whose candidate serves other content",
        waiting(granted={APPROVER}),
        serving(Arm.CANDIDATE, "v2", "sha256:x"),
        RollBack,
        (Reason.DIGEST_DIFFERS,),
    ),
    Row("the proposer's own denial does not count", waiting(denied={OWNER}), NO, Hold, (Reason.AWAITING_APPROVAL,)),
    Row(
        "harm elsewhere says nothing about a proposal",
        waiting(),
        harmful(S4, errors=0.5),
        Hold,
        (Reason.AWAITING_APPROVAL,),
    ),
    Row(
        "lapsed before any step is still a proposal",
        replace(waiting(), phase=Phase.LAPSED),
        NO,
        Hold,
        (Reason.AWAITING_APPROVAL,),
    ),
    # Offline: the criteria are judged on what was measured when the plan was made.
    Row("a criterion that is met", at_step(S1), NO, Advance, (Reason.OFFLINE_PASSED,), expect={"to": S2}),
    Row(
        "exactly at the margin is met",
        at_step(S1, plan=measured(0.6800000000000002)),
        NO,
        Advance,
        (Reason.OFFLINE_PASSED,),
    ),
    Row("a criterion that is missed", at_step(S1, plan=measured(0.5)), NO, RollBack, (Reason.OFFLINE_FAILED,)),
    Row(
        "one of two measurements misses it",
        at_step(S1, plan=measured(0.5, 0.7)),
        NO,
        RollBack,
        (Reason.OFFLINE_FAILED,),
    ),
    Row("a NaN is no pass", at_step(S1, plan=measured(float("nan"))), NO, RollBack, (Reason.OFFLINE_FAILED,)),
    Row("an infinity is no pass", at_step(S1, plan=measured(float("inf"))), NO, RollBack, (Reason.OFFLINE_FAILED,)),
    Row("no measurement is no pass", at_step(S1, plan=measured()), NO, Hold, (Reason.OFFLINE_MISSING,)),
    Row(
        "another holdout is no measurement",
        at_step(S1, plan=measured(0.7, holdout="x")),
        NO,
        Hold,
        (Reason.OFFLINE_MISSING,),
    ),
    Row(
        "a measurement on no rows is none",
        at_step(S1, plan=measured(0.7, count=0)),
        NO,
        Hold,
        (Reason.OFFLINE_MISSING,),
    ),
    # Shadow: the same request answered by both.
    Row("pairs prove it", at_step(S2), known(S2), Advance, (Reason.PASSED,), expect={"to": S3}),
    Row("no pairs yet", at_step(S2), known(S2, pairs=()), Hold, (Reason.NOT_ENOUGH,), expect=EXPOSED),
    Row("pairs show harm", at_step(S2), harmful(S2, wrong=0.4), RollBack, (Reason.BREACHED,)),
    Row(
        "pairs show harm later",
        at_step(S4),
        known(S4, pairs=harmful(S2, wrong=0.4).pairs),
        RollBack,
        (Reason.BREACHED,),
    ),
    # Canary: good news must be proven.
    Row("every guardrail is proven", at_step(S4), known(S4), Advance, (Reason.PASSED,), expect={"to": S5}),
    Row("too little to tell", at_step(S4), UNPROVEN, Hold, (Reason.NOT_ENOUGH,), expect=EXPOSED),
    Row("no counts of outcomes", at_step(S4), known(S4, counts=()), Hold, (Reason.NOT_ENOUGH,)),
    Row("before the minimum time", at_step(S4), known(S4), Hold, (Reason.MINIMUM_TIME,), after=MINUTE - 1),
    Row("at the minimum time", at_step(S4), known(S4), Advance, (Reason.PASSED,), after=MINUTE),
    Row("the last canary step leads to all", at_step(S5), known(S5), Advance, (Reason.PASSED,), expect={"to": S6}),
    # Missing is never a yes.
    Row("nothing is known at all", at_step(S4), NO, Hold, (Reason.UNCONFIRMED,), expect=EXPOSED),
    Row("the data plane does not confirm", at_step(S4), known(S4, in_force=False), Hold, (Reason.UNCONFIRMED,)),
    Row("no source ever reported", at_step(S4), known(S4, freshness=()), Hold, (Reason.NO_EVIDENCE,)),
    Row("the gateway never reported", at_step(S4), from_source("gateway", age=-1), Hold, (Reason.NO_EVIDENCE,)),
    Row("the gateway is silent", at_step(S4), from_source("gateway", age=5 * SECOND + 1), Hold, (Reason.STALE,)),
    Row("the gateway is just in time", at_step(S4), from_source("gateway", age=5 * SECOND), Advance, (Reason.PASSED,)),
    Row("outcomes may take longer", at_step(S4), from_source("outcome", age=MINUTE), Advance, (Reason.PASSED,)),
    Row("but not for ever", at_step(S4), from_source("outcome", age=MINUTE + 1), Hold, (Reason.STALE,)),
    Row(
        "a source that no guardrail needs may be silent",
        at_step(S4),
        from_source("service", age=-1),
        Advance,
        (Reason.PASSED,),
    ),
    Row(
        "of two ages the older counts",
        at_step(S4),
        known(S4, freshness=(Freshness(origin="gateway", age=10**9), *known(S4).freshness)),
        Hold,
        (Reason.STALE,),
    ),
    Row("nobody was exposed", at_step(S4), known(S4, exposed=known(S3).exposed), Hold, (Reason.NO_EVIDENCE,)),
    Row(
        "a few outcomes of the candidate", at_step(S4), matured(candidate=0.4, incumbent=1.0), Hold, (Reason.IMMATURE,)
    ),
    Row(
        "a few outcomes of the incumbent", at_step(S4), matured(candidate=1.0, incumbent=0.4), Hold, (Reason.IMMATURE,)
    ),
    Row("half of both suffices here", at_step(S4), matured(candidate=0.5, incumbent=0.5), Advance, (Reason.PASSED,)),
    Row("maturity is unknown", at_step(S4), known(S4, maturity=()), Hold, (Reason.IMMATURE,)),
    Row("a part of the candidate's outcomes is lost", at_step(S4), thinned(candidate=0.6), Hold, (Reason.LOPSIDED,)),
    Row("a part of the incumbent's outcomes is lost", at_step(S4), thinned(incumbent=0.6), Hold, (Reason.LOPSIDED,)),
    Row("both lose alike", at_step(S4), thinned(candidate=0.6, incumbent=0.6), Advance, (Reason.PASSED,)),
    # A plan may ask for a second count.
    Row("nobody counted again", twice(S4), known(S4), Hold, (Reason.RECOMPUTATION_MISSING,)),
    Row("both counts agree", twice(S4), known(S4, recomputation=AGREES), Advance, (Reason.PASSED,)),
    Row("they agree long ago", twice(S4), again(age=FRESH + 1), Hold, (Reason.RECOMPUTATION_MISSING,)),
    Row("nothing was compared", twice(S4), again(cells=0), Hold, (Reason.RECOMPUTATION_MISSING,)),
    Row("rows are missing", twice(S4), again(missing=1), Hold, (Reason.RECOMPUTATION_MISSING,)),
    Row("a guardrail is uncovered", twice(S4), again(uncovered=("wrong",)), Hold, (Reason.RECOMPUTATION_MISSING,)),
    Row("the counts differ", twice(S4), again(differing=1), Hold, (Reason.RECOMPUTATION_DIFFERS,)),
    Row("they differ, and nobody asked", at_step(S4), again(differing=1), Advance, (Reason.PASSED,)),
    Row(
        "they differ, and harm is shown",
        twice(S4),
        again(harmful(S4, errors=0.06), differing=1),
        RollBack,
        (Reason.BREACHED,),
    ),
    # Bad news wins over everything.
    Row("more errors", at_step(S4), harmful(S4, errors=0.06), RollBack, (Reason.BREACHED,)),
    Row("slower", at_step(S4), harmful(S4, latency=0.05), RollBack, (Reason.BREACHED,)),
    Row(
        "more wrong",
        at_step(S4),
        msgspec.structs.replace(harmful(S4, wrong=0.3), pairs=()),
        RollBack,
        (Reason.BREACHED,),
    ),
    Row(
        "a guardrail that need not be proven can still break",
        at_step(S4),
        harmful(S4, log_loss=0.5),
        RollBack,
        (Reason.BREACHED,),
    ),
    Row(
        "wrong in one slice alone",
        at_step(S4),
        examples.evidence(PLAN, "s4", candidate_in_slice={"wrong": 0.45}),
        RollBack,
        (Reason.BREACHED,),
    ),
    Row("harm before the minimum time", at_step(S4), harmful(S4, errors=0.5), RollBack, (Reason.BREACHED,), after=1),
    Row("harm at a time before the step", at_step(S4), harmful(S4, errors=0.5), RollBack, (Reason.BREACHED,), after=-5),
    Row(
        "harm in stale, unconfirmed evidence",
        at_step(S4),
        msgspec.structs.replace(harmful(S4, errors=0.5), freshness=(), in_force=False, maturity=(), exposed=()),
        RollBack,
        (Reason.BREACHED,),
    ),
    Row("harm shows only after the canary", at_step(S6), harmful(S5, errors=0.06), RollBack, (Reason.BREACHED,)),
    Row("harm while halted", at_step(S4, phase=Phase.HALTED), harmful(S4, errors=0.5), RollBack, (Reason.BREACHED,)),
    Row("harm while lapsed", at_step(S4, phase=Phase.LAPSED), harmful(S4, errors=0.5), RollBack, (Reason.BREACHED,)),
    Row(
        "a server of other content",
        at_step(S4),
        serving(Arm.CANDIDATE, "v2", "sha256:x"),
        RollBack,
        (Reason.DIGEST_DIFFERS,),
    ),
    Row(
        "an unknown version serves",
        at_step(S4),
        serving(Arm.CANDIDATE, "v9", PLAN.candidate_digest),
        RollBack,
        (Reason.DIGEST_DIFFERS,),
    ),
    Row(
        "the arms are crossed",
        at_step(S4),
        serving(Arm.INCUMBENT, "v2", PLAN.candidate_digest),
        RollBack,
        (Reason.DIGEST_DIFFERS,),
    ),
    # A budget of harm ends it, whatever the tests say; what cannot be believed was not spent.
    Row(
        "the budget is spent to the last",
        at_step(S4, plan=budgeted(count=7)),
        errors_of((93, 7), (93, 7)),
        RollBack,
        (Reason.BUDGET_SPENT,),
    ),
    Row(
        "one is left of the budget",
        at_step(S4, plan=budgeted(count=8)),
        errors_of((93, 7), (93, 7)),
        Hold,
        (Reason.NOT_ENOUGH,),
        after=2 * MINUTE,
    ),
    Row(
        "equal arms spend no excess",
        at_step(S4, plan=budgeted(excess=0.5)),
        errors_of((93, 7), (186, 14)),
        Hold,
        (Reason.NOT_ENOUGH,),
        after=2 * MINUTE,
    ),
    Row(
        "three more than the incumbent's rate gives",
        at_step(S4, plan=budgeted(excess=3)),
        errors_of((90, 10), (186, 14)),
        RollBack,
        (Reason.BUDGET_SPENT,),
    ),
    Row(
        "without any incumbent everything is too much",
        at_step(S4, plan=budgeted(excess=7)),
        errors_of((93, 7), (0, 0)),
        RollBack,
        (Reason.BUDGET_SPENT,),
    ),
    Row(
        "spent while halted",
        at_step(S4, plan=budgeted(count=7), phase=Phase.HALTED),
        errors_of((93, 7), (93, 7)),
        RollBack,
        (Reason.BUDGET_SPENT,),
    ),
    Row(
        "an excess under a split that is not as asked",
        at_step(S4, plan=budgeted(excess=3)),
        errors_of((90, 10), (186, 14), exposed=exposed_as(candidate=4_000, incumbent=10_000).exposed),
        Hold,
        (Reason.SPLIT_BROKEN,),
        expect=WITHDRAWN,
    ),
    Row(
        "spent by a source that is not believed",
        at_step(S4, plan=budgeted(count=1, metric="wrong")),
        doubting(),
        Hold,
        (Reason.SOURCE_DOUBTED,),
        expect=WITHDRAWN,
    ),
    Row(
        "a budget over malformed counts",
        at_step(S4, plan=budgeted(count=1)),
        errors_of((93, -7), (93, 7)),
        Hold,
        (Reason.MALFORMED,),
        expect=WITHDRAWN,
    ),
    # Nobody's fault, or no comparison at all: withdraw, and call a person.
    Row(
        "both arms fail beyond the limit",
        at_step(S4),
        broken_at_both(S4, errors=0.5),
        Hold,
        (Reason.LIMIT_BREACHED,),
        expect=WITHDRAWN,
    ),
    Row(
        "the split is not as asked",
        at_step(S4),
        exposed_as(candidate=4_000, incumbent=10_000),
        Hold,
        (Reason.SPLIT_BROKEN,),
        expect=WITHDRAWN,
    ),
    Row(
        "a negative number of subjects",
        at_step(S4),
        exposed_as(candidate=-1, incumbent=10_000),
        Hold,
        (Reason.SPLIT_BROKEN,),
    ),
    Row(
        "other bins than the plan's",
        at_step(S4),
        counted(candidate=(1, 2, 3), incumbent=(1, 2, 3)),
        Hold,
        (Reason.MALFORMED,),
        expect=WITHDRAWN,
    ),
    Row("no bins", at_step(S4), counted(candidate=(), incumbent=()), Hold, (Reason.MALFORMED,)),
    Row("arms of different bins", at_step(S4), counted(candidate=(1, 2, 3)), Hold, (Reason.MALFORMED,)),
    Row("a count below zero", at_step(S4), counted(candidate=(10, -1)), Hold, (Reason.MALFORMED,)),
    Row("a count that no ledger can hold", at_step(S4), counted(candidate=(2**53, 1)), Hold, (Reason.MALFORMED,)),
    Row("the same counts twice", at_step(S4), known(S4, counts=known(S4).counts * 2), Hold, (Reason.MALFORMED,)),
    Row("the same pairs twice", at_step(S4), known(S4, pairs=known(S4).pairs * 2), Hold, (Reason.MALFORMED,)),
    # What a source says may be impossible: for good, or until what is served is reported.
    Row("a total that shrank", at_step(S4), doubting(), Hold, (Reason.SOURCE_DOUBTED,), expect=WITHDRAWN),
    Row(
        "more counted than served so far",
        at_step(S4),
        doubting(claim=Claim.BEYOND_TRAFFIC, said=10_000, age=10),
        Hold,
        (Reason.COUNTS_AHEAD,),
        after=2 * MINUTE,
    ),
    # A halt is lifted by a person, a lapse by a fresh decision for the same step.
    Row("halted stays halted", at_step(S4, phase=Phase.HALTED), known(S4), Hold, (Reason.HALTED,), expect=WITHDRAWN),
    Row(
        "a lapsed lease comes back",
        at_step(S4, phase=Phase.LAPSED),
        known(S4),
        Advance,
        (Reason.LEASE_RESTORED,),
        expect={"to": S4},
    ),
    Row(
        "but not with a broken split",
        at_step(S4, phase=Phase.LAPSED),
        exposed_as(candidate=4_000, incumbent=10_000),
        Hold,
        (Reason.SPLIT_BROKEN,),
    ),
    # Time.
    Row("a clock before the step began", at_step(S4), known(S4), Hold, (Reason.CLOCK_BACK,), after=-1, expect=EXPOSED),
    Row("the maximum has not passed", at_step(S4), UNPROVEN, Hold, (Reason.NOT_ENOUGH,), after=10 * MINUTE - 1),
    Row(
        "past it, hold for a person",
        at_most(AtMaximum.HOLD),
        UNPROVEN,
        Hold,
        (Reason.DEADLINE_HOLD, Reason.NOT_ENOUGH),
        after=10 * MINUTE,
        expect=EXPOSED,
    ),
    Row(
        "past it, roll back",
        at_most(AtMaximum.ROLL_BACK),
        UNPROVEN,
        RollBack,
        (Reason.DEADLINE_ROLLBACK, Reason.NOT_ENOUGH),
        after=10 * MINUTE,
    ),
    Row(
        "past it, roll back says what was missing",
        at_most(AtMaximum.ROLL_BACK),
        NO,
        RollBack,
        (Reason.DEADLINE_ROLLBACK, Reason.UNCONFIRMED),
        after=10 * MINUTE,
    ),
    Row(
        "past it, take longer",
        at_most(AtMaximum.EXTEND),
        UNPROVEN,
        Hold,
        (Reason.DEADLINE_EXTENDED, Reason.NOT_ENOUGH),
        after=EXTENSIONS * 10 * MINUTE - 1,
    ),
    Row(
        "but not for ever longer",
        at_most(AtMaximum.EXTEND),
        UNPROVEN,
        Hold,
        (Reason.DEADLINE_HOLD, Reason.NOT_ENOUGH),
        after=EXTENSIONS * 10 * MINUTE,
    ),
    Row(
        "a proof that comes late is a proof",
        at_most(AtMaximum.ROLL_BACK),
        known(S4),
        Advance,
        (Reason.PASSED,),
        after=99 * MINUTE,
    ),
    # Full and bake: nobody is compared any more; the gateway must be seen to serve.
    Row("all served without a breach", at_step(S6), known(S6), Advance, (Reason.BAKED,), expect={"to": S7}),
    Row("the end of the ladder", at_step(S7), known(S7), Promote, (Reason.BAKED,)),
    Row(
        "outcomes may be late now",
        at_step(S7),
        known(S7, maturity=(), freshness=(Freshness(origin="gateway", age=0),)),
        Promote,
        (Reason.BAKED,),
    ),
    Row("a silent gateway is not seen to serve", at_step(S7), known(S7, freshness=()), Hold, (Reason.NO_EVIDENCE,)),
    Row(
        "nobody served by the candidate", at_step(S7), known(S7, exposed=known(S6).exposed), Hold, (Reason.NO_EVIDENCE,)
    ),
    # The end.
    *(
        Row(f"nothing follows {phase.value}", at_step(S7, phase=phase), harmful(S5, errors=0.5), Hold, (Reason.ENDED,))
        for phase in (Phase.ROLLING_BACK, Phase.ROLLED_BACK, Phase.PROMOTING, Phase.PROMOTED)
    ),
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_decide_answers(row: Row) -> None:
    decision = decide(row.rollout, row.evidence, now=ENTERED + row.after)

    assert (type(decision), decision.reasons) == (row.says, row.because)
    assert {name: getattr(decision, name) for name in row.expect} == row.expect


GIVEN_BY_PEOPLE = {Reason.ORDERED}


def test_every_reason_stands_in_some_row() -> None:
    """A reason that no row shows would be a promise that nobody has seen kept."""
    shown = {reason for row in ROWS for reason in row.because}

    assert set(Reason) - shown == GIVEN_BY_PEOPLE


def test_every_phase_stands_in_some_row() -> None:
    assert {row.rollout.phase for row in ROWS} == set(Phase)


def test_rows_have_names_of_their_own() -> None:
    names = [row.name for row in ROWS]

    assert len(set(names)) == len(names)


def test_a_rollback_names_the_guardrail_and_the_slice_that_broke() -> None:
    evidence = examples.evidence(PLAN, "s4", candidate_in_slice={"wrong": 0.45})

    assert breach(decide(at_step(S4), evidence, now=ENTERED)) == ("wrong", SliceName("origin=LGA"))


def test_outcomes_under_no_coin_are_not_compared() -> None:
    """In a full step everybody is served by the candidate: its errors there prove nothing about the arm."""
    full = known(S6)
    flood = tuple(
        msgspec.structs.replace(row, step=StepName("s6"), candidate=(0, 10**6), incumbent=(10**6, 0))
        for row in known(S4).counts
        if len(row.candidate) == 2
    )
    unlimited = msgspec.structs.replace(
        PLAN, guardrails=tuple(msgspec.structs.replace(g, limit=None) for g in PLAN.guardrails)
    )
    counts = tuple(row for row in full.counts if row.step != "s6") + flood

    decision = decide(
        at_step(S6, plan=unlimited), msgspec.structs.replace(full, counts=counts), now=ENTERED + 2 * MINUTE
    )

    assert decision.reasons == (Reason.BAKED,)


def test_outcomes_of_steps_and_metrics_outside_the_plan_change_nothing() -> None:
    stray = tuple(
        msgspec.structs.replace(row, step=StepName("s99"), candidate=(0, 10**6)) for row in known(S4).counts[:1]
    )
    evidence = known(S4, counts=known(S4).counts + stray)
    limitless = replace(
        at_step(S4),
        plan=msgspec.structs.replace(
            PLAN, guardrails=tuple(msgspec.structs.replace(g, limit=None) for g in PLAN.guardrails)
        ),
    )

    assert decide(limitless, evidence, now=ENTERED + 2 * MINUTE) == decide(
        limitless, known(S4), now=ENTERED + 2 * MINUTE
    )


def test_a_service_that_never_spoke_for_the_candidate_proves_nothing() -> None:
    """A ratio is bet on bad outcomes alone, so those of the incumbent would prove a silent candidate to be perfect."""
    fallback = Metric(name=MetricName("fallback"), kind=Kind.EVENT, origin=Origin.SERVICE)
    guardrail = Guardrail(
        metric=fallback, margin=Margin(MarginKind.RELATIVE, 0.25), harm=HarmNull.BEYOND_MARGIN, base_rate=0.05
    )
    plan = msgspec.structs.replace(PLAN, guardrails=(guardrail,))
    counts = Counts(step=StepName("s4"), metric=fallback.name, slice=WHOLE, candidate=(0, 0), incumbent=(1_900, 100))

    decision = decide(at_step(S4, plan=plan), known(S4, counts=(counts,)), now=ENTERED + 2 * MINUTE)

    assert isinstance(decision, Hold)
    assert decision.reasons == (Reason.NOT_ENOUGH,)
