"""The policy for a regulated bank as it is shipped: a change with everything passes it, and each thing that is missing blocks."""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any, Final

import msgspec
import pytest
from msgspec.structs import replace
from tests.scenarios.test_drills import drilled

from glideslope.domain.commands import (
    AgreeContract,
    AnswerAgreement,
    Approve,
    BeginDrill,
    RecordAdvisories,
    RecordFacts,
    Register,
    ReviewAgreement,
    TableAgreement,
    TellDrill,
)
from glideslope.domain.contract import Contract, FeatureRule, FeatureType
from glideslope.domain.decision import Verdict
from glideslope.domain.draft import GuardrailDraft, StageDraft
from glideslope.domain.governing.dossier import Advisories, Advisory, advisories_digest
from glideslope.domain.governing.drill import DrillKind
from glideslope.domain.governing.facts import Facts
from glideslope.domain.governing.incident import IncidentOpened
from glideslope.domain.governing.kinds import document_of
from glideslope.domain.governing.organisation import DAY
from glideslope.domain.ids import Actor, Digest, MetricName, ModelName, RolloutId, VersionName
from glideslope.domain.plan import Criterion, Evaluation, Margin, MarginKind, Rationale, StageKind
from glideslope.domain.reasons import Reason
from glideslope.engine.record import Append, incident_stream
from glideslope.interfaces.cli.shipped import shipped
from glideslope.interfaces.document import agreements, policies
from glideslope.testing.traffic import SOUND
from glideslope.testing.world import ADA, World, content, draft

CREDIT: Final = ModelName("credit")
V6, V7 = VersionName("v6"), VersionName("v7")
PAUL, SARA, CARL, OPS = Actor("paul"), Actor("sara"), Actor("carl"), Actor("ops")
REPORT: Final = Digest("sha256:" + "8" * 64)

ORGANISATION = """
organisation: 1
people:
  - {id: ada, functions: [data-science], rights: [propose, operate, administer], team: lending}
  - {id: ops, rights: [operate]}
  - {id: paul, functions: [product], rights: [review, administer], team: platform}
  - {id: sara, functions: [security], rights: [review], team: risk}
  - {id: carl, functions: [compliance], rights: [review], team: lending-data}
teams:
  - {name: lending, reach: "#lending"}
  - {name: lending-data, reach: "#lending-data"}
  - {name: platform, reach: "#platform"}
  - {name: risk, reach: "#risk"}
owned:
  - {kind: model, name: credit, owner: lending}
  - {kind: dataset, name: claims, owner: lending-data}
  - {kind: dataset, name: claims-holdout, owner: lending-data}
  - {kind: metric, name: errors, owner: platform}
  - {kind: metric, name: latency, owner: platform}
  - {kind: metric, name: log_loss, owner: lending}
  - {kind: policy, name: regulated-bank, owner: risk}
  - {kind: playbook, name: rollback, owner: platform}
tiers:
  - {name: low}
  - {name: high, approvals: [product, security, compliance], valid_for: 14d, drill_within: 90d}
usual_tier: low
models: {credit: high}
reviews: {access: 90d, policy: 365d, threat-model: 180d}
"""

THREATS = """
threat-model: 1
name: credit
models: [credit]
threats:
  - {id: poisoned, what: Somebody plants applications that teach it to lend., against: [Labels are bought from the bureau.]}
  - {id: probed, what: Applicants probe for what passes., left: They are few and are seen.}
"""


async def table(world: World, text: str, *, by: Actor = ADA, yes: Actor | None = None) -> None:
    found = agreements.read(text, file="it.yaml")
    command = TableAgreement(
        of=found.of, name=found.name, document=document_of(found.agreed), text=text, by=by, why="so it is", admin=True
    )
    view = await world.app.table(command, key=world.key())
    if yes is not None:
        assert view.tabled is not None, "nobody puts that in force alone"
        answer = AnswerAgreement(
            of=found.of, name=found.name, digest=Digest(view.tabled.digest), granted=True, by=yes, why="read it"
        )
        await world.app.answer(answer, key=world.key())


def facts_document(now: int) -> dict[str, Any]:
    """Return what the shipped dossier knows of its candidate, as of `now`, about this world's bytes."""
    dossier = policies.read_document(shipped("policies/dossier.yaml"), file="dossier.yaml")
    found: dict[str, Any] = deepcopy(dossier["candidate"])
    found |= {"digest": content("credit", "v7")}
    found["makers"] = {"trained_by": ["ana"], "data_by": ["ben"], "evaluated_by": ["eva"], "code_by": ["ana", "cho"]}
    for dataset in found["datasets"]:
        dataset["fresh_at"] = now - 30 * DAY
    found["signature"] |= {"digest": content("credit", "v7"), "checked_at": now - DAY}
    measured = {"dataset": "claims-holdout", "of": content("credit", "v7"), "against": content("credit", "v6")}
    measured |= {"measured_at": now - DAY, "report": REPORT, "rows": 24_000, "verdict": "pass"}
    found["evaluations"] = [
        {**measured, "metric": "auc", "value": 0.78},
        {**measured, "metric": "calibration", "value": 0.02},
        {**measured, "metric": "auc", "value": 0.77, "slice": "region=EU"},
        {**measured, "metric": "auc", "value": 0.74, "slice": "new_customer=yes"},
    ]
    return found


