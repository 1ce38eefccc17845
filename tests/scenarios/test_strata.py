"""Outcomes with receipts are counted by stratum, once per subject, and harm is found that the whole hides."""

from random import Random

import msgspec

from glideslope.domain.decision import Verdict
from glideslope.domain.draft import GuardrailDraft, StrataDraft
from glideslope.domain.gate import harm_findings
from glideslope.domain.ids import WHOLE, MetricName, ModelName, RolloutId, StepName
from glideslope.domain.metric import WRONG, Dimension
from glideslope.domain.observation import Outcome, Outcomes
from glideslope.domain.plan import Margin, MarginKind
from glideslope.domain.receipt import (
    EPOCH_2020,
    NO_SLICE,
    Receipt,
    mint,
    model_hash,
    request_hash,
    subject_hash,
)
from glideslope.domain.traffic import Arm
from glideslope.engine.record import rollout_number
from glideslope.testing.traffic import KEY, SOUND
from glideslope.testing.world import World, draft

DELAYS = ModelName("delays")
S1 = StepName("s1")
RISK = Dimension("risk", ("low", "high"))


async def given(seed: int) -> tuple[World, RolloutId]:
    world = World(seed=seed)
    traffic = await world.serves("delays", v1=SOUND, v2=SOUND)
    await world.run(5)
    traffic.demand.per_second = 0
    strata = StrataDraft(by="risk", usual=(("low", 0.05), ("high", 0.5)))
    guardrail = GuardrailDraft(
        metric=WRONG.name,
        margin=Margin(MarginKind.ABSOLUTE, 0.05),
        base_rate=0.28,
        strata=strata,
    )
    rollout = await world.propose(draft("delays", "v2", guardrails=(guardrail,), slices=(RISK,)))
    await world.until(rollout, step="s1", within=5)
    return world, rollout


def receipt(rollout: RolloutId, arm: Arm, *, risk: int, who: str, request: str) -> Receipt:
    return Receipt(
        model=model_hash(DELAYS),
        rollout=rollout_number(rollout),
        step=1,
        arm=arm,
        at=EPOCH_2020,
        slices=(risk,),
        score=0,
        request=request_hash(request),
        subject=subject_hash(who),
    )


async def arrives(world: World, *outcomes: tuple[Receipt, bool]) -> None:
    taken = await world.app.outcomes(
        Outcomes(outcomes=tuple(Outcome(prediction=mint(r, key=KEY), happened=bad) for r, bad in outcomes))
    )
    assert not taken.refused


def counted(world: World, rollout: RolloutId, slice_: str) -> tuple[int, ...]:
    return world.app.observer.scope(rollout).bins(S1, MetricName("wrong"), slice_, Arm.CANDIDATE, size=2)


async def test_a_subject_is_in_the_stratum_of_its_first_outcome_and_in_no_other() -> None:
    world, rollout = await given(61)

    await arrives(world, (receipt(rollout, Arm.CANDIDATE, risk=0, who="ann", request="1"), False))
    await arrives(world, (receipt(rollout, Arm.CANDIDATE, risk=1, who="ann", request="2"), True))
    await arrives(world, (receipt(rollout, Arm.CANDIDATE, risk=NO_SLICE, who="bob", request="3"), False))
    await arrives(world, (receipt(rollout, Arm.CANDIDATE, risk=1, who="bob", request="4"), True))
    await arrives(world, (receipt(rollout, Arm.CANDIDATE, risk=1, who="cyd", request="5"), True))

    assert counted(world, rollout, "all") == (2, 1)
    assert counted(world, rollout, "risk=low") == (1, 0)
    assert counted(world, rollout, "risk=high") == (0, 1)


async def test_harm_on_the_whole_is_found_sooner_within_strata() -> None:
    """The candidate is wrong in one more of ten, in either stratum; both plans are asked over the same counts."""
    world, rollout = await given(62)
    dice = Random(62)
    for batch in range(30):
        outcomes = []
        for k in range(100):
            candidate, risk = dice.random() < 0.2, dice.randrange(2)
            # The score says no, so what happens is what is wrong.
            happened = dice.random() < (0.05, 0.5)[risk] + 0.1 * candidate
            who, arm = f"{batch} {k}", Arm.CANDIDATE if candidate else Arm.INCUMBENT
            outcomes.append((receipt(rollout, arm, risk=risk, who=who, request=who), happened))
        await arrives(world, *outcomes)
    plan = world.app.record.rollout(rollout).plan
    evidence = world.app.observer.evidence(world.app.record.rollout(rollout), in_force=True)
    plain = msgspec.structs.replace(
        plan, guardrails=tuple(msgspec.structs.replace(g, strata=msgspec.UNSET) for g in plan.guardrails)
    )

    (within, *_), (without, *_) = harm_findings(plan, evidence), harm_findings(plain, evidence)

    assert within.verdict is Verdict.FAIL
    assert within.slice == without.slice == WHOLE
    assert within.wealth > 1.2 * without.wealth > 0
