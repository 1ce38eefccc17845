"""A request is counted when it ends, so a slower candidate's good answers come later: that alone is no harm."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.domain.test_decide import ENTERED, PLAN, at_step, known

from glideslope.domain.decide import decide, decide_2
from glideslope.domain.decision import Hold, RollBack
from glideslope.domain.evidence import Counts, Evidence, Exposed
from glideslope.domain.gate import answered, harm_found, sorted_tables
from glideslope.domain.ids import WHOLE, StepName
from glideslope.domain.metric import ERRORS
from glideslope.domain.rollout import Phase
from glideslope.testing import examples

S3 = StepName("s3")
FIRST_CANARY = 2


def beginning(*, candidate: tuple[int, int], incumbent: tuple[int, int], under_way: int = 0) -> Evidence:
    """The first seconds of the first canary step, whose coin sends one of five to the candidate."""
    counts = (Counts(step=S3, metric=ERRORS.name, slice=WHOLE, candidate=candidate, incumbent=incumbent),)
    exposed = (Exposed(step=S3, candidate=sum(candidate) + under_way, incumbent=sum(incumbent)),)
    return known(FIRST_CANARY, counts=counts, exposed=exposed)


def test_a_candidate_whose_answers_are_still_to_come_is_not_blamed() -> None:
    slow = beginning(candidate=(0, 0), incumbent=(100, 0), under_way=25)

    assert isinstance(decide_2(at_step(FIRST_CANARY), slow, now=ENTERED + 1_000), RollBack), "as it was once"
    decision = decide(at_step(FIRST_CANARY), slow, now=ENTERED + 1_000)
    assert isinstance(decision, Hold)
    assert decision.exposed


def test_a_candidate_that_fails_is_caught_however_many_answers_are_missing() -> None:
    failing = beginning(candidate=(0, 8), incumbent=(100, 1), under_way=17)

    assert isinstance(decide(at_step(FIRST_CANARY), failing, now=ENTERED + 1_000), RollBack)


cell = st.integers(0, 400)


@given(good=cell, bad=cell, theirs=cell, failed=cell)
def test_what_is_waited_for_never_makes_an_alarm(good: int, bad: int, theirs: int, failed: int) -> None:
    evidence = beginning(candidate=(good, bad), incumbent=(theirs, failed))
    tables = sorted_tables(PLAN, evidence)

    waiting = harm_found(PLAN, evidence, answered(PLAN, tables))

    assert {(f.subject, f.slice) for f in waiting} <= {(f.subject, f.slice) for f in harm_found(PLAN, evidence, tables)}


def test_what_was_judged_before_is_judged_the_same_again() -> None:
    halted = at_step(FIRST_CANARY, phase=Phase.HALTED)
    evidence = msgspec.structs.replace(examples.evidence(PLAN, "s3"), doubts=msgspec.UNSET)

    assert decide_2(halted, evidence, now=ENTERED) == decide(halted, evidence, now=ENTERED)
