"""A fleet to look at: real apps on a clock that stands still, with rollouts in every state that a page has to show."""

from math import pi, sin
from typing import Any

import msgspec
from msgspec.structs import replace

from glideslope.domain.commands import Approve, Halt, TableAgreement
from glideslope.domain.draft import SECOND, Draft, StageDraft
from glideslope.domain.governing.approval import Need
from glideslope.domain.governing.kinds import document_of
from glideslope.domain.governing.organisation import Organisation, Person, Right, Team, Tier
from glideslope.domain.identity import Identity, Role
from glideslope.domain.ids import Actor, ModelName, RolloutId
from glideslope.domain.plan import AtMaximum, Criterion, Evaluation, Rationale, StageKind
from glideslope.stats.anomaly import History, Look
from glideslope.testing.traffic import SOUND, Behaviour
from glideslope.testing.world import ADA, GRACE, SHADOW, STAGES, World, draft

PIA, CAT, RIO = Actor("pia"), Actor("cat"), Actor("rio")

TOKENS = {
    "gs_ada": Identity(actor=ADA, role=Role.ADMIN),
    "gs_grace": Identity(actor=GRACE, role=Role.MEMBER),
    "gs_pia": Identity(actor=PIA, role=Role.MEMBER),
    "gs_rio": Identity(actor=RIO, role=Role.READER),
    "gs_model": Identity(actor=Actor("model-servers"), role=Role.SOURCE),
}

ORGANISATION = Organisation(
    people=(
        Person(id=ADA, functions=("data-science",), rights=(Right.PROPOSE, Right.OPERATE, Right.ADMINISTER)),
        Person(id=GRACE, functions=("security",), rights=(Right.REVIEW, Right.OPERATE)),
        Person(id=PIA, functions=("product",), rights=(Right.REVIEW,), team="owners"),
        Person(id=CAT, functions=("compliance",), rights=(Right.REVIEW,)),
    ),
    teams=(Team(name="owners", reach="#ml-changes"),),
    tiers=(
        Tier(name="low"),
        Tier(name="high", approvals=(Need("product"), Need("security")), valid_for=7 * 24 * 3_600_000),
    ),
    usual_tier="low",
    models={ModelName("fraud-score"): "high", ModelName("pricing"): "high"},
)


LONG = "recommendations-for-people-who-came-back-after-a-while-away"
WEEK = 7 * 24 * 3_600


def change(model: str, candidate: str, *, why: str, stages: tuple[StageDraft, ...] = (), **more: Any) -> Draft:
    made = draft(model, candidate)
    return replace(made, owner="owners", why=why, stages=stages or made.stages, **more)


async def told() -> World:
    """Tell the whole story; a second or two."""
    world = World(seed=11, identify=TOKENS.get)
    await _weeks_before(world)
    app = await world.start()
    await app.table(
        TableAgreement(
            of="organisation",
            name="organisation",
            document=document_of(ORGANISATION),
            text="as agreed",
            by=ADA,
            why="who decides from now on",
            admin=True,
        ),
        key=world.key(),
    )
    await _promoted(world)
    await _rolled_back(world)
    await _halted(world)
    await _waits(world)
    await _under_way(world)
    await _hard_to_show(world)
    await _inconclusive(world)
    for _ in range(3):
        await world.app.look()
        await world.pass_time(1)
    return world


