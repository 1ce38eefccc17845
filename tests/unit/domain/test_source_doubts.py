"""What a source says that cannot be true: told by a table, judged by the rules, and never the candidate's fault."""

from dataclasses import dataclass, replace

import msgspec
import pytest

from glideslope.domain.decide import decide, decide_1
from glideslope.domain.decision import Advance, Decision, Hold, Question, RollBack, Verdict
from glideslope.domain.doubt import (
    FASTEST,
    HEADSTART,
    PATIENCE,
    SLACK,
    TIMES,
    Claim,
    Doubt,
    is_settled,
    sentence,
    stands,
)
from glideslope.domain.evidence import Evidence
from glideslope.domain.ids import WHOLE, Actor, MetricName, StepName
from glideslope.domain.reasons import Reason
from glideslope.domain.rollout import Phase, Rollout
from glideslope.domain.traffic import Arm
from glideslope.testing import examples
from glideslope.testing.examples import MINUTE, USUAL

PLAN = examples.plan()
POSITION = next(k for k, step in enumerate(PLAN.steps) if step.has_coin)
STEP = PLAN.steps[POSITION].name
RUNNING = replace(examples.proposed(PLAN), phase=Phase.RUNNING, position=POSITION)
LATER = RUNNING.entered_at + 2 * MINUTE
SOUND = examples.evidence(PLAN, STEP)
LEASE = 2_000


def doubt(claim: Claim = Claim.SHRANK, *, said: int = 50, against: int = 40, **more: object) -> Doubt:
    numbers = {"first": 10, "second": 11} if claim is Claim.SHRANK else {}
    made = Doubt(
        claim=claim,
        actor=Actor("flights"),
        source="web-1",
        epoch=7,
        step=StepName("s3"),
        arm=Arm.CANDIDATE,
        metric=MetricName("wrong"),
        slice=WHOLE,
        bin=1 if claim is Claim.SHRANK else -1,
        said=said,
        against=against,
        metrics=(MetricName("wrong"),),
    )
    return msgspec.structs.replace(made, **{**numbers, **more})


@dataclass(frozen=True)
class Row:
    name: str
    doubt: Doubt
    stands: bool


MOST = TIMES * 500 + SLACK
ROWS = (
    Row("a later message holds less", doubt(said=50, against=49), stands=True),
    Row("a later message holds the same", doubt(said=50, against=50), stands=False),
    Row("a later message holds more", doubt(said=50, against=51), stands=False),
    Row("two of one number differ", doubt(said=50, against=51, first=10, second=10), stands=True),
    Row("two of one number are the same", doubt(said=50, against=50, first=10, second=10), stands=False),
    Row("all that may be", doubt(Claim.BEYOND_TRAFFIC, said=MOST, against=500), stands=False),
    Row("one more", doubt(Claim.BEYOND_TRAFFIC, said=MOST + 1, against=500), stands=True),
    Row("what a lease may hide", doubt(Claim.BEYOND_TRAFFIC, said=MOST + 600, against=500, peak=100), stands=False),
    Row("and one more", doubt(Claim.BEYOND_TRAFFIC, said=MOST + 601, against=500, peak=100), stands=True),
    Row("as fast as can be", doubt(Claim.TOO_FAST, said=FASTEST * HEADSTART, against=0), stands=False),
    Row("faster", doubt(Claim.TOO_FAST, said=FASTEST * HEADSTART + 1, against=0), stands=True),
    Row("no faster, given time", doubt(Claim.TOO_FAST, said=FASTEST * HEADSTART + 1, against=1), stands=False),
)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_what_cannot_both_be(row: Row) -> None:
    assert stands(row.doubt, lease=LEASE) is row.stands


@pytest.mark.parametrize(
    ("claim", "age", "settled"),
    [
        (Claim.SHRANK, 0, True),
        (Claim.TOO_FAST, 0, True),
        (Claim.BEYOND_TRAFFIC, PATIENCE - 1, False),
        (Claim.BEYOND_TRAFFIC, PATIENCE, True),
    ],
)
def test_only_traffic_that_may_still_be_reported_is_waited_for(claim: Claim, age: int, settled: bool) -> None:
    assert is_settled(doubt(claim, age=age)) is settled


