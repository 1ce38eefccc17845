"""The approvals inbox: one card is one decision, with everything on it that a person needs to take it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from glideslope.domain.errors import NotFound
from glideslope.domain.ids import RolloutId, model_name, version_name
from glideslope.domain.plan import Guardrail, Margin, MarginKind, Plan, Step
from glideslope.engine.courses import ProposalView
from glideslope.engine.inbox_views import Asking
from glideslope.engine.version_record import VersionRecordView
from glideslope.engine.views import RolloutView
from glideslope.interfaces.dashboard.door import PageDoor, Visitor
from glideslope.interfaces.dashboard.fleet import page_number
from glideslope.interfaces.dashboard.rendering import Pages, lasting, share

CARDS: Final = 10
"""On one page, those that wait for the visitor first."""


@dataclass(frozen=True, slots=True)
class Card:
    """One decision."""

    view: RolloutView
    proposed: ProposalView
    candidate: VersionRecordView | None
    why_not: str
    """Why the visitor's approval would not count; empty when it would."""
    before: RolloutView | None
    """The rollout of the same model before this one."""
    changed: Sequence[tuple[str, str, str]]
    """What this plan has otherwise than that one: what, then, now."""
    prove: bool
    """Whether the visitor must prove again who they are before they may say yes."""


def routes(door: PageDoor, pages: Pages) -> list[Route]:
    """Return the inbox's route."""
    service = door.service

    async def show(request: Request) -> Response:
        visitor, number = door.visitor(request), page_number(request)
        rollouts = (await service.fleet()).rollouts
        functions = await service.functions(visitor.actor)
        found = await service.inbox(visitor.actor, may_act=visitor.may_act)
        waiting = [each for each in (*found.items, *found.others) if each.asks == Asking.APPROVAL]
        of = {each.id: each for each in rollouts}
        shown = [
            (of[each.of], each.why_not) for each in waiting[(number - 1) * CARDS : number * CARDS] if each.of in of
        ]
        return pages.page(
            request,
            "approvals.html",
            visitor=visitor,
            live=True,
            functions=functions,
            cards=[await card(each, reason, rollouts, visitor) for each, reason in shown],
            count=len(waiting),
            number=number,
            last=max(1, -(-len(waiting) // CARDS)),
        )

    async def card(view: RolloutView, reason: str, rollouts: Sequence[RolloutView], visitor: Visitor) -> Card:
        proposed = await service.proposal(RolloutId(view.id))
        earlier = [each for each in rollouts if each.model == view.model and each.proposed_at < view.proposed_at]
        before = earlier[0] if earlier else None
        changed: Sequence[tuple[str, str, str]] = ()
        if before is not None:
            changed = differences((await service.proposal(RolloutId(before.id))).plan, proposed.plan)
        try:
            known = await service.version(model_name(view.model), version_name(view.candidate))
        except NotFound:
            known = None
        return Card(view, proposed, known, reason, before, changed, prove=must_prove(view, visitor))

    return [Route("/approvals", show, methods=["GET"])]


def must_prove(view: RolloutView, visitor: Visitor) -> bool:
    """Tell whether a yes asks for a proof that the visitor has not given lately; the engine decides again."""
    proving = view.governed.proving if view.governed is not None else None
    proved = visitor.proved
    if proving is None:
        return False
    return proved is None or proved.means not in proving.by or proved.ago is None or proved.ago > 1000 * proving.within


def differences(then: Plan, now: Plan) -> list[tuple[str, str, str]]:
    """Return in what a plan differs from an earlier one of the same model: what, then, now."""
    rows = [
        ("candidate", then.candidate, now.candidate),
        ("incumbent", then.incumbent, now.incumbent),
        ("owner", then.owner, now.owner),
        ("chance of a wrong rollback", f"{then.alpha:g}", f"{now.alpha:g}"),
        ("steps", " → ".join(map(step, then.steps)), " → ".join(map(step, now.steps))),
        ("approvals", str(then.approvals), str(now.approvals)),
        ("lease", lasting(then.lease), lasting(now.lease)),
    ]
    rules = [{g.metric.name: guardrail(g) for g in plan.guardrails} for plan in (then, now)]
    rows += [
        (f"guardrail {name}", rules[0].get(name, "none"), rules[1].get(name, "none"))
        for name in dict.fromkeys([*rules[0], *rules[1]])
    ]
    return [row for row in rows if row[1] != row[2]]


def step(found: Step) -> str:
    """Write one step: canary 10 % for 2 h."""
    size = f" {share(found.candidate)}" if found.candidate and found.stage != "full" else ""
    return f"{found.stage.value}{size} for {lasting(found.minimum)}"


def guardrail(found: Guardrail) -> str:
    """Write what a guardrail tolerates."""
    required = "" if found.required else ", only watched for harm"
    limit = f", never beyond {found.limit:g}" if found.limit is not None else ""
    return f"{margin(found.margin)} worse at most{limit}{required}"


def margin(found: Margin) -> str:
    """Write a margin: 25 % or 0.005."""
    return f"{found.size * 100:g} %" if found.kind is MarginKind.RELATIVE else f"{found.size:g}"
