"""The queries: what there is, what was decided and why."""

from http import HTTPStatus
from typing import Annotated

import msgspec
from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response

from glideslope.domain.contract import Contract
from glideslope.domain.errors import Unavailable
from glideslope.domain.identity import Role
from glideslope.domain.ids import WHOLE, RolloutId, SliceName, model_name
from glideslope.engine.announcing import AnnouncementView
from glideslope.engine.baselines import UsualView
from glideslope.engine.courses import CourseView, ProposalView, ServedView
from glideslope.engine.live import LiveView
from glideslope.engine.record import rollout_number
from glideslope.engine.views import (
    CallerView,
    CheckView,
    DecisionView,
    DisagreementView,
    FeaturesView,
    FleetView,
    HappeningView,
    Health,
    LedgerKey,
    ModelView,
    Ready,
    RecomputationView,
    ReplayView,
    RolloutView,
    SignalsView,
    SlicesView,
)
from glideslope.interfaces.api.conditional import tag_of
from glideslope.interfaces.api.door import LOOKING, REPORTING, Door, answer
from glideslope.interfaces.api.openapi import described
from glideslope.interfaces.api.paging import MOST, USUAL, Page, link_to, newest_first, page
from glideslope.interfaces.api.problems import RequestInvalid

AsOf = Annotated[int | None, Query(ge=0, le=2**53, description="As it stood right after this entry of the ledger.")]


class NotReady(Unavailable):
    """Says no more than that: whoever asks shows no token."""

    code = "not-ready"

    def __init__(self) -> None:
        super().__init__("This server does not govern now.", next_command="glideslope doctor")


def itself(door: Door) -> APIRouter:
    """Return the routes about the server itself, and about who calls it."""
    router = APIRouter(tags=["fleet"])
    service = door.service

    @router.get("/v1/healthz", summary="Tell that the server answers", **described(answer=Health, public=True))
    async def healthz() -> Response:
        return answer(Health())

    @router.get(
        "/v1/readyz",
        summary="Tell that the server governs",
        **described(answer=Ready, public=True, refusals=(HTTPStatus.SERVICE_UNAVAILABLE,)),
    )
    async def readyz() -> Response:
        if not await service.ready():
            raise NotReady
        return answer(Ready())

    @router.get("/v1/me", summary="Tell who calls, and in which role", **described(answer=CallerView))
    async def me(request: Request) -> Response:
        by = door.caller(request, frozenset(Role), act="look")
        return answer(CallerView(actor=by.actor, role=by.role.value))

    @router.get("/v1/doctor", summary="Look for what is wrong", **described(answer=tuple[CheckView, ...]))
    async def doctor(request: Request) -> Response:
        door.caller(request, LOOKING, act="look")
        return answer(await service.doctor())

    @router.get("/v1/ledger/key", summary="Show the key that an auditor writes down", **described(answer=LedgerKey))
    async def key(request: Request) -> Response:
        door.caller(request, LOOKING, act="look")
        return answer(LedgerKey(vkey=await service.verifier()))

    return router


def fleet(door: Door) -> APIRouter:
    """Return the routes that show everything at a glance, and models."""
    router = APIRouter(tags=["fleet"])
    service = door.service

    @router.get("/v1/fleet", summary="Show all models and rollouts", **described(answer=FleetView))
    async def all_of_it(
        request: Request,
        ended: Annotated[
            int, Query(ge=0, le=MOST, description="How many of the rollouts that have ended, the newest.")
        ] = USUAL,
    ) -> Response:
        door.caller(request, LOOKING, act="look")
        view = await service.fleet(ended=ended)
        # Weak, since it says what time it is, and nothing else may have changed.
        timeless = tag_of(msgspec.json.encode(msgspec.structs.replace(view, time="")), view=None)
        return answer(view, tag=f"W/{timeless}")

    @router.get("/v1/models/{model}", summary="Show a model and its versions", **described(answer=ModelView))
    async def one_model(request: Request, model: str, as_of: AsOf = None) -> Response:
        door.caller(request, LOOKING, act="look")
        return answer(await service.model(model_name(model), as_of=as_of))

    @router.get(
        "/v1/models/{model}/live",
        summary="Show the last ten minutes of both arms, by slice and against what is usual; advisory",
        **described(answer=LiveView),
    )
    async def live(request: Request, model: str) -> Response:
        door.caller(request, LOOKING, act="look")
        return answer(await service.live(model_name(model)))

    @router.get(
        "/v1/models/{model}/usual",
        summary="Show the last day against the same hours of earlier weeks; advisory",
        **described(answer=tuple[UsualView, ...]),
    )
    async def usual(request: Request, model: str) -> Response:
        door.caller(request, LOOKING, act="look")
        return answer(await service.usual(model_name(model)))

    @router.get(
        "/v1/models/{model}/served",
        summary="Show what served a model and by which decision, newest first",
        **described(answer=tuple[ServedView, ...], paged=True),
    )
    async def served(request: Request, model: str, asked: Page) -> Response:
        door.caller(request, LOOKING, act="look")
        return newest_first(request, asked, await service.served(model_name(model)))

    @router.get("/v1/models/{model}/contract", summary="Show a model's data contract", **described(answer=Contract))
    async def contract(request: Request, model: str) -> Response:
        door.caller(request, LOOKING | REPORTING, act="look")
        return answer(await service.contract(model_name(model)))

    @router.get(
        "/v1/models/{model}/features",
        summary="Hold a model's live input against its data contract; advisory",
        **described(answer=FeaturesView),
    )
    async def features(request: Request, model: str) -> Response:
        door.caller(request, LOOKING, act="look")
        return answer(await service.drift(model_name(model)))

    @router.get(
        "/v1/models/{model}/signals",
        summary="Show what was not as usual outside the criteria; advisory",
        **described(answer=SignalsView),
    )
    async def signals(request: Request, model: str) -> Response:
        door.caller(request, LOOKING, act="look")
        return answer(await service.flags(model_name(model)))

    return router


