"""The API answers as its OpenAPI description says: every operation, in every role, whatever is sent, with rollouts under way.

Requests come from the description itself (schemathesis): data that fits it, and data that does not. What it cannot know,
such as which rollouts there are, is put in, so that not everything is a 404.
"""

import asyncio
import os
import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import httpx
import msgspec
import pytest
import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from glideslope.domain.commands import (
    AgreeContract,
    Approve,
    AskGlass,
    AskMore,
    BreakGlass,
    DescribePerson,
    Halt,
    OrderRollback,
    RecordAdvisories,
    RecordFacts,
    TableAgreement,
)
from glideslope.domain.contract import Contract, FeatureRule, FeatureType
from glideslope.domain.decision import DECIDER, Hold
from glideslope.domain.events import Decided
from glideslope.domain.evidence import NOTHING
from glideslope.domain.governing.dossier import Advisories, advisories_digest
from glideslope.domain.governing.facts import Facts
from glideslope.domain.governing.glass import Emergency
from glideslope.domain.governing.incident import IncidentNoted, IncidentOpened, Remedy
from glideslope.domain.governing.kinds import document_of
from glideslope.domain.governing.person import Person
from glideslope.domain.identity import Identity, Role
from glideslope.domain.ids import MACHINE, Actor, ModelName, RolloutId, VersionName
from glideslope.domain.reasons import Reason
from glideslope.domain.receipt import Receipt, mint, model_hash, request_hash, subject_hash
from glideslope.domain.telling.channel import Channels, Reference, Slack, Subscription
from glideslope.domain.traffic import Arm
from glideslope.engine.record import Append, incident_stream
from glideslope.engine.telling.herald import Herald
from glideslope.engine.telling.ports import ChannelsRead, Outlets
from glideslope.interfaces.api.app import create_app
from glideslope.interfaces.document import agreements
from glideslope.ledger import cosignature, note
from glideslope.testing.logs import MemoryLog
from glideslope.testing.telling import MemoryDeliveries, MemoryNotifier
from glideslope.testing.traffic import KEY, Behaviour
from glideslope.testing.world import ADA, GRACE, World, draft

PROMISES = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    negative_data_rejection,
]
ROLES = ["admin", "member", "source", "reader", "nobody", "admin", "member"]
MODELS = ["delays", "arrivals", "spam", "fraud", "mail"]
ROLLOUTS = ["r-0001", "r-0002", "r-0003", "r-0004"]
FITTING = {
    "halt": "r-0001",
    "rollback": "r-0001",
    "approvals": "r-0002",
    "retry": "r-0003",
    "resume": "r-0004",
    "withdraw": "r-0002",
    "reply": "r-0002",
    "judgements": "r-0001",
    "glass": "r-0006",
    "agree": "r-0006",
    "review": "r-0005",
    "notes": "r-0003",
    "close": "r-0003",
    "{rollout}": "r-0003",
}
"""What each order may work on."""
OPEN = {"/v1/healthz", "/v1/readyz"}
"""Whoever asks is told."""
OPS = (Actor("ola"), Actor("pat"))
THOROUGH = os.environ.get("HYPOTHESIS_PROFILE") == "thorough"


def may(role: str, method: str, path: str) -> bool:
    """Tell whether a role may call an operation at all: the table of the reference, written down a second time."""
    if path in OPEN:
        return True
    if path == "/v1/me":
        return role in {"reader", "source", "member", "admin"}
    if path in {
        "/v1/observations",
        "/v1/predictions",
        "/v1/features",
        "/v1/shadow",
        "/v1/pairs",
        "/v1/models/{model}/briefing",
    }:
        return role in {"source", "admin"}
    if path.endswith("/contract") and method == "GET":
        return role in {"reader", "source", "member", "admin"}
    if path == "/v1/outcomes":
        return role in {"source", "member", "admin"}
    if path.startswith("/v1/people"):
        return role in {"member", "admin"}
    if path.startswith("/v1/channels/"):
        return role == "admin"
    if method == "GET" or path.startswith("/v1/plan"):
        return role in {"reader", "member", "admin"}
    return role in {"member", "admin"}


