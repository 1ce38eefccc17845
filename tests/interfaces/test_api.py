"""The HTTP API translates a request into one command or query, and what comes back into JSON or a problem document."""

import asyncio
from typing import Any

import httpx
import msgspec
import pytest
from fastapi import FastAPI

from glideslope.domain.errors import (
    Conflict,
    Denied,
    GlideslopeError,
    Invalid,
    LeaseLost,
    NotFound,
    PlanInvalid,
    Refused,
    StoreUnavailable,
    TokenStale,
    Unavailable,
)
from glideslope.engine.views import FleetView, ModelView, PlanView, RolloutView
from glideslope.interfaces.api.app import create_app
from glideslope.interfaces.api.openapi import described, install
from glideslope.interfaces.api.problems import problem_of, status_of
from glideslope.interfaces.api.streams import follow
from glideslope.interfaces.cli.exits import ApiRefused, exit_of

ROUTES = [
    ("GET", "/v1/channels"),
    ("GET", "/v1/deliveries"),
    ("POST", "/v1/channels/ops/test"),
    ("POST", "/v1/channels/ops/replay"),
    ("GET", "/v1/rollouts/late-arrival-1/announcement"),
    ("GET", "/v1/rollouts/late-arrival-1/pack"),
    ("GET", "/v1/rollouts/late-arrival-1/dossier"),
    ("GET", "/v1/ledger/checkpoint"),
    ("GET", "/v1/ledger/checkpoint/request?older=0"),
    ("POST", "/v1/ledger/checkpoint/cosignatures"),
    ("GET", "/v1/search?q=author:ana"),
    ("GET", "/v1/people"),
    ("GET", "/v1/people/mia"),
    ("POST", "/v1/people/mia"),
    ("POST", "/v1/people/mia/erase"),
    ("POST", "/v1/models/late-arrival/versions"),
    ("POST", "/v1/plan"),
    ("POST", "/v1/plan/basis"),
    ("POST", "/v1/plan/defaults"),
    ("POST", "/v1/rollouts"),
    ("GET", "/v1/rollouts"),
    ("GET", "/v1/rollouts/late-arrival-1"),
    ("POST", "/v1/rollouts/late-arrival-1/approvals"),
    ("POST", "/v1/rollouts/late-arrival-1/halt"),
    ("POST", "/v1/rollouts/late-arrival-1/resume"),
    ("POST", "/v1/rollouts/late-arrival-1/rollback"),
    ("POST", "/v1/rollouts/late-arrival-1/retry"),
    ("GET", "/v1/rollouts/late-arrival-1/plan"),
    ("GET", "/v1/rollouts/late-arrival-1/course"),
    ("GET", "/v1/rollouts/late-arrival-1/decisions"),
    ("GET", "/v1/rollouts/late-arrival-1/decisions/2/replay"),
    ("GET", "/v1/rollouts/late-arrival-1/slices"),
    ("GET", "/v1/rollouts/late-arrival-1/recomputation"),
    ("GET", "/v1/rollouts/late-arrival-1/disagreements"),
    ("GET", "/v1/rollouts/late-arrival-1/explanation"),
    ("GET", "/v1/rollouts/late-arrival-1/story"),
    ("GET", "/v1/rollouts/late-arrival-1/events"),
    ("GET", "/v1/fleet"),
    ("GET", "/v1/me"),
    ("GET", "/v1/events"),
    ("GET", "/v1/models/late-arrival"),
    ("GET", "/v1/models/late-arrival/served"),
    ("GET", "/v1/models/late-arrival/live"),
    ("GET", "/v1/models/late-arrival/usual"),
    ("GET", "/v1/models/late-arrival/contract"),
    ("POST", "/v1/models/late-arrival/contract"),
    ("GET", "/v1/models/late-arrival/versions/v3"),
    ("GET", "/v1/models/late-arrival/versions/v3/facts"),
    ("POST", "/v1/models/late-arrival/versions/v3/facts"),
    ("GET", "/v1/models/late-arrival/features"),
    ("GET", "/v1/models/late-arrival/signals"),
    ("POST", "/v1/features"),
    ("GET", "/v1/agreements"),
    ("POST", "/v1/agreements"),
    ("GET", "/v1/agreements/organisation/organisation"),
    ("GET", "/v1/agreements/organisation/organisation/record"),
    ("POST", "/v1/agreements/organisation/organisation/answers"),
    ("POST", "/v1/agreements/organisation/organisation/reviews"),
    ("GET", "/v1/incidents"),
    ("GET", "/v1/incidents/late-arrival-1"),
    ("GET", "/v1/incidents/late-arrival-1/record"),
    ("POST", "/v1/incidents/late-arrival-1/notes"),
    ("POST", "/v1/incidents/late-arrival-1/close"),
    ("GET", "/v1/owned"),
    ("GET", "/v1/orphans"),
    ("GET", "/v1/access"),
    ("GET", "/v1/dues"),
    ("GET", "/v1/inbox"),
    ("GET", "/v1/rollouts/late-arrival-1/weighing"),
    ("GET", "/v1/models/late-arrival/drills"),
    ("POST", "/v1/models/late-arrival/drills"),
    ("POST", "/v1/models/late-arrival/drills/told"),
    ("GET", "/v1/advisories"),
    ("POST", "/v1/advisories"),
    ("POST", "/v1/rollouts/late-arrival-1/withdraw"),
    ("POST", "/v1/rollouts/late-arrival-1/questions"),
    ("POST", "/v1/rollouts/late-arrival-1/questions/2/reply"),
    ("POST", "/v1/rollouts/late-arrival-1/judgements"),
    ("POST", "/v1/rollouts/late-arrival-1/glass"),
    ("POST", "/v1/rollouts/late-arrival-1/glass/agree"),
    ("POST", "/v1/rollouts/late-arrival-1/glass/review"),
    ("GET", "/metrics"),
    ("GET", "/v1/ledger"),
    ("GET", "/v1/ledger/key"),
    ("GET", "/v1/doctor"),
    ("GET", "/v1/models/late-arrival/briefing"),
    ("POST", "/v1/observations"),
    ("POST", "/v1/predictions"),
    ("POST", "/v1/shadow"),
    ("POST", "/v1/pairs"),
    ("POST", "/v1/outcomes"),
]


