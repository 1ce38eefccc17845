"""The page of one rollout: where it stands and why, what each guardrail shows, what was decided; and the acts of people on it."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from glideslope.domain.commands import Approve, AskMore, Halt, Judge, OrderRollback, Reply, Resume, Seen, Withdraw
from glideslope.domain.decision import Finding, Verdict
from glideslope.domain.errors import NotFound
from glideslope.domain.ids import WHOLE, RolloutId, digest
from glideslope.domain.plan import Guardrail
from glideslope.domain.rollout import Phase
from glideslope.engine.courses import LookView, ProposalView
from glideslope.engine.slices_display import worst_first
from glideslope.engine.views import GuardrailView, RolloutView
from glideslope.interfaces.api.problems import RequestInvalid
from glideslope.interfaces.dashboard.door import PageDoor, Visitor, key_of
from glideslope.interfaces.dashboard.fleet import page_number
from glideslope.interfaces.dashboard.guardrails import tile, tiles, worth
from glideslope.interfaces.dashboard.ledger import laid_out
from glideslope.interfaces.dashboard.rendering import Pages

MOST_SLICES: Final = 12
"""Slices in the forest plot, the worst first; the rest has a page of its own."""
SLICES: Final = 50
"""On one page of their own."""
EVERYTHING: Final = "all looks"
LAST: Final = {"the last 20": 20, "the last 10": 10, "the last 5": 5}
"""Windows of a series besides its steps."""
MOST_HAPPENINGS: Final = 40
MOST_CAUSES: Final = 4

Act = Callable[[RolloutId, Visitor, Mapping[str, str], str], Coroutine[Any, Any, RolloutView]]


def routes(door: PageDoor, pages: Pages) -> list[Route]:
    """Return the page's routes, and those of the acts."""
    service = door.service
    acts = _acts(door)

    async def show(request: Request) -> Response:
        visitor = door.visitor(request)
        id_, as_of = RolloutId(request.path_params["rollout"]), entry_of(request)
        view = await service.rollout(id_, as_of=as_of)
        proposed = await service.proposal(id_)
        course, decisions, story = await asyncio.gather(
            service.course(id_, as_of=as_of),
            service.decisions(id_, as_of=as_of),
            service.story(id_, as_of=as_of),
        )
        pulse = await service.pulse()
        # (The search of undeclared slices costs too much to be asked for at each look.)
        declared = worst_first(view.guardrails)
        return pages.page(
            request,
            "rollout.html",
            visitor=visitor,
            live=as_of is None and not view.ended,
            as_of=as_of,
            newest=pulse.entries - 1,
            view=view,
            proposed=proposed,
            plan=proposed.plan,
            course=course,
            tiles=tiles(view, _rules(proposed), course.looks, until=course.until),
            causes=causes(view),
            incident=next((each for each in await service.incidents() if each.rollout == id_), None),
            halt=next((each for each in reversed(story) if each.kind == "halted"), None)
            if view.phase == "halted"
            else None,
            loosened=_loosened(proposed, view),
            origins={g.metric.origin.value for g in proposed.plan.guardrails},
            slices=declared[:MOST_SLICES],
            unshown=max(0, len(declared) - MOST_SLICES),
            decided={d.version: d for d in decisions},
            happenings=list(reversed(story))[:MOST_HAPPENINGS],
            older=max(0, len(story) - MOST_HAPPENINGS),
            possible=possible(view) if visitor.may_act and as_of is None else (),
        )

    async def guardrail(request: Request) -> Response:
        visitor, as_of = door.visitor(request), entry_of(request)
        id_, metric = RolloutId(request.path_params["rollout"]), request.path_params["metric"]
        view, course = await service.rollout(id_, as_of=as_of), await service.course(id_, as_of=as_of)
        of = next((g for g in view.guardrails if g.metric == metric and g.slice == WHOLE), None)
        if of is None:
            raise NotFound(what=f"guardrail of {id_}", name=metric, next_command=f"glideslope show {id_}")
        proposed = await service.proposal(id_)
        found = tile(view, of, _rules(proposed), course.looks, until=course.until)
        window = request.query_params.get("window", EVERYTHING)
        return pages.page(
            request,
            "guardrail.html",
            visitor=visitor,
            live=as_of is None and not view.ended,
            as_of=as_of,
            newest=(await service.pulse()).entries - 1,
            view=view,
            tile=found,
            loosened=_loosened(proposed, view),
            looks=windowed(found.looks, window),
            until=course.until,
            slices=[each for each in worst_first(view.guardrails) if each.metric == metric][:MOST_SLICES],
            windows=[
                (name, name == window)
                for name in (EVERYTHING, *LAST, *dict.fromkeys(look.step for look in found.looks))
            ],
            worth=worth,
        )

    async def slices(request: Request) -> Response:
        visitor, number = door.visitor(request), page_number(request)
        id_ = RolloutId(request.path_params["rollout"])
        view, found = await service.rollout(id_), await service.slices(id_)
        return pages.page(
            request,
            "slices.html",
            visitor=visitor,
            view=view,
            found=found,
            declared=found.declared[(number - 1) * SLICES : number * SLICES],
            declared_in_plan=len((await service.proposal(id_)).plan.slices),
            number=number,
            last=max(1, -(-len(found.declared) // SLICES)),
            worth=worth,
        )

    async def decision(request: Request) -> Response:
        visitor = door.visitor(request)
        id_, version = RolloutId(request.path_params["rollout"]), int(request.path_params["version"])
        found = next((each for each in await service.decisions(id_) if each.version == version), None)
        if found is None:
            raise NotFound(what=f"decision of {id_}", name=str(version), next_command=f"glideslope show {id_}")
        again = await service.replay(id_, version)
        return pages.page(
            request,
            "decision.html",
            visitor=visitor,
            view=await service.rollout(id_),
            d=found,
            again=again,
            recorded=laid_out(again.recorded),
            recomputed=laid_out(again.recomputed),
        )

    def acted(name: str) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        async def act(request: Request) -> Response:
            id_ = RolloutId(request.path_params["rollout"])
            visitor, fields = await door.form(request, act=f"{name} a rollout")
            await acts[name](id_, visitor, fields, key_of(fields))
            target = dict.fromkeys(("approve", "withdraw", "reply"), "/approvals").get(name, f"/rollouts/{id_}")
            if name == "approve" and fields.get("answer") == "deny":
                target = f"/rollouts/{id_}"  # the card is gone; here it is said what came of it
            if fields.get("back") == "review":
                target = f"/review/{id_}"
            return RedirectResponse(target, status_code=HTTPStatus.SEE_OTHER)

        return act

    return [
        Route("/rollouts/{rollout}", show, methods=["GET"]),
        Route("/rollouts/{rollout}/guardrails/{metric}", guardrail, methods=["GET"]),
        Route("/rollouts/{rollout}/slices", slices, methods=["GET"]),
        Route("/rollouts/{rollout}/decisions/{version:int}", decision, methods=["GET"]),
        *(Route(f"/rollouts/{{rollout}}/{name}", acted(name), methods=["POST"]) for name in acts),
    ]


def windowed(looks: Sequence[LookView], window: str) -> Sequence[LookView]:
    """Return the looks of a window: the last so many, those of one step, or all."""
    if window in LAST:
        return looks[-LAST[window] :]
    return [look for look in looks if look.step == window] if window != EVERYTHING else looks


def _rules(proposed: ProposalView) -> Mapping[str, Guardrail]:
    return {g.metric.name: g for g in proposed.plan.guardrails}


def _loosened(proposed: ProposalView, view: RolloutView) -> float | None:
    """Return how many times as wide the present step's margins are as the plan's; None where they are the plan's."""
    return next((s.loosen for s in proposed.plan.steps if s.name == view.step and s.loosen != 1), None)


def causes(view: RolloutView) -> list[tuple[Finding, GuardrailView | None]]:
    """Return what carried a decision against the candidate, each with what its guardrail shows."""
    if view.last is None or view.last.decision in ("advance", "promote"):
        return []
    shown = {(g.metric, g.slice): g for g in view.guardrails}
    bad = [f for f in view.last.findings if f.verdict in (Verdict.FAIL, Verdict.INVALID)]
    return [(f, shown.get((f.subject, f.slice))) for f in sorted(bad, key=lambda f: f.line - f.wealth)[:MOST_CAUSES]]


def possible(view: RolloutView) -> tuple[str, ...]:
    """Return the acts that a rollout's phase allows; the engine decides again."""
    match Phase(view.phase):
        case Phase.RUNNING | Phase.LAPSED:
            return ("halt", "rollback")
        case Phase.HALTED:
            return ("resume", "rollback")
        case Phase.PROPOSED:
            return ("rollback",)
        case Phase.ROLLING_BACK | Phase.ROLLED_BACK | Phase.PROMOTING | Phase.PROMOTED:
            return ()


def entry_of(request: Request) -> int | None:
    """Return as of which ledger entry a page is asked for. Raises RequestInvalid."""
    text = request.query_params.get("as_of")
    if text is None:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) <= 15):
        raise RequestInvalid("as_of is the number of a ledger entry")
    return int(text)