@pytest.mark.parametrize("claim", Claim)
def test_the_sentence_names_the_source_the_cell_and_both_numbers(claim: Claim) -> None:
    told = sentence(doubt(claim, said=5_012, against=4_017))

    for part in ("flights/web-1", "epoch 7", "wrong", "candidate", "s3", "5,012", "4,017"):
        assert part in told


SHRANK = doubt()
AHEAD = doubt(Claim.BEYOND_TRAFFIC, said=9_000, against=100)
BEYOND = msgspec.structs.replace(AHEAD, age=PATIENCE)
NOTHING_WRONG = doubt(said=50, against=50)


def knowing(*doubts: Doubt, evidence: Evidence = SOUND) -> Evidence:
    return msgspec.structs.replace(evidence, format=2, doubts=doubts)


def judged(evidence: Evidence, rollout: Rollout = RUNNING) -> Decision:
    return decide(rollout, evidence, now=LATER)


@pytest.mark.parametrize("lie", [SHRANK, BEYOND], ids=["shrank", "beyond"])
def test_a_source_that_is_not_credible_ends_the_exposure_and_blames_nobody(lie: Doubt) -> None:
    decision = judged(knowing(lie))

    assert isinstance(decision, Hold)
    assert (decision.exposed, decision.reasons) == (False, (Reason.SOURCE_DOUBTED,))
    assert [(f.question, f.verdict, f.subject, f.doubt) for f in decision.findings] == [
        (Question.SOURCE, Verdict.INVALID, "wrong", lie)
    ]


def test_while_what_is_served_may_catch_up_nothing_advances_and_nobody_is_stopped() -> None:
    assert isinstance(judged(SOUND), Advance)

    decision = judged(knowing(AHEAD))

    assert isinstance(decision, Hold)
    assert (decision.exposed, decision.reasons) == (True, (Reason.COUNTS_AHEAD,))


def test_the_last_step_waits_for_it_too() -> None:
    last = replace(RUNNING, position=len(PLAN.steps) - 1)
    evidence = knowing(AHEAD, evidence=examples.evidence(PLAN, PLAN.steps[-1].name))

    decision = judged(evidence, last)

    assert decision.reasons == (Reason.COUNTS_AHEAD,)


@pytest.mark.parametrize("lie", [SHRANK, AHEAD, BEYOND], ids=["shrank", "ahead", "beyond"])
def test_harm_that_only_a_doubted_source_saw_is_not_blamed_on_the_candidate(lie: Doubt) -> None:
    harmful = examples.evidence(PLAN, STEP, candidate={**USUAL, "wrong": 0.9})
    assert isinstance(judged(harmful), RollBack)

    decision = judged(knowing(lie, evidence=harmful))

    assert isinstance(decision, Hold)
    assert (decision.exposed, decision.reasons) == (False, (Reason.SOURCE_DOUBTED,))
    assert {f.question for f in decision.findings} == {Question.SOURCE, Question.HARM}


def test_harm_that_others_saw_rolls_back_all_the_same() -> None:
    """A source of the candidate's maker must not be able to put off a rollback by contradicting itself."""
    harmful = examples.evidence(PLAN, STEP, candidate={**USUAL, "errors": 0.4})

    assert isinstance(judged(knowing(SHRANK, evidence=harmful)), RollBack)


def test_a_doubt_that_does_not_hold_changes_nothing() -> None:
    """The record is judged by its numbers, not by who wrote them down."""
    assert judged(knowing(NOTHING_WRONG)) == judged(SOUND)


def test_a_halt_stays_a_halt() -> None:
    assert judged(knowing(SHRANK), replace(RUNNING, phase=Phase.HALTED)).reasons == (Reason.HALTED,)


def test_the_first_rules_believed_every_source() -> None:
    """What they decided is recomputed as they decided it."""
    assert decide_1(RUNNING, knowing(SHRANK), now=LATER) == judged(SOUND)
