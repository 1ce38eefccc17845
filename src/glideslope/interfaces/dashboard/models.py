"""Models: what serves, what served before and by which decision, its versions and how far each came, and what is not as usual."""

import asyncio

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from glideslope.domain.ids import VersionName, model_name
from glideslope.interfaces.dashboard.door import PageDoor
from glideslope.interfaces.dashboard.fleet import ROWS, page_number
from glideslope.interfaces.dashboard.rendering import Pages
from glideslope.interfaces.dashboard.rollouts import entry_of

SIGNALS = {
    "requests_per_second": "requests a second",
    "error_rate": "errors",
    "latency_p50": "median latency, ms",
    "latency_p95": "95 % within, ms",
    "latency_p99": "99 % within, ms",
    "rescued": "rescued by the incumbent",
}
"""What is known of an arm over the last minute, in the order in which it is read; whatever else is known follows by its own name."""


def routes(door: PageDoor, pages: Pages) -> list[Route]:
    """Return the routes of models."""
    service = door.service

    async def listed(request: Request) -> Response:
        visitor, number = door.visitor(request), page_number(request)
        models = (await service.fleet()).models
        return pages.page(
            request,
            "models.html",
            visitor=visitor,
            live=True,
            models=models[(number - 1) * ROWS : number * ROWS],
            number=number,
            last=max(1, -(-len(models) // ROWS)),
        )

    async def show(request: Request) -> Response:
        visitor, as_of = door.visitor(request), entry_of(request)
        name = model_name(request.path_params["model"])
        model, served, flags, usual, fleet, pulse = await asyncio.gather(
            service.model(name, as_of=as_of),
            service.served(name),
            service.flags(name),
            service.usual(name),
            service.fleet(),
            service.pulse(),
        )
        number, newest_first = page_number(request), model.versions[::-1]
        shown = newest_first[(number - 1) * ROWS : number * ROWS]
        records = [await service.version(name, VersionName(each.version)) for each in shown]
        changes = [each for each in fleet.rollouts if each.model == name]
        known = {key for signals in model.signals.values() for key in signals}
        return pages.page(
            request,
            "model.html",
            visitor=visitor,
            live=as_of is None,
            as_of=as_of,
            newest=pulse.entries - 1,
            model=model,
            served=[each for each in served if as_of is None or each.entry <= as_of],
            flags=flags,
            usual=[each for each in usual if any(hour.seen is not None for hour in each.hours)],
            rollouts=changes,
            versions=[
                (each, record, [view for view in changes if view.candidate == each.version])
                for each, record in zip(shown, records, strict=True)
            ],
            number=number,
            last_page=max(1, -(-len(newest_first) // ROWS)),
            signals=[key for key in SIGNALS if key in known] + sorted(known - SIGNALS.keys()),
            names=SIGNALS,
        )

    return [Route("/models", listed, methods=["GET"]), Route("/models/{model}", show, methods=["GET"])]