def proposed(http: Any, text: str, **more: Any) -> RolloutView:
    response = http.post("/v1/rollouts", json={"text": text, **more})
    assert response.status_code == 201, response.text
    return msgspec.json.decode(response.content, type=RolloutView)


def test_a_plan_is_resolved_and_forecast_and_nothing_is_proposed(http: Any, service: Any, written: str) -> None:
    response = http.post("/v1/plan", json={"text": written, "file": "glideslope.yaml"})

    view = msgspec.json.decode(response.content, type=PlanView)
    assert (view.plan.candidate, [step.name for step in view.plan.steps]) == ("v2", ["s1", "s2", "s3", "s4", "s5"])
    assert service.rollouts == {}


def test_the_defaults_of_a_plan_are_written_out_as_a_plan(http: Any, written: str) -> None:
    shown = http.post("/v1/plan/defaults", json={"text": written}).text
    again = http.post("/v1/plan/defaults", json={"text": shown}).text

    assert "alpha: 0.01" in shown
    assert again == shown


def test_a_proposal_is_made_in_the_name_of_the_token_under_the_given_key(http: Any, service: Any, written: str) -> None:
    first = http.post("/v1/rollouts", json={"text": written}, headers={"Idempotency-Key": "k-1"})
    second = http.post("/v1/rollouts", json={"text": written}, headers={"Idempotency-Key": "k-1"})

    assert first.headers["location"] == "/v1/rollouts/late-arrival-1"
    assert second.json() == first.json()
    assert (first.json()["proposed_by"], list(service.keys)) == ("ada", ["k-1"])


def test_without_a_key_the_server_makes_one(http: Any, service: Any, written: str) -> None:
    proposed(http, written)

    assert list(service.keys) == ["key-1"]


@pytest.mark.parametrize("key", ["", "a b", "x" * 201])
def test_a_key_that_cannot_be_kept_is_refused(http: Any, service: Any, written: str, key: str) -> None:
    response = http.post("/v1/rollouts", json={"text": written}, headers={"Idempotency-Key": key})

    assert (response.status_code, response.json()["code"], service.rollouts) == (422, "request-invalid", {})


def test_a_plan_that_was_seen_differently_is_not_proposed(http: Any, written: str) -> None:
    response = http.post("/v1/rollouts", json={"text": written, "plan_digest": "sha256:" + "0" * 64})

    assert (response.status_code, response.json()["code"]) == (403, "digest-changed")


