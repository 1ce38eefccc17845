"""Both arms' answers to the same requests: compared at once, limited by the plan, the worst shown to people."""

import msgspec
import pytest

from glideslope.domain.errors import Invalid, NotFound
from glideslope.domain.ids import WHOLE, ModelName, SliceName
from glideslope.domain.metric import Dimension
from glideslope.domain.pairs import Half, Halves, PairKind, PairLimit, PairRules
from glideslope.domain.receipt import SCORE_LEVELS, request_hash, subject_hash
from glideslope.domain.traffic import Arm
from glideslope.interfaces.cli.forecast import forecast_lines
from glideslope.testing.traffic import SOUND, Behaviour
from glideslope.testing.world import SHADOW, STAGES, World, draft

DELAYS = ModelName("delays")
LGA = SliceName("origin=LGA")


def limits(**by_kind: float) -> PairRules:
    return PairRules(limits=tuple(PairLimit(kind=PairKind(kind), limit=limit) for kind, limit in by_kind.items()))


async def test_answers_are_compared_before_any_outcome_is_known() -> None:
    """A plan that asks nothing of its pairs shows them all the same, per slice, and decides nothing by them."""
    world = World(seed=61)
    traffic = await world.serves("delays", v1=SOUND, v2=Behaviour(noise_in={"LGA": 0.5}, latency=60.0))
    traffic.demand.halves, traffic.demand.arriving = True, 0.0
    rollout = await world.propose(draft("delays", "v2", stages=(SHADOW, *STAGES)))
    await world.until(rollout, step="s1", within=5)
    await world.run(10)

    view = await world.app.rollout(rollout)
    shown = {(p.kind, p.slice): p for p in view.pairs}
    rates = {slice_: shown["disagreement", slice_].estimate or 0.0 for slice_ in ("origin=LGA", "origin=JFK", "all")}
    assert rates["origin=LGA"] > rates["all"] > rates["origin=JFK"]
    assert view.pairs[1].slice == "origin=LGA"  # the worst slice comes first
    assert (shown["slower", "all"].low or 0.0) > 0.9
    assert shown["slower", "all"].times == pytest.approx(3.0, rel=0.2)
    assert {p.word for p in view.pairs} == {"shown"}
    assert (view.phase, view.step, view.candidate_subjects) == ("running", "s1", 0)
    evidence = world.app.observer.evidence(world.app.record.rollout(rollout), in_force=True)
    assert evidence.pairs == ()
    assert "pairs" not in [f.origin for f in evidence.freshness]


async def test_a_limit_on_disagreement_ends_it_in_the_shadow_and_nobody_was_exposed() -> None:
    world = World(seed=62)
    traffic = await world.serves("delays", v1=SOUND, v2=Behaviour(noise=0.4))
    traffic.demand.halves, traffic.demand.arriving = True, 0.0
    rules = limits(disagreement=0.05)
    rollout = await world.propose(draft("delays", "v2", stages=(SHADOW, *STAGES), pairs=rules))

    view = await world.until(rollout, phase="rolled-back", within=60)

    assert (view.reasons, view.candidate_subjects) == (("guardrail-breached",), 0)
    assert view.last is not None
    assert {f.subject for f in view.last.findings} == {"disagreement"}


async def test_harm_to_one_slice_alone_ends_it_too() -> None:
    world = World(seed=63)
    traffic = await world.serves("delays", v1=Behaviour(noise=0.01), v2=Behaviour(noise=0.01, noise_in={"LGA": 0.35}))
    traffic.demand.halves, traffic.demand.arriving = True, 0.0
    rollout = await world.propose(
        draft("delays", "v2", stages=(SHADOW, *STAGES), pairs=limits(disagreement=0.15)),
    )

    view = await world.until(rollout, phase="rolled-back", within=120)

    assert view.last is not None
    assert {(f.subject, f.slice) for f in view.last.findings} == {("disagreement", "origin=LGA")}


async def test_a_shadow_gated_by_pairs_alone_needs_no_outcome_and_goes_on_when_all_is_proven() -> None:
    world = World(seed=64)
    traffic = await world.serves("delays", v1=SOUND, v2=SOUND)
    traffic.demand.halves = True
    guardrails = tuple(g for g in draft("delays", "v2").guardrails if g.metric in ("errors", "latency"))
    rules = limits(disagreement=0.2, shift=0.05, slower=0.5)
    rollout = await world.propose(
        draft("delays", "v2", stages=(SHADOW, *STAGES), guardrails=guardrails, pairs=rules),
    )

    view = await world.until(rollout, step="s2", within=120)

    assert {p.kind: p.word for p in view.pairs if p.slice == "all"} == {
        "disagreement": "proven",
        "shift": "proven",
        "slower": "proven",
    }


