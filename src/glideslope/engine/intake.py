"""The part of the `Service` contract that services report by: totals, predictions, answers, outcomes, and what they are told.

Large messages are taken portion by portion, between which others have their turn.
"""

import asyncio
from collections.abc import Iterable
from itertools import islice
from typing import TypeVar

import msgspec

from glideslope.domain.identity import Identity
from glideslope.domain.ids import ModelName, RolloutId
from glideslope.domain.logged import PredictionRefusal, Predictions, PredictionsTaken
from glideslope.domain.observation import (
    MOST_REFUSALS,
    Briefing,
    FeaturesTaken,
    FeatureTotals,
    Outcomes,
    OutcomesTaken,
    ShadowAnswers,
    Totals,
    TotalsTaken,
)
from glideslope.domain.pairs import Half, Halves
from glideslope.domain.receipt import SCORE_LEVELS
from glideslope.domain.traffic import Arm
from glideslope.engine.briefings import Briefings
from glideslope.engine.features import Features
from glideslope.engine.log_desk import LogDesk
from glideslope.engine.observer import Observer
from glideslope.engine.outcomes import OutcomeDesk
from glideslope.engine.pair_desk import PairDesk
from glideslope.engine.ports import Counters
from glideslope.engine.recomputing import recomputation_view
from glideslope.engine.record import Record
from glideslope.engine.searching import Searching
from glideslope.engine.views import RecomputationView

T = TypeVar("T")

PORTION = 1_000
"""Cells, outcomes or answers of one message that are taken at once."""
BATCH = 20_000
"""Outcomes by receipt that are taken at once where they are counted by the batch: they take as long as PORTION one by one."""


class Intake:
    """Passes each report on; the engine assembled is one."""

    record: Record
    observer: Observer
    features: Features
    log: LogDesk
    _briefings: Briefings
    _counters: Counters
    _desk: OutcomeDesk
    _pairs: PairDesk
    _searching: Searching

    async def feature_counts(self, totals: FeatureTotals) -> FeaturesTaken:
        return self.features.take(totals)

    async def briefing(self, model: ModelName, *, seen: str, wait: float, source: str = "") -> Briefing:
        return await self._briefings.briefing(model, seen=seen, wait=wait, source=source)

    async def observe(self, totals: Totals) -> TotalsTaken:
        """Take a source's totals, portion by portion; each stands by itself, as does each cell."""
        self._searching.learn(totals)
        taken = TotalsTaken(taken=0, refused=0)
        for portion in portions(totals.counts.items()) or [()]:
            found, kept = self.observer.totals(msgspec.structs.replace(totals, counts=dict(portion)))
            if kept:
                await self._counters.save(kept)
            taken = TotalsTaken(
                taken=taken.taken + found.taken,
                refused=taken.refused + found.refused,
                refusals=(*taken.refusals, *found.refusals)[:MOST_REFUSALS],
            )
            await asyncio.sleep(0)
        return taken

    async def predictions(self, predictions: Predictions) -> PredictionsTaken:
        """Keep what a service answered, portion by portion."""
        kept = 0
        refused: tuple[PredictionRefusal, ...] = ()
        for portion in portions(predictions.predictions) or [()]:
            taken = await self.log.take(msgspec.structs.replace(predictions, predictions=portion))
            kept, refused = kept + taken.kept, (*refused, *taken.refused)[:MOST_REFUSALS]
            await asyncio.sleep(0)
        return PredictionsTaken(kept=kept, refused=refused)

    async def recomputation(self, rollout: RolloutId) -> RecomputationView:
        """Recompute a rollout from the prediction log, now. Raises NotFound, LogAbsent, LogUnavailable."""
        return await recomputation_view(self.record.rollout(rollout), self.log, self.observer)

    async def work_on_log(self) -> None:
        """Join what is due, recompute where a plan asks for it, drop what is old. Raises LogUnavailable, StoreUnavailable."""
        await self.log.join()
        if self.log.has_log:
            await self._desk.mend()
        await self.log.recompute_due()
        await self.log.tidy()

    async def shadow(self, answers: ShadowAnswers) -> None:
        # Without an answer too: what it is about must be there.
        for portion in portions(answers.answers) or ((),):
            await self._desk.answers(msgspec.structs.replace(answers, answers=portion))
            # From a service that knows no halves; the incumbent's may.
            halves = tuple(Half(request, max(0, min(SCORE_LEVELS, score))) for request, score in portion)
            self._pairs.take(
                Halves(model=answers.model, rollout=answers.rollout, arm=Arm.CANDIDATE, halves=halves),
            )
            await asyncio.sleep(0)

    async def halves(self, halves: Halves) -> None:
        """Take answers of one arm, to be compared with the other's; the candidate's wait for their outcomes too."""
        for portion in portions(halves.halves) or ((),):
            self._pairs.take(msgspec.structs.replace(halves, halves=portion))
            if halves.arm is Arm.CANDIDATE:
                scored = tuple((half.request, half.score) for half in portion if half.score >= 0)
                await self._desk.answers(ShadowAnswers(model=halves.model, rollout=halves.rollout, answers=scored))
            await asyncio.sleep(0)

    async def outcomes(self, outcomes: Outcomes, *, by: Identity | None = None) -> OutcomesTaken:
        """Count a batch, portion by portion; one that cannot be counted is refused by itself."""
        each: list[OutcomesTaken] = []
        for large in portions(outcomes.outcomes, size=BATCH):
            taken, rest = await self._desk.take_alike(large, by=by)
            each.append(taken)
            for portion in portions(rest):
                each.append(await self._desk.take(Outcomes(outcomes=portion), by=by))
                await asyncio.sleep(0)
        return OutcomesTaken(
            counted=sum(taken.counted for taken in each),
            repeated=sum(taken.repeated for taken in each),
            unmeasured=sum(taken.unmeasured for taken in each),
            refused=tuple(refusal for taken in each for refusal in taken.refused),
            kept=sum(taken.kept for taken in each),
            undefined=tuple(one for taken in each for one in taken.undefined)[:MOST_REFUSALS],
        )


def portions(items: Iterable[T], *, size: int = PORTION) -> list[tuple[T, ...]]:
    """Cut a message into parts between which others have their turn: half a million cells take seconds, and leases last one."""
    left = iter(items)
    return list(iter(lambda: tuple(islice(left, size)), ()))
