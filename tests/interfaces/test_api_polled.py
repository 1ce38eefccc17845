"""What is asked again and again: answers with tags, lists by pages, the ledger as it grows; and acts on what was seen."""

import json
import re
from collections.abc import Iterator
from typing import Any, Self

import httpx
import pytest
from tests.interfaces.served import Served, served

from glideslope.domain.commands import Approve, Resume
from glideslope.domain.ids import ModelName, RolloutId
from glideslope.testing.traffic import Behaviour
from glideslope.testing.world import GRACE, draft

R = RolloutId("r-0002")


@pytest.fixture(scope="module")
def standing() -> Iterator[Served]:
    """Shared by the tests of this file: none of them rests on what another did."""
    with served() as found:
        yield found


@pytest.fixture
def http(standing: Served) -> Iterator[httpx.Client]:
    with standing.http() as client:
        yield client


def next_of(response: httpx.Response) -> str:
    found = re.fullmatch(r'<([^>]*)>; rel="next"', response.headers.get("link", ""))
    return found[1] if found else ""


def pages(http: httpx.Client, path: str) -> Iterator[list[dict[str, Any]]]:
    while path:
        response = http.get(path)
        assert response.status_code == 200, response.text
        yield response.json()
        path = next_of(response)


@pytest.mark.parametrize(
    "path",
    [
        "/v1/fleet",
        "/v1/rollouts",
        "/v1/rollouts?limit=1",
        "/v1/rollouts/r-0001",
        "/v1/rollouts/r-0001/decisions",
        "/v1/rollouts/r-0001/story",
        "/v1/rollouts/r-0001/course",
        "/v1/models/fraud",
        "/v1/incidents",
        "/v1/agreements",
        "/v1/search?q=kind:decided",
        "/v1/ledger/key",
    ],
)
def test_whoever_has_the_answer_is_told_so_in_no_bytes(http: httpx.Client, path: str) -> None:
    first = http.get(path)
    tag = first.headers["etag"]

    again = http.get(path, headers={"If-None-Match": f'"other", {tag}'})
    other = http.get(path, headers={"If-None-Match": '"other"'})

    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    assert again.headers.get("link") == first.headers.get("link")
    assert (other.status_code, other.headers["etag"]) == (200, tag)
    assert first.headers["cache-control"] == "private, no-cache"
    assert tag.startswith("W/") == (path == "/v1/fleet")


def test_what_changed_has_another_tag(standing: Served, http: httpx.Client) -> None:
    def tags() -> list[str]:
        return [http.get(path).headers["etag"] for path in ("/v1/fleet", "/v1/models/spam", "/v1/rollouts?model=spam")]

    standing.do(standing.world.serves("spam", per_second=8, v1=Behaviour(), v2=Behaviour()))
    before = tags()
    standing.do(standing.world.propose(draft("spam", "v2", approvals=1)))

    assert not set(before) & set(tags())


def test_an_answer_that_is_refused_has_no_tag(http: httpx.Client) -> None:
    response = http.get("/v1/rollouts/r-0099", headers={"If-None-Match": "*"})

    assert (response.status_code, "etag" in response.headers) == (404, False)


@pytest.mark.parametrize("path", ["/v1/rollouts", "/v1/rollouts/r-0001/story", "/v1/rollouts/r-0001/decisions"])
@pytest.mark.parametrize("limit", [1, 2, 3, 500])
def test_pages_joined_are_the_list(http: httpx.Client, path: str, limit: int) -> None:
    whole = http.get(path).json()

    found = list(pages(http, f"{path}?limit={limit}"))

    assert [item for page in found for item in page] == whole
    assert {len(page) for page in found[:-1]} <= {limit}


def test_new_entries_shift_no_page(standing: Served, http: httpx.Client) -> None:
    """Whatever was there when somebody began comes exactly once, though rollouts are proposed between two pages."""
    before = [each["id"] for each in http.get("/v1/rollouts").json()]
    found: list[str] = []
    for number, page in enumerate(pages(http, "/v1/rollouts?limit=1")):
        found += [each["id"] for each in page]
        if number < 2:
            model = f"late-{number}"
            standing.do(standing.world.serves(model, per_second=8, v1=Behaviour(), v2=Behaviour()))
            standing.do(standing.world.propose(draft(model, "v2", approvals=1)))

    assert found == before
    assert len(http.get("/v1/rollouts").json()) == len(before) + 2