async def test_without_pairs_a_limit_on_them_holds_and_never_advances() -> None:
    """Silence is not agreement: neither when none was ever made, nor when they ceased."""
    world = World(seed=65)
    traffic = await world.serves("delays", v1=SOUND, v2=SOUND)
    rollout = await world.propose(
        draft("delays", "v2", stages=(SHADOW, *STAGES), pairs=limits(disagreement=0.1)),
    )
    await world.until(rollout, step="s1", within=5)
    await world.run(15)

    before = await world.app.rollout(rollout)
    traffic.demand.halves = True
    await world.run(0.25)
    traffic.demand.halves = False
    await world.run(10)
    after = await world.app.rollout(rollout)

    assert (before.step, before.reasons) == ("s1", ("no-evidence",))
    assert (after.step, after.reasons) == ("s1", ("evidence-stale",))


async def shadowing(world: World, **more: object) -> str:
    traffic = await world.serves("delays", v1=SOUND, v2=SOUND, **more)  # type: ignore[arg-type]  # a dimension
    await world.run(2)
    traffic.demand.per_second = 0
    rollout = await world.propose(draft("delays", "v2", stages=(SHADOW, *STAGES), pairs=limits(disagreement=0.5)))
    await world.until(rollout, step="s1", within=5)
    return rollout


def half(request: str, score: float, *, subject: str = "", slices: tuple[int, ...] = ()) -> Half:
    return Half(
        request_hash(request), round(score * SCORE_LEVELS), subject=subject_hash(subject), slices=slices, id=request
    )


async def tell(world: World, rollout: str, arm: Arm, *halves: Half) -> None:
    await world.app.halves(Halves(model=DELAYS, rollout=rollout, arm=arm, halves=halves))  # type: ignore[arg-type]


async def test_sticky_subjects_count_once_in_whatever_order_and_however_often_their_halves_come() -> None:
    world = World(seed=66)
    rollout = await shadowing(world)
    who = [("ann", k) for k in range(40)] + [("bob", k) for k in range(40)] + [("", k) for k in range(3)]
    candidates = [half(f"{name} {k}", 0.9, subject=name) for name, k in who]
    incumbents = [half(f"{name} {k}", 0.1, subject=name, slices=(2,)) for name, k in who]

    await tell(world, rollout, Arm.CANDIDATE, *candidates)
    await tell(world, rollout, Arm.INCUMBENT, *reversed(incumbents))
    await tell(world, rollout, Arm.INCUMBENT, *incumbents)
    await tell(world, rollout, Arm.CANDIDATE, *candidates)

    found = world.app.record.rollout(rollout)  # type: ignore[arg-type]
    assert world.app.observer.answers(found, PairKind.DISAGREEMENT, WHOLE) == (0, 2 + 3, 0, 0)
    assert world.app.observer.answers(found, PairKind.DISAGREEMENT, LGA) == (0, 2 + 3, 0, 0)
    assert world.app.observer.answers(found, PairKind.DISAGREEMENT, SliceName("origin=JFK")) == (0, 0, 0, 0)
    (whole, lga) = world.app.observer.evidence(found, in_force=True).pairs
    assert (whole.slice, whole.differences, lga.slice) == (WHOLE, (0, 5, 0, 0), LGA)


async def test_a_slice_with_one_subject_is_counted_shown_and_concludes_nothing() -> None:
    world = World(seed=67)
    rollout = await shadowing(world)
    for k in range(300):
        await tell(world, rollout, Arm.CANDIDATE, half(f"r{k}", 0.9, subject="ann"))
        await tell(world, rollout, Arm.INCUMBENT, half(f"r{k}", 0.1, subject="ann", slices=(2,)))
    await world.run(2)

    view = await world.app.rollout(rollout)  # type: ignore[arg-type]
    (one,) = [p for p in view.pairs if (p.kind, p.slice) == ("disagreement", "origin=LGA")]
    assert (one.count, one.estimate, one.word) == (1, 1.0, "watching")
    assert (one.low or 0.0) < 0.5
    assert view.phase == "running"