def plan(model: str, *, candidate: str = "v2", more: str = "") -> str:
    return (
        f"model: {model}\ncandidate: {candidate}\nowner: me\nwhy: better\nlease: 2s\n"
        "stages:\n  - canary: {shares: [10%], for: 5s, at_most: 300s}\nguardrails:\n  - {metric: errors, margin: 20pp}\n"
        f"slices: {{origin: [EWR, JFK]}}\n{more}"
    )


def contract_text(model: str) -> str:
    return f"contract: 1\nmodel: {model}\nfeatures:\n  distance: {{type: number, range: [0, any], missing: 1%}}\n"


def organisation_text(edition: int = 0) -> str:
    people = "".join(
        f"  - {{id: {who}, functions: [product, security], rights: [propose, operate, review, administer], team: us}}\n"
        for who in (ADA, GRACE, *OPS)
    )
    return (
        f"organisation: 1\npeople:\n{people}  - {{id: me}}\nteams: [{{name: us, reach: '#us-{edition}'}}]\n"
        "owned: [{kind: model, name: delays, owner: us}]\n"
    )


async def table(world: World, edition: int) -> None:
    text = organisation_text(edition)
    document = agreements.read(text, file="organisation.yaml")
    command = TableAgreement(
        of=document.of,
        name=document.name,
        document=document_of(document.agreed),
        text=text,
        by=ADA,
        why="so it is",
        admin=True,
    )
    await world.app.table(command, key=world.key())


async def break_glasses(world: World) -> None:
    """One whose glass was broken, by two who are not the callers, and one for which somebody asks to break it."""
    for number, model in enumerate(("arrivals2", "spam2")):
        await world.serves(model, per_second=8, v1=Behaviour(), v2=Behaviour())
        rollout = await world.propose(msgspec.structs.replace(draft(model, "v2", approvals=2), owner="us"))
        ask = AskGlass(rollout=rollout, emergency=Emergency.OUTAGE, lasting=3_600_000, by=OPS[0], why="down")
        await world.app.ask_glass(ask, key=world.key())
        if not number:
            await world.app.break_glass(BreakGlass(rollout=rollout, by=OPS[1], why="seen"), key=world.key())


async def open_incident(world: World) -> None:
    """Of the one that was rolled back, with all that it must say, so that it may be closed."""
    opened = IncidentOpened(
        rollout=RolloutId("r-0003"),
        model=ModelName("spam"),
        incumbent=VersionName("v1"),
        candidate=VersionName("v2"),
        reasons=(Reason.BREACHED,),
        breaches=(),
        step="s1",
        exposed=9,
        lasted=1_000,
    )
    done = Remedy(what="a test", owner="us", due="2026-12-24", done=True)
    noted = IncidentNoted(by=ADA, why="looked", gap="none had such input", hypotheses=("the parser",), remedies=(done,))
    append = Append(stream=incident_stream(RolloutId("r-0003")), expected=0, events=(opened, noted), key="incident")
    await world.app.record.append((append,))


