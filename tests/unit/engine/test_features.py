"""Counts of features merge by maximum, survive a restart, and are held against the contract."""

import random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glideslope.domain.commands import AgreeContract, Register
from glideslope.domain.contract import FIRST, Contract
from glideslope.domain.errors import NotFound
from glideslope.domain.ids import ModelName, VersionName
from glideslope.domain.infer import infer
from glideslope.domain.metric import CONTRACT as CONTRACT_METRIC
from glideslope.domain.observation import FeatureTally, FeatureTotals
from glideslope.domain.receipt import SCORE_LEVELS
from glideslope.domain.traffic import Arm
from glideslope.engine.app import App
from glideslope.engine.drifting import between
from glideslope.engine.features import Held
from glideslope.stats.counts import Table
from glideslope.testing.world import ADA, World, content

MODEL = ModelName("delays")


def agreed() -> Contract:
    chance = random.Random(3)
    columns = {
        "distance": [chance.gauss(800, 300) for _ in range(5_000)],
        "origin": [chance.choice(["EWR", "JFK"]) for _ in range(5_000)],
    }
    return infer(MODEL, columns, tags={"origin": ("personal",)})


async def served() -> tuple[World, App]:
    world = World(seed=4)
    app = await world.start()
    await app.register(
        Register(
            model=MODEL, version=VersionName("v1"), digest=content("delays", "v1"), url="http://delays-v1", by=ADA,
            why="first", incumbent=True,
        ),
        key=world.key(),
    )  # fmt: skip
    await app.agree(AgreeContract(contract=agreed(), by=ADA, why="agreed"), key=world.key())
    return world, app


def tally(
    app: App, *, rows: int, shift: float = 0.0, missing: int = 0, source: str = "svc", epoch: int = 1
) -> FeatureTotals:
    """Return the totals of a service that saw so many rows, of which far ones grew by a share and score higher."""
    contract = agreed()
    near = round(rows / 10 * (1 - shift))
    distance = [near] * 10
    distance[9] += rows - missing - 10 * near
    counts = [missing, 0, 0, 0, *distance, 0, 0, 0, 0, rows // 2, rows - rows // 2]
    sums = [round(n * SCORE_LEVELS * (0.8 if k == FIRST + 9 else 0.2)) for k, n in enumerate(counts)]
    return FeatureTotals(
        source=source, epoch=epoch, model=MODEL, contract=contract.short,
        tallies=(
            FeatureTally(
                where=f"d{app.features.today}", arm=Arm.INCUMBENT, rows=(rows - missing, missing, 0), counts=tuple(counts),
                sums=tuple(sums), levels=(rows, *[0] * 19),
            ),
        ),
    )  # fmt: skip


async def test_no_drift_is_no_flag_and_drift_is_flagged_with_its_bins_and_what_it_does_to_scores() -> None:
    _, app = await served()
    await app.feature_counts(tally(app, rows=2_000))
    quiet = await app.drift(MODEL)
    await app.feature_counts(tally(app, rows=20_000, shift=0.6))

    view = await app.drift(MODEL)

    assert not any(feature.drifted for feature in quiet.features)
    distance, origin = view.features
    assert (distance.drifted, origin.drifted) == (True, False)
    assert distance.said_by == "today so far"
    assert distance.psi is not None
    assert distance.psi > 0.3
    first = distance.shifts[0]
    assert "above" in first.values
    assert first.live > first.reference + 0.4
    assert first.score_here == pytest.approx(0.8, abs=0.01)
    assert first.score_elsewhere == pytest.approx(0.2, abs=0.01)
    assert distance.influenced is not None
    assert distance.influenced > 0.4
    assert all("EWR" not in shift.values for shift in origin.shifts), "what is personal is shown to nobody"
    assert view.advisory


async def test_a_finished_day_is_judged_once_at_the_stated_level() -> None:
    world, app = await served()
    await app.feature_counts(tally(app, rows=20_000, shift=0.6))
    await world.clock.advance(86_400)

    view = await app.drift(MODEL)

    assert view.rows == 20_000
    assert view.features[0].adjusted_p_value is not None
    assert view.features[0].adjusted_p_value < 1e-6
    assert view.features[0].said_by == "the finished day"


async def test_missing_values_beyond_the_contract_are_said() -> None:
    _, app = await served()
    await app.feature_counts(tally(app, rows=1_000, missing=40))

    view = await app.drift(MODEL)

    assert view.features[0].breaches == ("40 rows have no value",)
    assert view.broken_today == 40


async def test_counts_are_merged_by_maximum_and_outlive_a_restart() -> None:
    world, app = await served()
    for rows in (500, 2_000, 1_000):
        await app.feature_counts(tally(app, rows=rows))
    await app.feature_counts(tally(app, rows=300, source="other"))
    await app.features.flush()

    again = await world.start()

    assert (await app.drift(MODEL)).rows_today == (await again.drift(MODEL)).rows_today == 2_300


@given(st.permutations(range(5)), st.lists(st.integers(0, 4), max_size=5))
def test_any_order_and_repetition_gives_the_same_sum(order: list[int], repeats: list[int]) -> None:
    messages = [
        FeatureTally(where="d1", arm=Arm.INCUMBENT, rows=(k, 2 * k, 0), counts=(k, k * k), sums=(k, 0))
        for k in range(5)
    ]
    held = Held.zero(2)

    for k in [*order, *repeats]:
        held.raise_to(messages[k])

    assert (held.rows, held.counts, held.sums) == ([4, 8, 0], [4, 16], [4, 0])


async def test_what_cannot_be_counted_is_refused_with_a_reason() -> None:
    _, app = await served()
    good = tally(app, rows=10)
    one = good.tallies[0]
    cases = {
        "no data contract": msgspec.structs.replace(good, contract="000000000000"),
        "last 8 days": msgspec.structs.replace(good, tallies=(msgspec.structs.replace(one, where="d1"),)),
        "neither a day": msgspec.structs.replace(good, tallies=(msgspec.structs.replace(one, where="x"),)),
        "places": msgspec.structs.replace(good, tallies=(msgspec.structs.replace(one, counts=(1,)),)),
        "that often": msgspec.structs.replace(good, tallies=(msgspec.structs.replace(one, rows=(-1, 0, 0)),)),
    }
    for why, message in cases.items():
        taken = await app.feature_counts(message)
        assert taken.refused == 1
        assert why in taken.why
    with pytest.raises(NotFound):
        await app.feature_counts(msgspec.structs.replace(good, model=ModelName("nobody")))
    with pytest.raises(NotFound):
        await app.drift(ModelName("nobody"))


async def test_the_same_contract_is_recorded_once_and_a_new_one_replaces_it() -> None:
    world, app = await served()
    size = app.record.size()
    await app.agree(AgreeContract(contract=agreed(), by=ADA, why="again"), key=world.key())
    assert app.record.size() == size

    narrower = msgspec.structs.replace(agreed(), features=agreed().features[:1])
    await app.agree(AgreeContract(contract=narrower, by=ADA, why="fewer"), key=world.key())

    assert await app.contract(MODEL) == narrower
    assert (await app.briefing(MODEL, seen="", wait=0)).contract == narrower.short


def test_arms_that_see_the_same_are_not_told_apart_and_skew_is() -> None:
    same = [Table(1, 9, (100, 50), (900, 450))]
    skewed = [Table(1, 9, (20, 130), (900, 450))]

    assert between(same) < 1
    assert between(skewed) > 20


def test_breaking_the_contract_is_a_metric_that_a_plan_may_name() -> None:
    assert (CONTRACT_METRIC.name, CONTRACT_METRIC.bins) == ("contract", 2)
