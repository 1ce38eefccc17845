"""A model as it goes right now: both arms over the last ten minutes, against the same hour of earlier weeks, and by slice."""

import asyncio
from dataclasses import dataclass
from itertools import groupby

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from glideslope.domain.errors import NotFound
from glideslope.domain.ids import ModelName, model_name
from glideslope.engine.live import LiveSeries
from glideslope.engine.service import Service
from glideslope.engine.views import FeaturesView
from glideslope.interfaces.dashboard.door import PageDoor
from glideslope.interfaces.dashboard.rendering import Pages
from glideslope.interfaces.dashboard.words import Word

TITLES = {
    "requests": "Requests a second",
    "errors": "Errors",
    "latency p50": "Half of the requests within",
    "latency p95": "95 % of the requests within",
}
USAGE = {
    "cpu_cores": "CPU cores",
    "cpu_ms_per_prediction": "CPU a prediction, ms",
    "memory_bytes": "memory, bytes",
    "gpu_memory_bytes": "GPU memory, bytes",
    "cost_per_thousand": "cost of a thousand predictions",
}
_STANDINGS = {
    "usual": Word("as usual", "good", "check"),
    "above": Word("above every earlier week", "quiet", "eye"),
    "below": Word("below every earlier week", "quiet", "eye"),
    "unknown": Word("not known yet what is usual", "quiet", "dash"),
}


@dataclass(frozen=True, slots=True)
class Tile:
    """A series as it is shown."""

    title: str
    series: LiveSeries
    word: Word


def routes(door: PageDoor, pages: Pages) -> list[Route]:
    """Return the page's route."""
    service = door.service

    async def show(request: Request) -> Response:
        visitor, name = door.visitor(request), model_name(request.path_params["model"])
        live, usual, features = await asyncio.gather(service.live(name), service.usual(name), _features(service, name))
        seen = {arm.arm for each in live.series for arm in each.arms}
        return pages.page(
            request,
            "live.html",
            visitor=visitor,
            live=True,
            view=live,
            tiles=[tile(each) for each in live.series],
            arms=[arm for arm in ("incumbent", "candidate") if arm == "incumbent" or live.rollout or arm in seen],
            metrics=[(metric, list(rows)) for metric, rows in groupby(live.slices, key=lambda each: each.metric)],
            days=[each for each in usual if any(hour.seen is not None for hour in each.hours)],
            usage=[
                (USAGE.get(key, key.replace("_", " ")), key)
                for key in [*USAGE, *sorted({k for found in live.usage.values() for k in found} - USAGE.keys())]
                if any(key in found for found in live.usage.values())
            ],
            drifted=[each.name for each in features.features if each.drifted] if features else [],
            broken=[each.name for each in features.features if each.breaches] if features else [],
            has_contract=features is not None,
        )

    return [Route("/models/{model}/live", show, methods=["GET"])]


def tile(series: LiveSeries) -> Tile:
    """Say how a series stands: what was flagged of it comes before how it lies among earlier weeks."""
    word = Word("not as usual", "bad", "warn") if series.flagged else _STANDINGS[series.standing]
    return Tile(title=TITLES.get(series.name, series.name.replace("_", " ")), series=series, word=word)


async def _features(service: Service, name: ModelName) -> FeaturesView | None:
    try:
        return await service.drift(name)
    except NotFound:
        await service.model(name)  # of a model that there is, it has no data contract
        return None
