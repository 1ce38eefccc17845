"""One version: how it was made and what became of it, its card, its evidence to take along; and two versions compared."""

import json
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from glideslope.domain.errors import NotFound
from glideslope.domain.ids import WHOLE, ModelName, RolloutId, model_name, version_name
from glideslope.engine.service import Service
from glideslope.engine.version_record import AttemptView, VersionRecordView
from glideslope.engine.views import RolloutView
from glideslope.interfaces.api.problems import RequestInvalid
from glideslope.interfaces.dashboard import lineage
from glideslope.interfaces.dashboard.comparing import figures, meetings, topics
from glideslope.interfaces.dashboard.door import PageDoor
from glideslope.interfaces.dashboard.rendering import Pages
from glideslope.interfaces.document.bom import bom
from glideslope.interfaces.document.hub import front_matter
from glideslope.interfaces.document.paper import markdown
from glideslope.interfaces.document.papers import card

MOST_ATTEMPTS: Final = 20
MARKDOWN, JSON, ZIP = "text/markdown; charset=utf-8", "application/json", "application/zip"


def routes(door: PageDoor, pages: Pages) -> list[Route]:
    """Return the routes of versions."""
    service = door.service

    async def show(request: Request) -> Response:
        visitor, known = door.visitor(request), await _known(service, request)
        incidents = {each.rollout: each for each in await service.incidents()}
        drawn = lineage.lineage(known, incidents)
        return pages.page(
            request,
            "version.html",
            visitor=visitor,
            known=known,
            versions=[each.version for each in (await service.model(ModelName(known.model))).versions],
            attempts=[(each, await _view(service, each)) for each in reversed(known.attempts[-MOST_ATTEMPTS:])],
            card=card(known),
            drawing=lineage.drawn(drawn),
            lineage=list(lineage.told(drawn)),
        )

    async def compare(request: Request) -> Response:
        visitor = door.visitor(request)
        model = model_name(request.path_params["model"])
        view = await service.model(model)
        known = [each.version for each in view.versions]
        first = request.query_params.get("a") or view.incumbent or known[0]
        second = request.query_params.get("b") or next((name for name in reversed(known) if name != first), first)
        a, b = [await service.version(model, version_name(name)) for name in (first, second)]
        met = [(each, await _view(service, each)) for each in meetings(a, b)]
        return pages.page(
            request,
            "compare.html",
            visitor=visitor,
            model=model,
            versions=known,
            a=a,
            b=b,
            topics=topics(a, b),
            figures=figures(a, b),
            # (An evaluation is of a candidate against what served when it was registered.)
            evaluations=b.evaluations,
            met=[(each, view, [g for g in view.guardrails if g.slice == WHOLE]) for each, view in met],
        )

    async def card_file(request: Request) -> Response:
        door.visitor(request)
        known = await _known(service, request)
        return _file(front_matter(known) + markdown(card(known)), f"{known.model}-{known.version}.card.md", MARKDOWN)

    async def bom_file(request: Request) -> Response:
        door.visitor(request)
        known = await _known(service, request)
        if known.facts is None:
            raise NotFound(
                what="facts about", name=f"{known.model} {known.version}", next_command="glideslope facts record"
            )
        text = json.dumps(bom(known.facts), indent=2, ensure_ascii=False)
        return _file(f"{text}\n", f"{known.model}-{known.version}.bom.json", JSON)

    async def pack_file(request: Request) -> Response:
        door.visitor(request)
        id_ = RolloutId(request.path_params["rollout"])
        return _file(await service.pack(id_), f"{id_}.pack.zip", ZIP)

    return [
        Route("/models/{model}/compare", compare, methods=["GET"]),
        Route("/models/{model}/versions/{version}", show, methods=["GET"]),
        Route("/models/{model}/versions/{version}/card.md", card_file, methods=["GET"]),
        Route("/models/{model}/versions/{version}/bom.json", bom_file, methods=["GET"]),
        Route("/rollouts/{rollout}/pack.zip", pack_file, methods=["GET"]),
    ]


async def _known(service: Service, request: Request) -> VersionRecordView:
    model, version = model_name(request.path_params["model"]), request.path_params["version"]
    return await service.version(model, version_name(version))


async def _view(service: Service, attempt: AttemptView) -> RolloutView:
    return await service.rollout(RolloutId(attempt.rollout))


def _file(content: str | bytes, name: str, kind: str) -> Response:
    if not (name.isascii() and name.isprintable() and '"' not in name and "\\" not in name):
        raise RequestInvalid("its name cannot be that of a file")
    return Response(content, media_type=kind, headers={"Content-Disposition": f'attachment; filename="{name}"'})
