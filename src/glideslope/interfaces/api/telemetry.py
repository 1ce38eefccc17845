"""The route that machines which watch scrape. A reader's token suffices, and is needed: what serves whom is nobody else's business."""

import asyncio
import os
import resource
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import Response

from glideslope.engine.telemetry import names
from glideslope.engine.telemetry.families import Definition, Family, Telling
from glideslope.interfaces.api.door import LOOKING, Door
from glideslope.interfaces.api.exposition import TEXT, wanted, write
from glideslope.interfaces.api.openapi import described

METRICS: Final = "/metrics"
"""Where every scraper looks unless it is told otherwise, which is why it is not under /v1."""


def telemetry(door: Door, *, more: Callable[[], Telling]) -> APIRouter:
    """Return the route. `more` is what the server around the engine tells of itself."""
    router = APIRouter(tags=["telemetry"])

    @router.get(
        METRICS,
        summary="Tell machines that watch: Prometheus text, or OpenMetrics where that is asked for",
        **described(answer=TEXT.partition(";")[0]),
    )
    async def metrics(request: Request) -> Response:
        door.caller(request, LOOKING, act="look")
        media = wanted(request.headers.get("accept", ""))
        order = {definition: place for place, definition in enumerate(names.DEFINITIONS)}
        found: dict[Definition, Family] = {family.definition: family for family in await door.service.telemetry()}
        found |= {family.definition: family for family in (*more(), *process()) if family.samples}
        telling = sorted(found.values(), key=lambda family: order[family.definition])
        # Ten thousand series are twenty milliseconds of writing, in which leases are renewed.
        written = await asyncio.to_thread(write, telling, media=media)
        return Response(written, headers={"Content-Type": media, "Vary": "Accept"})

    return router


def process() -> Iterator[Family]:
    """Yield what every process tells, under the names that all client libraries use. What the system does not say is left out."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    figures: list[tuple[Definition, float | None]] = [(names.CPU_SECONDS, used.ru_utime + used.ru_stime)]
    try:
        statistics = Path("/proc/self/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        page, tick = os.sysconf("SC_PAGE_SIZE"), os.sysconf("SC_CLK_TCK")
        booted = next(
            int(line.split()[1])
            for line in Path("/proc/stat").read_text(encoding="ascii").splitlines()
            if line.startswith("btime ")
        )
        figures += [
            (names.RESIDENT, int(statistics[21]) * page),
            (names.OPEN_FILES, sum(1 for _ in Path("/proc/self/fd").iterdir())),
            (names.STARTED_AT, booted + int(statistics[19]) / tick),
        ]
    except (OSError, StopIteration, ValueError, IndexError):
        pass
    for definition, value in figures:
        family = Family(definition)
        family.add(value)
        yield family