def test_what_was_asked_is_kept_from_page_to_page(standing: Served, http: httpx.Client) -> None:
    asked = f"/v1/rollouts/r-0001/story?after=1&as_of={standing.size() - 1}"
    found = [each["version"] for page in pages(http, f"{asked}&limit=1") for each in page]

    assert found == [each["version"] for each in http.get(asked).json()]
    assert len(found) > 1
    assert [each["id"] for each in http.get("/v1/rollouts?model=arrivals&limit=1").json()] == ["r-0002"]


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("limit=0", "request-invalid"),
        ("limit=501", "request-invalid"),
        ("limit=x", "request-invalid"),
        ("cursor=%2A%2A", "request-invalid"),
        ("cursor=eyJ4IjoxfQ", "request-invalid"),  # {"x":1}
        ("cursor=WyJ4Il0", "request-invalid"),  # ["x"], of another list
    ],
)
@pytest.mark.parametrize("path", ["/v1/rollouts", "/v1/rollouts/r-0001/story"])
def test_a_page_that_cannot_be_is_refused(http: httpx.Client, path: str, query: str, code: str) -> None:
    response = http.get(f"{path}?{query}")

    assert (response.status_code, response.json()["code"]) == (422, code)


@pytest.mark.parametrize(
    ("path", "there"),
    [
        ("/v1/rollouts?modle=fraud", "there are cursor, limit, model"),
        ("/v1/rollouts/r-0001?as_off=3", "there is as_of"),
        ("/v1/doctor?x", "there is none"),
    ],
)
def test_a_misspelt_question_is_not_answered_with_everything(http: httpx.Client, path: str, there: str) -> None:
    response = http.get(path if "=" in path else f"{path}=1")

    assert (response.status_code, response.json()["code"]) == (422, "request-invalid")
    assert there in response.json()["detail"]


def test_the_fleet_leaves_out_old_rollouts_and_says_how_many(http: httpx.Client) -> None:
    whole, cut = http.get("/v1/fleet").json(), http.get("/v1/fleet?ended=0").json()

    ended = [each["id"] for each in whole["rollouts"] if each["ended"]]
    assert ended == ["r-0001"]
    assert [each["id"] for each in cut["rollouts"]] == [
        each["id"] for each in whole["rollouts"] if each["id"] not in ended
    ]
    assert (whole["older"], cut["older"]) == (0, 1)
    assert http.get("/v1/fleet?ended=501").status_code == 422


def test_an_act_on_what_was_seen_is_carried_out_and_on_what_was_not_it_is_told_what_changed() -> None:
    with served() as standing, standing.http() as http:
        stale = http.get(f"/v1/rollouts/{R}").headers["etag"]
        standing.do(standing.world.app.resume(Resume(rollout=R, by=GRACE, why="back from lunch"), key="a"))
        http.post(f"/v1/rollouts/{R}/halt", json={"why": "errors in the evening"})
        size = standing.size()

        refused = http.post(f"/v1/rollouts/{R}/resume", json={"why": "lunch is over"}, headers={"If-Match": stale})

        told = refused.json()
        assert (refused.status_code, told["status"], told["code"]) == (412, 412, "page-stale")
        assert "back from lunch" in told["detail"]
        assert "errors in the evening" in told["detail"]
        assert (told["next_command"], standing.size()) == (f"glideslope show {R}", size)

        fresh = http.get(f"/v1/rollouts/{R}").headers["etag"]
        keyed = {"If-Match": fresh, "Idempotency-Key": "k-7"}
        done = http.post(f"/v1/rollouts/{R}/resume", json={"why": "looked at it"}, headers=keyed)
        again = http.post(f"/v1/rollouts/{R}/resume", json={"why": "looked at it"}, headers=keyed)
        assert [done.status_code, again.status_code] == [200, 200]
        assert standing.size() == size + 1


def test_live_figures_do_not_make_a_page_stale(standing: Served, http: httpx.Client) -> None:
    """The tag of a view changes with each count, and what an approval rests on does not."""
    waiting = next(each for each in http.get("/v1/rollouts?model=fraud").json() if each["phase"] == "proposed")
    at = f"/v1/rollouts/{waiting['id']}"
    tag = http.get(at).headers["etag"]
    assert tag.startswith(f'"{waiting["tag"]}.')

    alone = http.post(
        f"{at}/approvals",
        json={"plan_digest": waiting["plan_digest"], "why": "no"},
        headers={"If-Match": f'"{waiting["tag"]}x"'},
    )
    assert alone.status_code == 412
    approved = Approve(
        rollout=waiting["id"], plan_digest=waiting["plan_digest"], granted=True, by=GRACE, why="y", tag=waiting["tag"]
    )
    standing.do(standing.world.app.approve(approved, key="yes"))


@pytest.mark.parametrize("tag", ['""', '".ab"', f'"{"9" * 5_000}"', "1", 'W/"1"', '"1', '"a", "b"'])
def test_what_is_no_tag_is_refused(http: httpx.Client, tag: str) -> None:
    response = http.post(f"/v1/rollouts/{R}/resume", json={"why": "x"}, headers={"If-Match": tag})

    assert (response.status_code, response.json()["code"]) == (422, "request-invalid")