def test_an_error_in_the_file_comes_with_its_place(http: Any, written: str) -> None:
    response = http.post("/v1/plan", json={"text": written + "guardrail: []\n", "file": "late.yaml"})

    assert response.headers["content-type"] == "application/problem+json"
    found = response.json()
    assert {key: found[key] for key in ("code", "file", "line", "column", "width", "source", "suggestion")} == {
        "code": "plan-invalid",
        "file": "late.yaml",
        "line": 5,
        "column": 1,
        "width": 9,
        "source": "guardrail: []",
        "suggestion": "`guardrails`",
    }


def test_what_the_engine_refuses_about_a_plan_gets_its_place_too(http: Any, written: str) -> None:
    response = http.post("/v1/plan", json={"text": written + "alpha: 0.9\n"})

    found = response.json()
    assert (found["code"], found["where"], found["line"], found["source"]) == ("plan-invalid", "alpha", 5, "alpha: 0.9")


def test_a_rollout_is_approved_halted_resumed_rolled_back_and_retried(http: Any, written: str) -> None:
    view = proposed(http, written + "approvals: 1\n")
    http.headers["Authorization"] = "Bearer gs_member"
    at = f"/v1/rollouts/{view.id}"

    phases = [
        http.post(f"{at}/{verb}", json=body).json().get("phase")
        for verb, body in (
            ("approvals", {"plan_digest": view.plan_digest, "why": "looked at it"}),
            ("halt", {"why": "holiday"}),
            ("resume", {"why": "back"}),
            ("rollback", {"why": "complaints"}),
        )
    ]
    again = http.post(f"{at}/retry", json={"why": "fixed"}).json()

    assert phases == ["running", "halted", "running", "rolled-back"]
    assert (again["attempt_of"], again["proposed_by"]) == (view.id, "mia")


def test_a_retry_may_bring_another_plan(http: Any, service: Any, written: str) -> None:
    view = proposed(http, written)
    http.post(f"/v1/rollouts/{view.id}/rollback", json={"why": "complaints"})

    again = http.post(f"/v1/rollouts/{view.id}/retry", json={"why": "slower", "text": written + "alpha: 0.05\n"}).json()
    wrong = http.post(f"/v1/rollouts/{view.id}/retry", json={"why": "slower", "text": "alpha: 0.05\n"}).json()

    assert service.plans[again["id"]].alpha == 0.05
    assert wrong["code"] == "plan-invalid"


def test_versions_are_registered_with_their_evaluations(http: Any, service: Any) -> None:
    evaluation = {"metric": "auc", "holdout": "by-day", "incumbent": 0.659, "candidate": 0.648, "count": 3984}
    body = {
        "version": "v3",
        "digest": "sha256:" + "3" * 64,
        "url": "http://127.0.0.1:9003",
        "why": "fresher",
        "evaluations": [{**evaluation, "lower_is_better": False}],
    }

    response = http.post("/v1/models/late-arrival/versions", json=body)
    clash = http.post("/v1/models/late-arrival/versions", json={**body, "digest": "sha256:" + "4" * 64})

    assert "v3" in [each.version for each in msgspec.json.decode(response.content, type=ModelView).versions]
    assert service.models["late-arrival"]["v3"].evaluations[0].count == 3984
    assert (clash.status_code, clash.json()["code"]) == (409, "already-registered")


def test_queries_answer_with_their_views(http: Any, written: str) -> None:
    view = proposed(http, written)

    fleet = msgspec.json.decode(http.get("/v1/fleet").content, type=FleetView)
    assert [each.id for each in fleet.rollouts] == [view.id]
    assert [each["id"] for each in http.get("/v1/rollouts").json()] == [view.id]
    assert http.get(f"/v1/rollouts/{view.id}").json()["id"] == view.id
    assert http.get(f"/v1/rollouts/{view.id}/decisions").json()[0]["decision"] == "advance"
    assert http.get(f"/v1/rollouts/{view.id}/decisions/2/replay").json()["same"] is True
    assert http.get(f"/v1/rollouts/{view.id}/story?after=0").json()[0]["kind"] == "rollout-proposed"
    assert http.get(f"/v1/rollouts/{view.id}/story?after=1").json() == []
    assert http.get("/v1/models/late-arrival").json()["incumbent"] == "v1"
    assert http.get("/v1/doctor").json()[0]["ok"] is True
    assert http.get("/v1/ledger/key").json()["vkey"].startswith("glideslope.example/ledger+")


