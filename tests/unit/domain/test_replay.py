"""Replaying finds what was not decided by the rules, and what the rules promised and the record does not keep."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import msgspec
import pytest

from glideslope.domain.decide import decide
from glideslope.domain.decision import DECIDER, Advance, Decision, Hold, Promote, RollBack
from glideslope.domain.errors import Invalid, NotFound
from glideslope.domain.events import (
    Approved,
    Closed,
    Confirmed,
    Decided,
    Event,
    Proposed,
    Registered,
    body_of,
    event_of,
    kind_of,
    rfc3339,
)
from glideslope.domain.evidence import NOTHING, Evidence
from glideslope.domain.freeze import plan_digest
from glideslope.domain.ids import MACHINE, Actor, Digest, RolloutId, StepName
from glideslope.domain.reasons import Reason
from glideslope.domain.replay import Flaw, replay, replay_decision
from glideslope.domain.rollout import fold
from glideslope.ledger.canonical import LARGEST_INTEGER
from glideslope.ledger.entry import Entry
from glideslope.testing import examples
from glideslope.testing.examples import APPROVER, MINUTE, OWNER

PLAN = examples.plan()
STREAM = "r-delays-1"

History = list[tuple[int, Event]]


def decided(history: History, evidence: Evidence, *, at: int) -> History:
    decision = decide(fold(RolloutId(STREAM), history), evidence, now=at)
    return [*history, (at, Decided(decision=decision, evidence=evidence, decider=DECIDER, by=MACHINE))]


def honest() -> History:
    """Proposed, approved, offline, shadow, and rolled back in the first canary step."""
    history: History = [(0, Proposed(plan=PLAN, plan_digest=plan_digest(PLAN), by=OWNER))]
    history = decided(history, NOTHING, at=1)
    history.append((2, Approved(by=APPROVER, granted=True, plan_digest=plan_digest(PLAN), why="Fine.")))
    history = decided(history, NOTHING, at=3)
    history = decided(history, NOTHING, at=2 * MINUTE)
    history = decided(history, examples.evidence(PLAN, "s2"), at=4 * MINUTE)
    history = decided(history, examples.evidence(PLAN, "s3", candidate_in_slice={"wrong": 0.6}), at=5 * MINUTE)
    history.append((5 * MINUTE + 9, Confirmed(exposed=False, step=StepName("s3"), milliseconds=9.0)))
    history.append((5 * MINUTE + 9, Closed(count=8, root="")))
    return history


def entries(history: Sequence[tuple[int, Event]], *, stream: str = STREAM) -> list[Entry]:
    return [
        Entry(stream=stream, version=k, at=rfc3339(at), kind=kind_of(event), body=body_of(event))
        for k, (at, event) in enumerate(history, start=1)
    ]


def flaws(record: Sequence[Entry]) -> list[tuple[Flaw, int]]:
    """What was found, and as which version of the stream."""
    return [(finding.flaw, finding.version) for finding in replay(record).findings]


def saying(decision: Decision, *, by: Actor = MACHINE, decider: int = DECIDER, evidence: Evidence = NOTHING) -> Decided:
    return Decided(decision=decision, evidence=evidence, decider=decider, by=by)


def instead(index: int, event: Event) -> History:
    history = honest()
    history[index] = (history[index][0], event)
    return history


def test_an_honest_record_has_no_findings() -> None:
    report = replay(entries(honest()))

    assert (report.rollouts, report.decisions, report.orders, report.findings) == (1, 5, 0, ())


def test_streams_may_be_interleaved_and_a_models_stream_is_passed_over() -> None:
    version = Registered(
        model=PLAN.model, version=PLAN.candidate, digest=PLAN.candidate_digest, url="http://h:1", by=OWNER, why=""
    )
    first, second = entries(honest()), entries(honest(), stream="r-delays-2")
    both = [entry for pair in zip(first, second, strict=True) for entry in pair]

    report = replay([*entries([(0, version)], stream="model.delays"), *both])

    assert (report.rollouts, report.decisions, report.findings) == (2, 10, ())


def counted_otherwise(event: Decided) -> Decided:
    """One wrong answer less in the slice that broke."""
    rows = tuple(
        msgspec.structs.replace(row, candidate=(sum(row.candidate), 0)) if row.metric == "wrong" else row
        for row in event.evidence.counts
    )
    return msgspec.structs.replace(event, evidence=msgspec.structs.replace(event.evidence, counts=rows))


def held_instead(event: Decided) -> Decided:
    return msgspec.structs.replace(event, decision=Hold(exposed=True, reasons=(Reason.NOT_ENOUGH,)))


def without_findings(event: Decided) -> Decided:
    return msgspec.structs.replace(event, decision=RollBack(reasons=(Reason.BREACHED,)))


def wealthier(event: Decided) -> Decided:
    assert isinstance(event.decision, RollBack)
    first, *rest = event.decision.findings
    richer = msgspec.structs.replace(first, wealth=round(first.wealth + 0.0001, 4))
    return msgspec.structs.replace(event, decision=msgspec.structs.replace(event.decision, findings=(richer, *rest)))


@pytest.mark.parametrize("change", [counted_otherwise, held_instead, without_findings, wealthier])
def test_a_decision_that_the_evidence_does_not_give_is_named_with_its_place(
    change: Callable[[Decided], Decided],
) -> None:
    *_, (_, rollback), _, _ = honest()
    assert isinstance(rollback, Decided)

    report = replay(entries(instead(6, change(rollback))[:7]))

    finding = report.findings[0]
    assert (finding.flaw, finding.stream, finding.version, finding.position) == (Flaw.DECISION_DIFFERS, STREAM, 7, 6)
    assert finding.sentence.startswith("Recorded: ")
    assert report.decisions == 4


def test_a_decision_moved_in_time_is_found() -> None:
    history = honest()
    history[4] = (MINUTE, history[4][1])  # the minimum time had not passed

    assert (Flaw.DECISION_DIFFERS, 5) in flaws(entries(history))


def test_position_counts_the_whole_ledger() -> None:
    before = entries(honest(), stream="r-delays-0")
    forged = entries(instead(1, saying(Hold(exposed=False, reasons=(Reason.HALTED,)))))

    (finding,) = replay([*before, *forged]).findings

    assert (finding.stream, finding.version, finding.position) == (STREAM, 2, len(before) + 1)


@pytest.mark.parametrize("decider", [0, DECIDER + 1, 999])
def test_an_unknown_decider_is_a_finding_and_no_crash(decider: int) -> None:
    event = saying(Hold(exposed=False, reasons=(Reason.AWAITING_APPROVAL,)), decider=decider)

    assert flaws(entries(instead(1, event))) == [(Flaw.DECIDER_UNKNOWN, 2)]


def test_an_advance_without_the_approvals_that_the_plan_asks_for_is_found() -> None:
    history = honest()
    del history[2]

    found = flaws(entries(history))

    assert (Flaw.APPROVALS_MISSING, 3) in found
    assert (Flaw.DECISION_DIFFERS, 3) in found


def test_the_proposers_own_approval_does_not_count() -> None:
    own = Approved(by=OWNER, granted=True, plan_digest=plan_digest(PLAN), why="")

    assert (Flaw.APPROVALS_MISSING, 4) in flaws(entries(instead(2, own)))


def test_an_approval_of_another_plan_cannot_be() -> None:
    other = Approved(by=APPROVER, granted=True, plan_digest=Digest("sha256:other"), why="")

    assert flaws(entries(instead(2, other))) == [(Flaw.ENTRY_IMPOSSIBLE, 3)]


def test_a_plan_that_is_not_the_one_of_its_digest_is_found() -> None:
    changed = msgspec.structs.replace(PLAN, alpha=0.5)
    proposal = Proposed(plan=changed, plan_digest=plan_digest(PLAN), by=OWNER)

    assert (Flaw.PLAN_DIFFERS, 1) in flaws(entries(instead(0, proposal)))


def test_a_skipped_step_is_found() -> None:
    skip = saying(Advance(to=3, reasons=(Reason.OFFLINE_PASSED,)))

    assert (Flaw.STEP_SKIPPED, 5) in flaws(entries(instead(4, skip)))


def test_a_promotion_before_the_last_step_is_found() -> None:
    early = saying(Promote(reasons=(Reason.BAKED,)))

    assert (Flaw.STEP_SKIPPED, 6) in flaws(entries(instead(5, early)))


def test_a_person_may_order_a_rollback() -> None:
    order = saying(RollBack(reasons=(Reason.ORDERED,)), by=APPROVER)
    history = [*honest()[:5], (5 * MINUTE, order)]

    report = replay(entries(history))

    assert (report.orders, report.decisions, report.findings) == (1, 3, ())


@pytest.mark.parametrize(
    "decision",
    [Advance(to=1, reasons=(Reason.ORDERED,)), Hold(exposed=True, reasons=(Reason.ORDERED,))],
    ids=["advance", "hold"],
)
def test_a_person_may_order_nothing_else(decision: Decision) -> None:
    history = [*honest()[:4], (MINUTE, saying(decision, by=APPROVER))]

    assert flaws(entries(history)) == [(Flaw.ORDER_FORBIDDEN, 5)]


def test_nothing_may_stand_after_the_close() -> None:
    history = [*honest(), (6 * MINUTE, Closed(count=9, root=""))]

    assert flaws(entries(history)) == [(Flaw.ENTRY_AFTER_CLOSE, 10)]


def test_a_decision_after_the_end_is_impossible() -> None:
    history = [*honest()[:-1], (6 * MINUTE, saying(Hold(exposed=False, reasons=(Reason.ENDED,))))]

    assert flaws(entries(history)) == [(Flaw.ENTRY_IMPOSSIBLE, 9)]


def test_a_decision_without_a_proposal_is_impossible() -> None:
    assert flaws(entries(honest()[3:4])) == [(Flaw.ENTRY_IMPOSSIBLE, 1)]


def test_an_entry_of_an_unknown_kind_is_a_finding() -> None:
    record = entries(honest())
    record[3] = replace(record[3], kind="teleported")

    assert flaws(record) == [(Flaw.ENTRY_UNREADABLE, 4)]


@pytest.mark.parametrize("where", ["top", "decision", "evidence"])
def test_a_field_that_we_do_not_know_is_not_passed_over(where: str) -> None:
    record = entries(honest())
    body = dict(record[3].body)
    if where == "top":
        body["mood"] = "good"
    else:
        body[where] = {**body[where], "mood": "good"}  # type: ignore[dict-item]  # JSON objects
    record[3] = replace(record[3], body=body)

    assert flaws(record) == [(Flaw.ENTRY_UNREADABLE, 4)]


def test_evidence_that_no_rule_can_judge_is_a_finding_and_no_crash() -> None:
    """A plan that was never checked: its latency has fewer reference bins than edges."""
    guardrails = tuple(
        msgspec.structs.replace(g, reference=(1, 2)) if g.metric.name == "latency" else g for g in PLAN.guardrails
    )
    plan = msgspec.structs.replace(PLAN, guardrails=guardrails)
    history: History = [
        (0, Proposed(plan=plan, plan_digest=plan_digest(plan), by=OWNER)),
        (1, Approved(by=APPROVER, granted=True, plan_digest=plan_digest(plan), why="")),
    ]
    history = decided(history, NOTHING, at=2)
    history.append((3, saying(Hold(exposed=True, reasons=(Reason.MINIMUM_TIME,)))))

    assert flaws(entries(history)) == [(Flaw.DECISION_UNCOMPUTABLE, 4)]


def test_one_decision_can_be_replayed_by_itself() -> None:
    found = replay_decision(entries(honest()), stream=STREAM, version=7)

    assert found.same
    assert isinstance(found.recomputed, RollBack)
    assert found.recorded.decision == found.recomputed
    assert found.before.step is not None
    assert found.before.step.name == "s3"
    assert found.at == 5 * MINUTE


def test_a_forged_decision_is_shown_beside_what_the_rules_say() -> None:
    forged = saying(Hold(exposed=False, reasons=(Reason.HALTED,)))

    found = replay_decision(entries(instead(1, forged)), stream=STREAM, version=2)

    assert not found.same
    assert found.recomputed == Hold(exposed=False, reasons=(Reason.AWAITING_APPROVAL,))


@pytest.mark.parametrize(("stream", "version"), [(STREAM, 3), (STREAM, 99), ("r-other-1", 2)])
def test_what_is_no_decision_cannot_be_replayed(stream: str, version: int) -> None:
    with pytest.raises(NotFound):
        replay_decision(entries(honest()), stream=stream, version=version)


def test_a_decision_by_unknown_rules_cannot_be_replayed_alone() -> None:
    event = saying(Hold(exposed=False, reasons=(Reason.AWAITING_APPROVAL,)), decider=7)

    with pytest.raises(Invalid, match="rules 7"):
        replay_decision(entries(instead(1, event)), stream=STREAM, version=2)


def test_what_was_replayed_was_read_from_bodies_alone() -> None:
    """Entries carry JSON values, so nothing in a replay may rest on the objects that were recorded."""
    record = [replace(entry, body=msgspec.json.decode(msgspec.json.encode(entry.body))) for entry in entries(honest())]

    assert replay(record).findings == ()
    assert event_of(record[0].kind, record[0].body) == honest()[0][1]


def test_figures_that_no_ledger_can_hold_are_found_and_do_not_end_the_replay() -> None:
    """Each count fits into JSON, and what the rules add up from them does not."""
    evidence = examples.evidence(PLAN, "s3")
    first = evidence.counts[0]
    huge = msgspec.structs.replace(first, candidate=(LARGEST_INTEGER, *first.candidate[1:]))
    evidence = msgspec.structs.replace(evidence, counts=(huge, *evidence.counts[1:]))

    record = entries(instead(6, saying(Hold(exposed=True, reasons=(Reason.MINIMUM_TIME,)), evidence=evidence)))

    assert flaws(record)[0] == (Flaw.DECISION_UNCOMPUTABLE, 7)
