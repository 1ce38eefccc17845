"""Commands about drills: ask for one, which the governor then plays, or tell of an exercise; and what was held so far."""

from collections.abc import Sequence

import msgspec
from msgspec import UnsetType

from glideslope.domain.commands import BeginDrill, TellDrill
from glideslope.domain.errors import Conflict, FeatureMissing, Invalid
from glideslope.domain.events import rfc3339
from glideslope.domain.governing.drill import MOST, DrillBegun, Drills, DrillTold, HeldDrill, OpenDrill
from glideslope.domain.governing.organisation import Right
from glideslope.domain.ids import ModelName
from glideslope.domain.rollout import Phase
from glideslope.engine.governing import Governing
from glideslope.engine.handlers import reason
from glideslope.engine.once import Once, require_same
from glideslope.engine.ports import Driver, Feature
from glideslope.engine.reconciler import drilled_since
from glideslope.engine.record import Append, Record, Recorded, drill_stream


class DrillView(msgspec.Struct, frozen=True, kw_only=True):
    """A drill of a model, under way or held."""

    model: str
    kind: str
    state: str
    """`under way`, `passed` or `failed`."""
    at: str
    """When it began, or was held."""
    granted_in: float | None
    """Milliseconds from asking for the exposure until it was in force; None where that was not measured."""
    restored_in: float | None
    """Milliseconds until nobody was exposed."""
    by: str
    told: bool
    """A person tells of it; the machine measured nothing."""
    why: str
    served: int | None = None
    """Requests that it moved, as far as the data plane told of them; None where nobody counted."""
    failed: int | None = None
    """Those of them that got no answer, or an error of the server's."""


class Drilling:
    """Commands about drills, and the queries that show them."""

    def __init__(self, record: Record, governing: Governing, driver: Driver, *, once: Once) -> None:
        self._record = record
        self._governing = governing
        self._driver = driver
        self._once = once

    async def begin(self, command: BeginDrill, *, key: str) -> Drills:
        """Ask for a drill. Raises NotEntitled, NotFound, FeatureMissing, Conflict while something else is under way, KeyReused."""
        self._governing.require(command.by, Right.OPERATE, to="a drill")
        event = DrillBegun(drill=command.kind, by=command.by, why=reason(command.why))
        name, stream = command.model, drill_stream(command.model)
        key = f"{stream}/begin/{key}"

        def same(done: Recorded) -> Drills:
            require_same(done.event, event)
            return self._record.drills(name)

        async def once() -> Drills:
            self._check_free(name)
            expected = self._record.version(stream)
            (recorded,) = await self._record.append(
                (Append(stream=stream, expected=expected, events=(event,), key=key),)
            )
            return same(recorded)

        return await self._once.carry_out(key, same=same, act=lambda: self._once.persist(once))

    async def tell(self, command: TellDrill, *, key: str) -> Drills:
        """Record an exercise that the machine did not measure. Raises NotEntitled, NotFound, Invalid, KeyReused."""
        self._governing.require(command.by, Right.OPERATE, to="a drill")
        event = _told(command, now=self._record.now())
        stream = drill_stream(command.model)
        key = f"{stream}/tell/{key}"

        def same(done: Recorded) -> Drills:
            require_same(done.event, event)
            return self._record.drills(command.model)

        async def once() -> Drills:
            self._record.model(command.model)
            expected = self._record.version(stream)
            (recorded,) = await self._record.append(
                (Append(stream=stream, expected=expected, events=(event,), key=key),)
            )
            return same(recorded)

        return await self._once.carry_out(key, same=same, act=lambda: self._once.persist(once))

    def _check_free(self, name: ModelName) -> None:
        model = self._record.model(name)
        if Feature.DRILL not in self._driver.features:
            raise FeatureMissing(driver=self._driver.name, feature=Feature.DRILL.value)
        if model.incumbent is None:
            raise Conflict(
                f"{name} has no incumbent yet, so there is nothing to go back to.",
                next_command=f"glideslope register {name} VERSION --incumbent",
            )
        drills = self._record.drills(name)
        if drills.open is not None:
            raise Conflict(f"The drill {drills.open.id} of {name} is under way.", next_command="glideslope drill ls")
        rollout = self._record.open_rollout_of(name)
        if rollout is not None and rollout.phase is not Phase.PROPOSED:
            raise Conflict(
                f"{rollout.id} is under way, and a drill would move the same traffic. Drill before it begins or when it has ended.",
                next_command=f"glideslope show {rollout.id}",
            )
        if drilled_since(self._record, name) >= MOST:
            raise Conflict(f"{name} was drilled {MOST:,} times since its traffic last changed; propose a change first.")


def _told(command: TellDrill, *, now: int) -> DrillTold:
    if not 0 <= command.held_at <= now:
        raise Invalid("A drill is told of when it was held, not before.")
    took = command.restored_in
    if not isinstance(took, UnsetType) and took < 0:
        raise Invalid("How long it took is a number of milliseconds from 0.")
    if not command.kind.strip() or not command.kind.isprintable() or len(command.kind) > 64:
        raise Invalid("A drill is of a kind: 1 to 64 printable characters, like `rollback`.")
    return DrillTold(
        drill=command.kind.strip(),
        held_at=command.held_at,
        passed=command.passed,
        restored_in=took,
        by=command.by,
        why=reason(command.why),
    )


def drill_views(drills: Drills) -> Sequence[DrillView]:
    """Return a model's drills as they are shown, newest first."""
    held = [_held(drills, each) for each in sorted(drills.held, key=lambda each: each.held_at, reverse=True)]
    return held if drills.open is None else [_open(drills.open), *held]


def _held(drills: Drills, held: HeldDrill) -> DrillView:
    return DrillView(
        model=drills.model,
        kind=held.kind,
        state="passed" if held.passed else "failed",
        at=rfc3339(held.held_at),
        granted_in=held.granted_in,
        restored_in=held.restored_in,
        by=held.by,
        told=held.told,
        why=held.why,
        served=held.served,
        failed=held.failed,
    )


def _open(drill: OpenDrill) -> DrillView:
    return DrillView(
        model=drill.model,
        kind=drill.kind.value,
        state="under way",
        at=rfc3339(drill.begun_at),
        granted_in=None,
        restored_in=None,
        by=drill.by,
        told=False,
        why=drill.why,
    )
