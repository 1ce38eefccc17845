"""An envelope for the model `delays`, and facts of two versions of which the second is a retraining inside it."""

from typing import Any

from msgspec import UNSET
from msgspec.structs import replace

from glideslope.domain.governing.approval import Need
from glideslope.domain.governing.envelope import Envelope
from glideslope.domain.governing.envelope.document import (
    DAY,
    Architecture,
    Band,
    Bound,
    Features,
    Ladder,
    Proven,
    Window,
)
from glideslope.domain.governing.facts import (
    Code,
    DataField,
    Dataset,
    Dependency,
    Environment,
    Facts,
    Makers,
    Measured,
    Pipeline,
    Use,
)
from glideslope.domain.ids import Actor, Digest, ModelName, VersionName
from glideslope.domain.plan import Margin, MarginKind
from glideslope.testing.world import content

REPORT = Digest("sha256:" + "8" * 64)
LOCK = Digest("sha256:" + "4" * 64)


def envelope(*, now: int, **changes: Any) -> Envelope:
    """Return an envelope that holds for a year from `now`."""
    usual = Envelope(
        name="delays-monthly",
        models=(ModelName("delays"),),
        until=now + 365 * DAY,
        falls_away=(Need("product"), Need("security")),
        features=Features(),
        architecture=Architecture(settings={"depth": Bound(least=3, most=8)}),
        data=Window(newest=45 * DAY, longest=400 * DAY, shortest=30 * DAY),
        metrics=(Band(metric="auc", least=0.7, most=0.9, rows=1_000),),
        exposure=Ladder(first=1_000, most=5_000, step=5_000, growth=5.0),
        proof=Proven(
            guardrails={
                "errors": Margin(MarginKind.ABSOLUTE, 0.05),
                "latency": Margin(MarginKind.RELATIVE, 0.25),
                "log_loss": Margin(MarginKind.ABSOLUTE, 0.15),
            },
            alpha_pass=0.05,
            slices=("origin",),
        ),
    )
    return replace(usual, **changes)


def made(version: str, *, now: int, against: str = "v1", **changes: Any) -> Facts:
    """Return how a version was made, as of a month ago; v2 differs from v1 in its data, its depth and its seed."""
    month = 30 * DAY if version == "v1" else 0
    flights = Dataset(
        name="flights",
        use=Use.TRAINING,
        since=now - 120 * DAY - month,
        fresh_at=now - 20 * DAY - month,
        fields=(
            DataField(name="hour", type="int", tags=(), upstream=(), traced=1),
            DataField(name="origin", type="str", tags=(), upstream=(), traced=1),
        ),
    )
    lin = (Actor("lin"),)
    auc = Measured(
        metric="auc",
        value=0.78,
        rows=5_000,
        dataset="flights-holdout",
        of=content("delays", version),
        against=content("delays", against),
        measured_at=now - DAY,
        report=REPORT,
    )
    usual = Facts(
        model=ModelName("delays"),
        version=VersionName(version),
        digest=content("delays", version),
        makers=Makers(trained_by=lin, data_by=lin, evaluated_by=lin, code_by=lin),
        code=Code(revision="9f2c4d6e8a0b1c3d5e7f9a1b2c3d4e5f6a7b8c9d", clean=True),
        environment=Environment(lock=LOCK),
        configuration={"trees": 400, "depth": 6 if version == "v2" else 5},
        seed=17 if version == "v2" else 16,
        task="tabular-classification",
        architecture="gradient-boosting",
        base="none",
        contract="0c1d2e3f4a5b",
        datasets=(flights,),
        pipelines=(Pipeline(name="features", version="4"),),
        dependencies=(Dependency(name="numpy", version="2.3.4"),),
        licences=("Apache-2.0",),
        intended_use="warn of late flights",
        out_of_scope=("rail",),
        evaluations=(auc,) if version == "v2" else UNSET,
        validations=(),
    )
    return replace(usual, **changes)
