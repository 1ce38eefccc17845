"""The approvals inbox: one card is one decision, with everything on it that a person needs to take it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from glideslope.domain.errors import NotFound
from glideslope.domain.ids import ModelName, RolloutId, model_name, version_name
from glideslope.domain.plan import Evaluation, Plan
from glideslope.domain.rollout import Phase
from glideslope.engine.courses import ProposalView
from glideslope.engine.drilling import DrillView
from glideslope.engine.inbox_views import Asking, ItemView
from glideslope.engine.service import Service
from glideslope.engine.version_record import VersionRecordView
from glideslope.engine.views import HappeningView, ModelView, RolloutView
from glideslope.engine.weighing import WeighingView
from glideslope.interfaces.dashboard import comparing, planned
from glideslope.interfaces.dashboard.door import PageDoor, Visitor
from glideslope.interfaces.dashboard.fleet import page_number
from glideslope.interfaces.dashboard.looks import Looks
from glideslope.interfaces.dashboard.rendering import Pages

CARDS: Final = 5
"""On one page, those that wait for the visitor first."""
MOST_EARLIER: Final = 100
"""Rollouts of a model that are looked through for the same content."""
MOST_SINCE: Final = 6
"""What happened since the last look, the newest of it."""
_ANSWERS: Final = frozenset({"approval-given", "approval-withdrawn", "more-asked", "rollout-proposed"})
_QUIET: Final = frozenset({"traffic-confirmed", "stream-closed"})


@dataclass(frozen=True, slots=True)
class Offline:
    """One offline evaluation against what the plan asks of it."""

    evaluation: Evaluation
    asked: float | None
    """By how much worse it may be; None where nothing is asked."""
    word: str
    """`fail`, `pass`, or `shown` where nothing is asked."""
    worse: bool


@dataclass(frozen=True, slots=True)
class Since:
    """What happened since somebody looked."""

    who: str
    """`you` since your last look, or who answered last; empty where nobody has looked or answered before."""
    happened: Sequence[HappeningView]


@dataclass(frozen=True, slots=True)
class Card:
    """One decision."""

    view: RolloutView
    item: ItemView
    proposed: ProposalView
    candidate: VersionRecordView | None
    made: Sequence[comparing.Topic]
    """In what the candidate was made otherwise than the incumbent, as far as either says anything."""
    offline: Sequence[Offline]
    """What misses a criterion first."""
    unmeasured: Sequence[str]
    """Criteria without an evaluation."""
    weighing: WeighingView
    drill: DrillView | None
    """The last of going back."""
    model: ModelView | None
    since: Since
    replies: bool
    """The visitor may reply to what was asked."""
    before: RolloutView | None
    """The rollout of the same model before this one."""
    changed: Sequence[planned.Row]
    """What this plan has otherwise than that one."""
    failed: Sequence[RolloutView]
    """Earlier rollouts of the very same content that were rolled back after somebody had met it, the newest first."""
    prove: bool
    """Whether the visitor must prove again who they are before they may say yes."""


def routes(door: PageDoor, pages: Pages) -> list[Route]:
    """Return the inbox's route."""
    service, looks = door.service, Looks()

    async def show(request: Request) -> Response:
        visitor, number = door.visitor(request), page_number(request)
        rollouts = (await service.fleet()).rollouts
        of = {each.id: each for each in rollouts}
        found = await service.inbox(visitor.actor, may_act=visitor.may_act)
        everything = (*found.items, *found.others)
        waiting = [each for each in everything if each.asks == Asking.APPROVAL and each.of in of]
        mine = {each.of for each in found.items if each.asks == Asking.QUESTION}
        anew = "hx-request" not in request.headers
        cards = []
        for item in waiting[(number - 1) * CARDS : number * CARDS]:
            view = of[item.of]
            seen = looks.since(visitor.actor, view.id, version=view.version, anew=anew)
            cards.append(await _card(service, visitor, view, item, rollouts, seen=seen, replies=view.id in mine))
        return pages.page(
            request,
            "approvals.html",
            visitor=visitor,
            live=True,
            functions=await service.functions(visitor.actor),
            cards=cards,
            count=len(waiting),
            number=number,
            last=max(1, -(-len(waiting) // CARDS)),
        )

    return [Route("/approvals", show, methods=["GET"])]


def must_prove(view: RolloutView, visitor: Visitor) -> bool:
    """Tell whether a yes asks for a proof that the visitor has not given lately; the engine decides again."""
    proving = view.governed.proving if view.governed is not None else None
    proved = visitor.proved
    if proving is None:
        return False
    return proved is None or proved.means not in proving.by or proved.ago is None or proved.ago > 1000 * proving.within


async def _card(
    service: Service,
    visitor: Visitor,
    view: RolloutView,
    item: ItemView,
    rollouts: Sequence[RolloutView],
    *,
    seen: int,
    replies: bool,
) -> Card:
    proposed = await service.proposal(RolloutId(view.id))
    earlier = [each for each in rollouts if each.model == view.model and each.proposed_at < view.proposed_at]
    before = earlier[0] if earlier else None
    changed: Sequence[planned.Row] = ()
    if before is not None:
        changed = planned.changed((await service.proposal(RolloutId(before.id))).plan, proposed.plan)
    name = model_name(view.model)
    candidate, incumbent = [await _version(service, name, version) for version in (view.candidate, view.incumbent)]
    made: Sequence[comparing.Topic] = ()
    if candidate is not None and incumbent is not None:
        made = [each for each in comparing.topics(incumbent, candidate) if each.differing and each.title != "Identity"]
    try:
        model, drills = await service.model(name), await service.drills(name)
    except NotFound:
        model, drills = None, ()
    offline = _offline(proposed.plan)
    failed = [each for each in await service.listed(model=name, limit=MOST_EARLIER) if _failed(each, view)]
    contents = [(await service.proposal(RolloutId(each.id))).plan.candidate_digest for each in failed]
    return Card(
        view=view,
        item=item,
        proposed=proposed,
        candidate=candidate,
        made=made,
        offline=offline,
        unmeasured=_unmeasured(proposed.plan),
        weighing=await service.weigh(RolloutId(view.id)),
        drill=next((each for each in drills if each.kind == "rollback" and each.state != "under way"), None),
        model=model,
        since=_since(view, await service.story(RolloutId(view.id)), seen=seen),
        replies=replies,
        before=before,
        changed=changed,
        failed=[
            each for each, digest in zip(failed, contents, strict=True) if digest == proposed.plan.candidate_digest
        ],
        prove=must_prove(view, visitor),
    )


def _failed(earlier: RolloutView, view: RolloutView) -> bool:
    return earlier.id != view.id and earlier.phase == Phase.ROLLED_BACK and earlier.candidate_subjects > 0


async def _version(service: Service, model: ModelName, version: str) -> VersionRecordView | None:
    try:
        return await service.version(model, version_name(version))
    except NotFound:
        return None


def _since(view: RolloutView, story: Sequence[HappeningView], *, seen: int) -> Since:
    """Return what happened since the visitor's last look, or before the first since anybody's last answer."""
    who = "you" if seen else ""
    if not seen:
        last = next((each for each in reversed(story) if each.kind in _ANSWERS), None)
        seen, who = (0, "") if last is None else (last.version, last.by)
    # Before it begins, every decision says that approvals are missing: that is why it is here.
    quiet = _QUIET | {"decided"} if view.phase == Phase.PROPOSED else _QUIET
    told = [each for each in story if each.version > seen and each.kind not in quiet]
    return Since(who=who, happened=tuple(reversed(told))[:MOST_SINCE])


def _offline(plan: Plan) -> list[Offline]:
    asked = {(c.metric, c.holdout): c.margin for c in plan.criteria}
    found = []
    for each in plan.evaluations:
        loss = (each.candidate - each.incumbent) * (1 if each.lower_is_better else -1)
        limit = asked.get((each.metric, each.holdout))
        word = "shown" if limit is None else "pass" if loss <= limit else "fail"
        found.append(Offline(evaluation=each, asked=limit, word=word, worse=loss > 0))
    return sorted(found, key=lambda each: (each.word != "fail", not (each.worse and each.word == "shown")))


def _unmeasured(plan: Plan) -> Sequence[str]:
    measured: Iterable[tuple[str, str]] = {(e.metric, e.holdout) for e in plan.evaluations}
    return [f"{c.metric} on {c.holdout}" for c in plan.criteria if (c.metric, c.holdout) not in measured]
