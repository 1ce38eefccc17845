"""Puts together what is told, when somebody asks: cheaply, by turns, and never older than people are shown.

What costs is the intervals of guardrails, some tens of milliseconds a rollout. So a scrape spends at most BUDGET on them, on those
that were computed longest ago; the others are told as they were, with when that was. In between, the loop that renews leases has its turn.
"""

import asyncio
import platform
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Final

from glideslope import __version__
from glideslope.domain.events import instant
from glideslope.domain.ids import ModelName, RolloutId
from glideslope.domain.rollout import ENDED, Phase, Rollout
from glideslope.domain.traffic import Arm
from glideslope.engine.dues import DueView, last_drill
from glideslope.engine.governor import Governor
from glideslope.engine.notary import Notary
from glideslope.engine.observer import Observer
from glideslope.engine.ports import Clock
from glideslope.engine.queries import Queries
from glideslope.engine.reconciler import Reconciler
from glideslope.engine.record import Record
from glideslope.engine.signals import Signals
from glideslope.engine.telemetry import names, of_models, of_rollouts
from glideslope.engine.telemetry.chain import Chain
from glideslope.engine.telemetry.families import Definition, Family, Telling
from glideslope.engine.telemetry.meters import Histogram, Meters
from glideslope.engine.telemetry.recorded import Tally
from glideslope.engine.views import RolloutView

KEEP: Final = 1.0
"""Seconds for which what was told is told again: several who scrape cost no more than one."""
BUDGET: Final = 0.25
"""Seconds that one scrape spends on guardrails."""
FIGURES: Final = 5.0
"""Seconds for which a rollout's guardrails are told as they were computed, unless something was decided."""
SEEN_LATELY: Final = 600_000
"""Milliseconds within which a flag that was last seen counts as standing."""
MOST_MODELS: Final = 1_000
"""Models that are told of, and as many rollouts; what is beyond is left out."""