def rollouts(door: Door) -> APIRouter:
    """Return the routes that show rollouts."""
    router = APIRouter(tags=["rollouts"])
    service = door.service

    @router.get(
        "/v1/rollouts",
        summary="List rollouts, newest first",
        **described(answer=tuple[RolloutView, ...], paged=True),
    )
    async def listed(
        request: Request,
        asked: Page,
        model: Annotated[str, Query(max_length=200, description="Those of this model alone.")] = "",
    ) -> Response:
        door.caller(request, LOOKING, act="look")
        after = asked.after()
        if after is not None and (len(after) != 1 or not isinstance(after[0], int)):
            raise RequestInvalid("the cursor is one of another list")
        below = None if after is None else int(after[0])
        name = model_name(model) if model else None
        found = await service.listed(model=name, below=below, limit=asked.limit + 1)
        kept = found[: asked.limit]
        place = (rollout_number(RolloutId(kept[-1].id)),) if len(found) > len(kept) else ()
        return answer(kept, headers={"Link": link_to(request, place, limit=asked.limit)} if place else {})

    @router.get("/v1/rollouts/{rollout}", summary="Show a rollout", **described(answer=RolloutView))
    async def one(request: Request, rollout: str, as_of: AsOf = None) -> Response:
        door.caller(request, LOOKING, act="look")
        return answer(await service.rollout(RolloutId(rollout), as_of=as_of))

    @router.get(
        "/v1/rollouts/{rollout}/plan",
        summary="Show what was proposed: its plan as it was frozen",
        **described(answer=ProposalView),
    )
    async def plan(request: Request, rollout: str) -> Response:
        door.caller(request, LOOKING, act="look")
        return answer(await service.proposal(RolloutId(rollout)))

    @router.get(
        "/v1/rollouts/{rollout}/announcement",
        summary="Show what is said of a change to the people affected",
        **described(answer=AnnouncementView),
    )
    async def announcement(request: Request, rollout: str, as_of: AsOf = None) -> Response:
        door.caller(request, LOOKING, act="look")
        return answer(await service.announcement(RolloutId(rollout), as_of=as_of))

    @router.get(
        "/v1/rollouts/{rollout}/course",
        summary="Show whom it exposed when, and what its guardrails showed at each decision",
        **described(answer=CourseView),
    )
    async def course(request: Request, rollout: str, as_of: AsOf = None) -> Response:
        door.caller(request, LOOKING, act="look")
        return answer(await service.course(RolloutId(rollout), as_of=as_of))

    @router.get(
        "/v1/rollouts/{rollout}/decisions",
        summary="List its decisions, oldest first",
        **described(answer=tuple[DecisionView, ...], paged=True),
    )
    async def decisions(request: Request, rollout: str, asked: Page, as_of: AsOf = None) -> Response:
        door.caller(request, LOOKING, act="look")
        found = await service.decisions(RolloutId(rollout), as_of=as_of)
        return page(request, asked, found, place=lambda each: (each.version,))

    @router.get(
        "/v1/rollouts/{rollout}/story",
        summary="Tell what happened, entry by entry",
        **described(answer=tuple[HappeningView, ...], paged=True),
    )
    async def story(
        request: Request,
        rollout: str,
        asked: Page,
        after: Annotated[int, Query(ge=0, le=2**53)] = 0,
        as_of: AsOf = None,
    ) -> Response:
        door.caller(request, LOOKING, act="look")
        found = await service.story(RolloutId(rollout), after=after, as_of=as_of)
        return page(request, asked, found, place=lambda each: (each.version,))

    @router.get(
        "/v1/rollouts/{rollout}/slices",
        summary="Show the parts of its data, worst first, and what a search of others found",
        **described(answer=SlicesView),
    )
    async def slices(request: Request, rollout: str) -> Response:
        door.caller(request, LOOKING, act="look")
        return answer(await service.slices(RolloutId(rollout)))

    @router.get(
        "/v1/rollouts/{rollout}/disagreements",
        summary="Show the requests that the arms answered most differently in the shadow",
        **described(answer=tuple[DisagreementView, ...]),
    )
    async def disagreements(
        request: Request, rollout: str, slice_: Annotated[str, Query(alias="slice", max_length=300)] = WHOLE
    ) -> Response:
        door.caller(request, LOOKING, act="look")
        return answer(await service.disagreements(RolloutId(rollout), slice_=SliceName(slice_)))

    @router.get(
        "/v1/rollouts/{rollout}/recomputation",
        summary="Count it again from the prediction log",
        **described(answer=RecomputationView, refusals=(HTTPStatus.CONFLICT,)),
    )
    async def recomputation(request: Request, rollout: str) -> Response:
        door.caller(request, LOOKING, act="look")
        return answer(await service.recomputation(RolloutId(rollout)))

    @router.get(
        "/v1/rollouts/{rollout}/decisions/{version}/replay",
        summary="Make a decision again from the record",
        **described(answer=ReplayView),
    )
    async def replay(request: Request, rollout: str, version: Annotated[int, Path(ge=1, le=2**53)]) -> Response:
        door.caller(request, LOOKING, act="look")
        return answer(await service.replay(RolloutId(rollout), version))

    return router
