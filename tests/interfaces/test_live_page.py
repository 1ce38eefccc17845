"""The page of a model as it goes right now, over a service that says what it is asked to."""

import re
from typing import Any

import pytest
from msgspec.structs import replace
from tests.interfaces.test_dashboard import Browser, browser

__all__ = ["browser"]


@pytest.fixture
def page(browser: Browser) -> str:
    browser.sign_in("gs_reader")
    return browser.get("/models/late-arrival/live").text


def test_both_arms_are_shown_against_what_is_usual_with_a_table_beside_the_chart(page: str) -> None:
    assert "not as usual" in page, "the series was flagged"
    assert "usually 30.0 %, 10.0 % to 35.0 % in 2 weeks" in page
    chart = re.search(r'<svg class="chart looks".*?</svg>', page, re.DOTALL)
    assert chart
    for drawn in ("of-candidate", "of-incumbent", "mark-candidate", "mark-incumbent", 'class="usual"'):
        assert drawn in chart[0]
    assert page.count('<td class="num">50.0 %</td>') == 2
    assert "origin=JFK" in page
    assert "2 more are not shown" in page
    assert "CPU cores" in page
    assert "glideslope contract infer" in page


def test_where_nothing_came_the_page_says_what_to_do_next(browser: Browser, service: Any) -> None:
    shown = service.live

    async def silent(model: Any) -> Any:
        return replace(await shown(model), series=(), slices=(), heard=None, usage={})

    service.live = silent
    browser.sign_in("gs_reader")
    text = browser.get("/models/late-arrival/live").text

    assert "Nothing came in the last ten minutes" in text
    assert "x-glideslope-subject" in text
    assert "none since the server started" in text


def test_it_can_be_reached_from_the_model_the_fleet_and_the_list(browser: Browser) -> None:
    browser.sign_in("gs_reader")
    for path in ("/", "/models", "/models/late-arrival"):
        assert 'href="/models/late-arrival/live"' in browser.get(path).text, path
    assert browser.get("/models/nothing/live").status_code == 404