def _acts(door: PageDoor) -> Mapping[str, Act]:
    service = door.service

    async def halt(id_: RolloutId, by: Visitor, fields: Mapping[str, str], key: str) -> RolloutView:
        return await service.halt(Halt(rollout=id_, by=by.actor, why=fields.get("why", "")), key=key)

    async def resume(id_: RolloutId, by: Visitor, fields: Mapping[str, str], key: str) -> RolloutView:
        return await service.resume(Resume(rollout=id_, by=by.actor, why=fields.get("why", "")), key=key)

    async def roll_back(id_: RolloutId, by: Visitor, fields: Mapping[str, str], key: str) -> RolloutView:
        return await service.roll_back(OrderRollback(rollout=id_, by=by.actor, why=fields.get("why", "")), key=key)

    async def withdraw(id_: RolloutId, by: Visitor, fields: Mapping[str, str], key: str) -> RolloutView:
        return await service.withdraw(Withdraw(rollout=id_, by=by.actor, why=fields.get("why", "")), key=key)

    async def approve(id_: RolloutId, by: Visitor, fields: Mapping[str, str], key: str) -> RolloutView:
        said = fields.get("answer", "")
        if said == "ask":
            return await service.ask_more(AskMore(rollout=id_, by=by.actor, why=fields.get("why", "")), key=key)
        if said not in ("grant", "deny"):
            raise RequestInvalid("an approval is granted or denied, or more is asked for")
        command = Approve(
            rollout=id_,
            plan_digest=digest(fields.get("plan_digest", "")),
            granted=said == "grant",
            by=by.actor,
            why=fields.get("why", ""),
            proved=by.proved,
            seen=_seen(fields),
        )
        return await service.approve(command, key=key)

    async def reply(id_: RolloutId, by: Visitor, fields: Mapping[str, str], key: str) -> RolloutView:
        question = _number(fields.get("question", ""), what="a reply names the entry that asked")
        command = Reply(rollout=id_, question=question, by=by.actor, why=fields.get("why", ""))
        return await service.reply(command, key=key)

    async def judge(id_: RolloutId, by: Visitor, fields: Mapping[str, str], key: str) -> RolloutView:
        about = tuple(each for each in fields.get("about", "").split("\n") if each)
        return await service.judge(Judge(rollout=id_, about=about, by=by.actor, why=fields.get("why", "")), key=key)

    return {
        "halt": halt,
        "resume": resume,
        "rollback": roll_back,
        "withdraw": withdraw,
        "approve": approve,
        "reply": reply,
        "judge": judge,
    }


def _seen(fields: Mapping[str, str]) -> Seen | None:
    """Return as what a card was shown. Raises RequestInvalid."""
    if not fields.get("seen"):
        return None
    version = _number(fields["seen"], what="an answer says as of which entry it was seen")
    return Seen(version=version, change=digest(fields["change"]) if fields.get("change") else None)


def _number(text: str, *, what: str) -> int:
    if not (text.isascii() and text.isdecimal() and 0 < len(text) <= 15):
        raise RequestInvalid(what)
    return int(text)
