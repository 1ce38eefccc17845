"""A small fleet that people govern: agreements of every kind, one tabled anew, an incident, drills measured and told, things overdue."""

from msgspec.structs import replace

from glideslope.domain.commands import (
    AnswerAgreement,
    Approve,
    BeginDrill,
    NoteIncident,
    RecordAdvisories,
    TableAgreement,
    TellDrill,
)
from glideslope.domain.governing.dossier import Advisories, advisories_digest
from glideslope.domain.governing.drill import DrillKind
from glideslope.domain.governing.incident import Remedy
from glideslope.domain.governing.kinds import document_of
from glideslope.domain.identity import Identity, Role
from glideslope.domain.ids import Actor, ModelName, RolloutId, digest
from glideslope.interfaces.document import agreements
from glideslope.testing.traffic import SOUND, Behaviour
from glideslope.testing.world import ADA, GRACE, World, draft

PIA, CAT = Actor("pia"), Actor("cat")

TOKENS = {
    "gs_ada": Identity(actor=ADA, role=Role.ADMIN),
    "gs_grace": Identity(actor=GRACE, role=Role.MEMBER),
    "gs_cat": Identity(actor=CAT, role=Role.MEMBER),
    "gs_rio": Identity(actor=Actor("rio"), role=Role.READER),
}

ORGANISATION = """\
organisation: 1
people:
  - {id: ada, functions: [data-science], rights: [propose, operate, administer], team: flights}
  - {id: grace, functions: [security], rights: [review, operate, administer]}
  - {id: pia, functions: [product], rights: [review], team: flights}
  - {id: cat, functions: [compliance], rights: [review, audit]}
teams:
  - {name: flights, reach: "#flights"}
owned:
  - {kind: model, name: late-arrival, owner: flights}
tiers:
  - {name: low}
  - {name: high, approvals: [product, security], valid_for: 14d, alpha: 0.005, drill_within: 90d}
usual_tier: low
models: {late-arrival: high}
delegations:
  - {who: pia, since: 2025-01-01, until: 2028-01-01, to: grace, functions: [product]}
reviews: {access: 90d, policy: 365d, threat-model: 180d}
"""

POLICY = """\
# What must be shown before a model meets passengers.
policy: 1
name: flights
tiers: [low, high]
rules:
  - {id: DESCRIBED, kind: change_described, parts: [why]}
  - {id: WAY-BACK, kind: rollback_target_known}
  - {id: EVAL-FRESH, kind: evaluated_within, tiers: [high], within: 30d}
  - {id: DRILLED, kind: drilled_within, tiers: [high], within: 180d}
  - {id: EXPOSURE, kind: exposure_at_most, first: 10%}
"""

EDITED = POLICY.replace("within: 30d", "within: 14d").replace("first: 10%", "first: 20%")

CALENDAR = """\
calendar: 1
name: releases
zone: Europe/Berlin
freezes:
  - {name: year's end, since: 2028-12-20, until: 2029-01-04}
at_once: 3
"""

THREATS = """\
threat-model: 1
name: flights
threats:
  - {id: poisoned, what: Somebody plants flights that teach it to be early., against: [Records come from the airport.]}
"""

ENVELOPE = """\
envelope: 1
name: monthly
models: [late-arrival]
until: 2027-06-30
falls_away: [product]
features: {}
architecture: {}
data: {newest: 30d, longest: 400d}
metrics:
  - {metric: log_loss, within: 0.02, rows: 5000}
exposure: {first: 10%, most: 50%, step: 5s}
proof:
  guardrails: {errors: 5pp}
  alpha_pass: 0.05
"""


async def governed() -> World:
    """Tell the story; a second or two."""
    world = World(seed=17, identify=TOKENS.get)
    await world.start()
    await table(world, ORGANISATION, why="We decide together from now on.")
    traffic = await world.serves("late-arrival", v1=SOUND, v2=Behaviour(noise=0.8, errors=0.05), v3=SOUND)
    await world.serves("ranking", v6=SOUND, v7=SOUND, per_second=0.0)
    await world.pass_time(4)
    await drill(world)
    bad = await world.propose(
        replace(draft("late-arrival", "v2"), owner="flights", why="Retrained on the freshest data.")
    )
    await approve(world, bad)
    await world.until(bad, phase="rolled-back", within=600)
    traffic.demand.per_second = 0.0
    await note(world, bad)
    await table(world, POLICY, why="So that nobody is surprised.", yes=CAT)
    await table(world, CALENDAR, why="Nobody looks at year's end.", yes=CAT)
    await table(world, ENVELOPE, why="Monthly retraining is routine.", yes=PIA, then=CAT)
    await table(world, EDITED, why="Fresher evaluations; a wider first step.")
    await table(world, THREATS, why="Thought about in March.")
    await advise(world)
    told = TellDrill(
        model=ModelName("ranking"),
        kind="rollback",
        held_at=world.app.record.now() - 86_400_000,
        passed=True,
        restored_in=4_000,
        by=ADA,
        why="The night before the fair.",
    )
    await world.app.tell_drill(told, key=world.key())
    await world.propose(replace(draft("late-arrival", "v3"), owner="flights", why="Held out by whole days this time."))
    await world.pass_time(2)
    return world


async def table(world: World, text: str, *, why: str, yes: Actor | None = None, then: Actor | None = None) -> None:
    """Let ada table a document, and others say yes to it."""
    read = agreements.read(text, file="agreement.yaml")
    command = TableAgreement(
        of=read.of, name=read.name, document=document_of(read.agreed), text=text, by=ADA, why=why, admin=True
    )
    view = await world.app.table(command, key=world.key())
    for who in (yes, then):
        if who is not None and view.tabled is not None:
            said = AnswerAgreement(
                of=read.of, name=read.name, digest=digest(view.tabled.digest), granted=True, by=who, why="Read it."
            )
            view = await world.app.answer(said, key=world.key())


async def approve(world: World, rollout: RolloutId) -> None:
    """Let the functions that its tier asks for say yes."""
    plan = world.app.record.rollout(rollout).plan_digest
    for who in (GRACE, PIA):
        yes = Approve(rollout=rollout, plan_digest=plan, granted=True, by=who, why="The evaluation looks fine.")
        await world.app.approve(yes, key=world.key())


async def drill(world: World) -> None:
    """Practise going back once, as the machine measures it."""
    begin = BeginDrill(model=ModelName("late-arrival"), kind=DrillKind.ROLLBACK, by=ADA, why="Before the first change.")
    await world.app.begin_drill(begin, key=world.key())
    await world.pass_time(6)


async def note(world: World, rollout: RolloutId) -> None:
    """Say some of what an incident lacks."""
    remedies = (
        Remedy(what="Hold out by whole days", owner="flights", due="2027-01-31"),
        Remedy(what="A test on December", owner="ada", due="2027-02-15", done=True),
    )
    noted = NoteIncident(
        rollout=rollout,
        by=GRACE,
        why="Looked at with the team.",
        gap="It won on a random holdout and lost on live flights.",
        remedies=remedies,
    )
    await world.app.note_incident(noted, key=world.key())


async def advise(world: World) -> None:
    """Record that no weakness of any package is known."""
    found = Advisories(source="osv.dev", as_of=world.app.record.now(), digest=advisories_digest(()), entries=())
    await world.app.record_advisories(RecordAdvisories(advisories=found, by=ADA, why="weekly"), key=world.key())