async def lived() -> World:
    """A world with one rollout under way, one that waits for people, one that was rolled back and one that is halted."""
    world = World(log=MemoryLog())
    for model in MODELS:
        await world.serves(model, per_second=8, v1=Behaviour(), v2=Behaviour())
    agreed = Contract(model=ModelName("delays"), features=(FeatureRule(name="distance", type=FeatureType.NUMBER),))
    await world.app.agree(AgreeContract(contract=agreed, by=ADA, why="agreed"), key=world.key())
    about = DescribePerson(actor=GRACE, person=Person(name="Grace"), by=ADA)
    await world.app.describe_person(about, key=world.key())
    facts = Facts(model=ModelName("delays"), version=VersionName("v2"), seed=7)
    await world.app.record_facts(RecordFacts(facts=facts, by=ADA, why="trained"), key=world.key())
    await world.propose(draft("delays", "v2"))
    await world.run(8)
    waiting = await world.propose(draft("arrivals", "v2", approvals=2))
    plan_digest = world.app.record.rollout(waiting).plan_digest
    yes = Approve(rollout=waiting, plan_digest=plan_digest, granted=True, by=GRACE, why="read it")
    await world.app.approve(yes, key=world.key())
    for model in ("spam", "fraud"):
        await world.propose(draft(model, "v2"))
    await world.run(2)
    await world.app.roll_back(OrderRollback(rollout=RolloutId("r-0003"), by=GRACE, why="tried"), key=world.key())
    await world.app.halt(Halt(rollout=RolloutId("r-0004"), by=GRACE, why="tried"), key=world.key())
    await world.run(1)
    for edition in (0, 1):  # one in force, one that waits for answers
        await table(world, edition)
    await break_glasses(world)
    await open_incident(world)
    await world.app.ask_more(AskMore(rollout=waiting, by=OPS[0], why="which rows?"), key=world.key())
    held = Hold(exposed=True, reasons=(Reason.DEADLINE_HOLD,))
    event = Decided(decision=held, evidence=NOTHING, decider=DECIDER, by=MACHINE)
    under_way = world.app.record.rollout(RolloutId("r-0001"))
    append = Append(stream=under_way.id, expected=under_way.version, events=(event,), key="held")
    await world.app.record.append((append,))
    known = Advisories(source="osv.dev", as_of=1, digest=advisories_digest(()), entries=())
    await world.app.record_advisories(RecordAdvisories(advisories=known, by=ADA, why="today"), key=world.key())
    assert [str(r.phase.value) for r in world.app.record.rollouts()][:4] == [
        "running",
        "proposed",
        "rolled-back",
        "halted",
    ]
    return world


async def telling(world: World) -> Herald:
    """Return a herald with one channel, which takes whatever is sent."""
    channels = Channels(to={"ops": Slack(url=Reference(env="CHAT"), tell=(Subscription(),))})
    outlets = Outlets(
        deliveries=MemoryDeliveries(),
        notifier=MemoryNotifier(),
        channels=lambda: ChannelsRead(channels),
        address=lambda: "http://127.0.0.1:8787",
        chance=lambda: 0.5,
    )
    herald = Herald(record=world.app.record, outlets=outlets, clock=world.clock, dues=world.app.comes_round)
    await herald.follow()
    return herald


@dataclass
class Api:
    """The application over a lived-in world, and the receipts and digests that callers of it would know."""

    app: FastAPI
    world: World
    runner: asyncio.Runner

    def ask(self, method: str, url: str, **more: Any) -> httpx.Response:
        async def asked() -> httpx.Response:
            transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport) as client:
                return await client.request(method, url, **more)

        return self.runner.run(asked())

    def receipt(self, number: int) -> str:
        return mint(
            Receipt(
                model=model_hash(self.world.app.record.models()[0].name),
                rollout=1,
                step=1,
                arm=Arm.CANDIDATE,
                at=1_600_000_000,
                slices=(0,),
                score=9_000,
                request=request_hash(str(number)),
                subject=subject_hash(str(number)),
            ),
            key=KEY,
        )


@pytest.fixture
def api() -> Iterator[Api]:
    with asyncio.Runner() as runner:
        world = runner.run(lived())
        actors = {"reader": Actor("rob"), "source": Actor("svc"), "member": GRACE, "admin": ADA}
        app = world.app
        app._world = replace(app._world, identify=lambda t: Identity(actors[t], Role(t)) if t in actors else None)
        # Stopping already: event streams end after what there is to say, and no question is held back.
        stopping = asyncio.Event()
        stopping.set()
        app.herald = runner.run(telling(world))
        yield Api(create_app(app, new_key=world.key, stopping=stopping), world, runner)


WITNESS = note.Signer("witness.example/1", b"w" * 32)