def test_nobody_is_kept_from_stopping_by_a_stale_page() -> None:
    with served() as standing, standing.http() as http:
        response = http.post(f"/v1/rollouts/{R}/rollback", json={"why": "harm"}, headers={"If-Match": '"1"'})

        assert response.status_code == 200


class Reader:
    """Reads server-sent events of `/v1/events` until it has seen enough."""

    def __init__(self, http: httpx.Client, query: str = "", *, last: int | None = None) -> None:
        headers = {} if last is None else {"Last-Event-ID": str(last)}
        self._stream = http.stream("GET", f"/v1/events{query}", headers=headers)
        self.ids: list[int] = []

    def __enter__(self) -> Self:
        response = self._stream.__enter__()
        assert response.status_code == 200
        self._lines = response.iter_lines()
        return self

    def __exit__(self, *why: object) -> None:
        self._stream.__exit__(None, None, None)

    def moved(self, to: int) -> None:
        """Read until all up to an entry was told or passed over."""
        while not self.ids or self.ids[-1] < to:
            line = next(self._lines)
            if line.startswith("id: "):
                self.ids.append(int(line[4:]))

    def entries(self, until: int) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        while not self.ids or self.ids[-1] < until or (found and found[-1]["entry"] < self.ids[-1] == until):
            line = next(self._lines)
            if line.startswith("id: "):
                self.ids.append(int(line[4:]))
            if line.startswith("data: "):
                found.append(json.loads(line[6:]))
                if found[-1]["entry"] >= until:
                    break
        return found


def test_the_ledger_is_told_in_order_and_once_and_can_be_gone_on_with(standing: Served, http: httpx.Client) -> None:
    size = standing.size()
    with Reader(http, "?from=0") as reader:
        whole = reader.entries(size - 1)
    with Reader(http, last=4) as reader:
        rest = reader.entries(size - 1)

    assert [each["entry"] for each in whole] == list(range(size))
    assert rest == whole[5:]
    assert {"stream", "version", "at", "kind", "by", "sentence", "link"} <= set(whole[0])


def test_entries_come_as_they_are_recorded(standing: Served, http: httpx.Client) -> None:
    size = standing.size()
    with Reader(http) as reader:
        reader.moved(size - 1)
        standing.do(standing.world.serves("next", per_second=8, v1=Behaviour()))

        found = reader.entries(standing.size() - 1)

    assert [each["entry"] for each in found] == list(range(size, standing.size()))
    assert found[0]["kind"] == "version-registered"


def test_entries_are_told_by_model_and_kind(standing: Served, http: httpx.Client) -> None:
    record = standing.world.app.record
    last = standing.size() - 1
    with Reader(http, "?from=0&model=delays&kind=decided&kind=rollout-proposed") as reader:
        wanted = [
            k
            for k in range(last + 1)
            if record.at(k).stream == "r-0001"
            and record.at(k).event.__struct_config__.tag in {"decided", "rollout-proposed"}
        ]
        found = reader.entries(wanted[-1])

    assert [each["entry"] for each in found] == wanted
    assert record.model(ModelName("delays")).incumbent == "v1"


@pytest.mark.parametrize("query", ["?from=-1", "?from=x", "?model=Not%20a%20model"])
def test_a_stream_that_cannot_be_is_refused(http: httpx.Client, query: str) -> None:
    assert http.get(f"/v1/events{query}").json()["code"] in {"request-invalid", "name-invalid"}


def test_a_caller_may_ask_to_be_heard_as_less_than_they_are(standing: Served, http: httpx.Client) -> None:
    narrow = {"Glideslope-Role": "reader"}
    size = standing.size()

    assert http.get("/v1/me").json() == {"actor": "ada", "role": "admin"}
    assert http.get("/v1/me", headers=narrow).json() == {"actor": "ada", "role": "reader"}
    assert http.get("/v1/fleet", headers=narrow).status_code == 200
    refused = http.post(f"/v1/rollouts/{R}/halt", json={"why": "x"}, headers=narrow)
    assert (refused.status_code, refused.json()["code"], standing.size()) == (401, "not-allowed", size)
    for role in ("admin", "owner", ""):
        wider = {"Authorization": "Bearer gs_reader", "Glideslope-Role": role}
        assert http.get("/v1/fleet", headers=wider).json()["code"] == "request-invalid"
    as_source = {"Authorization": "Bearer gs_source", **narrow}
    assert http.get("/v1/fleet", headers=as_source).json()["code"] == "not-allowed"
