"""One subject concludes nothing, whatever it is and wherever it stands: the most that a single bet moves is less than any line."""

import pytest

from glideslope.domain.decision import Verdict
from glideslope.domain.evidence import Counts, Evidence, Exposed
from glideslope.domain.gate import harm_found, proof_findings
from glideslope.domain.ids import WHOLE, SliceName, StepName
from glideslope.domain.metric import Origin
from glideslope.domain.plan import Guardrail
from glideslope.domain.traffic import Arm
from glideslope.testing import examples

PLAN = examples.plan()
CANARY = next(s for s in PLAN.steps if s.has_coin)


def alone(g: Guardrail, slice_: SliceName, arm: Arm, bin_: int) -> Evidence:
    nobody, somebody = (0,) * g.metric.bins, tuple(int(k == bin_) for k in range(g.metric.bins))
    candidate, incumbent = (somebody, nobody) if arm is Arm.CANDIDATE else (nobody, somebody)
    row = Counts(step=CANARY.name, metric=g.metric.name, slice=slice_, candidate=candidate, incumbent=incumbent)
    met = Exposed(step=StepName(CANARY.name), candidate=sum(candidate), incumbent=sum(incumbent))
    return Evidence(counts=(row,), exposed=(met,))


@pytest.mark.parametrize("g", PLAN.guardrails, ids=lambda g: g.metric.name)
def test_a_slice_with_one_subject_concludes_nothing(g: Guardrail) -> None:
    slices = (WHOLE,) if g.metric.origin is Origin.GATEWAY else (WHOLE, *PLAN.slices)
    for slice_ in slices:
        for arm in Arm:
            for bin_ in range(g.metric.bins):
                evidence = alone(g, slice_, arm, bin_)

                assert harm_found(PLAN, evidence) == ()
                assert {f.verdict for f in proof_findings(PLAN, evidence, CANARY)} == {Verdict.INCONCLUSIVE}
