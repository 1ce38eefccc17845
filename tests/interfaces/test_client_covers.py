"""The sdk's calls are the API's description, no more and no less: addresses, questions, bodies, and the types of answers."""

import asyncio
import inspect
import re
import typing
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit

import msgspec
import pytest

from glideslope.domain.governing.dossier import Advisory
from glideslope.domain.governing.incident import Remedy
from glideslope.domain.governing.person import Person
from glideslope.domain.logged import Predictions
from glideslope.domain.observation import FeatureTotals, Outcomes, ShadowAnswers, Totals
from glideslope.domain.pairs import Halves
from glideslope.domain.plan import Evaluation
from glideslope.domain.traffic import Arm
from glideslope.interfaces.api.app import create_app
from glideslope.sdk import calls
from glideslope.sdk.requests import Call, Stream
from glideslope.testing.world import World

ANY: dict[str, Any] = {
    "str": "a b/ü?",
    "str | None": "x",
    "int": 3,
    "int | None": 3,
    "bool": True,
    "float": 1.5,
    "Sequence[int]": (1, 2),
    "Sequence[str]": ("x", "y"),
    "Sequence[str] | None": ("x",),
    "Sequence[Evaluation]": (Evaluation(metric="auc", holdout="h", incumbent=0.5, candidate=0.6, count=9),),
    "Sequence[Advisory]": (Advisory(id="A-1", package="p", versions=("1",), severity="high"),),
    "Sequence[Remedy] | None": (Remedy(what="w", owner="o", due="2026-12-24"),),
    "Person": Person(name="Ana", email="a@example.org", chat="@ana"),
    "ModelName": "fraud",
}
MESSAGES: dict[str, Any] = {
    "totals": Totals(source="a", epoch=1, model="m", counts={}),  # type: ignore[arg-type]  # names are not checked here
    "predictions": Predictions(source="a", epoch=1, model="m", predictions=()),  # type: ignore[arg-type]
    "features": FeatureTotals(source="a", epoch=1, model="m", contract="", tallies=()),  # type: ignore[arg-type]
    "shadow_answers": ShadowAnswers(model="m", rollout="r", answers=()),  # type: ignore[arg-type]
    "halves": Halves(model="m", rollout="r", arm=Arm.CANDIDATE, halves=()),  # type: ignore[arg-type]
    "outcomes": Outcomes(outcomes=()),
}
"""What sources send, by the name of the call."""


class Made(NamedTuple):
    """A call made with every argument, and the type that it promises."""

    name: str
    call: Call[Any]
    answer: Any
    streamed: bool


def made(name: str) -> Made:
    function = getattr(calls, name)
    hints = typing.get_type_hints(function)
    arguments: dict[str, Any] = {}
    for parameter in inspect.signature(function).parameters.values():
        kind = re.sub(
            r"\b(?:collections\.abc|glideslope(?:\.\w+)*|typing)\.",
            "",
            str(inspect.formatannotation(parameter.annotation)),
        )
        arguments[parameter.name] = MESSAGES[name] if name in MESSAGES else ANY[kind]
    positional = [
        arguments.pop(p.name)
        for p in inspect.signature(function).parameters.values()
        if p.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD and p.default is inspect.Parameter.empty
    ]
    found = function(*positional, **arguments)
    streamed = isinstance(found, Stream)
    return Made(name, found.call if streamed else found, typing.get_args(hints["return"])[0], streamed)


@pytest.fixture(scope="module")
def description() -> dict[str, Any]:
    with asyncio.Runner() as runner:
        world = World()
        return dict(create_app(runner.run(world.start()), new_key=world.key).openapi())


@pytest.fixture(scope="module")
def every() -> Sequence[Made]:
    return [made(name) for name in calls.__all__]


def operation_of(description: dict[str, Any], call: Call[Any]) -> tuple[str, dict[str, Any]]:
    """Return the operation that a call is for: the one whose address has the most parts written out."""
    parts = urlsplit(call.path).path.split("/")
    fitting = [
        template
        for template, operations in description["paths"].items()
        if call.method.lower() in operations
        and len(shape := template.split("/")) == len(parts)
        and all(one.startswith("{") or one == other for one, other in zip(shape, parts, strict=True))
    ]
    assert fitting, f"no route for {call.method} {call.path}"
    template = min(fitting, key=lambda each: each.count("{"))
    return f"{call.method} {template}", description["paths"][template][call.method.lower()]


def test_every_route_has_one_call_and_every_call_a_route(description: dict[str, Any], every: Sequence[Made]) -> None:
    routes = {f"{m.upper()} {path}" for path, operations in description["paths"].items() for m in operations}

    assert sorted(operation_of(description, each.call)[0] for each in every) == sorted(routes)


def test_a_call_can_ask_all_that_its_route_answers(description: dict[str, Any], every: Sequence[Made]) -> None:
    for each in every:
        _, operation = operation_of(description, each.call)
        known = {p["name"] for p in operation.get("parameters", ()) if p["in"] == "query"} - {"cursor"}
        assert {name for name, _ in parse_qsl(urlsplit(each.call.path).query)} == known, each.name
        headers = {p["name"] for p in operation.get("parameters", ()) if p["in"] == "header"}
        # The two that a client adds by itself.
        assert set(each.call.headers) == headers - {"If-None-Match", "Last-Event-ID"}, each.name


def test_a_call_can_say_all_that_its_route_reads(description: dict[str, Any], every: Sequence[Made]) -> None:
    for each in every:
        _, operation = operation_of(description, each.call)
        if "requestBody" not in operation:
            assert each.call.body is None, each.name
            continue
        if each.name in MESSAGES:
            continue  # these are the types with which the server decodes
        schema = operation["requestBody"]["content"]["application/json"]["schema"]
        body = msgspec.json.decode(each.call.body or b"{}")
        assert set(body) == set(properties(description, schema)), each.name


def properties(description: dict[str, Any], schema: dict[str, Any]) -> Iterator[str]:
    reference = schema.get("$ref", "")
    found = description["components"]["schemas"][reference.rpartition("/")[2]] if reference else schema
    yield from found["properties"]


def test_a_call_promises_the_type_of_its_routes_answer(description: dict[str, Any], every: Sequence[Made]) -> None:
    for each in every:
        _, operation = operation_of(description, each.call)
        told = next(answer for status, answer in operation["responses"].items() if status.startswith("2"))
        content = told.get("content", {})
        if each.streamed:
            assert set(content) == {"text/event-stream"}, each.name
        elif each.answer is type(None):
            assert not content, each.name
        elif each.answer in {bytes, str}:
            assert set(content) <= {"application/octet-stream", "application/zip", "application/yaml", "text/plain"}
        else:
            kinds = [k for k in typing.get_args(each.answer) if k is not type(None)] if each.name == "totals" else []
            kind = kinds[0] if kinds else each.answer
            schemas, _ = msgspec.json.schema_components([kind], ref_template="#/components/schemas/{name}")
            assert content["application/json"]["schema"] == schemas[0], each.name


def test_two_calls_are_two_commands_and_a_call_is_one() -> None:
    first, second = calls.halt("r-0001", why="x"), calls.halt("r-0001", why="x")

    assert first.headers["Idempotency-Key"] != second.headers["Idempotency-Key"]
    assert calls.halt("r-0001", why="x", key="mine").headers == {"Idempotency-Key": "mine"}
    assert calls.resume("r-0001", why="x", seen='"7.ab"', key="k").headers["If-Match"] == '"7.ab"'
    assert calls.resume("r-0001", why="x", seen="7", key="k").headers["If-Match"] == '"7"'
