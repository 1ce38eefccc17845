"""Commands of an emergency: ask, agree, look at it afterwards. Loud, short, and never by one person alone."""

from glideslope.domain.commands import AskGlass, BreakGlass, ReviewGlass
from glideslope.domain.errors import Conflict, Invalid, NotEntitled
from glideslope.domain.governing.glass import LONGEST, GlassAsked, GlassBroken, GlassReviewed
from glideslope.domain.governing.governed import Governed
from glideslope.domain.governing.organisation import Right
from glideslope.domain.ids import RolloutId
from glideslope.domain.rollout import Rollout
from glideslope.engine.governing import Governing
from glideslope.engine.handlers import OPEN, Handlers, reason
from glideslope.engine.once import require_same
from glideslope.engine.record import Append, Record, Recorded, model_stream


class Breaking:
    """Break-glass of one rollout."""

    def __init__(self, record: Record, governing: Governing, handlers: Handlers) -> None:
        self._record = record
        self._governing = governing
        self._handlers = handlers
        self._once = handlers.once

    async def ask(self, command: AskGlass, *, key: str) -> RolloutId:
        """Ask. Raises NotEntitled, Invalid, Conflict where nothing governs, RolloutEnded, NotFound."""
        self._governing.require(command.by, Right.OPERATE, to="a rollout")
        if not 60_000 <= command.lasting <= LONGEST:
            raise Invalid(f"The glass is broken for 1 minute to {LONGEST // 3_600_000} hours.")
        why = reason(command.why)

        def asked(rollout: Rollout) -> GlassAsked:
            proved = self._governing.proved_by(rollout.plan.model, command.proved)
            return GlassAsked(
                by=command.by, emergency=command.emergency, lasting=command.lasting, why=why, proved=proved
            )

        def check(rollout: Rollout) -> None:
            self._governing.require_proof(rollout.plan.model, command.proved)
            if not isinstance(rollout.plan.governed, Governed):
                raise Conflict(f"Nothing governs {rollout.id}, so there is no glass to break.")
            owed = self._record.glass_owed(rollout.plan.model)
            if owed is not None and owed.id != rollout.id:
                raise Conflict(
                    f"The broken glass of {owed.id} waits for a review; until then none of {rollout.plan.model} is broken.",
                    next_command=f"glideslope break-glass review {owed.id} --justified -m WHY",
                )

        return await self._handlers.append(
            command.rollout, GlassAsked, asked, key=key, phases=OPEN, check=check, seen=command.tag
        )

    async def agree(self, command: BreakGlass, *, key: str) -> RolloutId:
        """Agree with whoever asked. Raises NotEntitled for the same person, Conflict where nobody asked."""
        self._governing.require(command.by, Right.OPERATE, to="a rollout")
        why = reason(command.why)

        def check(rollout: Rollout) -> None:
            self._governing.require_proof(rollout.plan.model, command.proved)
            glass = rollout.glass
            if glass is None or glass.second is not None:
                raise Conflict(
                    f"Nobody asks to break the glass for {rollout.id}.",
                    next_command=f"glideslope break-glass ask {rollout.id} -m WHY",
                )
            if command.by == glass.asked.by:
                raise NotEntitled(actor=command.by, needs="a second person, since you asked for it yourself")

        def broken(rollout: Rollout) -> GlassBroken:
            lasting = rollout.glass.asked.lasting if rollout.glass is not None else 0
            proved = self._governing.proved_by(rollout.plan.model, command.proved)
            return GlassBroken(by=command.by, until=self._record.now(rollout.id) + lasting, why=why, proved=proved)

        return await self._handlers.append(
            command.rollout, GlassBroken, broken, key=key, phases=OPEN, check=check, seen=command.tag
        )

    async def review(self, command: ReviewGlass, *, key: str) -> RolloutId:
        """Say afterwards whether it was justified. Raises NotEntitled for one of the two, Conflict where nothing was broken."""
        self._governing.require(command.by, Right.REVIEW, to="what was done")
        id_ = command.rollout
        event = GlassReviewed(rollout=id_, by=command.by, justified=command.justified, why=reason(command.why))
        key = f"glass-reviewed/{id_}/{key}"

        def same(done: Recorded) -> RolloutId:
            require_same(done.event, event)
            return id_

        async def once() -> RolloutId:
            rollout = self._record.rollout(id_)
            glass = rollout.glass
            if glass is None or not glass.broken:
                raise Conflict(f"No broken glass of {id_} waits for a review.")
            if command.by in glass.breakers:
                raise NotEntitled(
                    actor=command.by,
                    needs="somebody who was neither of the two that broke it, nor of any who did before",
                )
            stream = model_stream(rollout.plan.model)
            append = Append(stream=stream, expected=self._record.version(stream), events=(event,), key=key)
            (recorded,) = await self._record.append((append,))
            require_same(recorded.event, event)
            return id_

        return await self._once.carry_out(key, same=same, act=lambda: self._once.persist(once))