async def test_what_was_compared_survives_a_restart_but_for_the_examples() -> None:
    world = World(seed=68)
    rollout = await shadowing(world)
    await tell(world, rollout, Arm.CANDIDATE, half("a", 0.9))
    await tell(world, rollout, Arm.INCUMBENT, half("a", 0.1))
    await world.run(2)
    assert [e.request for e in await world.app.disagreements(rollout, slice_=WHOLE)] == ["a"]  # type: ignore[arg-type]

    world.kill(world.app)
    await world.start()

    found = world.app.record.rollout(rollout)  # type: ignore[arg-type]
    assert world.app.observer.answers(found, PairKind.DISAGREEMENT, WHOLE) == (0, 1, 0, 0)
    assert await world.app.disagreements(rollout, slice_=WHOLE) == []  # type: ignore[arg-type]


async def test_the_examples_stand_in_no_entry_of_the_ledger() -> None:
    world = World(seed=69)
    rollout = await shadowing(world)
    told = msgspec.structs.replace(half("a", 0.1), attributes={"carrier": "tell-tale"}, id="request-tell-tale")
    await tell(world, rollout, Arm.CANDIDATE, half("a", 0.9))
    await tell(world, rollout, Arm.INCUMBENT, told)
    await world.run(20)

    (example,) = await world.app.disagreements(rollout, slice_=WHOLE)  # type: ignore[arg-type]
    assert (example.attributes, example.request) == ({"carrier": "tell-tale"}, "request-tell-tale")
    assert not [entry for entry in await world.store.entries() if b"tell-tale" in entry]


async def test_what_cannot_be_is_refused() -> None:
    world = World(seed=70)
    rollout = await shadowing(world)

    with pytest.raises(NotFound):
        await tell(world, "r-9999", Arm.CANDIDATE, half("a", 0.5))
    with pytest.raises(Invalid, match="is about delays, not spam"):
        await world.app.halves(Halves(model=ModelName("spam"), rollout=rollout, arm=Arm.CANDIDATE, halves=()))  # type: ignore[arg-type]
    with pytest.raises(Invalid, match="does not look at the slice origin=SFO"):
        await world.app.disagreements(rollout, slice_=SliceName("origin=SFO"))  # type: ignore[arg-type]


async def test_a_cross_finds_harm_that_neither_of_its_fields_shows() -> None:
    """Two deep: bad only where both hold, and judged like any other slice."""
    world = World(seed=71)
    two = (Dimension("origin", ("JFK", "LGA")), Dimension("carrier", ("AA", "UA")))
    await world.serves("delays", v1=SOUND, v2=SOUND, dimensions=two)
    world.traffic[DELAYS].demand.per_second = 0
    rollout = await world.propose(
        draft(
            "delays",
            "v2",
            stages=(SHADOW, *STAGES),
            slices=two,
            cross=(("origin", "carrier"),),
            pairs=limits(disagreement=0.4),
        ),
    )
    await world.until(rollout, step="s1", within=5)
    for k in range(400):
        place = (k % 2, k // 2 % 2)
        wrong = place == (1, 1)
        await tell(world, rollout, Arm.CANDIDATE, half(f"{k}", 0.9 if wrong else 0.1, slices=place))
        await tell(world, rollout, Arm.INCUMBENT, half(f"{k}", 0.1, slices=place))

    view = await world.until(rollout, phase="rolled-back", within=5)

    assert view.last is not None
    assert [f.slice for f in view.last.findings] == ["origin=LGA & carrier=UA"]


async def test_a_plan_tells_when_its_limits_will_be_proven_and_what_an_earlier_shadow_taught() -> None:
    world = World(seed=69)
    traffic = await world.serves("delays", v1=SOUND, v2=SOUND)
    traffic.demand.halves = True
    asked = draft("delays", "v2", stages=(SHADOW, *STAGES), pairs=limits(disagreement=0.2, slower=0.5))
    await world.run(5)

    before = await world.app.plan(asked)
    rollout = await world.propose(asked)
    await world.until(rollout, step="s2", within=120)
    shown = world.app.observer.answers(world.app.record.rollout(rollout), PairKind.DISAGREEMENT, WHOLE)
    after = await world.app.plan(asked)

    (supposed, slower), (learned, _) = before.pair_prospects, after.pair_prospects
    assert (supposed.kind, supposed.sound, supposed.learned, slower.kind) == ("disagreement", 0.1, False, "slower")
    assert (supposed.seconds_to_proof or 0) > 0
    assert learned.learned
    assert learned.sound == pytest.approx(1 - shown[0] / sum(shown), abs=0.02)
    assert (learned.pairs_to_proof or 0) < (supposed.pairs_to_proof or 0), "it differed less than was supposed"
    lines = "\n".join(forecast_lines(after))
    assert "proven after" in lines
    assert "(as before)" in lines
