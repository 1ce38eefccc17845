"""Outcomes by receipt count the same by the batch as one by one, whatever is sent, how often and in which order."""

from random import Random

import msgspec
import pytest

from glideslope.domain.draft import SECOND, GuardrailDraft, StageDraft
from glideslope.domain.errors import StoreUnavailable
from glideslope.domain.ids import MetricName, ModelName, RolloutId
from glideslope.domain.metric import BUILT_IN, Dimension, Origin, outcome_bin
from glideslope.domain.observation import Outcome, Outcomes
from glideslope.domain.plan import Margin, MarginKind, StageKind
from glideslope.domain.receipt import EPOCH_2020, NO_SLICE, SCORE_LEVELS, Receipt, mint, model_hash
from glideslope.domain.traffic import Arm
from glideslope.engine.ports import Total
from glideslope.engine.receipts import Kinds
from glideslope.engine.record import rollout_number
from glideslope.engine.scopes import OUTCOMES
from glideslope.testing.logs import MemoryLog
from glideslope.testing.memory import no_fault
from glideslope.testing.traffic import KEYS, SOUND
from glideslope.testing.world import World, draft

DELAYS = ModelName("delays")
TWO = (Dimension("origin", ("EWR", "JFK")), Dimension("carrier", ("AA", "UA")))
CROSS = (("origin", "carrier"),)
CANARY = (StageDraft(stage=StageKind.CANARY, shares=(5_000,), minimum=300 * SECOND, maximum=600 * SECOND),)
GUARDRAILS = tuple(
    GuardrailDraft(metric=MetricName(name), margin=Margin(MarginKind.ABSOLUTE, 0.2))
    for name in ("log_loss", "brier", "wrong")
)


async def given(*, one_by_one: bool = False, log: MemoryLog | None = None) -> tuple[World, RolloutId]:
    """Start a canary that nobody calls; `one_by_one` as an earlier version left it in the middle."""
    world = World(seed=5, log=log)
    traffic = await world.serves("delays", v1=SOUND, v2=SOUND, dimensions=TWO)
    rollout = await world.propose(draft("delays", "v2", stages=CANARY, guardrails=GUARDRAILS, slices=TWO, cross=CROSS))
    await world.until(rollout, step="s1", within=5)
    traffic.demand.per_second = 0
    if one_by_one:
        total = Total(OUTCOMES, 0, f"{rollout}/s1/candidate/outcome/all/0", 0)
        await world.store.once([f"o/{rollout}/s1/ff/outcome"], [total])
    return world, rollout