class Collector:
    """Asks every part of an engine for its numbers."""

    def __init__(
        self,
        *,
        record: Record,
        observer: Observer,
        queries: Queries,
        governor: Governor,
        reconciler: Reconciler,
        notary: Notary,
        chain: Chain,
        signals: Signals,
        meters: Meters,
        clock: Clock,
        dues: Callable[[], Coroutine[object, object, Sequence[DueView]]],
        troubles: Callable[[], Mapping[str, str]],
        pairs_waiting: Callable[[], int],
    ) -> None:
        self._record = record
        self._observer = observer
        self._queries = queries
        self._governor = governor
        self._reconciler = reconciler
        self._notary = notary
        self._chain = chain
        self._signals = signals
        self._meters = meters
        self._clock = clock
        self._dues = dues
        self._troubles = troubles
        self._pairs_waiting = pairs_waiting
        self._tally = Tally(record)
        self._figured: dict[RolloutId, tuple[float, RolloutView]] = {}
        """When, in monotonic seconds, and what."""
        self._kept: tuple[float, Telling] | None = None
        self._one = asyncio.Lock()

    async def telling(self) -> Telling:
        """Return all that is told now, in the order of the definitions, those without numbers too."""
        async with self._one:
            began = self._clock.monotonic()
            if self._kept is None or began - self._kept[0] >= KEEP:
                found = await self._collect(began)
                self._kept = (self._clock.monotonic(), found)
            return self._kept[1]

    async def _collect(self, began: float) -> Telling:
        await self._tally.follow()
        families = {each.name: Family(each) for each in names.DEFINITIONS}

        def tell(definition: Definition, value: float | Histogram | None, *labels: str) -> None:
            families[definition.name].add(value, *labels)

        rollouts, models = self._record.rollouts(), self._record.models()[:MOST_MODELS]
        self._meters.forget({r.id: r for r in of_rollouts.told(rollouts, now=self._record.now())})
        of_models.traffic(tell, self._meters)
        of_rollouts.phases(tell, rollouts)
        of_models.recorded(tell, self._tally, models)
        for model in models:
            self._of_model(tell, model.name)
        of_models.upkeep(tell, await self._dues(), {m.name: self._drilled(m.name) for m in models})
        await asyncio.sleep(0)
        await self._of_rollouts(tell, began)
        self._of_ourselves(tell)
        tell(names.TOLD_IN, self._clock.monotonic() - began)
        return tuple(families.values())

    def _of_model(self, tell: of_rollouts.Tell, name: ModelName) -> None:
        model = self._record.model(name)
        if model.incumbent is not None:
            tell(names.MODEL, 1, name, model.incumbent)
        open_ = self._record.open_rollout_of(name)
        for arm, version in (
            (Arm.INCUMBENT, model.incumbent),
            (Arm.CANDIDATE, open_.plan.candidate if open_ else None),
        ):
            if version:
                of_models.usage(tell, model, arm.value, version, self._observer.usage(name, version))
        of_models.baseline(tell, model, self._observer.baseline(name).histograms)
        since = self._record.now() - SEEN_LATELY
        tell(names.FLAGGED, sum(instant(flag.last) >= since for flag in self._signals.view(name).flags), name)

    def _drilled(self, name: ModelName) -> int:
        held = last_drill(self._record, name)
        return 0 if held is None else held.held_at

    async def _of_rollouts(self, tell: of_rollouts.Tell, began: float) -> None:
        open_ = self._record.open_rollouts()[:MOST_MODELS]
        for rollout in open_:
            of_rollouts.standing(tell, rollout)
            share = self._reconciler.seen(rollout)
            tell(names.CONFIRMED, None if share is None else share / 10_000, rollout.plan.model, rollout.id)
            tell(names.LEASE_LEFT, self._reconciler.lease_left(rollout), rollout.plan.model, rollout.id)
        await self._figure(open_, began)
        for rollout in open_:
            known = self._figured.get(rollout.id)
            if known is None:
                continue
            at, view = known
            age = self._clock.monotonic() - at
            tell(names.FIGURED_AT, self._clock.now().timestamp() - age, rollout.plan.model, rollout.id)
            of_rollouts.missing(tell, view)
            of_rollouts.figures(tell, rollout, view)
            _exposed(tell, view)

    async def _figure(self, open_: Sequence[Rollout], began: float) -> None:
        """Compute the figures of those that are due, as far as the budget goes: proposals, which cost nothing, then the oldest."""
        self._figured = {r.id: self._figured[r.id] for r in open_ if r.id in self._figured}

        def turn(rollout: Rollout) -> tuple[bool, float]:
            known = self._figured.get(rollout.id)
            return rollout.phase is not Phase.PROPOSED, -1.0 if known is None else known[0]

        for rollout in sorted(open_, key=turn):
            known = self._figured.get(rollout.id)
            now = self._clock.monotonic()
            if known is not None and now - known[0] < FIGURES and known[1].version == rollout.version:
                continue
            if now - began > BUDGET and rollout.phase is not Phase.PROPOSED:
                return
            if self._record.rollout(rollout.id).phase not in ENDED:
                self._figured[rollout.id] = (now, self._queries.rollout(rollout.id))
            await asyncio.sleep(0)

    def _of_ourselves(self, tell: of_rollouts.Tell) -> None:
        governor, chain = self._governor, self._chain
        tell(names.BUILD, 1, __version__, platform.python_version())
        tell(names.ACTING, int(governor.acting))
        tell(names.GOVERNOR_LEFT, governor.lease_left)
        tell(names.TICKS, self._meters.ticks)
        tell(names.TICKED_AT, self._meters.ticked_at)
        for part, trouble in self._troubles().items():
            tell(names.TROUBLE, int(bool(trouble)), part)
        tell(names.ENTRIES, self._record.size())
        tell(names.SIGNED, self._notary.signed or None)
        tell(names.SIGNED_AT, self._meters.signed_at)
        tell(names.CHAIN, None if chain.valid is None else int(chain.valid))
        tell(names.CHAIN_AT, chain.looked_at)
        for queue, length in (
            ("counts", self._observer.unsaved()),
            ("rollouts", len(self._observer.changed)),
            ("pairs", self._pairs_waiting()),
        ):
            tell(names.QUEUES, length, queue)


def _exposed(tell: of_rollouts.Tell, view: RolloutView) -> None:
    for arm, subjects in (
        ("candidate", view.candidate_subjects),
        ("incumbent", sum(step.incumbent_subjects for step in view.steps)),
    ):
        tell(names.EXPOSED, subjects, view.model, view.id, arm)
