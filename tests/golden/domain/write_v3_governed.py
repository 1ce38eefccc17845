"""Write the golden entries that governing brought, once: `python tests/golden/domain/write_v3_governed.py`.

Two streams: an organisation that is agreed on, changed and stood by, and a rollout under it, whose approval is taken back and given again.
What was released is never rewritten.
"""

import sys
from pathlib import Path

import msgspec
from write_v1 import NINE, Writer, write

from glideslope.domain.events import Approved, Escalated, PersonDescribed, PersonErased, Withdrawn
from glideslope.domain.evidence import Evidence
from glideslope.domain.governing.agreement import (
    AgreementAnswered,
    AgreementInForce,
    AgreementReviewed,
    AgreementTabled,
    agreement_digest,
)
from glideslope.domain.governing.approval import Need
from glideslope.domain.governing.dossier import Change, Dossier
from glideslope.domain.governing.examined import Examined
from glideslope.domain.governing.glass import Emergency, GlassAsked, GlassBroken, GlassReviewed
from glideslope.domain.governing.governed import Answered, Block, Freeze, Governed, Permit, Window
from glideslope.domain.governing.incident import Breach, IncidentClosed, IncidentNoted, IncidentOpened, Remedy
from glideslope.domain.governing.policy import Answer, Fail, NoEvidence, NotApplicable, Pass
from glideslope.domain.ids import Actor, Digest, ModelName, RolloutId, SliceName, VersionName
from glideslope.domain.reasons import Reason
from glideslope.ledger.entry import Entry
from glideslope.testing import examples
from glideslope.testing.examples import APPROVER, MINUTE, OWNER

FOLDER = Path(__file__).parent / "v3-governed"

DOCUMENT = {"people": [{"id": "ada", "rights": ["administer"]}, {"id": "grace", "rights": ["administer", "review"]}]}
AGREED = agreement_digest(DOCUMENT)
POLICY = Digest("sha256:" + "5" * 64)
CHANGE = Digest("sha256:" + "7" * 64)
DOSSIER = Digest("sha256:" + "6" * 64)


def permitted(evidence: Evidence, permit: Permit) -> Evidence:
    """Return evidence with what governance says."""
    return msgspec.structs.replace(evidence, format=2, doubts=(), permit=permit)


