"""Write the golden entries that envelopes brought, once: `python tests/golden/domain/write_v4_envelope.py`.

Three streams: an envelope that is agreed on, a rollout that begins by what was given with it and is held when it leaves it, and what the
envelope answered. What was released is never rewritten.
"""

import sys
from pathlib import Path

import msgspec
from write_v1 import NINE, Writer, write

from glideslope.domain.evidence import Evidence
from glideslope.domain.governing.agreement import (
    AgreementAnswered,
    AgreementInForce,
    AgreementTabled,
    agreement_digest,
)
from glideslope.domain.governing.approval import Approval, Need
from glideslope.domain.governing.dossier import Change, Dossier, dossier_digest, plan_figures
from glideslope.domain.governing.envelope import Envelope, Standing, classify
from glideslope.domain.governing.envelope.document import Architecture, Band, Bound, Features, Ladder, Proven, Window
from glideslope.domain.governing.envelope.wording import blocks
from glideslope.domain.governing.examined import Examined
from glideslope.domain.governing.governed import Governed, Lane, Permit
from glideslope.domain.governing.kinds import document_of
from glideslope.domain.ids import Digest, ModelName, RolloutId, VersionName
from glideslope.domain.plan import Margin, MarginKind, StageKind
from glideslope.ledger.entry import Entry
from glideslope.testing import examples
from glideslope.testing.examples import APPROVER, MINUTE, OWNER

FOLDER = Path(__file__).parent / "v4-envelope"

DAY = 24 * 60 * MINUTE
ENVELOPE = Envelope(
    name="monthly",
    says="Retraining on newer flights, été compris",
    models=(ModelName("delays"),),
    until=NINE + 365 * DAY,
    review_every=90 * DAY,
    falls_away=(Need("security"),),
    remains=(Need("product"),),
    features=Features(add=("carrier",), drop=("weekday",), pipelines=("weather",)),
    architecture=Architecture(
        among=("mlp",), settings={"depth": Bound(least=3, most=8), "loss": Bound(among=("log",))}
    ),
    data=Window(newest=45 * DAY, longest=400 * DAY, shortest=30 * DAY, datasets=("trains",)),
    metrics=(Band(metric="auc", least=0.7, most=0.9, within=0.05, rows=1_000),),
    exposure=Ladder(first=500, most=2_500, step=MINUTE, growth=5.0, stages=(StageKind.SHADOW,)),
    proof=Proven(
        guardrails={"errors": Margin(MarginKind.ABSOLUTE, 0.005), "latency": Margin(MarginKind.RELATIVE, 0.25)},
        alpha_pass=0.05,
        maturity=0.9,
        slices=("origin",),
    ),
    free=("code",),
)
AGREED = agreement_digest(document_of(ENVELOPE))
CHANGE = Digest("sha256:" + "7" * 64)


def entries() -> list[Entry]:
    """Return the golden entries, in the order of one ledger."""
    found: list[Entry] = []
    envelope = Writer("agreement.envelope.monthly", found, at=NINE + 900 * MINUTE, decider=4)
    tabled = AgreementTabled(
        of="envelope",
        name="monthly",
        document=document_of(ENVELOPE),
        digest=AGREED,
        text="envelope: 1\n",
        by=OWNER,
        why="Each month the same",
    )
    envelope.add(tabled)
    envelope.add(AgreementAnswered(digest=AGREED, granted=True, functions=("security",), by=APPROVER, why="Read it"))
    envelope.add(AgreementInForce(digest=AGREED, by=OWNER, why="Each month the same"))

    governed = Governed(
        organisation=Digest("sha256:" + "5" * 64), needs=(Need("security"),), valid_for=14 * DAY, envelope=AGREED
    )
    plan = msgspec.structs.replace(examples.plan(approvals=0), governed=governed)
    rollout = Writer("r-delays-13", found, at=NINE + 910 * MINUTE, decider=4)
    rollout.propose(plan)
    assert rollout.rollout is not None
    asked = Dossier(
        now=rollout.at,
        change=Change(
            model=ModelName("delays"),
            candidate=VersionName("v2"),
            candidate_digest=examples.CANDIDATE,
            incumbent=VersionName("v1"),
            incumbent_digest=examples.INCUMBENT,
            proposer=OWNER,
            proposed_at=rollout.at,
            digest=CHANGE,
            why="Retrained ✈",
            intended_use_changed=True,
        ),
        plan=plan_figures(plan, rollout.rollout.plan_digest),
        approvals=(Approval(by=APPROVER, digest=CHANGE, functions=("security",), at=NINE, envelope=AGREED),),
    )
    standing = Standing(envelope=AGREED, name="monthly", reviewed_at=NINE, others=("yearly",))
    classified = classify(ENVELOPE, standing, asked)
    given = Approval(by=APPROVER, digest=AGREED, functions=("security",), at=NINE)
    lane = Lane(envelope=AGREED, name="monthly", given=(given,), falls_away=(Need("security"),))
    outside = msgspec.structs.replace(lane, left=blocks(classified))
    waits = msgspec.structs.replace(lane, remains=(Need("product"),))
    for each in (waits, lane):
        permit = Permit(dossier=dossier_digest(asked), change=CHANGE, lane=each)
        rollout.decide(msgspec.structs.replace(Evidence(), format=2, doubts=(), permit=permit))
    held = Permit(dossier=dossier_digest(asked), change=CHANGE, lane=outside)
    offline = msgspec.structs.replace(examples.evidence(plan, "s1"), format=2, doubts=(), permit=held)
    rollout.decide(offline)

    examined = Writer("examination.r-delays-13", found, at=NINE + 940 * MINUTE, decider=4)
    examined.add(Examined(rollout=RolloutId("r-delays-13"), dossier=asked, answers=(), classified=classified))
    return found


if __name__ == "__main__":
    sys.exit(write(FOLDER, entries()))
