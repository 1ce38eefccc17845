"""Answers of the server are counted by route, so that no caller can make up series."""

import asyncio
from itertools import count
from typing import Any

import httpx

from glideslope.engine.telemetry import names
from glideslope.interfaces.api.app import create_app
from glideslope.interfaces.dashboard.site import beside, create_site
from glideslope.interfaces.metering import NO_ROUTE, HttpMeter


def asked(service: Any, *requests: tuple[str, str], accept: str = "") -> tuple[HttpMeter, httpx.Response]:
    """Ask a server of both doors for each, then for its metrics."""
    ticks = count()
    meter = HttpMeter(monotonic=lambda: next(ticks) / 8)
    api = create_app(service, new_key=lambda: "key", more=meter.families)
    pages = create_site(service, monotonic=lambda: 0.0, chance=lambda: "secret")
    app = meter.around(beside(api, pages), [*api.routes, *pages.routes])

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        headers = {"Authorization": "Bearer gs_reader", "Accept": accept}
        async with httpx.AsyncClient(transport=transport, base_url="http://test", headers=headers) as client:
            for method, path in requests:
                await client.request(method, path)
            return await client.get("/metrics")

    return meter, asyncio.run(ask())


def test_every_address_counts_under_its_route_and_what_leads_nowhere_under_one(service: Any) -> None:
    meter, _ = asked(
        service,
        ("GET", "/v1/models/late-arrival"),
        ("GET", "/v1/models/late-arrival"),
        ("GET", "/v1/models/nothing"),
        ("GET", "/rollouts/made-up"),
        ("GET", "/made/up/1"),
        ("BREW", "/v1/made/up/2"),
        ("POST", "/v1/fleet"),
    )
    durations, open_ = meter.families()

    found = {labels: seen.count for labels, seen in durations.samples}  # type: ignore[union-attr]
    assert found == {
        ("GET", "/v1/models/{model}", "200"): 2,
        ("GET", "/v1/models/{model}", "404"): 1,
        ("GET", "/rollouts/{rollout}", "303"): 1,
        ("GET", NO_ROUTE, "404"): 1,
        ("other", NO_ROUTE, "404"): 1,
        ("POST", "/v1/fleet", "405"): 1,
        ("GET", "/metrics", "200"): 1,
    }
    assert open_.samples == [((), 0)]


def test_a_scrape_has_the_engine_the_server_and_its_process_in_the_format_that_was_asked_for(service: Any) -> None:
    _, plain = asked(service, ("GET", "/v1/fleet"))
    _, opened = asked(service, ("GET", "/v1/fleet"), accept="application/openmetrics-text; version=1.0.0")

    assert plain.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert opened.headers["content-type"] == "application/openmetrics-text; version=1.0.0; charset=utf-8"
    for line in (
        'glideslope_requests_total{model="late-arrival",rollout="late-arrival-1",arm="candidate"} 10',
        'glideslope_http_request_duration_seconds_count{method="GET",route="/v1/fleet",status="200"} 1',
    ):
        assert line in plain.text
        assert line in opened.text
    assert f"{names.RESIDENT.name} " in plain.text
    assert opened.text.endswith("\n# EOF\n")


def test_nobody_scrapes_without_a_token_and_a_source_does_not(http: Any) -> None:
    assert http.get("/metrics", headers={"Authorization": ""}).status_code == 401
    refused = http.get("/metrics", headers={"Authorization": "Bearer gs_source"})
    assert (refused.status_code, refused.json()["code"]) == (401, "not-allowed")
    assert http.get("/metrics", headers={"Authorization": "Bearer gs_reader"}).status_code == 200