def told(rollout: RolloutId, chance: Random, *, subjects: int = 40, count: int = 400) -> list[Outcome]:
    """Return outcomes of few subjects, who come again in other slices, with another truth, or without a name."""
    found = []
    for _ in range(count):
        subject = chance.randrange(subjects)
        receipt = Receipt(
            model=model_hash(DELAYS),
            rollout=rollout_number(rollout),
            step=1,
            arm=Arm.CANDIDATE if subject % 2 else Arm.INCUMBENT,
            at=EPOCH_2020 + chance.randrange(100),
            slices=(chance.choice((0, 1, 2, NO_SLICE)), chance.choice((0, 1, NO_SLICE)), NO_SLICE),
            score=chance.choice((0, 1, chance.randrange(SCORE_LEVELS + 1), SCORE_LEVELS)),
            request=chance.randrange(1, 1 << 40),
            subject=subject,
        )
        found.append(Outcome(prediction=mint(receipt, key=KEYS[2].of(DELAYS)), happened=chance.random() < 0.3))
    return found + chance.sample(found, count // 4)


def counted(world: World, rollout: RolloutId) -> object:
    """Return all that is counted of a rollout, for decisions and for the search."""
    scope = world.app.observer.scope(rollout)
    return {key: scope.bins(*key[:3], key[3], size=100) for key in sorted(scope.keys())}


@pytest.mark.parametrize("seed", range(3))
async def test_by_the_batch_counts_are_those_of_one_by_one(seed: int) -> None:
    singly, rollout = await given(one_by_one=True)
    batched, same = await given()
    assert rollout == same
    outcomes = told(rollout, Random(seed))
    sizes = Random(seed)
    while outcomes:
        size = sizes.randrange(1, 200)
        part, outcomes = Outcomes(outcomes=tuple(outcomes[:size])), outcomes[size:]
        one, other = await singly.app.outcomes(part), await batched.app.outcomes(part)
        assert (one.counted, one.repeated) == (other.counted, other.repeated)
    assert counted(batched, rollout) == counted(singly, rollout)
    saved = await batched.store.load(f"{rollout}/")
    assert [t for t in saved if t.source == OUTCOMES] == [
        t for t in await singly.store.load(f"{rollout}/") if t.source == OUTCOMES and t.count
    ]


async def test_what_is_not_a_receipt_of_ours_is_refused_and_the_others_count() -> None:
    world, rollout = await given()
    good, other, forged, late = told(rollout, Random(1), subjects=1000, count=4)[:4]
    bad = [
        msgspec.structs.replace(
            forged, prediction=forged.prediction[:-2] + ("AA" if forged.prediction[-2:] != "AA" else "BB")
        ),
        msgspec.structs.replace(other, prediction=other.prediction.replace("-", "+").replace("_", "/") + "="),
        msgspec.structs.replace(late, at=-1),
        msgspec.structs.replace(good, happened=msgspec.UNSET, outcome=1.0),
        msgspec.structs.replace(good, prediction="é" * 48),
    ]

    taken = await world.app.outcomes(Outcomes(outcomes=(good, *bad, other)))

    assert (taken.counted, taken.repeated) == (2, 0)
    codes = ["receipt-invalid", "receipt-invalid", "invalid", "outcome-incomplete", "receipt-invalid"]
    assert {r.prediction: r.code for r in taken.refused} == {
        o.prediction: code for o, code in zip(bad, codes, strict=True)
    }


async def test_what_was_begun_one_by_one_goes_on_so_after_an_upgrade() -> None:
    """Else the outcomes that were counted before would count once more when they are sent again."""
    world, rollout = await given(one_by_one=True)
    part = Outcomes(outcomes=tuple(told(rollout, Random(2))))
    await world.app._desk.take(part)
    before = counted(world, rollout)
    await world.app.flush()

    world.kill(world.app)
    await world.start()
    again = await world.app.outcomes(part)

    assert again.counted == 0
    assert counted(world, rollout) == before


async def test_a_lost_acknowledgement_counts_nothing_twice() -> None:
    world, rollout = await given(log=MemoryLog())
    part = Outcomes(outcomes=tuple(told(rollout, Random(3))))

    def lost(verb: str) -> None:
        if verb == "once":
            raise StoreUnavailable("it did not answer")

    for where in ("before_commit", "after_commit"):
        setattr(world.store, where, lost)
        with pytest.raises(StoreUnavailable):
            await world.app.outcomes(part)
        setattr(world.store, where, no_fault)
    await world.app.outcomes(part)
    await world.app.flush()

    clean, same = await given(log=MemoryLog())
    await clean.app.outcomes(part)
    once = [t for t in await world.store.load(f"{rollout}/") if t.source == OUTCOMES]
    assert once == [t for t in await clean.store.load(f"{same}/") if t.source == OUTCOMES]
    found, expected = (w.app.observer.evidence(w.app.record.rollout(rollout), in_force=True) for w in (world, clean))
    assert (found.counts, found.maturity) == (expected.counts, expected.maturity)


def test_bins_made_for_all_scores_at_once_are_those_of_each_score() -> None:
    metrics = tuple(m for m in BUILT_IN.values() if m.origin is Origin.OUTCOME)
    kinds = Kinds(metrics)
    for score in range(SCORE_LEVELS + 1):
        for happened in (False, True):
            bins = {m.name: outcome_bin(m, probability=score / SCORE_LEVELS, happened=happened) for m in metrics}
            assert kinds.bins[kinds.of[2 * score + happened]] == bins
