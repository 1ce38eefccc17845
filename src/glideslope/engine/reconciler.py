"""Makes the traffic obey the record: desired against observed, read back from the data plane, as often as it takes.

Level-triggered: it looks at what should be and what is, never at how either came about, so it may be killed anywhere.
It acts only on what was committed.
"""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

from glideslope.domain.errors import GlideslopeError, LeaseLost, StoreUnavailable
from glideslope.domain.events import Closed, Confirmed, Event, Installed
from glideslope.domain.ids import MACHINE, ModelName, RolloutId
from glideslope.domain.rollout import ENDED, Phase, Rollout, exposure
from glideslope.domain.traffic import FULL, Endpoint, Exposure, ObservedRoute, Route, Token
from glideslope.engine.ports import Clock, Driver, Fence
from glideslope.engine.record import Append, Model, Record, model_stream, rollout_number
from glideslope.engine.telemetry.meters import Meters
from glideslope.engine.tracing import NO_TRACER, Tracer, Value

LOOK_EVERY = 1.0
"""Seconds between looks at traffic that has been confirmed."""

LOOK_HOLDS = 3.0
"""Seconds for which a look is believed when no later one succeeds."""

_SHAPE = ModelName("")
"""Stands for the shape of all models' traffic among the troubles."""


@dataclass(slots=True)
class _Standing:
    """What this process did and saw for one model; lost at a restart, and then seen anew."""

    renewed: float | None = None
    looked: float | None = None
    in_force: bool = False
    granted: Exposure | None = None
    seen: Exposure | None = None
    """What the data plane reported at the last look."""
    back: bool = False
    """The data plane answers again after an exposure had run out."""