def entries() -> list[Entry]:
    """Return the golden entries, in the order of one ledger."""
    found: list[Entry] = []
    organisation = Writer("agreement.organisation.organisation", found, at=NINE + 700 * MINUTE, decider=3)
    organisation.add(
        AgreementTabled(
            of="organisation",
            name="organisation",
            document=DOCUMENT,
            digest=AGREED,
            text="organisation: 1\n# café\n",
            by=OWNER,
            why="We decide together",
        )
    )
    organisation.add(
        AgreementAnswered(digest=AGREED, granted=True, functions=("administer",), by=APPROVER, why="So be it")
    )
    organisation.add(AgreementInForce(digest=AGREED, by=OWNER, why="We decide together"))
    organisation.add(AgreementReviewed(digest=AGREED, by=APPROVER, why="Still so"))
    governed = Governed(
        organisation=AGREED,
        tier="high",
        needs=(Need("security"), Need("product", 2)),
        valid_for=14 * 24 * 60 * MINUTE,
        makers=(Actor("lin"),),
        policy=POLICY,
        after_breach=RolloutId("r-delays-2"),
    )
    needs_one = msgspec.structs.replace(governed, needs=(Need("security"),))
    plan = msgspec.structs.replace(examples.plan(approvals=0), governed=needs_one)
    decided = Writer("r-delays-11", found, at=NINE + 720 * MINUTE, decider=3)
    decided.propose(plan)
    assert decided.rollout is not None
    yes = Approved(
        by=APPROVER,
        granted=True,
        plan_digest=decided.rollout.plan_digest,
        why="Read it",
        functions=("security",),
        change=CHANGE,
    )
    decided.decide(permitted(Evidence(), Permit(policy=POLICY, dossier=DOSSIER, change=CHANGE)))
    decided.add(yes)
    block = Block(rule="DATA-01", answer=Answered.NO_EVIDENCE, why="the tags of claims.email are not known")
    decided.decide(
        permitted(Evidence(), Permit(policy=POLICY, dossier=DOSSIER, change=CHANGE, blocks=(block,))), after=MINUTE
    )
    good = Permit(policy=POLICY, dossier=DOSSIER, change=CHANGE)
    decided.decide(permitted(Evidence(), good), after=MINUTE)
    window = Window(name="year's end", asks=Freeze.HOLD, until=NINE + 2_000 * MINUTE)
    decided.decide(permitted(examples.evidence(plan, "s1"), msgspec.structs.replace(good, window=window)))
    decided.add(Withdrawn(by=APPROVER, why="An advisory"))
    decided.decide(permitted(examples.evidence(plan, "s1"), good), after=1)
    decided.add(GlassAsked(by=OWNER, emergency=Emergency.OUTAGE, lasting=60 * MINUTE, why="v1 is down"))
    decided.add(GlassBroken(by=Actor("sam"), until=decided.at + 60 * MINUTE, why="I see it too"))
    unmet = msgspec.structs.replace(examples.plan(approvals=0), governed=governed)
    waiting = Writer("r-delays-12", found, at=NINE + 760 * MINUTE, decider=3)
    waiting.propose(unmet)
    waiting.decide(permitted(Evidence(), good))
    waiting.add(Escalated(to=("owners", "pia"), needs=(Need("product", 2),), after=24 * 60 * MINUTE))
    model = Writer("model.delays-11", found, at=NINE + 800 * MINUTE, decider=3)
    reviewed = GlassReviewed(rollout=RolloutId("r-delays-11"), by=Actor("cat"), justified=False, why="v1 was up")
    model.add(reviewed)
    breach = Breach(
        metric="log_loss", slice=SliceName("origin=JFK"), wealth=9.25, line=9.1, candidate=880, incumbent=2_640
    )
    incident = Writer("incident.r-delays-3", found, at=NINE + 820 * MINUTE, decider=3)
    incident.add(
        IncidentOpened(
            rollout=RolloutId("r-delays-3"),
            model=ModelName("delays"),
            incumbent=VersionName("v1"),
            candidate=VersionName("v3"),
            reasons=(Reason.BREACHED,),
            breaches=(breach,),
            step="s4",
            exposed=880,
            lasted=42 * MINUTE,
        )
    )
    remedy = Remedy(what="A test on December", owner="flights", due="2026-12-24", done=True)
    noted = IncidentNoted(
        by=APPROVER,
        why="Looked at the days",
        gap="December is unlike October",
        hypotheses=("Two months",),
        remedies=(remedy,),
    )
    incident.add(noted)
    incident.add(IncidentClosed(by=Actor("cat"), why="The test is there"))
    change = Change(
        model=ModelName("delays"),
        candidate=VersionName("v2"),
        candidate_digest=examples.CANDIDATE,
        incumbent=VersionName("v1"),
        incumbent_digest=examples.INCUMBENT,
        proposer=OWNER,
        proposed_at=NINE,
        digest=Digest("sha256:" + "4" * 64),
        why="Retrained ✈",
    )
    asked = Dossier(now=NINE + 830 * MINUTE, change=change, tier="high", denied_by=())
    answers = (
        Answer(rule="WHY", outcome=Pass(("why",))),
        Answer(rule="NO-PII", outcome=NoEvidence(("any dataset",))),
        Answer(rule="SLICES", outcome=Fail(("origin=JFK was measured on 12 rows",))),
        Answer(rule="DRILL", outcome=NotApplicable("not asked for at tier high")),
    )
    examined = Writer("examination.r-delays-11", found, at=NINE + 830 * MINUTE, decider=3)
    examined.add(Examined(rollout=RolloutId("r-delays-11"), policy=POLICY, dossier=asked, answers=answers))
    people = Writer("people", found, at=NINE + 840 * MINUTE, decider=3)
    people.add(PersonDescribed(actor=Actor("cat"), commitment=Digest("sha256:" + "9" * 64), by=OWNER))
    people.add(PersonErased(actor=Actor("cat"), by=OWNER, why="Left, and asked for it"))
    return found


if __name__ == "__main__":
    sys.exit(write(FOLDER, entries()))