def facts(document: Mapping[str, Any]) -> Facts:
    return msgspec.convert(document, Facts)


async def record(world: World, document: Mapping[str, Any]) -> None:
    await world.app.record_facts(RecordFacts(facts=facts(document), by=ADA, why="as trained"), key=world.key())


EVALUATIONS: Final = tuple(
    Evaluation(
        metric=metric,
        holdout="claims-holdout",
        incumbent=incumbent,
        candidate=candidate,
        count=24_000,
        lower_is_better=lower,
        report=REPORT,
        verdict=Verdict.PASS,
    )
    for metric, incumbent, candidate, lower in (("auc", 0.76, 0.78, False), ("calibration", 0.03, 0.02, True))
)


async def advise(world: World, *entries: Advisory) -> None:
    known = Advisories(
        source="osv.dev", as_of=world.app.record.now(), digest=advisories_digest(entries), entries=entries
    )
    await world.app.record_advisories(RecordAdvisories(advisories=known, by=OPS, why="today's"), key=world.key())


PILLOW: Final = Advisory(id="GHSA-made-up", package="pillow", versions=("11.0.0",), severity="critical")
NUMPY: Final = Advisory(id="GHSA-made-up2", package="NumPy", versions=("2.3.4",), severity="critical")


async def prepared(seed: int, *, without: str = "") -> World:
    """A bank in which everything was done that its policy asks for, but for one thing."""
    world = World(seed=seed)
    await world.serves("credit", v6=SOUND, v7=SOUND, evaluations=EVALUATIONS, per_second=30)
    await world.pass_time(1)
    if without != "a drill":
        if without == "a drill that the machine measured":
            told = TellDrill(
                model=CREDIT, kind="rollback", held_at=world.app.record.now(), passed=True, by=OPS, why="so we say"
            )
            await world.app.tell_drill(told, key=world.key())
        else:
            await world.app.begin_drill(
                BeginDrill(model=CREDIT, kind=DrillKind.ROLLBACK, by=OPS, why="before anything begins"), key=world.key()
            )
            assert (await drilled(world, model=CREDIT)).passed
    playbook = "  - {kind: playbook, name: rollback, owner: platform}\n"
    text = ORGANISATION.replace(playbook, "") if without == "an owner of the playbook" else ORGANISATION
    await table(world, text.replace(", drill_within: 90d", ""))
    if without != "a review of access":
        review = ReviewAgreement(of="organisation", name="organisation", by=PAUL, why="looked at each")
        await world.app.review(review, key=world.key())
    if without != "a threat model":
        await table(world, THREATS, yes=CARL)
    await table(world, shipped("policies/regulated-bank.yaml"), yes=CARL)
    if without != "advisories":
        await advise(world, PILLOW, *([NUMPY] if without == "a package without an advisory" else []))
    contract = Contract(model=CREDIT, features=(FeatureRule(name="income", type=FeatureType.NUMBER),))
    await world.app.agree(AgreeContract(contract=contract, by=ADA, why="what callers send"), key=world.key())
    document = facts_document(world.app.record.now()) | {"contract": contract.short}
    if without == "the contract in force":
        document["contract"] = "0c1d2e3f4a5b"
    if without == "a signature":
        del document["signature"]
    await record(world, document)
    old = {"format": 1, "model": "credit", "version": "v6", "digest": content("credit", "v6")}
    if without != "facts of the incumbent":
        await record(world, old)
    return world


