"""A comparison that means nothing blames nobody, and exposes nobody either."""

from dataclasses import replace

import msgspec

from glideslope.domain.decide import decide
from glideslope.domain.decision import Hold, RollBack, Verdict
from glideslope.domain.evidence import Evidence
from glideslope.domain.gate import proof_findings
from glideslope.domain.reasons import Reason
from glideslope.domain.rollout import Phase
from glideslope.testing import examples

PLAN = examples.plan()
POSITION = next(k for k, step in enumerate(PLAN.steps) if step.has_coin)
STEP = PLAN.steps[POSITION].name
RUNNING = replace(examples.proposed(PLAN), phase=Phase.RUNNING, position=POSITION)
LATER = RUNNING.entered_at + 60_000

HARMFUL = examples.evidence(PLAN, STEP, candidate={**examples.USUAL, "errors": 0.4, "wrong": 0.9})


def without_outcomes(evidence: Evidence) -> Evidence:
    """Take away what the candidate's outcomes said, as if its service had stopped reporting."""
    return msgspec.structs.replace(
        evidence,
        counts=tuple(
            msgspec.structs.replace(c, candidate=(0,) * len(c.candidate)) if c.metric == "wrong" else c
            for c in evidence.counts
        ),
    )


def test_harm_that_is_measured_soundly_rolls_back() -> None:
    assert isinstance(decide(RUNNING, HARMFUL, now=LATER), RollBack)


def test_harm_under_a_broken_split_pauses() -> None:
    """The coin was not the one asked for, so the outcomes say nothing of the arms; a person looks, with nobody exposed."""
    exposed = tuple(msgspec.structs.replace(e, candidate=4 * e.candidate) for e in HARMFUL.exposed)

    decision = decide(RUNNING, msgspec.structs.replace(HARMFUL, exposed=exposed), now=LATER)

    assert isinstance(decision, Hold)
    assert not decision.exposed
    assert decision.reasons == (Reason.SPLIT_BROKEN,)


def test_outcomes_of_one_arm_alone_blame_nobody() -> None:
    """A service that reports nothing must not make its candidate look bad by the labels that are missing, nor good."""
    silent = without_outcomes(examples.evidence(PLAN, STEP))

    decision = decide(RUNNING, silent, now=LATER)

    assert isinstance(decision, Hold)
    assert Reason.BREACHED not in decision.reasons
    assert Reason.PASSED not in decision.reasons


def test_errors_that_the_gateway_saw_roll_back_though_outcomes_are_missing() -> None:
    """What the gateway counts itself stands on its own."""
    assert isinstance(decide(RUNNING, without_outcomes(HARMFUL), now=LATER), RollBack)


def test_silence_proves_nothing() -> None:
    """Thousands of the incumbent's outcomes and none of the candidate's are no proof, whatever the wealth."""
    silent = without_outcomes(examples.evidence(PLAN, STEP))

    found = [f for f in proof_findings(PLAN, silent, PLAN.steps[POSITION]) if f.subject == "wrong"]

    assert [(f.verdict, f.candidate) for f in found] == [(Verdict.INCONCLUSIVE, 0)]