def test_the_ledger_comes_as_it_is(http: Any, service: Any) -> None:
    service.bundle = [b"glideslope-ledger/1\n", *(b"x" * 999 + b"\n" for _ in range(200))]

    assert http.get("/v1/ledger").content == b"".join(service.bundle)


@pytest.mark.parametrize("source", ["web\x1f1", "\x1b[2J", "a\nb"])
def test_a_source_names_itself_in_print(http: Any, service: Any, source: str) -> None:
    """Else one could be taken for another, or garble the terminal of who looks for it."""
    http.headers["Authorization"] = "Bearer gs_source"

    refused = http.post("/v1/observations", json={"source": source, "epoch": 1, "model": "late-arrival", "counts": {}})
    asked = http.get("/v1/models/late-arrival/briefing", params={"source": source})

    assert [(answer.status_code, answer.json()["code"]) for answer in (refused, asked)] == [(422, "invalid")] * 2
    assert service.reported == []


def test_reports_arrive_as_they_were_sent(http: Any, service: Any) -> None:
    http.headers["Authorization"] = "Bearer gs_source"

    counts = http.post(
        "/v1/observations", json={"source": "a", "epoch": 1, "model": "late-arrival", "counts": {"c": 3}}
    )
    shadow = http.post("/v1/shadow", json={"model": "late-arrival", "rollout": "late-arrival-1", "answers": [[1, 2]]})
    truth = http.post(
        "/v1/outcomes",
        json={"outcomes": [{"prediction": "abcd", "happened": True}, {"prediction": "x", "happened": False}]},
    )
    briefing = http.get("/v1/models/late-arrival/briefing?seen=t0&wait=1000&source=a")

    assert [counts.status_code, shadow.status_code, truth.status_code, briefing.status_code] == [200, 204, 200, 200]
    assert counts.json()["taken"] == 1
    assert truth.json()["counted"] == 1
    assert truth.json()["refused"][0]["code"] == "receipt-invalid"
    assert briefing.json()["tag"] == "t1"
    assert service.reported[0].counts == {"c": 3}
    assert service.reported[0].source == "svc\x1fa"
    assert service.reported[-1] == ("late-arrival", "t0", 60.0, "svc\x1fa")


@pytest.mark.parametrize(
    "token", [None, "", "Bearer", "Bearer unknown", "Basic gs_admin", "gs_admin", "Bearer gs_admin x"]
)
def test_nobody_unknown_is_let_in(http: Any, token: str | None) -> None:
    http.headers = {} if token is None else {"Authorization": token}

    responses = [http.request(method, path, json={}) for method, path in ROUTES]

    assert {(each.status_code, each.json()["code"]) for each in responses} == {(401, "token-unknown")}
    assert {each.headers["www-authenticate"] for each in responses} == {"Bearer"}


READS = {p for method, p in ROUTES if method == "GET" and "briefing" not in p and not p.startswith("/v1/people")} | {
    "/v1/plan",
    "/v1/plan/basis",
    "/v1/plan/defaults",
}
FACTS_PATH = "/v1/models/late-arrival/versions/v3/facts"
CONTRACT_PATH = "/v1/models/late-arrival/contract"
REPORTS = {
    "/v1/observations",
    "/v1/predictions",
    "/v1/features",
    "/v1/shadow",
    "/v1/pairs",
    "/v1/models/late-arrival/briefing",
}


SENDS = {"/v1/channels/ops/test", "/v1/channels/ops/replay"}


@pytest.mark.parametrize(("method", "path"), ROUTES)
@pytest.mark.parametrize("role", ["reader", "source", "member", "admin"])
def test_each_role_may_do_what_it_is_for(  # noqa: PLR0917 - fixtures and one row of the table
    http: Any, service: Any, written: str, method: str, path: str, role: str
) -> None:
    proposed(http, written)
    service.move("late-arrival-1", ended=True, phase="rolled-back")  # so that its event stream ends
    both = (
        "/v1/rollouts",
        CONTRACT_PATH,
        "/v1/agreements",
        FACTS_PATH,
        "/v1/advisories",
        "/v1/models/late-arrival/drills",
    )
    acts = {("POST", path) for path in both}
    reads = path in READS and (method, path) not in acts
    may = {
        "reader": reads,
        "source": path in REPORTS | {"/v1/outcomes", "/v1/me"} or (method, path) == ("GET", CONTRACT_PATH),
        "member": path not in REPORTS | SENDS,
        "admin": True,
    }[role]

    response = http.request(method, path, json={}, headers={"Authorization": f"Bearer gs_{role}"})

    assert (response.status_code != 401) == may
    assert may or response.json()["code"] == "not-allowed"


