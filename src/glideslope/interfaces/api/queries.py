"""The queries: what there is, what was decided and why."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response

from glideslope.domain.contract import Contract
from glideslope.domain.errors import Unavailable
from glideslope.domain.ids import WHOLE, RolloutId, SliceName, model_name
from glideslope.engine.announcing import AnnouncementView
from glideslope.engine.baselines import UsualView
from glideslope.engine.courses import CourseView, ProposalView, ServedView
from glideslope.engine.live import LiveView
from glideslope.engine.views import (
    CheckView,
    DecisionView,
    DisagreementView,
    FeaturesView,
    FleetView,
    HappeningView,
    ModelView,
    RecomputationView,
    ReplayView,
    RolloutView,
    SignalsView,
    SlicesView,
)
from glideslope.interfaces.api.bodies import Health, LedgerKey, Ready
from glideslope.interfaces.api.door import LOOKING, REPORTING, Door, answer
from glideslope.interfaces.api.openapi import described

AsOf = Annotated[int | None, Query(ge=0, le=2**53, description="As it stood right after this entry of the ledger.")]


class NotReady(Unavailable):
    """Says no more than that: whoever asks shows no token."""

    code = "not-ready"

    def __init__(self) -> None:
        super().__init__("This server does not govern now.", next_command="glideslope doctor")


def fleet(door: Door) -> APIRouter:
    """Return the routes that show everything at a glance, and the server itself."""
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

    @router.get("/v1/fleet", summary="Show all models and rollouts", **described(answer=FleetView))
    async def all_of_it(request: Request) -> Response:
        door.caller(request, LOOKING, act="look")
        return answer(await service.fleet())

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
        **described(answer=tuple[ServedView, ...]),
    )
    async def served(request: Request, model: str) -> Response:
        door.caller(request, LOOKING, act="look")
        return answer(await service.served(model_name(model)))

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

    @router.get("/v1/doctor", summary="Look for what is wrong", **described(answer=tuple[CheckView, ...]))
    async def doctor(request: Request) -> Response:
        door.caller(request, LOOKING, act="look")
        return answer(await service.doctor())

    @router.get("/v1/ledger/key", summary="Show the key that an auditor writes down", **described(answer=LedgerKey))
    async def key(request: Request) -> Response:
        door.caller(request, LOOKING, act="look")
        return answer(LedgerKey(vkey=await service.verifier()))

    return router


def rollouts(door: Door) -> APIRouter:
    """Return the routes that show rollouts."""
    router = APIRouter(tags=["rollouts"])
    service = door.service

    @router.get("/v1/rollouts", summary="List rollouts, newest first", **described(answer=tuple[RolloutView, ...]))
    async def listed(request: Request) -> Response:
        door.caller(request, LOOKING, act="look")
        return answer((await service.fleet()).rollouts)

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
        "/v1/rollouts/{rollout}/decisions", summary="List its decisions", **described(answer=tuple[DecisionView, ...])
    )
    async def decisions(request: Request, rollout: str, as_of: AsOf = None) -> Response:
        door.caller(request, LOOKING, act="look")
        return answer(await service.decisions(RolloutId(rollout), as_of=as_of))

    @router.get(
        "/v1/rollouts/{rollout}/story",
        summary="Tell what happened, entry by entry",
        **described(answer=tuple[HappeningView, ...]),
    )
    async def story(
        request: Request, rollout: str, after: Annotated[int, Query(ge=0, le=2**53)] = 0, as_of: AsOf = None
    ) -> Response:
        door.caller(request, LOOKING, act="look")
        return answer(await service.story(RolloutId(rollout), after=after, as_of=as_of))

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
