"""A token that is limited to some acts, and to some models, does these and looks; every other door stays shut, also those to come."""

import re
from dataclasses import replace
from typing import Any

import pytest
from tests.interfaces.test_api import ROUTES
from tests.interfaces.test_dashboard import PAGES, Browser, browser

from glideslope.domain.identity import Act, Identity, Role
from glideslope.domain.ids import Actor, ModelName

__all__ = ["browser"]
"""The fixture of the pages."""

CI = Identity(Actor("ci"), Role.MEMBER, acts=frozenset({Act.PROPOSE}), models=frozenset({ModelName("late-arrival")}))
EVERY = frozenset(Act)
FACTS = "/v1/models/late-arrival/versions/v3/facts"
OPENED = {
    Act.REGISTER: {"/v1/models/late-arrival/versions", "/v1/models/late-arrival/contract", FACTS},
    Act.PROPOSE: {"/v1/rollouts", "/v1/rollouts/late-arrival-1/retry"},
    Act.STOP: {"/v1/rollouts/late-arrival-1/halt", "/v1/rollouts/late-arrival-1/rollback"},
    Act.TELL: {"/v1/outcomes"},
}
LOOKS = {"/v1/plan", "/v1/plan/basis", "/v1/plan/defaults"}
BEARER = {"Authorization": "Bearer gs_ci"}


def answers(http: Any) -> dict[str, int]:
    """Return what each route that changes something answers to a body that says nothing."""
    found = {}
    for method, path in ROUTES:
        if method == "POST" and path not in LOOKS:
            found[path] = http.request(method, path, headers=BEARER, json={}).status_code
    return found


@pytest.mark.parametrize("act", list(Act))
def test_each_act_opens_its_own_doors_and_no_other(http: Any, service: Any, written: str, act: Act) -> None:
    http.post("/v1/rollouts", json={"text": written})
    service.tokens["gs_ci"] = replace(CI, acts=frozenset({act}), models=None)

    opened = {path for path, status in answers(http).items() if status != 401}
    assert opened == OPENED[act] & {path for _, path in ROUTES}


def test_whoever_may_do_every_act_may_still_not_approve_decide_or_say_who_decides(
    http: Any, service: Any, written: str
) -> None:
    http.post("/v1/rollouts", json={"text": written})
    service.tokens["gs_ci"] = replace(CI, acts=EVERY, models=None)
    shut = {path for path, status in answers(http).items() if status == 401}

    assert {"/v1/rollouts/late-arrival-1/approvals", "/v1/agreements", "/v1/rollouts/late-arrival-1/resume"} <= shut
    assert {"/v1/people/mia", "/v1/ledger/checkpoint/cosignatures"} <= shut


def test_a_limit_to_models_holds_for_every_act(http: Any, service: Any, written: str) -> None:
    http.post("/v1/rollouts", json={"text": written})
    service.tokens["gs_ci"] = replace(CI, acts=EVERY, models=frozenset({ModelName("fraud")}))
    other = {"text": written}
    why = {"why": "because"}
    version = {"version": "v9", "digest": "sha256:" + "9" * 64, "url": "http://127.0.0.1:9009", "why": "new"}
    contract = {"text": "contract: 1\nmodel: late-arrival\nfields: {}\n", "why": "x"}
    tries = [
        ("/v1/rollouts", other),
        ("/v1/rollouts/late-arrival-1/retry", why),
        ("/v1/rollouts/late-arrival-1/halt", why),
        ("/v1/rollouts/late-arrival-1/rollback", why),
        ("/v1/models/late-arrival/versions", version),
        ("/v1/models/late-arrival/contract", contract),
        (FACTS, {"text": "facts: 1\n", "why": "x"}),
    ]
    told = {path: http.request("POST", path, headers=BEARER, json=body).json()["code"] for path, body in tries}

    assert set(told.values()) == {"model-not-allowed"}, told
    service.tokens["gs_ci"] = replace(CI, acts=EVERY)
    assert http.request("POST", "/v1/rollouts/late-arrival-1/halt", headers=BEARER, json=why).status_code == 200
    assert http.request("GET", "/v1/rollouts", headers=BEARER).status_code == 200


@pytest.mark.parametrize("token", ["gs_reader", "gs_ci"])
def test_whoever_only_looks_is_offered_no_form_on_any_page(
    browser: Browser, service: Any, http: Any, written: str, token: str
) -> None:
    """All forms there are: the search, the theme, and the way out."""
    service.tokens["gs_ci"] = CI
    http.post("/v1/rollouts", json={"text": written + "approvals: 1\n"})
    browser.sign_in(token)
    offered: dict[str, object] = {}
    for path in PAGES:
        page = browser.get(path)
        assert page.status_code == 200, path
        forms = [tag for tag in re.findall(r"<form[^>]*>", page.text) if 'method="post"' in tag]
        forms = [tag for tag in forms if not re.search(r'action="/(theme|sign-out)"', tag)]
        if forms:
            offered[path] = forms
    assert offered == {}


@pytest.mark.parametrize("token", ["gs_reader", "gs_ci"])
def test_whoever_only_looks_is_refused_every_form_that_there_is(
    browser: Browser, service: Any, http: Any, written: str, token: str
) -> None:
    """Each route of the pages that takes a form, with the token that their session has: the server refuses, whatever a page shows."""
    service.tokens["gs_ci"] = CI
    http.post("/v1/rollouts", json={"text": written + "approvals: 1\n"})
    browser.sign_in(token)
    form = browser.form_of("/")["form"]
    pages = next(
        each
        for each in browser._app.__closure__
        if hasattr(each.cell_contents, "routes")
        and "/sign-in" in {getattr(route, "path", "") for route in each.cell_contents.routes}
    ).cell_contents
    entrances = {"/sign-in", "/sign-in/links", "/sign-in/{code}", "/sign-out", "/theme"}
    posts = [r.path for r in pages.routes if "POST" in (getattr(r, "methods", None) or ()) and r.path not in entrances]
    assert len(posts) >= 5
    told = {}
    for path in posts:
        filled = path.replace("{rollout}", "late-arrival-1").replace("{model}", "late-arrival").replace("{number}", "1")
        filled = re.sub(r"\{[^}]+\}", "x", filled)
        told[path] = browser.send(filled, form=form, key="k", why="because", answer="grant").status_code
    assert set(told.values()) == {401}, told
    assert service.rollouts["late-arrival-1"].approved_by == ()
