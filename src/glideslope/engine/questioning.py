"""Commands that move nothing: ask the proposer for more, reply, and judge what the machine cannot."""

from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from typing import Final

from glideslope.domain.commands import AskMore, Judge, Reply
from glideslope.domain.errors import Invalid, JudgementOutdated, NotEntitled, NothingAsked, SelfApproval
from glideslope.domain.governing.governed import Governed
from glideslope.domain.governing.organisation import Right
from glideslope.domain.ids import Actor, RolloutId, StepName
from glideslope.domain.rollout import Phase, Rollout
from glideslope.domain.said import Judged, MoreAsked, Replied
from glideslope.engine.governing import Governing
from glideslope.engine.handlers import OPEN, Handlers, reason

LONGEST: Final = 4_000
"""Characters of what is asked or replied."""


class Questioning:
    """What people say about one rollout."""

    def __init__(self, governing: Governing, handlers: Handlers) -> None:
        self._governing = governing
        self._handlers = handlers

    async def ask(self, command: AskMore, *, key: str) -> RolloutId:
        """Ask for more. Raises SelfApproval, NotEntitled, RolloutEnded, NotFound, Invalid."""
        why = _short(command.why)

        def check(rollout: Rollout) -> None:
            if command.by == rollout.proposed_by:
                raise SelfApproval(rollout=rollout.id, actor=command.by)
            self._governing.require_authority(command.by, rollout=rollout.id)

        def asked(_: Rollout) -> MoreAsked:
            return MoreAsked(by=command.by, why=why, functions=self._governing.authority(command.by))

        return await self._handlers.append(command.rollout, MoreAsked, asked, key=key, phases=OPEN, check=check)

    async def reply(self, command: Reply, *, key: str) -> RolloutId:
        """Reply to what was asked. Raises NothingAsked, NotEntitled, RolloutEnded, NotFound, Invalid."""
        event = Replied(by=command.by, question=command.question, why=_short(command.why))

        def check(rollout: Rollout) -> None:
            found = rollout.said.question(command.question)
            if found is None or found.replied_by is not None:
                raise NothingAsked(
                    rollout=rollout.id, question=command.question, replied_by=(found and found.replied_by) or ""
                )
            if not self._answers_for(command.by, rollout):
                raise NotEntitled(
                    actor=command.by, needs="whoever proposed it, owns it or had a part in making it, to reply"
                )

        return await self._handlers.append(command.rollout, Replied, lambda _: event, key=key, phases=OPEN, check=check)

    async def judge(self, command: Judge, *, asked: Callable[[Rollout], Sequence[str]], key: str) -> RolloutId:
        """Let it go on as it is. `asked` is what waits for a judgement now. Raises JudgementOutdated, NotEntitled, NotInPhase."""
        self._governing.require(command.by, Right.OPERATE, to="a rollout")
        why = _short(command.why)

        def check(rollout: Rollout) -> None:
            now = tuple(asked(rollout))
            if not now or set(now) != set(command.about):
                raise JudgementOutdated(rollout=rollout.id, about=now)

        def judged(rollout: Rollout) -> Judged:
            step = rollout.step.name if rollout.step is not None else StepName("")
            return Judged(by=command.by, step=step, about=command.about, why=why)

        phases: AbstractSet[Phase] = {Phase.RUNNING, Phase.LAPSED}
        return await self._handlers.append(command.rollout, Judged, judged, key=key, phases=phases, check=check)

    def _answers_for(self, actor: Actor, rollout: Rollout) -> bool:
        governed, plan = rollout.plan.governed, rollout.plan
        makers = governed.makers if isinstance(governed, Governed) else ()
        organisation = self._governing.organisation
        person = None if organisation is None else organisation.person(actor)
        team = "" if person is None else person.team
        return actor in {rollout.proposed_by, plan.owner, *makers} or bool(team and team == plan.owner)


def _short(why: str) -> str:
    said = reason(why)
    if len(said) > LONGEST:
        raise Invalid(f"What is said has up to {LONGEST:,} characters; put the rest where it can be linked to.")
    return said
