"""A column appears, is gone or changes its type between versions: what is counted, what is said, and what a new contract changes."""

import random
from collections.abc import Callable, Mapping

import pytest

from glideslope.domain.commands import AgreeContract, Register
from glideslope.domain.contract import Contract
from glideslope.domain.ids import ModelName, RolloutId, StepName, VersionName
from glideslope.domain.infer import infer
from glideslope.domain.observation import FeaturesTaken, FeatureTotals
from glideslope.domain.plan import AtMaximum, StageKind, Step
from glideslope.domain.traffic import Arm
from glideslope.engine.app import App
from glideslope.engine.drifting import features_view
from glideslope.engine.features import Held
from glideslope.engine.views import FeaturesView
from glideslope.sdk.errors import ServerUnreachable
from glideslope.sdk.features import FeatureCounter
from glideslope.sdk.stamps import Stamps
from glideslope.testing.world import ADA, World, content

MODEL = ModelName("delays")
Row = Mapping[str, object]
STEP = Step(
    name=StepName("s1"), stage=StageKind.CANARY, candidate=5_000, control=5_000, minimum=0, maximum=1,
    at_maximum=AtMaximum.HOLD,
)  # fmt: skip


def row(chance: random.Random) -> dict[str, object]:
    return {"distance": chance.gauss(800, 100), "carrier": chance.choice(["AA", "DL"])}


def agreed(**more: str) -> Contract:
    chance = random.Random(3)
    rows = [row(chance) | more for _ in range(1_000)]
    return infer(MODEL, {name: [each[name] for each in rows] for name in rows[0]}, tags={})


def counted(contract: Contract, *, change: Callable[[Row], Row]) -> FeaturesView:
    """Count what two versions are given by the sdk, the candidate's rows changed, and show both."""
    sent: list[FeatureTotals] = []

    def send(message: FeatureTotals) -> FeaturesTaken:
        sent.append(message)
        return FeaturesTaken(taken=1, refused=0)

    counter = FeatureCounter(MODEL, source="svc", epoch=1, send=send, wall=lambda: 86_400 * 20_000.5, every=3_600)
    counter.follow(contract)
    chance = random.Random(4)
    for number in range(1_200):
        arm = (Arm.CANDIDATE, Arm.INCUMBENT)[number % 2]
        stamps = Stamps(rollout=RolloutId("r-0001"), step=STEP.name, arm=arm, subject=f"u{number}")
        found = row(chance)
        counter.check(change(found) if arm is Arm.CANDIDATE else found, stamps)
    counter.send_totals()
    counter.stop()
    held: dict[str, dict[Arm, Held]] = {}
    for tally in (tally for message in sent for tally in message.tallies):
        place = held.setdefault(tally.where, {}).setdefault(tally.arm, Held.zero(len(tally.counts)))
        place.raise_to(tally)
    return features_view(contract, {20_000: held["d20000"]}, today=20_000, steps=[(STEP, held["r-0001/s1"])])


def named(view: FeaturesView) -> set[str]:
    return {each.name for each in view.arms if each.differs}


def test_versions_that_are_given_the_same_columns_are_not_told_apart() -> None:
    view = counted(agreed(), change=lambda found: found)

    assert (view.rows_today, view.broken_today, view.surplus_today, named(view)) == (1_200, 0, 0, set())


def test_a_column_that_appears_is_counted_as_surplus_and_breaks_nothing() -> None:
    view = counted(agreed(), change=lambda found: {**found, "gate": 4})

    assert (view.broken_today, view.surplus_today, named(view)) == (0, 600, set())


def test_a_column_that_is_gone_is_missing_breaks_its_rows_and_tells_the_arms_apart() -> None:
    view = counted(agreed(), change=lambda found: {"distance": found["distance"]})

    (carrier,) = [each for each in view.features if each.name == "carrier"]
    assert (view.broken_today, view.surplus_today, named(view)) == (600, 0, {"carrier"})
    assert carrier.breaches == ("600 rows have no value",)
    (arms,) = [each for each in view.arms if each.name == "carrier"]
    assert arms.missing == (600, 0)


def test_a_column_of_another_name_is_both() -> None:
    view = counted(agreed(), change=lambda found: {"miles": found["distance"], "carrier": found["carrier"]})

    assert (view.broken_today, view.surplus_today, named(view)) == (600, 600, {"distance"})


@pytest.mark.parametrize("other", ["800.0", True, [800.0]], ids=["text", "truth", "list"])
def test_a_column_of_another_type_is_wrong_and_never_guessed_at(other: object) -> None:
    view = counted(agreed(), change=lambda found: {**found, "distance": other})

    assert view.features[0].breaches == ("600 rows hold another type than number",)
    assert (view.broken_today, named(view)) == (600, {"distance"})
    (arms,) = [each for each in view.arms if each.name == "distance"]
    assert arms.broken == (600, 0)


async def agree(world: World, app: App, contract: Contract) -> None:
    await app.agree(AgreeContract(contract=contract, by=ADA, why="agreed"), key=world.key())


async def test_a_new_contract_counts_anew_and_a_service_that_has_not_heard_of_it_is_told_so() -> None:
    """What was counted by the old one is not read as if it were the new one's, nor added to it; nothing is lost from view silently."""
    world = World(seed=4)
    app = await world.start()
    await app.register(
        Register(
            model=MODEL, version=VersionName("v1"), digest=content("delays", "v1"), url="http://delays-v1", by=ADA,
            why="first", incumbent=True,
        ),
        key=world.key(),
    )  # fmt: skip
    old, new = agreed(), agreed(gate="A4")
    await agree(world, app, old)
    told: list[FeaturesTaken] = []
    waiting: list[FeatureTotals] = []

    def send(message: FeatureTotals) -> FeaturesTaken:
        waiting.append(message)
        raise ServerUnreachable(url="", why="it is sent by the test")

    counter = FeatureCounter(
        MODEL, source="svc", epoch=1, send=send, wall=lambda: world.clock.now().timestamp(), every=3_600
    )

    async def count(contract: Contract, **more: str) -> int:
        counter.follow(contract)
        for seed in range(50):
            counter.check(row(random.Random(seed)) | more, Stamps())
        counter.send_totals()
        told.append(await app.feature_counts(waiting[-1]))
        return (await app.drift(MODEL)).rows_today

    assert await count(old) == 50
    await agree(world, app, new)
    assert (await app.drift(MODEL)).rows_today == 0
    assert await count(old) == 0
    assert await count(new, gate="A4") == 50
    counter.stop()

    assert [(each.taken, each.refused) for each in told] == [(1, 0), (0, 1), (1, 0)]
    assert old.short in told[1].why
    assert [each.name for each in (await app.drift(MODEL)).features] == ["distance", "carrier", "gate"]