async def _weeks_before(world: World) -> None:
    """Let the server remember four weeks of one model, as it would have saved them: busy days, quiet nights, one busy week."""
    now = int(world.clock.now().timestamp())
    kept = {}
    for back in range(5):
        week, requests, errors = now // WEEK - back, History(), History()
        for hour in range(7 * 24 if back else now % WEEK // 3_600):
            busy = (900 + 600 * sin((hour % 24 - 9) / 24 * 2 * pi)) * (1.2 if back == 2 else 1 + hour % 5 / 50)
            requests.add(Look(busy * 60, 60), hour=hour)
            errors.add(Look(busy * (0.011 + hour % 7 / 4_000), busy), hour=hour)
        held = {" requests": requests, "incumbent errors": errors}
        kept[f"signals/late-arrival/{week}"] = msgspec.msgpack.encode(held)
    await world.store.summarise(kept)


async def _promoted(world: World) -> None:
    traffic = await world.serves("ranking", v6=SOUND, v7=Behaviour(latency=18.0, errors=0.008))
    await world.pass_time(20)
    rollout = await world.propose(change("ranking", "v7", why="Smaller embedding; the same clicks for less memory."))
    await world.until(rollout, phase="promoted", within=600)
    traffic.demand.per_second = 0.0


async def _rolled_back(world: World) -> None:
    traffic = await world.serves(
        "late-arrival", v1=SOUND, v2=Behaviour(noise=0.8, errors=0.03), v3=Behaviour(noise_in={"LGA": 0.12})
    )
    await world.pass_time(20)
    rollout = await world.propose(change("late-arrival", "v2", why="Retrained on the freshest data."))
    await world.until(rollout, phase="rolled-back", within=600)
    traffic.demand.per_second = 0.0


async def _halted(world: World) -> None:
    traffic = await world.serves("churn", v3=SOUND, v4=SOUND)
    await world.pass_time(20)
    rollout = await world.propose(change("churn", "v4", why="New feature: tickets of the last week."))
    await world.until(rollout, step="s1", within=60)
    await world.pass_time(4)
    halt = Halt(rollout=rollout, by=GRACE, why="The feature store is being restarted tonight.")
    await world.app.halt(halt, key=world.key())
    await world.pass_time(2)
    traffic.demand.per_second = 0.0


async def _waits(world: World) -> None:
    evaluations = (
        Evaluation(
            metric="auc", holdout="by-day", incumbent=0.703, candidate=0.711, count=98_411, lower_is_better=False
        ),
        Evaluation(metric="log_loss", holdout="by-day", incumbent=0.0912, candidate=0.0901, count=98_411),
        Evaluation(metric="log_loss", holdout="new-merchants", incumbent=0.1183, candidate=0.1229, count=7_204),
    )
    traffic = await world.serves("fraud-score", v7=SOUND, v8=SOUND, evaluations=evaluations)
    said = Rationale(
        benefit="About 40 fewer false alarms a day",
        benefit_metric="log_loss",
        risks=("slower on cold caches", "merchants younger than a month are scored worse"),
        rollback_plan="Nothing but the traffic has to go back.",
    )
    criteria = (
        Criterion(metric="log_loss", holdout="by-day", margin=0.002, lower_is_better=True),
        Criterion(metric="log_loss", holdout="new-merchants", margin=0.010, lower_is_better=True),
    )
    stages = (StageDraft(stage=StageKind.OFFLINE, minimum=0, maximum=3_600 * SECOND), *draft("a", "b").stages)
    made = change(
        "fraud-score", "v8", why="Retrained through March; merchants of the last quarter included.", stages=stages
    )
    await world.propose(replace(made, proposal=said, offline=criteria))
    await world.pass_time(2)
    traffic.demand.per_second = 0.0


async def _under_way(world: World) -> None:
    traffic = world.traffic[ModelName("late-arrival")]
    traffic.demand.per_second = 100.0
    traffic.demand.halves = True
    why = "Retrained on January to October, held out by whole days this time."
    canary = StageDraft(stage=StageKind.CANARY, shares=(1_000, 2_500, 5_000), minimum=12 * SECOND, maximum=300 * SECOND)
    stages = (SHADOW, canary, *STAGES[1:])
    rollout = await world.propose(change("late-arrival", "v3", why=why, stages=stages))
    await _sign_off(world, rollout)
    await world.until(rollout, step="s3", within=600)
    for _ in range(4):
        await world.app.watching.recent.look()
        await world.pass_time(2)
    traffic.demand.per_second = 0.0


async def _hard_to_show(world: World) -> None:
    """A long name, a word without an end, and a reason that is read from the right."""
    traffic = await world.serves(LONG, v1=SOUND, v2=SOUND)
    await world.pass_time(6)
    why = f"أعيد التدريب على بيانات الربع الأخير، {'0123456789' * 20}"
    await world.propose(change(LONG, "v2", why=why))
    await world.pass_time(2)
    traffic.demand.per_second = 0.0


async def _inconclusive(world: World) -> None:
    """A step whose time passes without a proof: a person must judge. With traffic to go by, such a plan would be refused."""
    traffic = await world.serves("churn-early", v1=SOUND, v2=SOUND)
    canary = StageDraft(
        stage=StageKind.CANARY, shares=(100,), minimum=2 * SECOND, maximum=4 * SECOND, at_maximum=AtMaximum.HOLD
    )
    rollout = await world.propose(change("churn-early", "v2", why="A smaller net.", stages=(canary,)))
    await world.until(rollout, step="s1", within=30)
    await world.pass_time(8)
    traffic.demand.per_second = 0.0


async def _sign_off(world: World, rollout: RolloutId) -> None:
    """A breach before asks product, security and compliance; whoever of them is there says yes."""
    digest = world.app.record.rollout(rollout).plan_digest
    for who in (GRACE, PIA, CAT):
        yes = Approve(rollout=rollout, plan_digest=digest, granted=True, by=who, why="The holdout is fair now.")
        await world.app.approve(yes, key=world.key())