def test_anyone_may_ask_whether_the_server_answers(http: Any) -> None:
    del http.headers["Authorization"]

    assert http.get("/v1/healthz").json() == {"status": "ok"}


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (Invalid("x"), 422),
        (PlanInvalid("x"), 422),
        (NotFound(what="model", name="x"), 404),
        (Conflict("x"), 409),
        (LeaseLost(name="x"), 409),
        (Refused("x"), 403),
        (TokenStale(model="m", seen="1", offered="0"), 403),
        (Denied("x"), 401),
        (Unavailable("x"), 503),
        (StoreUnavailable("x"), 503),
        (GlideslopeError("x"), 500),
    ],
)
def test_each_branch_of_the_error_tree_has_its_status(
    http: Any, service: Any, error: GlideslopeError, status: int
) -> None:
    service.fail = error

    response = http.get("/v1/fleet")

    found = response.json()
    assert (response.status_code, found["status"], status_of(error)) == (status, status, status)
    assert (found["code"], found["detail"], found["traffic"], found["next_command"]) == (
        error.code,
        error.sentence,
        error.traffic,
        error.next_command,
    )
    assert found["type"] == f"urn:glideslope:error:{error.code}"


def test_what_nobody_expected_is_told_without_internals(http: Any, service: Any) -> None:
    service.fail = RuntimeError("password is hunter2")

    response = http.get("/v1/fleet")

    assert (response.status_code, response.json()["code"]) == (500, "internal")
    assert "hunter2" not in response.text


@pytest.mark.parametrize(
    ("method", "path", "content", "status", "code"),
    [
        ("GET", "/v1/nothing", b"", 404, "not-found"),
        ("GET", "/", b"", 404, "not-found"),
        ("DELETE", "/v1/fleet", b"", 405, "request-invalid"),
        ("POST", "/v1/plan", b"", 422, "request-invalid"),
        ("POST", "/v1/plan", b"[]", 422, "request-invalid"),
        ("POST", "/v1/plan", b"\xff", 422, "request-invalid"),
        ("POST", "/v1/plan", b'{"text": 1}', 422, "request-invalid"),
        ("POST", "/v1/plan", b'{"text": "", "more": 1}', 422, "request-invalid"),
        ("POST", "/v1/plan", b'{"text": ""}', 422, "plan-invalid"),
        ("POST", "/v1/plan", b"[" * 100_000, 422, "request-invalid"),
        ("POST", "/v1/plan", b" " * (1 << 20) + b"{}", 413, "body-too-large"),
        ("POST", "/v1/rollouts/late-arrival-9/halt", b'{"why": "x"}', 404, "not-found"),
        ("POST", "/v1/models/LATE/versions", b'{"version":"v","digest":"","url":"","why":""}', 422, "name-invalid"),
        ("POST", "/v1/models/m/versions", b'{"version":"v","digest":"md5:0","url":"","why":""}', 422, "name-invalid"),
        ("GET", "/v1/rollouts/late-arrival-9", b"", 404, "not-found"),
        ("GET", "/v1/rollouts/late-arrival-9/events", b"", 404, "not-found"),
        ("GET", "/v1/rollouts/x/story?after=-1", b"", 422, "request-invalid"),
        ("GET", "/v1/rollouts/x/decisions/one/replay", b"", 422, "request-invalid"),
        ("GET", "/v1/models/m/briefing?wait=nan", b"", 422, "request-invalid"),
    ],
)
def test_a_bad_request_gets_a_problem_document(  # noqa: PLR0917 - one row of the table
    http: Any, method: str, path: str, content: bytes, status: int, code: str
) -> None:
    response = http.request(method, path, content=content)

    found = response.json()
    assert (response.status_code, found["status"], found["code"]) == (status, status, code)
    assert response.headers["content-type"] == "application/problem+json"


