"""Signals outside the criteria: a shift that nobody declared is flagged to people, and nothing is moved by it."""

import random
from collections.abc import Callable
from datetime import datetime, timedelta
from math import cos, exp, pi

import msgspec
import pytest

from glideslope.domain.commands import AgreeContract, Register
from glideslope.domain.contract import LEVELS, Contract, day
from glideslope.domain.ids import ModelName, VersionName
from glideslope.domain.infer import infer
from glideslope.domain.observation import FeatureTally, FeatureTotals
from glideslope.domain.traffic import Arm
from glideslope.engine.app import App
from glideslope.testing.world import ADA, World, content

MODEL = ModelName("delays")
LOOK = 1_800.0
"""Seconds: a look each half hour of a clock that nobody waits for."""
WEEK = round(7 * 86_400 / LOOK)


def contract() -> Contract:
    chance = random.Random(3)
    return infer(MODEL, {"distance": [chance.gauss(800, 300) for _ in range(200)]}, tags={})


def rhythm(hour: float) -> float:
    """Return by how much scores lie higher at an hour since 1970: at night up to 0.1, and by as much again at a weekend's."""
    night = max(0.0, cos(2 * pi * hour / 24))
    return 0.1 * night * (2 if hour // 24 % 7 in {2, 3} else 1)


class Stream:
    """A service that counts scores, more of them by day, around a mean that may shift, and reports totals that only grow."""

    def __init__(
        self, app: App, world: World, *, seed: int, usually: Callable[[float], float] = lambda _hour: 0.0
    ) -> None:
        self.app, self.world, self.chance = app, world, random.Random(seed)
        self.usually = usually
        self.levels = [0] * LEVELS
        self.where = ""
        self.missing = self.rows = 0

    async def pass_(self, looks: int, *, shift: float = 0.0, missing: float = 0.01) -> int:
        """Let time pass and return how many flags were raised meanwhile."""
        before = len(self.app.signals.view(MODEL).flags)
        for _ in range(looks):
            self.world.clock.set_wall(self.world.clock.now() + timedelta(seconds=LOOK))
            hour = self.world.clock.now().timestamp() / 3600
            rows = 150 if 7 <= hour % 24 < 20 else 60
            self._count(rows, shift=shift + self.usually(hour), missing=missing)
            await self._send()
            self.app.signals.look()
        return len(self.app.signals.view(MODEL).flags) - before

    def _count(self, rows: int, *, shift: float, missing: float) -> None:
        if (where := day(self.world.clock.now().timestamp())) != self.where:
            self.where, self.levels, self.missing, self.rows = where, [0] * LEVELS, 0, 0
        weights = [exp(-((((k + 0.5) / LEVELS - 0.4 - shift) / 0.15) ** 2) / 2) for k in range(LEVELS)]
        for level in self.chance.choices(range(LEVELS), weights, k=rows):
            self.levels[level] += 1
        self.missing += sum(self.chance.choices((0, 1), (1 - missing, missing), k=rows))
        self.rows += rows

    async def _send(self) -> None:
        agreed = contract()
        counts = [self.missing, 0, 0, 0, self.rows - self.missing, *[0] * (agreed.features[0].bins - 1)]
        tally = FeatureTally(
            where=self.where,
            arm=Arm.INCUMBENT,
            rows=(self.rows, 0, 0),
            counts=tuple(counts),
            levels=tuple(self.levels),
        )
        taken = await self.app.feature_counts(
            FeatureTotals(source="svc", epoch=1, model=MODEL, contract=agreed.short, tallies=(tally,))
        )
        assert taken.refused == 0, taken.why


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
    await app.agree(AgreeContract(contract=contract(), by=ADA, why="agreed"), key=world.key())
    return world, app


async def test_a_subtle_shift_in_a_signal_that_nobody_declared_is_flagged_with_its_evidence() -> None:
    """The mean score moves by a fifth of its spread, seen against the same hours of earlier weeks; nothing else is flagged."""
    world, app = await served()
    stream = Stream(app, world, seed=5)
    entries = app.record.size()
    assert await stream.pass_(3 * WEEK) == 0

    raised = await stream.pass_(36, shift=0.03)

    (flag,) = app.signals.view(MODEL).flags
    assert raised == 1
    assert (flag.series, flag.arm, flag.baseline) == ("score", "incumbent", "hour of week")
    assert flag.expected is not None
    assert flag.seen is not None
    assert abs(flag.expected - 0.4) < 0.01 < flag.seen - flag.expected
    assert flag.evidence >= flag.line
    assert "above what is usual" in flag.sentence
    assert app.record.size() == entries, "a flag is no entry of the ledger, and moved nothing"


async def test_what_is_usual_at_another_hour_of_the_week_is_not_usual_at_this_one() -> None:
    """Scores lie higher at night, and twice that at a weekend's: no news. On a working day at noon the same height is."""
    world, app = await served()
    stream = Stream(app, world, seed=7, usually=rhythm)
    assert await stream.pass_(3 * WEEK) == 0

    while world.clock.now().weekday() != 0 or not 9 <= world.clock.now().hour < 10:
        assert await stream.pass_(1) == 0
    await stream.pass_(8, shift=0.2)  # from half past nine until noon it is as high as in a weekend's night

    (flag,) = app.signals.view(MODEL).flags
    assert (flag.series, flag.arm) == ("score", "incumbent")
    assert flag.expected is not None
    at = datetime.fromisoformat(flag.first).timestamp() / 3600
    assert flag.expected == pytest.approx(0.4 + rhythm(at), abs=0.015), "what is expected is this hour's"


async def test_what_was_learned_outlives_a_restart() -> None:
    """History, scatter and flags come back from the store; a second server flags the shift that begins under it."""
    world, app = await served()
    stream = Stream(app, world, seed=6)
    await stream.pass_(3 * WEEK)
    await app.signals.flush()

    again = await world.start()
    stream.app = again
    await stream.pass_(2)
    assert again.signals.view(MODEL).learning == app.signals.view(MODEL).learning
    await stream.pass_(36, missing=0.15)

    assert [flag.series for flag in again.signals.view(MODEL).flags] == ["feature distance missing"]


async def test_what_another_release_learned_is_learned_anew_and_its_flags_are_kept() -> None:
    """A detector of before followed fewer levels: it cannot go on where that one was."""
    world, app = await served()
    stream = Stream(app, world, seed=6)
    await stream.pass_(WEEK + 10)
    await app.signals.flush()
    assert app.signals._summaries is not None
    saved = await app.signals._summaries.summaries("signals/delays/now")
    (before,) = [msgspec.msgpack.decode(data) for data in saved.values()]
    for detector in before["detectors"].values():
        detector["levels"], detector["errors"] = detector["levels"][:4], detector["errors"][:4]
        del detector["highest"], detector["top"]
    await app.signals._summaries.summarise({"signals/delays/now": msgspec.msgpack.encode(before)}, drop=[])

    again = await world.start()
    stream.app = again
    await stream.pass_(5)

    view = again.signals.view(MODEL)
    assert before["detectors"]
    assert view.learning == view.series


async def test_a_flag_seen_again_is_the_same_flag() -> None:
    world, app = await served()
    stream = Stream(app, world, seed=5)
    await stream.pass_(3 * WEEK)

    await stream.pass_(6, shift=0.2)
    await stream.pass_(5, shift=-0.3)

    (flag,) = app.signals.view(MODEL).flags
    assert flag.last > flag.first


async def test_nothing_is_flagged_while_nothing_is_known() -> None:
    """In its first two weeks a series is learned, whatever happens in it: the page says so."""
    world, app = await served()
    stream = Stream(app, world, seed=8)

    raised = await stream.pass_(WEEK) + await stream.pass_(12, shift=0.2)

    view = app.signals.view(MODEL)
    assert raised == 0
    assert view.learning == view.series > 0
