"""A request is counted when it ends: until then a slower candidate is not blamed for it, and a proof expects the worst of it."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.domain.test_decide import ENTERED, PLAN, at_step, known

from glideslope.domain.awaited import answered
from glideslope.domain.decide import decide, decide_2, decide_3
from glideslope.domain.decision import Advance, Finding, Hold, RollBack, Verdict
from glideslope.domain.evidence import Counts, Evidence, Exposed
from glideslope.domain.gate import harm_found, proof_findings
from glideslope.domain.ids import WHOLE, StepName
from glideslope.domain.metric import ERRORS
from glideslope.domain.plan import Margin, MarginKind
from glideslope.domain.rollout import Phase
from glideslope.domain.tables import sorted_tables
from glideslope.testing import examples
from glideslope.testing.examples import MINUTE

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


S4 = StepName("s4")
LAST = 4


def step_with(
    *,
    margin: Margin,
    candidate: tuple[int, int],
    incumbent: tuple[int, int],
    hung: int = 0,
    theirs: int = 0,
    loosen: float = 1.0,
) -> tuple[Finding, bool]:
    """Ask the proof of errors at a step of one to one, by version 4 and by version 3."""
    guardrail = msgspec.structs.replace(PLAN.guardrails[0], margin=margin)
    plan = msgspec.structs.replace(PLAN, guardrails=(guardrail,))
    step = msgspec.structs.replace(PLAN.steps[3], loosen=loosen)
    evidence = Evidence(
        counts=(Counts(step=S4, metric=ERRORS.name, slice=WHOLE, candidate=candidate, incumbent=incumbent),),
        exposed=(Exposed(step=S4, candidate=sum(candidate) + hung, incumbent=sum(incumbent) + theirs),),
    )
    (now,) = proof_findings(plan, evidence, step)
    (before,) = proof_findings(plan, evidence, step, awaiting=False)
    return now, before.verdict is Verdict.PASS


WIDE = Margin(MarginKind.ABSOLUTE, 0.1)


def test_a_candidate_that_hangs_on_some_requests_is_not_proven_before_they_end() -> None:
    """Minimum time 0 and a wide margin: its answers are all good, those that it never gives are no proof of anything."""
    found, before = step_with(margin=WIDE, candidate=(400, 0), incumbent=(498, 2), hung=100)

    assert before, "as it was once"
    assert (found.verdict, found.awaited, found.candidate) == (Verdict.INCONCLUSIVE, 100, 400)


def test_a_busy_sound_candidate_is_proven_although_some_requests_are_always_under_way() -> None:
    """Twenty under way at each look: their part goes to nothing as the rest grows."""
    passed = [
        step_with(
            margin=Margin(MarginKind.RELATIVE, 0.25),
            candidate=(98 * n, 2 * n),
            incumbent=(98 * n, 2 * n),
            hung=20,
            theirs=20,
        )[0].verdict
        for n in (10, 100, 1_000)
    ]

    assert passed == [Verdict.INCONCLUSIVE, Verdict.INCONCLUSIVE, Verdict.PASS]


def test_silence_with_requests_under_way_is_still_silence() -> None:
    found, _ = step_with(margin=WIDE, candidate=(0, 0), incumbent=(500, 0), hung=500, theirs=900)

    assert (found.verdict, found.candidate, found.incumbent) == (Verdict.INCONCLUSIVE, 0, 500)


def test_exposure_that_cannot_be_is_no_proof() -> None:
    found, _ = step_with(margin=WIDE, candidate=(400, 0), incumbent=(498, 2), hung=-401)

    assert found.verdict is Verdict.INVALID


def test_decide_waits_for_the_last_step_and_decided_otherwise_before() -> None:
    """The whole decision: good evidence at the third canary step, but a tenth of the candidate's requests has not ended."""
    good = known(LAST)
    answers = {c: c.candidate[0] - c.candidate[0] // 10 for c in good.counts if c.metric == ERRORS.name}
    hanging = msgspec.structs.replace(
        good,
        counts=tuple(
            msgspec.structs.replace(c, candidate=(answers[c], *c.candidate[1:])) if c in answers else c
            for c in good.counts
        ),
    )
    at = at_step(LAST)

    assert isinstance(decide(at, good, now=ENTERED + MINUTE), Advance)
    assert isinstance(decide_3(at, hanging, now=ENTERED + MINUTE), Advance)
    held = decide(at, hanging, now=ENTERED + MINUTE)
    assert isinstance(held, Hold)
    assert held.exposed
    assert any(isinstance(f.awaited, int) for f in held.findings)


small = st.integers(0, 300)
margins = st.builds(Margin, st.just(MarginKind.RELATIVE), st.sampled_from([0.25, 1.0])) | st.builds(
    Margin, st.just(MarginKind.ABSOLUTE), st.sampled_from([0.02, 0.1, 0.5])
)


arms = st.tuples(small, small)


@given(margin=margins, candidate=arms, incumbent=arms, waiting=arms, more=arms)
def test_more_under_way_never_helps_a_proof(
    margin: Margin,
    candidate: tuple[int, int],
    incumbent: tuple[int, int],
    waiting: tuple[int, int],
    more: tuple[int, int],
) -> None:
    few, _ = step_with(margin=margin, candidate=candidate, incumbent=incumbent, hung=waiting[0], theirs=waiting[1])
    many, _ = step_with(
        margin=margin,
        candidate=candidate,
        incumbent=incumbent,
        hung=waiting[0] + more[0],
        theirs=waiting[1] + more[1],
    )

    assert many.wealth <= few.wealth


@given(margin=margins, candidate=arms, incumbent=arms, good=arms, bad=arms)
def test_whatever_comes_is_no_worse_for_the_proof_than_what_was_supposed(
    margin: Margin, candidate: tuple[int, int], incumbent: tuple[int, int], good: tuple[int, int], bad: tuple[int, int]
) -> None:
    hung, theirs = (ends + fails for ends, fails in zip(good, bad, strict=True))

    supposed, _ = step_with(margin=margin, candidate=candidate, incumbent=incumbent, hung=hung, theirs=theirs)
    later, _ = step_with(
        margin=margin,
        candidate=(candidate[0] + good[0], candidate[1] + bad[0]),
        incumbent=(incumbent[0] + good[1], incumbent[1] + bad[1]),
    )

    assert supposed.wealth <= later.wealth


@given(
    slow=st.lists(st.integers(0, 20), min_size=41, max_size=41),
    hung=small,
    ends=st.integers(0, 40),
    theirs=st.integers(0, 40),
)
def test_a_time_that_is_still_running_is_supposed_to_be_the_longest_for_the_candidate_and_the_shortest_for_the_incumbent(
    slow: list[int], hung: int, ends: int, theirs: int
) -> None:
    plan = msgspec.structs.replace(PLAN, guardrails=(PLAN.guardrails[1],))

    def wealth(candidate: list[int], incumbent: list[int], *, under_way: tuple[int, int] = (0, 0)) -> float:
        row = Counts(step=S4, metric="latency", slice=WHOLE, candidate=tuple(candidate), incumbent=tuple(incumbent))
        exposed = Exposed(step=S4, candidate=sum(candidate) + under_way[0], incumbent=sum(incumbent) + under_way[1])
        (found,) = proof_findings(plan, Evidence(counts=(row,), exposed=(exposed,)), plan.steps[3])
        return found.wealth

    later = [n + hung * (k == ends) for k, n in enumerate(slow)], [n + hung * (k == theirs) for k, n in enumerate(slow)]
    assert wealth(slow, slow, under_way=(hung, hung)) <= wealth(*later)
