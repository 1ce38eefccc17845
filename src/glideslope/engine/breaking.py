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
from glideslope.engine.record import Append, Record, model_stream


class Breaking:
    """Break-glass of one rollout."""

    def __init__(self, record: Record, governing: Governing, handlers: Handlers) -> None:
        self._record = record
        self._governing = governing
        self._handlers = handlers

    async def ask(self, command: AskGlass, *, key: str) -> RolloutId:
        """Ask. Raises NotEntitled, Invalid, Conflict where nothing governs, RolloutEnded, NotFound."""
        self._governing.require(command.by, Right.OPERATE, to="a rollout")
        if not 60_000 <= command.lasting <= LONGEST:
            raise Invalid(f"The glass is broken for 1 minute to {LONGEST // 3_600_000} hours.")
        event = GlassAsked(by=command.by, emergency=command.emergency, lasting=command.lasting, why=reason(command.why))

        def asked(rollout: Rollout) -> GlassAsked:
            if not isinstance(rollout.plan.governed, Governed):
                raise Conflict(f"Nothing governs {rollout.id}, so there is no glass to break.")
            return event

        return await self._handlers.append(command.rollout, GlassAsked, asked, key=key, phases=OPEN)

    async def agree(self, command: BreakGlass, *, key: str) -> RolloutId:
        """Agree with whoever asked. Raises NotEntitled for the same person, Conflict where nobody asked."""
        self._governing.require(command.by, Right.OPERATE, to="a rollout")
        why = reason(command.why)

        def broken(rollout: Rollout) -> GlassBroken:
            glass = rollout.glass
            if glass is None or (glass.second and glass.second != command.by):
                raise Conflict(
                    f"Nobody asks to break the glass for {rollout.id}.",
                    next_command=f"glideslope break-glass ask {rollout.id} -m WHY",
                )
            if command.by == glass.asked.by:
                raise NotEntitled(actor=command.by, needs="a second person, since you asked for it yourself")
            return GlassBroken(by=command.by, until=self._record.now(rollout.id) + glass.asked.lasting, why=why)

        return await self._handlers.append(command.rollout, GlassBroken, broken, key=key, phases=OPEN)

    async def review(self, command: ReviewGlass, *, key: str) -> RolloutId:
        """Say afterwards whether it was justified. Raises NotEntitled for one of the two, Conflict where nothing was broken."""
        self._governing.require(command.by, Right.REVIEW, to="what was done")
        await self._record.refresh()
        rollout = self._record.rollout(command.rollout)
        event = GlassReviewed(rollout=rollout.id, by=command.by, justified=command.justified, why=reason(command.why))
        glass = rollout.glass
        if glass is None or not glass.broken:
            raise Conflict(f"No broken glass of {rollout.id} waits for a review.")
        if command.by in (glass.asked.by, glass.second):
            raise NotEntitled(actor=command.by, needs="somebody who was neither of the two that broke it")
        stream = model_stream(rollout.plan.model)
        append = Append(
            stream=stream,
            expected=self._record.version(stream),
            events=(event,),
            key=f"glass-reviewed/{rollout.id}/{key}",
        )
        await self._record.append((append,))
        return rollout.id