def known(api: Api, case: Any, chance: random.Random) -> None:
    """Put in what the description cannot know."""
    numbers = ["v1", "v2"] if "/versions/" in case.operation.path else list(range(1, 9))
    paths = {
        "model": [*MODELS, "new-one"],
        "rollout": [*ROLLOUTS, "r-0009"],
        "version": numbers,
        "of": ["organisation"],
        "name": ["organisation"],
        "channel": ["ops"],
        "question": [each.version for each in api.world.app.record.rollout(RolloutId("r-0002")).said.asked],
    }
    for name in sorted(set(case.path_parameters or {}) & set(paths)):
        if chance.random() < 0.8:
            case.path_parameters[name] = chance.choice(paths[name])
    if "actor" in (case.path_parameters or {}):
        case.path_parameters["actor"] = GRACE  # whom members may speak about, since it is they
    fitting = FITTING.get(case.operation.path.rpartition("/")[2])
    if fitting is not None and chance.random() < 0.6:
        case.path_parameters["rollout"] = fitting
    body = case.body
    if not isinstance(body, dict):
        return
    if case.operation.path.endswith("/cosignatures"):
        api.world.witnesses = (cosignature.Witness(WITNESS.name, WITNESS.verifier.public_key),)
        signed = api.runner.run(api.world.app.checkpoint())
        line = cosignature.line(WITNESS, note.parse(signed.note.encode()).text, time=7).decode()
        body |= {"size": signed.size, "lines": chance.choice([line, line, "x"])}
    digests = [r.plan_digest for r in api.world.app.record.rollouts()]
    digests += [r.plan_digest for r in api.world.app.record.rollouts() if r.id == fitting] * 6
    texts = [plan("mail"), plan("spam"), plan("mail", more="alpha: 7\n"), plan("mail", candidate="v9"), plan("nobody")]
    if case.operation.path.endswith("/contract"):
        texts = [contract_text((case.path_parameters or {}).get("model", "mail"))] * 2 + [contract_text("nobody")]
    if case.operation.path == "/v1/agreements":
        texts = [organisation_text(2), organisation_text(3), "organisation: 1\npeople: []\n"]
    tabled = api.world.app.record.agreement("organisation", "organisation")
    if case.operation.path.endswith("/facts"):
        texts = ["facts: 1\nseed: 7\n", "facts: 1\nseed: 8\n", "facts: 1\nseeds: 8\n"]
    values: dict[str, Callable[[], Any]] = {
        "text": lambda: chance.choice(texts[:2] if chance.random() < 0.6 else texts),
        "plan_digest": lambda: chance.choice([*digests, None] if "text" in body else digests),
        "why": lambda: chance.choice(["it is needed", "\u202e\x1b[2J", "so", " "]),
        "model": lambda: chance.choice(MODELS),
        "rollout": lambda: chance.choice(ROLLOUTS),
        "version": lambda: chance.choice(["v1", "v2", "v3"]),
        "digest": lambda: (
            tabled.tabled.digest
            if case.operation.path.endswith("/answers") and tabled and tabled.tabled
            else "sha256:" + chance.choice("123") * 64
        ),
        "url": lambda: chance.choice(["http://host:80", "http://[::1]:9", "http://host/path"]),
        "source": lambda: chance.choice(["a", "b"]),
        "about": lambda: chance.choice([["deadline-passed-hold"], ["x"]]),
        "as_of": lambda: chance.choice([1, 2]),
        "held_at": lambda: chance.choice([1, 2]),
        "email": lambda: chance.choice(["ana@example.org", "", "x"]),
        "chat": lambda: chance.choice(["@ana", ""]),
        "epoch": lambda: chance.choice([1, 2]),
        "counts": lambda: {f"r-0001/s1/candidate/{m}/all/{chance.randrange(3)}": chance.choice([1, 7]) for m in ("errors", "x")},
        "answers": lambda: [[chance.randrange(9), chance.randrange(-9, 99_999)]],
        "outcomes": lambda: [{"prediction": api.receipt(chance.randrange(9)), "happened": True}],
    }  # fmt: skip
    if case.operation.path.startswith("/v1/people"):
        values["name"] = lambda: chance.choice(["Ana", "Ben"])
    # In order: chance comes from the seed alone, not from how names are hashed.
    for name in sorted(set(body) & set(values)):
        if chance.random() < 0.8:
            body[name] = values[name]()
    open_ = {r.id: r.plan.model for r in api.world.app.record.rollouts()}
    if "model" in body and body.get("rollout") in open_ and chance.random() < 0.8:
        body["model"] = open_[body["rollout"]]