CHANGE: Final = replace(
    draft(
        "credit",
        "v7",
        guardrails=(
            GuardrailDraft(metric=MetricName("errors"), margin=Margin(MarginKind.ABSOLUTE, 0.05)),
            GuardrailDraft(metric=MetricName("latency"), margin=Margin(MarginKind.RELATIVE, 0.5)),
            GuardrailDraft(metric=MetricName("log_loss"), margin=Margin(MarginKind.ABSOLUTE, 0.5)),
        ),
        stages=(
            StageDraft(stage=StageKind.OFFLINE),
            StageDraft(stage=StageKind.SHADOW, minimum=5_000),
            *(
                StageDraft(stage=StageKind.CANARY, shares=shares, minimum=4 * DAY // 24, maximum=DAY)
                for shares in ((100, 500, 2_500),)
            ),
            StageDraft(stage=StageKind.FULL, minimum=4 * DAY // 24, maximum=DAY),
            StageDraft(stage=StageKind.BAKE, minimum=DAY, maximum=7 * DAY),
        ),
        offline=(Criterion(metric="auc", holdout="claims-holdout", margin=0.0, lower_is_better=False),),
    ),
    owner="lending",
    proposal=Rationale(
        benefit="Fewer good applicants are turned away.",
        benefit_metric="log_loss",
        risks=("Applicants without a history may be judged by less.",),
        rollback_plan="All traffic returns to v6; its servers stay up for 30 days.",
        intended_use_changed=False,
    ),
)


async def asked(world: World, *approving: Actor) -> tuple[RolloutId, list[str]]:
    """Propose the change, approve it, and return by which rules it is blocked then."""
    rollout = await world.propose(CHANGE)
    await world.pass_time(0.5)
    for who in approving:
        digest = world.app.record.rollout(rollout).plan_digest
        yes = Approve(rollout=rollout, plan_digest=digest, granted=True, by=who, why="read it")
        await world.app.approve(yes, key=world.key())
    await world.run(1)
    view = await world.app.rollout(rollout)
    assert view.governed is not None
    return rollout, [block.partition(":")[0] for block in view.governed.blocks]


async def test_a_change_with_everything_passes_the_policy_of_a_bank_and_begins() -> None:
    world = await prepared(901)
    rollout, blocks = await asked(world, PAUL, SARA, CARL)
    assert blocks == []
    await world.until(rollout, step="s2", within=10)
    assert [due.overdue for due in await world.app.dues()] == [False, False, False]
    assert await world.app.orphans() == ()


@pytest.mark.parametrize(
    ("without", "rules"),
    [
        ("a drill", ["DRILLED"]),
        ("a drill that the machine measured", ["DRILLED"]),
        ("a review of access", ["REVIEWED"]),
        ("a threat model", ["REVIEWED"]),
        ("an owner of the playbook", ["OWNED"]),
        ("advisories", ["ADVISORIES"]),
        ("a package without an advisory", ["ADVISORIES"]),
        ("a signature", ["SIGNED"]),
        ("facts of the incumbent", ["WAY-BACK"]),
        ("the contract in force", ["COMPATIBLE"]),
    ],
)
async def test_whatever_is_missing_blocks_by_its_name(without: str, rules: list[str]) -> None:
    world = await prepared(902, without=without)
    rollout, blocks = await asked(world, PAUL, SARA, CARL)
    assert sorted(blocks) == rules
    assert world.app.record.rollout(rollout).phase == "proposed"


async def test_a_missing_sign_off_blocks_and_so_does_a_no() -> None:
    world = await prepared(903)
    rollout, blocks = await asked(world, PAUL, SARA)
    assert blocks == ["APPROVED"]
    no = Approve(
        rollout=rollout,
        plan_digest=world.app.record.rollout(rollout).plan_digest,
        granted=False,
        by=CARL,
        why="not yet",
    )
    await world.app.approve(no, key=world.key())
    await world.run(2)
    assert world.app.record.rollout(rollout).phase != "running"


async def test_an_open_incident_blocks_until_those_who_must_agree_to_go_on() -> None:
    world = await prepared(906)
    opened = IncidentOpened(
        rollout=RolloutId("r-0009"),
        model=CREDIT,
        incumbent=V6,
        candidate=V7,
        reasons=(Reason.BREACHED,),
        breaches=(),
        step="s3",
        exposed=9,
        lasted=1_000,
    )
    append = Append(stream=incident_stream(RolloutId("r-0009")), expected=0, events=(opened,), key="incident")
    await world.app.record.append((append,))
    rollout, blocks = await asked(world, PAUL, SARA)
    assert sorted(blocks) == ["APPROVED", "NO-INCIDENT"]
    digest = world.app.record.rollout(rollout).plan_digest
    yes = Approve(rollout=rollout, plan_digest=digest, granted=True, by=CARL, why="in spite of it")
    await world.app.approve(yes, key=world.key())
    await world.until(rollout, step="s2", within=10)


async def test_what_was_fresh_grows_old_while_people_think() -> None:
    world = await prepared(904)
    rollout, _ = await asked(world)
    await world.clock.advance(100 * DAY / 1000)
    await world.run(2)
    view = await world.app.rollout(rollout)
    assert view.governed is not None
    stale = {block.partition(":")[0] for block in view.governed.blocks}
    assert {"DRILLED", "REVIEWED", "ADVISORIES", "EVAL-FRESH", "SIGNED"} <= stale
    overdue = [(due.of, due.name) for due in await world.app.dues() if due.overdue]
    assert overdue == [("access", "organisation")]
    review = ReviewAgreement(of="organisation", name="organisation", by=PAUL, why="looked again")
    await world.app.review(review, key=world.key())
    assert not any(due.overdue for due in await world.app.dues())


async def test_what_nobody_owns_shows() -> None:
    world = await prepared(905, without="an owner of the playbook")
    await world.app.register(
        Register(model=ModelName("spam"), version=VersionName("v1"), digest=content("spam", "v1"), url="http://spam", by=ADA, why="new"),
        key=world.key(),
    )  # fmt: skip
    assert [(o.kind, o.name, o.owner) for o in await world.app.orphans()] == [("model", "spam", "")]
