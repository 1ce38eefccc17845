"""Puts the routes together into one application over a service."""

import asyncio
from collections.abc import Callable

from fastapi import FastAPI

from glideslope import __version__
from glideslope.engine.service import Service
from glideslope.engine.telemetry.families import Telling
from glideslope.interfaces.api import (
    artifacts,
    channels,
    commands,
    evidence,
    governing,
    inbox,
    incidents,
    openapi,
    people,
    problems,
    queries,
    questions,
    reports,
    streams,
    telemetry,
    upkeep,
)
from glideslope.interfaces.api.conditional import Conditional
from glideslope.interfaces.api.door import Door


def create_app(
    service: Service,
    *,
    new_key: Callable[[], str],
    stopping: asyncio.Event | None = None,
    more: Callable[[], Telling] = tuple,
) -> FastAPI:
    """Return the HTTP API over *service*.

    `new_key` makes the idempotency key of a command that came without one. Setting `stopping` ends all event
    streams and answers all questions that are held back: set it when the server is asked to shut down, since it waits for open answers.
    `more` is what the server around the engine tells of itself to machines that watch.
    """
    app = FastAPI(
        title="Glideslope",
        version=__version__,
        description="Governed updates of machine-learning models. Every refusal is a problem document (RFC 9457) with a stable code.",
        openapi_url="/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
    )
    door = Door(service=service, new_key=new_key)
    stopping = stopping or asyncio.Event()
    for router in (
        queries.itself(door),
        queries.fleet(door),
        queries.rollouts(door),
        commands.planning(door),
        commands.acting(door),
        governing.governing(door),
        inbox.inbox(door),
        questions.questions(door),
        incidents.incidents(door),
        upkeep.upkeep(door),
        artifacts.artifacts(door),
        channels.channels(door),
        streams.streams(door, stopping=stopping),
        evidence.evidence(door),
        people.people(door),
        reports.reports(door, stopping=stopping),
        telemetry.telemetry(door, more=more),
    ):
        app.include_router(router)
    app.add_middleware(Conditional)
    problems.install(app)
    openapi.install(app)
    return app