def operations() -> list[Any]:
    """Every operation of the description; it does not depend on what is served."""
    with asyncio.Runner() as runner:
        world = World()
        app = create_app(runner.run(world.start()), new_key=world.key)
    return [found.ok() for found in schemathesis.openapi.from_dict(app.openapi()).get_all_operations()]


OPERATIONS = operations()


def try_out(api: Api, operation: Any, *, mode: GenerationMode, examples: int) -> Counter[tuple[str, int]]:
    """Send what the description gives rise to, hold each answer against it, and count answers by role and status."""
    seen: Counter[tuple[str, int]] = Counter()

    @seed(20131209)
    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(
        max_examples=examples,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def held(case: Any) -> None:
        number = seen.total()
        # Not drawn: what is drawn is mostly the first or the same again, and everybody shall have a turn.
        role = ROLES[number % len(ROLES)]
        if mode.is_positive:
            known(api, case, random.Random(number))
        case.headers["Authorization"] = f"Bearer {role}"
        wanted = case.as_transport_kwargs(base_url="http://test")
        headers = {name.encode("latin-1"): str(value).encode("latin-1") for name, value in wanted["headers"].items()}
        more = {"json": wanted["json"]} if "json" in wanted else {"content": wanted.get("data") or b""}
        response = api.ask(
            wanted["method"], wanted["url"], params=wanted.get("params"), headers=list(headers.items()), **more
        )
        seen[role, response.status_code] += 1
        allowed = may(role, operation.method.upper(), operation.path)
        if role == "member" and operation.path.startswith("/v1/people/{actor}") and response.status_code == 401:
            allowed = case.path_parameters["actor"] == GRACE  # members speak about themselves
        assert allowed or response.status_code in {401, 404, 422}, (role, response.text)
        assert not allowed or response.status_code != 401, (role, response.text)
        case.validate_response(response, checks=PROMISES)

    held()
    return seen


@pytest.mark.parametrize("operation", OPERATIONS, ids=[operation.label for operation in OPERATIONS])
def test_every_answer_is_one_that_the_description_promises(api: Api, operation: Any) -> None:
    examples = 600 if THOROUGH else 35
    seen = try_out(api, operation, mode=GenerationMode.POSITIVE, examples=examples)

    # Were everything refused, nothing would have been tried.
    good = [status for status in map(int, operation.responses.status_codes) if status < 300]
    assert good, operation.label
    assert any(status in good for _, status in seen), seen
    if operation.path not in OPEN:
        assert seen["nobody", 401], seen


NEGATABLE = [each for each in OPERATIONS if each.body or each.path_parameters or each.query]


@pytest.mark.parametrize("operation", NEGATABLE, ids=[operation.label for operation in NEGATABLE])
def test_what_does_not_fit_the_description_is_refused(api: Api, operation: Any) -> None:
    entries, examples = api.world.app.record.size(), 600 if THOROUGH else 16

    seen = try_out(api, operation, mode=GenerationMode.NEGATIVE, examples=examples)

    assert any(400 <= status < 500 for _, status in seen), seen
    assert api.world.app.record.size() == entries


@pytest.mark.parametrize("method", ["GET", "PUT", "POST", "PATCH", "DELETE", "OPTIONS", "TRACE", "HEAD", "NONSENSE"])
def test_a_method_that_is_not_described_is_refused_with_those_that_are(api: Api, method: str) -> None:
    paths: dict[str, set[str]] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, set()).add(operation.method.upper())

    for path, methods in paths.items():
        if method not in methods:
            url = path.format(
                model="delays",
                rollout="r-0001",
                version=1,
                of="organisation",
                name="organisation",
                actor="a",
                question="1",
                channel="ops",
            )
            response = api.ask(method, f"http://test{url}", headers={"Authorization": "Bearer admin"})
            assert (response.status_code, set(response.headers["allow"].split(", "))) == (405, methods), (
                path,
                response,
            )