class Reconciler:
    """Drives one data plane."""

    def __init__(
        self,
        *,
        record: Record,
        driver: Driver,
        clock: Clock,
        meters: Meters | None = None,
        tracer: Tracer = NO_TRACER,
    ) -> None:
        self._tracer = tracer
        self._meters = Meters() if meters is None else meters
        self._record = record
        self._driver = driver
        self._clock = clock
        self._standing: dict[ModelName, _Standing] = {}
        self._routes: tuple[Route, ...] | None = None
        """What the data plane was asked to carry."""
        self._shaped = -1
        """The size of the record when that was last computed."""
        self._committed: dict[RolloutId, float] = {}
        self._troubles: dict[ModelName, str] = {}
        self._exposures: dict[RolloutId, tuple[int, Exposure | None]] = {}

    @property
    def trouble(self) -> str:
        """Return why the data plane did not obey last time; empty when it did."""
        return " ".join(dict.fromkeys(self._troubles.values()))

    def forget(self) -> None:
        """Forget what this process did and saw: another governor may have acted since."""
        self._standing.clear()
        self._routes, self._shaped = None, -1

    def committed(self, rollout: RolloutId) -> None:
        """Note that a decision which the data plane has to obey was committed just now."""
        self._committed[rollout] = self._clock.monotonic()

    def in_force(self, rollout: Rollout) -> bool:
        """Tell whether the data plane itself last reported the rollout's desired exposure."""
        standing = self._standing.get(rollout.plan.model)
        if standing is None or not standing.in_force or standing.looked is None:
            return False
        return standing.granted == self._wanted(rollout) and self._clock.monotonic() - standing.looked <= LOOK_HOLDS

    def seen(self, rollout: Rollout) -> int | None:
        """Return the candidate's share that the data plane itself reported last, in basis points; None where no look is recent."""
        standing = self._standing.get(rollout.plan.model)
        if standing is None or standing.looked is None or self._clock.monotonic() - standing.looked > LOOK_HOLDS:
            return None
        return standing.seen.split.candidate if standing.seen else 0

    def lease_left(self, rollout: Rollout) -> float | None:
        """Return after how many seconds an exposure ends by itself unless it is renewed; None where nobody is exposed."""
        standing = self._standing.get(rollout.plan.model)
        if standing is None or standing.renewed is None or standing.granted is None:
            return None
        return standing.renewed + rollout.plan.lease / 1000 - self._clock.monotonic()

    def lapsed(self, rollout: Rollout) -> bool:
        """Tell whether an exposure ran out, so that it may come back only by a fresh decision.

        One that never came into force is told about when the data plane answers again: before, deciding afresh is idle.
        """
        if not self._ran_out(rollout):
            return False
        standing = self._standing.get(rollout.plan.model)
        return rollout.confirmed or standing is None or standing.back

    async def reconcile(self, fence: Fence, *, but: Collection[RolloutId] = ()) -> None:
        """Bring all traffic to what the record says, and record what the data plane confirms.

        Rollouts in `but` are left alone, so that exposures which nobody could judge end by themselves. Raises
        StoreUnavailable, LeaseLost; trouble with the data plane is kept for people to see, and tried again.
        """
        with self._noting(_SHAPE):
            await self._shape(fence)
        for rollout in self._record.open_rollouts():
            if rollout.id not in but:
                await self.obey(rollout, fence)

    async def obey(self, rollout: Rollout, fence: Fence) -> None:
        """Do for one rollout what the record says. Raises as `reconcile` does."""
        if rollout.phase is Phase.PROPOSED and self._record.drills(rollout.plan.model).open is not None:
            return  # A drill moves the traffic of a proposal that exposes nobody.
        with self._noting(rollout.plan.model):
            if self._wanted(rollout) is not None:
                # Only what exposes needs its shape first; withdrawing must not wait for anything.
                await self._shape(fence)
            await self._lease(rollout, fence)
            await self._look(rollout, fence)

    def _wanted(self, rollout: Rollout) -> Exposure | None:
        """Return the desired exposure, made once per version: it is asked for several times a tick."""
        known = self._exposures.get(rollout.id)
        if known is None or known[0] != rollout.version:
            known = self._exposures[rollout.id] = (rollout.version, exposure(rollout))
        return known[1]

    @contextmanager
    def _noting(self, what: ModelName) -> Iterator[None]:
        try:
            yield
        except (StoreUnavailable, LeaseLost):
            raise
        except GlideslopeError as error:
            self._troubles[what] = str(error)
        else:
            self._troubles.pop(what, None)

    def _ran_out(self, rollout: Rollout) -> bool:
        """Tell whether neither a decision nor a renewal of the last lease's length stands behind the exposure."""
        wanted = self._wanted(rollout)
        if wanted is None or rollout.phase is not Phase.RUNNING:
            return False
        standing = self._standing.get(rollout.plan.model)
        renewed = standing.renewed if standing is not None and standing.granted == wanted else None
        acts = [at for at in (renewed, self._committed.get(rollout.id)) if at is not None]
        return not acts or self._clock.monotonic() - max(acts) > rollout.plan.lease / 1000

    async def _shape(self, fence: Fence) -> None:
        if self._shaped == self._record.size():
            return
        size = self._record.size()
        routes = tuple(route for model in self._record.models() if (route := self._route(model)) is not None)
        if routes != self._routes:
            await self._driver.shape(routes, token=Token(epoch=fence.epoch, version=size))
            self._routes = routes
        self._shaped = size

    def _route(self, model: Model) -> Route | None:
        if model.incumbent is None:
            return None
        rollout = self._record.open_rollout_of(model.name)
        incumbent = _endpoint(model, model.incumbent)
        if rollout is None or rollout.phase is Phase.PROPOSED:
            drill = self._record.drills(model.name).open
            if drill is not None:
                return Route(model=model.name, incumbent=incumbent, candidate=incumbent, salt=drill.id)
            return Route(model=model.name, incumbent=incumbent)
        candidate = _endpoint(model, rollout.plan.candidate)
        if rollout.phase is Phase.PROMOTING:
            return Route(model=model.name, incumbent=candidate)
        return Route(model=model.name, incumbent=incumbent, candidate=candidate, salt=rollout.id)

    async def _lease(self, rollout: Rollout, fence: Fence) -> None:
        model = rollout.plan.model
        standing = self._standing.setdefault(model, _Standing())
        wanted = self._wanted(rollout) if rollout.phase is not Phase.PROMOTING else None
        now = self._clock.monotonic()
        ttl = rollout.plan.lease / 1000
        recent = standing.renewed is not None and now - standing.renewed < ttl / 4
        if standing.granted == wanted and (recent or (wanted is None and standing.in_force)):
            return
        token = token_of(self._record, model, fence)
        if self._ran_out(rollout):
            # Too late for this decision. Only see whether the data plane obeys again; then it is decided afresh.
            await self._driver.lease(model, None, token=token, ttl=timedelta(seconds=ttl))
            standing.back = True
            return
        about: dict[str, Value] = {
            "glideslope.model": model,
            "glideslope.rollout": rollout.id,
            "glideslope.exposure_ratio": wanted.split.candidate / FULL if wanted else 0.0,
        }
        # A renewal is no news.
        with self._tracer.span("glideslope.lease", about, quiet=standing.granted == wanted):
            await self._driver.lease(model, wanted, token=token, ttl=timedelta(seconds=ttl))
        if standing.granted is not None and standing.granted == wanted and standing.renewed is not None:
            self._meters.renewed(model, left=1 - (now - standing.renewed) / ttl)
        if standing.granted != wanted:
            standing.in_force = False
            standing.looked = None
        standing.granted = wanted
        standing.back = False
        # The time before the call: the data plane counts from no earlier, so we never believe too long.
        standing.renewed = now

    async def _look(self, rollout: Rollout, fence: Fence) -> None:
        standing = self._standing[rollout.plan.model]
        now = self._clock.monotonic()
        if (
            rollout.confirmed
            and standing.in_force
            and standing.looked is not None
            and now - standing.looked < LOOK_EVERY
        ):
            return
        observed = await self._driver.observe(rollout.plan.model)
        standing.looked, standing.seen = now, observed.exposure
        standing.in_force = _matches(rollout, observed)
        if observed.exposure is None and rollout.confirmed and standing.granted is not None:
            # It ended in the data plane, whatever was renewed: it comes back only by a fresh decision.
            standing.renewed, standing.back = None, True
        if standing.in_force and not rollout.confirmed:
            await self._confirm(rollout, fence)

    async def _confirm(self, rollout: Rollout, fence: Fence) -> None:
        since = self._committed.pop(rollout.id, None)
        at = self._record.now(rollout.id, model_stream(rollout.plan.model))
        elapsed = at - rollout.changed_at if since is None else (self._clock.monotonic() - since) * 1000
        step = rollout.step
        confirmed = Confirmed(
            exposed=exposure(rollout) is not None and rollout.phase is not Phase.PROMOTING,
            step=step.name if step else rollout.plan.steps[0].name,
            milliseconds=round(float(elapsed), 3),
        )
        events: list[Event] = [confirmed]
        appends = []
        if rollout.phase in (Phase.ROLLING_BACK, Phase.PROMOTING):
            closed: Closed = self._record.closing(rollout.id, events, at=at)
            events.append(closed)
        if rollout.phase is Phase.PROMOTING:
            appends.append(self._installation(rollout))
        key = f"{rollout.id}/{rollout.version}/confirmed"
        appends.insert(0, Append(stream=rollout.id, expected=rollout.version, events=events, key=key))
        await self._record.append(appends, fence=fence, at=at)
        if self._record.rollout(rollout.id).phase in ENDED:
            self._standing.pop(rollout.plan.model, None)
            self._troubles.pop(rollout.plan.model, None)
            self._exposures.pop(rollout.id, None)

    def _installation(self, rollout: Rollout) -> Append:
        stream = model_stream(rollout.plan.model)
        event = Installed(
            model=rollout.plan.model,
            version=rollout.plan.candidate,
            by=MACHINE,
            rollout=rollout.id,
            why=rollout.plan.why,
        )
        return Append(
            stream=stream,
            expected=self._record.version(stream),
            events=(event,),
            key=f"{rollout.id}/installed",
        )


