"""Write the golden entries that proofs of identity brought, once: `python tests/golden/domain/write_v4_proving.py`.

A rollout whose tier asks how people proved who they are: approved by a passkey, and its glass asked for and broken. What was released is
never rewritten.
"""

import sys
from pathlib import Path

import msgspec
from write_v1 import NINE, Writer, write

from glideslope.domain.events import Approved
from glideslope.domain.governing.agreement import AgreementTabled, agreement_digest
from glideslope.domain.governing.approval import Need
from glideslope.domain.governing.glass import Emergency, GlassAsked, GlassBroken
from glideslope.domain.governing.governed import Governed
from glideslope.domain.governing.kinds import document_of
from glideslope.domain.governing.organisation import Organisation, Person, Proving, Right, Tier
from glideslope.domain.identity import Means
from glideslope.domain.ids import Actor
from glideslope.ledger.entry import Entry
from glideslope.testing import examples
from glideslope.testing.examples import APPROVER, MINUTE, OWNER

FOLDER = Path(__file__).parent / "v4-proving"

ORGANISATION = Organisation(
    people=(
        Person(id=OWNER, rights=(Right.PROPOSE, Right.OPERATE, Right.ADMINISTER)),
        Person(id=APPROVER, functions=("security",), rights=(Right.REVIEW,)),
    ),
    tiers=(
        Tier(
            name="high",
            approvals=(Need("security"),),
            proving=Proving(within=15 * MINUTE, by=(Means.PASSKEY, Means.PASSWORD, Means.PROVIDER, Means.TOKEN)),
        ),
    ),
    usual_tier="high",
)


def entries() -> list[Entry]:
    """Return the golden entries, in the order of one ledger."""
    found: list[Entry] = []
    digest = agreement_digest(document_of(ORGANISATION))
    agreed = Writer("agreement.organisation.proving", found, at=NINE + 1_000 * MINUTE, decider=4)
    agreed.add(
        AgreementTabled(
            of="organisation",
            name="proving",
            document=document_of(ORGANISATION),
            digest=digest,
            text="organisation: 1\n",
            by=OWNER,
            why="Who approves proves who they are",
        )
    )
    governed = Governed(organisation=digest, tier="high", needs=(Need("security"),), valid_for=14 * 24 * 60 * MINUTE)
    plan = msgspec.structs.replace(examples.plan(approvals=0), governed=governed)
    rollout = Writer("r-delays-14", found, at=NINE + 1_010 * MINUTE, decider=4)
    rollout.propose(plan)
    assert rollout.rollout is not None
    rollout.add(
        GlassAsked(by=OWNER, emergency=Emergency.SAFETY, lasting=60 * MINUTE, why="v1 harms", proved=Means.PROVIDER)
    )
    rollout.add(GlassBroken(by=Actor("sam"), until=rollout.at + 60 * MINUTE, why="I see it too", proved=Means.PASSWORD))
    rollout.add(
        Approved(
            by=APPROVER,
            granted=True,
            plan_digest=rollout.rollout.plan_digest,
            why="Read it",
            functions=("security",),
            proved=Means.PASSKEY,
        )
    )
    return found


if __name__ == "__main__":
    sys.exit(write(FOLDER, entries()))
