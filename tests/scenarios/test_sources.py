"""Sources go silent, clocks run back, outcomes come late, twice, in any order or not at all."""

from datetime import timedelta

import pytest

from glideslope.domain.draft import SECOND, GuardrailDraft, StageDraft
from glideslope.domain.errors import Invalid
from glideslope.domain.identity import Identity, Role
from glideslope.domain.ids import Actor, MetricName, ModelName, RolloutId
from glideslope.domain.metric import Origin
from glideslope.domain.observation import Outcome, Outcomes, ShadowAnswers
from glideslope.domain.plan import AtMaximum, Margin, MarginKind, StageKind
from glideslope.domain.receipt import NO_SLICE, Receipt, ReceiptKey, mint, model_hash, request_hash, subject_hash
from glideslope.domain.traffic import Arm
from glideslope.testing.traffic import KEY, KEYS, SOUND
from glideslope.testing.world import SHADOW, STAGES, World, draft

DELAYS = ModelName("delays")


def canary(at_maximum: AtMaximum) -> tuple[StageDraft, ...]:
    stage = StageDraft(
        stage=StageKind.CANARY,
        shares=(1_000, 5_000),
        minimum=5 * SECOND,
        maximum=20 * SECOND,
        at_maximum=at_maximum,
    )
    return (stage, *STAGES[1:])


@pytest.mark.parametrize(
    ("at_maximum", "phase", "reason"),
    [
        (AtMaximum.HOLD, "running", "deadline-passed-hold"),
        (AtMaximum.EXTEND, "running", "deadline-passed-extended"),
        (AtMaximum.ROLL_BACK, "rolled-back", "deadline-passed-roll-back"),
    ],
)
async def test_silence_holds_and_at_the_deadline_the_plan_decides(
    at_maximum: AtMaximum, phase: str, reason: str
) -> None:
    """No traffic is no evidence: it holds as stale, then does what was agreed before anything moved."""
    world = World(seed=14)
    traffic = await world.serves("delays", v1=SOUND, v2=SOUND)
    await world.run(10)
    rollout = await world.propose(draft("delays", "v2", stages=canary(at_maximum)))
    await world.run(4)
    traffic.demand.per_second = 0

    await world.run(6)
    view = await world.app.rollout(rollout)
    assert view.reasons == ("evidence-stale",)
    await world.run(16)

    view = await world.app.rollout(rollout)
    assert view.phase == phase
    assert view.reasons[0] == reason
    assert view.step in ("", "s1")
    if at_maximum is AtMaximum.EXTEND:
        await world.run(60)
        assert (await world.app.rollout(rollout)).reasons[0] == "deadline-passed-hold"


async def test_a_clock_set_back_neither_freshens_nor_advances() -> None:
    """Silence stays silence after the wall clock was set back by an hour, and the record's times never run back."""
    world = World(seed=15)
    traffic = await world.serves("delays", v1=SOUND, v2=SOUND)
    await world.run(10)
    rollout = await world.propose(draft("delays", "v2"))
    await world.run(3)
    world.clock.set_wall(world.clock.now() - timedelta(hours=1))
    traffic.demand.per_second = 0
    await world.run(10)

    view = await world.app.rollout(rollout)
    assert view.step == "s1"
    evidence = world.app.observer.evidence(world.app.record.rollout(rollout), in_force=True)
    ages = {f.origin: f.age for f in evidence.freshness}
    assert ages[Origin.GATEWAY.value] >= 9_000
    history = world.app.record.history(rollout)
    assert [r.at for r in history] == sorted(r.at for r in history)


async def test_immature_outcomes_hold() -> None:
    """While fewer than half of the outcomes have come, a proof on them does not count."""
    world = World(seed=16)
    traffic = await world.serves("delays", v1=SOUND, v2=SOUND)
    traffic.demand.arriving = 0.3
    await world.run(10)
    rollout = await world.propose(draft("delays", "v2"))

    await world.run(60)

    view = await world.app.rollout(rollout)
    assert (view.step, view.reasons) == ("s1", ("outcomes-not-mature",))


async def test_duplicates_and_any_order_change_nothing() -> None:
    """Every outcome twice, seconds apart and shuffled by their delays: each is counted once."""
    world = World(seed=17)
    traffic = await world.serves("delays", v1=SOUND, v2=SOUND)
    traffic.demand.repeated = 1.0
    traffic.demand.delay = 4.0
    await world.run(5)
    rollout = await world.propose(draft("delays", "v2"))

    await world.until(rollout, phase="promoted", within=300)

    evidence = world.app.observer.evidence(world.app.record.rollout(rollout), in_force=True)
    served = {(s, arm.value): len(who) for (_, s, arm), who in traffic.truth.subjects.items()}
    assert evidence.maturity
    for m in evidence.maturity:
        assert m.candidate <= served[m.step, "candidate"]
    assert sum(t.repeated for t in world.taken) > 1_000


def prediction(
    request: str, *, rollout: int = 0, step: int = 0, score: int = 30_000, model: str = "delays", key: ReceiptKey = KEY
) -> str:
    receipt = Receipt(
        model=model_hash(ModelName(model)),
        rollout=rollout,
        step=step,
        arm=Arm.INCUMBENT,
        at=1_767_268_800,
        slices=(0, NO_SLICE, NO_SLICE),
        score=score,
        request=request_hash(request),
        subject=subject_hash(request),
    )
    return mint(receipt, key=key)