def test_a_source_is_heard_about_the_models_of_its_token_only(http: Any, service: Any) -> None:
    http.headers = {"Authorization": "Bearer gs_fraud"}
    totals = {"source": "a", "epoch": 1, "counts": {}}
    shadow = {"rollout": "r-0001", "answers": []}
    about = {
        model: [
            http.get(f"/v1/models/{model}/briefing"),
            http.post("/v1/observations", json={**totals, "model": model}),
            http.post("/v1/shadow", json={**shadow, "model": model}),
            http.post("/v1/pairs", json={"rollout": "r-0001", "arm": "candidate", "halves": [], "model": model}),
        ]
        for model in ("fraud", "late-arrival")
    }
    truth = http.post("/v1/outcomes", json={"outcomes": []})

    assert [each.status_code for each in about["fraud"]] == [200, 200, 204, 204]
    assert {(each.status_code, each.json()["code"]) for each in about["late-arrival"]} == {(401, "model-not-allowed")}
    assert [found.model for found in service.reported if hasattr(found, "model")] == ["fraud", "fraud", "fraud"]
    assert (truth.status_code, [by.actor for by in service.told_by]) == (200, ["fraud-svc"])


def test_a_reader_is_what_an_auditor_needs_and_no_more(http: Any, service: Any, written: str) -> None:
    """Everything that can be asked for is given, the whole ledger too, and nothing that changes anything is done."""
    view = proposed(http, written)
    service.move(view.id, ended=True, phase="rolled-back")
    paths = http.get("/v1/openapi.json").json()["paths"]
    before, http.headers = len(service.stories[view.id]), {"Authorization": "Bearer gs_reader"}
    told = {
        (method.upper(), path): http.request(
            method,
            path.format(
                model="late-arrival",
                rollout=view.id,
                version=2,
                of="organisation",
                name="organisation",
                actor="a-17",
                channel="ops",
                question=2,
            ),
            json={},
        )
        for path, operations in paths.items()
        for method in operations
    }

    refused = {place for place, answer in told.items() if answer.status_code == 401}
    harmless = {("POST", "/v1/plan"), ("POST", "/v1/plan/basis"), ("POST", "/v1/plan/defaults")}
    secret = {("GET", "/v1/models/{model}/briefing"), ("GET", "/v1/people"), ("GET", "/v1/people/{actor}")}
    assert refused == {(method, path) for method, path in told if method != "GET"} - harmless | secret
    assert told["GET", "/v1/ledger"].content == b"".join(service.bundle)
    assert len(service.stories[view.id]) == before


def test_a_rollout_is_followed_until_it_ends(http: Any, service: Any, written: str) -> None:
    view = proposed(http, written)
    service.move(view.id, phase="promoted", ended=True)

    lines = http.get(f"/v1/rollouts/{view.id}/events").text.splitlines()

    assert lines[:2] == ["event: rollout", "id: 2"]
    assert msgspec.json.decode(lines[2].removeprefix("data: "), type=RolloutView).phase == "promoted"


async def test_followers_see_changes_and_a_sign_of_life_between_them(service: Any, written: str) -> None:
    transport = httpx.ASGITransport(create_app(service, new_key=lambda: "k"))
    async with httpx.AsyncClient(
        transport=transport, base_url="http://test", headers={"Authorization": "Bearer gs_admin"}
    ) as client:
        id_ = (await client.post("/v1/rollouts", json={"text": written})).json()["id"]
    views = service.follow(id_)
    stream = follow(await anext(views), views, stopping=asyncio.Event(), beat=0.01)

    first, beat = await anext(stream), await anext(stream)
    service.move(id_, share=2_500)
    second = beat
    while second == beat:
        second = await anext(stream)
    await stream.aclose()

    assert first.startswith(b"event: rollout\nid: 1\n")
    assert beat == b": nothing changed\n\n"
    assert second.startswith(b"event: rollout\nid: 2\n")


async def test_followers_are_let_go_when_the_server_stops(service: Any, written: str) -> None:
    stopping = asyncio.Event()
    transport = httpx.ASGITransport(create_app(service, new_key=lambda: "k", stopping=stopping))
    async with httpx.AsyncClient(
        transport=transport, base_url="http://test", headers={"Authorization": "Bearer gs_admin"}
    ) as client:
        id_ = (await client.post("/v1/rollouts", json={"text": written})).json()["id"]
        stopping.set()

        response = await client.get(f"/v1/rollouts/{id_}/events", timeout=5)

    assert response.text.count("event: rollout") == 1


