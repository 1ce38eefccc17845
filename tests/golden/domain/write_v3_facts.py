"""Write the golden entry that facts about versions brought, once: `python tests/golden/domain/write_v3_facts.py`."""

import sys
from pathlib import Path

from write_v1 import NINE, Writer, write

from glideslope.domain.events import FactsRecorded
from glideslope.domain.governing.facts import (
    Code,
    DataField,
    Dataset,
    Dependency,
    Ending,
    Environment,
    Facts,
    FailureMode,
    FairnessGap,
    Makers,
    Measured,
    Pipeline,
    Signature,
    SignatureState,
    Upstream,
    Use,
    Validation,
)
from glideslope.domain.ids import Actor, ModelName, VersionName
from glideslope.ledger.entry import Entry
from glideslope.testing.examples import CANDIDATE, MINUTE, OWNER

FOLDER = Path(__file__).parent / "v3-facts"

FACTS = Facts(
    model=ModelName("arrivals"),
    version=VersionName("v2"),
    digest=CANDIDATE,
    makers=Makers(trained_by=(OWNER,), data_by=(), evaluated_by=(Actor("edsger"),), code_by=(OWNER,)),
    code=Code(revision="4b" * 20, repository="https://example.org/arrivals", clean=True),
    environment=Environment(lock=CANDIDATE, python="3.11.9", platform="linux-x86_64"),
    configuration={"depth": 6, "rate": 0.1, "kind": "gbm", "early": False},
    seed=7,
    task="tabular-classification",
    architecture="gradient-boosted trees",
    base="v1",
    contract="0123456789ab",
    datasets=(
        Dataset(
            name="flights/2013",
            use=Use.TRAINING,
            version="3",
            digest=CANDIDATE,
            owner="flights team",
            licence="CC0-1.0",
            residency=("us",),
            access=("internal",),
            since=1_357_000_000_000,
            fresh_at=1_383_000_000_000,
            rows=327_346,
            fields=(
                DataField(
                    name="distance",
                    type="float",
                    tags=(),
                    upstream=(Upstream(dataset="raw São Paulo", field="dist", hops=2, tags=("pii",)),),
                    traced=3,
                ),
            ),
        ),
    ),
    pipelines=(Pipeline(name="features", owner="flights team", version="9", revision="5c" * 20),),
    dependencies=(Dependency(name="scikit-learn", version="1.9.1", licence="BSD-3-Clause", digest=CANDIDATE),),
    licences=("Apache-2.0",),
    intended_use="Tell travellers early that they will arrive late ✈",
    out_of_scope=("Paying compensation",),
    limitations=("Knows three airports",),
    evaluations=(
        Measured(
            metric="auc",
            value=0.69,
            slice="origin=JFK",
            rows=5_000,
            low=0.67,
            high=0.71,
            dataset="flights/2013",
            of=CANDIDATE,
            measured_at=1_383_000_000_000,
            report=CANDIDATE,
        ),
    ),
    fairness=(
        FairnessGap(
            metric="wrong", attribute="origin", group="LGA", reference="JFK", gap=0.02, low=0.0, high=0.04, rows=900
        ),
    ),
    failure_modes=(
        FailureMode(
            name="Snow",
            effect="Too hopeful for a day",
            mitigation="Roll back by hand",
            test="tests/test_snow.py::test_a_storm",
            result=Ending.PASSED,
            tested_at=1_383_000_000_000,
        ),
    ),
    validations=(
        Validation(
            name="challenge",
            outcome=Ending.SKIPPED,
            by=Actor("grace"),
            validated_at=1_383_000_000_000,
            findings="None was run",
        ),
    ),
    signature=Signature(
        state=SignatureState.VERIFIED, digest=CANDIDATE, signer="CN=signer", checked_at=1_383_000_000_000
    ),
)


def entries() -> list[Entry]:
    """Return the golden entry."""
    found: list[Entry] = []
    model = Writer("model.arrivals", found, at=NINE + 500 * MINUTE, decider=2, version=1)
    model.add(FactsRecorded(facts=FACTS, by=OWNER, why="Written by the training pipeline"))
    return found


if __name__ == "__main__":
    sys.exit(write(FOLDER, entries()))