async def test_an_outcome_that_is_not_ours_is_refused_by_itself() -> None:
    """A forged id, one of an unknown model, of a rollout or step that never was: the rest of the batch is counted."""
    world = World(seed=18)
    await world.serves("delays", v1=SOUND, v2=SOUND)
    good = prediction("a")
    forged = ("A" if good[-1] != "A" else "B").join((good[:-1], ""))
    strange = [
        forged,
        "what is this?",
        prediction("b", model="weather"),
        prediction("c", rollout=77, step=1),
    ]

    taken = await world.app.outcomes(
        Outcomes(outcomes=tuple(Outcome(prediction=p, happened=True) for p in [*strange, good, good])),
    )

    assert (taken.counted, taken.unmeasured, taken.repeated) == (0, 1, 1)
    assert [r.code for r in taken.refused] == ["receipt-invalid", "receipt-invalid", "not-found", "not-found"]


@pytest.mark.parametrize("first", ["outcome", "answer"])
async def test_a_pair_is_joined_whichever_half_comes_first(first: str) -> None:
    """And once, however often either half is repeated."""
    world = World(seed=19)
    traffic = await world.serves("delays", v1=SOUND, v2=SOUND)
    traffic.demand.per_second = 0
    rollout = await world.propose(draft("delays", "v2", stages=(SHADOW, *STAGES)))
    await world.run(1)
    outcome = Outcomes(outcomes=(Outcome(prediction=prediction("pair"), happened=True),))
    answer = ShadowAnswers(model=DELAYS, rollout=rollout, answers=((request_hash("pair"), 40_000),))
    before = pairs(world, rollout)

    for half in (("outcome", "answer") if first == "outcome" else ("answer", "outcome")) * 3:
        if half == "outcome":
            await world.app.outcomes(outcome)
        else:
            await world.app.shadow(answer)

    assert pairs(world, rollout) == before + 1


def pairs(world: World, rollout: RolloutId) -> int:
    evidence = world.app.observer.evidence(world.app.record.rollout(rollout), in_force=True)
    return sum(sum(p.differences) for p in evidence.pairs if (p.metric, p.slice) == ("log_loss", "all"))


async def test_hovering_evidence_does_not_flood_the_ledger() -> None:
    """A source that falls silent and comes back every few seconds for ten minutes makes a dozen entries, not hundreds."""
    world = World(seed=20)
    traffic = await world.serves("delays", v1=SOUND, v2=SOUND)
    await world.run(5)
    errors = GuardrailDraft(metric=MetricName("errors"), margin=Margin(MarginKind.ABSOLUTE, 0.005))
    stage = StageDraft(stage=StageKind.CANARY, shares=(1_000,), minimum=5 * SECOND, maximum=3_600 * SECOND)
    traffic.demand.per_second = 0
    rollout = await world.propose(draft("delays", "v2", stages=(stage, *STAGES[1:]), guardrails=(errors,)))

    for _ in range(60):
        traffic.demand.per_second = 20
        await world.run(4)
        traffic.demand.per_second = 0
        await world.run(6)

    decisions = await world.app.decisions(rollout)
    assert decisions[-1].decision == "hold"
    assert len(decisions) < 20


async def test_who_signs_for_one_model_is_not_heard_about_another() -> None:
    """Neither under its own key in the other's name, nor about the other's rollout, nor with a true receipt of the other."""
    world = World(seed=21)
    await world.serves("delays", v1=SOUND, v2=SOUND)
    await world.serves("weather", v1=SOUND, v2=SOUND)
    rollout = await world.propose(draft("delays", "v2", stages=STAGES))
    await world.run(1)
    number = (await world.app.briefing(DELAYS, seen="", wait=0)).rollouts[rollout]
    briefing = await world.app.briefing(ModelName("weather"), seen="", wait=0)
    key = ReceiptKey(id=briefing.key_id, secret=briefing.key)
    in_its_name = prediction("a", key=key)
    about_its_rollout = prediction("b", model="weather", rollout=number, step=1, key=key)
    true = prediction("c", key=KEYS[2].of(DELAYS))
    own = prediction("d", model="weather", key=key)
    source = Identity(Actor("weather-servers"), Role.SOURCE, models=frozenset({ModelName("weather")}))

    batch = tuple(Outcome(prediction=p, happened=True) for p in (in_its_name, about_its_rollout, true, own))
    taken = await world.app.outcomes(Outcomes(outcomes=batch), by=source)

    assert (taken.counted, taken.unmeasured) == (0, 1)
    assert [r.code for r in taken.refused] == ["receipt-invalid", "receipt-invalid", "model-not-allowed"]
    assert (await world.app.outcomes(Outcomes(outcomes=(batch[2],)))).unmeasured == 1


async def test_a_shadow_is_not_heard_about_another_models_rollout() -> None:
    world = World(seed=22)
    await world.serves("delays", v1=SOUND, v2=SOUND)
    rollout = await world.propose(draft("delays", "v2", stages=(SHADOW, *STAGES)))

    with pytest.raises(Invalid, match="about delays"):
        await world.app.shadow(ShadowAnswers(model=ModelName("weather"), rollout=rollout, answers=()))