def test_a_failure_while_following_is_told_in_the_stream(service: Any) -> None:
    async def collected() -> list[bytes]:
        async def views() -> Any:
            yield msgspec.structs.replace(view, version=2)
            raise StoreUnavailable("the disk is full")

        return [each async for each in follow(view, views(), stopping=asyncio.Event())]

    async def prepared() -> RolloutView:
        transport = httpx.ASGITransport(create_app(service, new_key=lambda: "k"))
        async with httpx.AsyncClient(
            transport=transport, base_url="http://test", headers={"Authorization": "Bearer gs_admin"}
        ) as client:
            text = "model: late-arrival\ncandidate: v2\nowner: o\nwhy: w\n"
            body = (await client.post("/v1/rollouts", json={"text": text})).content
            return msgspec.json.decode(body, type=RolloutView)

    view = asyncio.run(prepared())

    found = asyncio.run(collected())

    assert [each.split(b"\n")[0] for each in found] == [b"event: rollout", b"event: rollout", b"event: problem"]
    assert b'"store-unavailable"' in found[-1]


def test_every_error_that_can_be_raised_has_a_status_and_a_code_of_its_own() -> None:
    seen: dict[str, type[GlideslopeError]] = {}
    waiting: list[type[GlideslopeError]] = [GlideslopeError]
    while waiting:
        each = waiting.pop()
        waiting.extend(each.__subclasses__())
        earlier = seen.setdefault(each.code, each)
        assert earlier is each or issubclass(each, earlier) or issubclass(earlier, each) or each.code == "internal", (
            f"{each} and {earlier} share the code {each.code}"
        )
        assert status_of(each.__new__(each)) in {401, 403, 404, 409, 412, 413, 422, 500, 503}


def test_a_refusal_ends_the_command_line_alike_here_and_over_http() -> None:
    """Whether a file is refused on this machine or by the server, a script reads one exit status and one code."""
    waiting: list[type[GlideslopeError]] = [Invalid, NotFound, Conflict, Refused, Denied, Unavailable]
    while waiting:
        each = waiting.pop()
        waiting.extend(each.__subclasses__())
        error = each.__new__(each)
        GlideslopeError.__init__(error, "It is not so.", traffic="Unchanged.", next_command="glideslope plan")
        if isinstance(error, PlanInvalid):
            PlanInvalid.__init__(error, "It is not so.", where="alpha")
            error.__dict__ |= {"file": "glideslope.yaml", "allowed": ()}
        told = msgspec.json.decode(msgspec.json.encode(problem_of(error)))
        assert exit_of(ApiRefused(status=status_of(error), fields=told)) == exit_of(error), each
        assert (told["code"], told["detail"], told["next_command"]) == (error.code, error.sentence, error.next_command)


def test_a_problem_without_a_place_names_none() -> None:
    problem = problem_of(PlanInvalid("x", where="alpha"))

    assert (problem.where, problem.file, problem.line, problem.width) == ("alpha", "", 0, 0)


def test_two_types_of_one_name_are_not_described_as_each_other() -> None:
    async def show() -> None: ...

    app = FastAPI()
    install(app)
    for name, member in (("one", int), ("other", str)):
        kind = msgspec.defstruct("Same", [("member", member)])
        app.get(f"/{name}", name=name, **described(answer=kind))(show)

    with pytest.raises(ValueError, match="two types are called Same"):
        app.openapi()


def test_the_description_covers_every_route_and_type(http: Any) -> None:
    found = http.get("/v1/openapi.json").json()

    described = {(method.upper(), path) for path, operations in found["paths"].items() for method in operations}
    open_to_all = {"/v1/healthz", "/v1/readyz"}
    assert len(described) == len(ROUTES) + len(open_to_all)
    schemas = found["components"]["schemas"]
    assert {"RolloutView", "PlanView", "Plan", "Problem", "Totals", "Briefing", "ProposalBody"} <= set(schemas)
    references = {part.split('"')[0] for part in http.get("/v1/openapi.json").text.split("#/components/schemas/")[1:]}
    assert references <= set(schemas)
    for path, operations in found["paths"].items():
        for operation in operations.values():
            assert operation["security"] == ([] if path in open_to_all else [{"token": []}])
            assert "default" not in operation["responses"]
            refusals = {status: told for status, told in operation["responses"].items() if int(status) >= 400}
            assert set(refusals) >= ({"401", "500", "503"} if operation["security"] else set())
            assert {media for told in refusals.values() for media in told["content"]} <= {"application/problem+json"}
