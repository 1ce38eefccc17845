"""The part of the `Service` contract that is about what waits for people: the inbox, what is weighed, what is asked, replied and judged."""

from glideslope.domain.commands import AskMore, Judge, Reply
from glideslope.domain.ids import Actor, RolloutId
from glideslope.engine.inbox_views import InboxView
from glideslope.engine.inboxes import Inboxes
from glideslope.engine.queries import Queries
from glideslope.engine.questioning import Questioning
from glideslope.engine.views import RolloutView
from glideslope.engine.weighing import Weighing, WeighingView


class Reception:
    """Passes each query and act on; the engine assembled is one."""

    _queries: Queries
    questioning: Questioning
    inboxes: Inboxes
    weighing: Weighing

    async def inbox(self, who: Actor | None = None, *, may_act: bool = True) -> InboxView:
        return await self.inboxes.inbox(who, may_act=may_act)

    async def weigh(self, rollout: RolloutId) -> WeighingView:
        return self.weighing.weigh(rollout)

    async def ask_more(self, command: AskMore, *, key: str) -> RolloutView:
        return self._queries.rollout(await self.questioning.ask(command, key=key))

    async def reply(self, command: Reply, *, key: str) -> RolloutView:
        return self._queries.rollout(await self.questioning.reply(command, key=key))

    async def judge(self, command: Judge, *, key: str) -> RolloutView:
        judged = await self.questioning.judge(command, asked=self.inboxes.grounds, key=key)
        return self._queries.rollout(judged)