def drilled_since(record: Record, model: ModelName) -> int:
    """Return how many drills of a model began since its last rollout was ordered to do anything. None count once one is under way.

    So a lease of that rollout is renewed under the token that granted it, whatever else happens.
    """
    rollout, drills = record.last_rollout_of(model), record.drills(model)
    if not drills.begun or rollout is None:
        return len(drills.begun)
    if rollout.phase is not Phase.PROPOSED and rollout.phase not in ENDED:
        return 0
    return drills.since(record.history(rollout.id)[rollout.order - 1].entry)


def token_of(record: Record, model: ModelName, fence: Fence) -> Token:
    """Return the order in which a data plane is told of a model's traffic: by rollout, by order within it, by drills since."""
    rollout = record.last_rollout_of(model)
    version = 0 if rollout is None else (rollout_number(rollout.id) << 24 | rollout.order)
    return Token(epoch=fence.epoch, version=(version << 10) | drilled_since(record, model))


def _matches(rollout: Rollout, observed: ObservedRoute) -> bool:
    if rollout.phase is Phase.PROMOTING:
        return observed.exposure is None and observed.incumbent == rollout.plan.candidate
    return observed.exposure == exposure(rollout) and observed.incumbent == rollout.plan.incumbent


def _endpoint(model: Model, name: str) -> Endpoint:
    registered = next(v for v in model.versions.values() if v.version == name)
    return Endpoint(version=registered.version, digest=registered.digest, url=registered.url)
