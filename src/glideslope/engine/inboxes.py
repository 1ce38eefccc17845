"""Gathers what the inbox is decided from: what is under way, what is tabled, open or overdue, and what was flagged lately."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from glideslope.domain.events import rfc3339
from glideslope.domain.governing.organisation import Organisation
from glideslope.domain.ids import Actor, ModelName
from glideslope.domain.rollout import Phase, Rollout
from glideslope.engine.access import AccessView, access
from glideslope.engine.conflicts import grounds
from glideslope.engine.dues import dues
from glideslope.engine.governing_views import AgreementView, incident_view
from glideslope.engine.inbox import Reader, inbox
from glideslope.engine.inbox_views import InboxView
from glideslope.engine.queries import Queries
from glideslope.engine.record import Record
from glideslope.engine.views import RolloutView, SignalsView

GLANCE: Final = 10.0
"""Seconds for which figures may be old in which measures are seen to disagree: of a rollout that measures they cost some 40 ms."""


class Inboxes:
    """Looks into one record, for whoever asks."""

    def __init__(
        self,
        *,
        record: Record,
        queries: Queries,
        organisation: Callable[[], Organisation | None],
        agreements: Callable[[], Awaitable[Sequence[AgreementView]]],
        flags: Callable[[ModelName], SignalsView],
    ) -> None:
        self._record = record
        self._queries = queries
        self._organisation = organisation
        self._agreements = agreements
        self._flags = flags

    async def inbox(self, who: Actor | None, *, may_act: bool) -> InboxView:
        """Return what waits for somebody, or for anybody where nobody is named."""
        organisation, now = self._organisation(), self._record.now()
        rollouts = await self._rollouts()
        return inbox(
            rollouts,
            await self._agreements(),
            [incident_view(each) for each in self._record.incidents()],
            () if organisation is None else dues(self._record, organisation, now=now),
            [flag for model in self._models(rollouts) for flag in self._flags(model).flags],
            reader=None if who is None else self._reader(who, organisation, may_act=may_act, now=now),
            at=rfc3339(now),
        )

    def grounds(self, rollout: Rollout) -> tuple[str, ...]:
        """Return what waits for a judgement of a rollout now."""
        return grounds(self._queries.glance(rollout.id, within=GLANCE), self._flags(rollout.plan.model).flags)

    async def _rollouts(self) -> list[RolloutView]:
        """Return what is open, with its figures where it measures, what owes a review of its broken glass, or has an open incident."""
        found: dict[str, RolloutView] = {}
        for rollout in self._record.open_rollouts():
            measures = rollout.phase is Phase.RUNNING
            found[rollout.id] = (
                self._queries.glance(rollout.id, within=GLANCE)
                if measures
                else self._queries.rollout(rollout.id, with_guardrails=False)
            )
            # Others have their turn in between: leases are renewed by the same loop.
            await asyncio.sleep(0)
        owed = [self._record.glass_owed(model.name) for model in self._record.models()]
        incidents = [each.opened.rollout for each in self._record.incidents() if each.closed_by is None]
        for id_ in (*(each.id for each in owed if each is not None), *incidents):
            if id_ not in found:
                found[id_] = self._queries.rollout(id_, with_guardrails=False)
        return list(found.values())

    def _models(self, rollouts: Sequence[RolloutView]) -> list[ModelName]:
        return [ModelName(name) for name in dict.fromkeys(each.model for each in rollouts if not each.ended)]

    @staticmethod
    def _reader(who: Actor, organisation: Organisation | None, *, may_act: bool, now: int) -> Reader:
        known: AccessView | None = None
        if organisation is not None:
            known = next(iter(access(organisation, who=who, right="", function="", now=now)), None)
        return Reader(actor=who, may_act=may_act, access=known, governed=organisation is not None)
