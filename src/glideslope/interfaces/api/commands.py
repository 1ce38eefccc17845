"""The commands: each body becomes one imperative of `domain.commands`, in the name of whoever holds the token."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus

from fastapi import APIRouter, Request
from fastapi.responses import Response

from glideslope.domain.commands import (
    AgreeContract,
    Approve,
    Halt,
    OrderRollback,
    Propose,
    Register,
    Resume,
    Retry,
    Seen,
)
from glideslope.domain.contract import Contract
from glideslope.domain.errors import Invalid, PlanInvalid
from glideslope.domain.identity import Act, Identity
from glideslope.domain.ids import Actor, ModelName, RolloutId, digest, model_name, version_name
from glideslope.engine.service import Service
from glideslope.engine.views import BasisView, ModelView, PlanView, RolloutView
from glideslope.interfaces.api.bodies import (
    ApprovalBody,
    ContractBody,
    DocumentBody,
    PlanBody,
    ProposalBody,
    ReasonBody,
    RetryBody,
    VersionBody,
)
from glideslope.interfaces.api.conditional import seen
from glideslope.interfaces.api.door import ACTING, LOOKING, SHOWN, Door, answer, body
from glideslope.interfaces.api.openapi import described
from glideslope.interfaces.document import agreements, contracts, reading, showing
from glideslope.interfaces.document.reading import Document

YAML = "application/yaml"
LARGEST_CONTRACT = 2 * contracts.LARGEST
"""Bytes of a body."""


def planning(door: Door) -> APIRouter:
    """Return the routes from a written plan to a rollout."""
    router = APIRouter(tags=["plans"])
    service = door.service

    @router.post(
        "/v1/plan",
        summary="Resolve and forecast a plan; changes nothing",
        **described(body=PlanBody, answer=PlanView, refusals=(HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT)),
    )
    async def plan(request: Request) -> Response:
        by = door.caller(request, LOOKING, act="plan").actor
        written = await body(request, PlanBody)
        document = await _read(written)
        envelope = None
        if written.envelope:
            envelope = await asyncio.to_thread(agreements.envelope, written.envelope, file=written.envelope_file)
        with _located(document):
            return answer(await service.plan(document.draft, by=by, envelope=envelope))

    @router.post(
        "/v1/plan/basis",
        summary="Tell all that a forecast of a plan rests on; changes nothing",
        **described(body=DocumentBody, answer=BasisView, refusals=(HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT)),
    )
    async def basis(request: Request) -> Response:
        door.caller(request, LOOKING, act="plan")
        document = await _read(await body(request, DocumentBody))
        with _located(document):
            return answer(await service.basis(document.draft))

    @router.post(
        "/v1/plan/defaults", summary="Write a plan out with every default", **described(body=DocumentBody, answer=YAML)
    )
    async def defaults(request: Request) -> Response:
        door.caller(request, LOOKING, act="plan")
        document = await _read(await body(request, DocumentBody))
        return Response(showing.show(document.draft), media_type=YAML)

    @router.post(
        "/v1/rollouts",
        summary="Propose a rollout",
        **described(body=ProposalBody, answer=RolloutView, status=201, keyed=True),
    )
    async def propose(request: Request) -> Response:
        caller = door.caller(request, ACTING, act="propose a rollout", kind=Act.PROPOSE)
        by = caller.actor
        written = await body(request, ProposalBody)
        seen = None if written.plan_digest is None else digest(written.plan_digest)
        document = await _read(written)
        caller.require(document.draft.model)
        with _located(document):
            view = await service.propose(Propose(draft=document.draft, by=by, plan_digest=seen), key=door.key(request))
        return answer(view, status=201, headers={"Location": f"/v1/rollouts/{view.id}"})

    @router.post(
        "/v1/rollouts/{rollout}/retry",
        summary="Try a rolled-back change again",
        **described(body=RetryBody, answer=RolloutView, status=201, keyed=True),
    )
    async def retry(request: Request, rollout: str) -> Response:
        caller = door.caller(request, ACTING, act="retry a rollout", kind=Act.PROPOSE)
        by = await _about(service, caller, rollout)
        written = await body(request, RetryBody)
        if written.text is None:
            view = await service.retry(Retry(rollout=RolloutId(rollout), by=by, why=written.why), key=door.key(request))
        else:
            document = await _read(DocumentBody(text=written.text, file=written.file))
            caller.require(document.draft.model)
            command = Retry(rollout=RolloutId(rollout), by=by, why=written.why, draft=document.draft)
            with _located(document):
                view = await service.retry(command, key=door.key(request))
        return answer(view, status=201, headers={"Location": f"/v1/rollouts/{view.id}"})

    return router


def acting(door: Door) -> APIRouter:
    """Return the routes by which people register, approve and stop."""
    router = APIRouter(tags=["acts"])
    service = door.service

    @router.post(
        "/v1/models/{model}/versions",
        summary="Register a version",
        **described(body=VersionBody, answer=ModelView, keyed=True),
    )
    async def register(request: Request, model: str) -> Response:
        caller = door.caller(request, ACTING, act="register a version", kind=Act.REGISTER)
        caller.require(model_name(model))
        by = caller.actor
        written = await body(request, VersionBody)
        command = Register(
            model=model_name(model),
            version=version_name(written.version),
            digest=digest(written.digest),
            url=written.url,
            by=by,
            why=written.why,
            evaluations=written.evaluations,
            incumbent=written.incumbent,
        )
        return answer(await service.register(command, key=door.key(request)))

    @router.post(
        "/v1/models/{model}/contract",
        summary="Register a data contract",
        **described(body=ContractBody, answer=Contract, keyed=True),
    )
    async def contract(request: Request, model: str) -> Response:
        caller = door.caller(request, ACTING, act="register a data contract", kind=Act.REGISTER)
        caller.require(model_name(model))
        by = caller.actor
        written = await body(request, ContractBody, limit=LARGEST_CONTRACT)
        document = await asyncio.to_thread(contracts.read, written.text, file=written.file)
        if document.contract.model != model_name(model):
            raise Invalid(f"{written.file} is the contract of {document.contract.model}, not of {model}.")
        command = AgreeContract(contract=document.contract, by=by, why=written.why)
        return answer(await service.agree(command, key=door.key(request)))

    @router.post(
        "/v1/rollouts/{rollout}/approvals",
        summary="Say yes or no to a plan",
        **described(body=ApprovalBody, answer=RolloutView, keyed=True, matched=True),
    )
    async def approve(request: Request, rollout: str) -> Response:
        by = door.caller(request, ACTING, act="approve a rollout").actor
        written = await body(request, ApprovalBody)
        command = Approve(
            rollout=RolloutId(rollout),
            plan_digest=digest(written.plan_digest),
            granted=written.granted,
            by=by,
            why=written.why,
            proved=SHOWN,
            seen=None
            if written.seen is None
            else Seen(version=written.seen, change=digest(written.change) if written.change else None),
            tag=seen(request),
        )
        return answer(await service.approve(command, key=door.key(request)))

    @router.post(
        "/v1/rollouts/{rollout}/halt",
        summary="Withdraw the exposure and freeze",
        **described(body=ReasonBody, answer=RolloutView, keyed=True),
    )
    async def halt(request: Request, rollout: str) -> Response:
        by = await _about(service, door.caller(request, ACTING, act="halt a rollout", kind=Act.STOP), rollout)
        why = (await body(request, ReasonBody)).why
        return answer(await service.halt(Halt(rollout=RolloutId(rollout), by=by, why=why), key=door.key(request)))

    @router.post(
        "/v1/rollouts/{rollout}/resume",
        summary="Let a halted rollout go on",
        **described(body=ReasonBody, answer=RolloutView, keyed=True, matched=True),
    )
    async def resume(request: Request, rollout: str) -> Response:
        by = door.caller(request, ACTING, act="resume a rollout").actor
        why = (await body(request, ReasonBody)).why
        command = Resume(rollout=RolloutId(rollout), by=by, why=why, tag=seen(request))
        return answer(await service.resume(command, key=door.key(request)))

    @router.post(
        "/v1/rollouts/{rollout}/rollback",
        summary="Return all traffic to the incumbent, now and for good",
        **described(body=ReasonBody, answer=RolloutView, keyed=True),
    )
    async def roll_back(request: Request, rollout: str) -> Response:
        by = await _about(service, door.caller(request, ACTING, act="roll back a rollout", kind=Act.STOP), rollout)
        why = (await body(request, ReasonBody)).why
        command = OrderRollback(rollout=RolloutId(rollout), by=by, why=why)
        return answer(await service.roll_back(command, key=door.key(request)))

    return router


async def _about(service: Service, caller: Identity, rollout: str) -> Actor:
    """Return who acts on a rollout. Raises ModelNotAllowed where it is of a model that is not the caller's, NotFound."""
    if caller.models is not None:
        caller.require(ModelName((await service.rollout(RolloutId(rollout))).model))
    return caller.actor


async def _read(written: DocumentBody) -> Document:
    # A long document takes its reader tenths of a second, in which the loop must go on renewing leases.
    return await asyncio.to_thread(reading.read, written.text, file=written.file)


@contextmanager
def _located(document: Document) -> Iterator[None]:
    """Give what the engine refuses about a plan its place in the file."""
    try:
        yield
    except PlanInvalid as error:
        raise document.located(error) from error
