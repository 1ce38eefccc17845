"""What sources and services say, kept as it came."""

from collections.abc import Sequence

from tests.interfaces.fake_rollouts import FakeRollouts

from glideslope.domain.commands import (
    AgreeContract,
)
from glideslope.domain.contract import Contract
from glideslope.domain.errors import (
    NotFound,
    ReceiptInvalid,
)
from glideslope.domain.identity import Identity
from glideslope.domain.ids import WHOLE, MetricName, ModelName, RolloutId, SliceName
from glideslope.domain.metric import BUILT_IN
from glideslope.domain.observation import (
    Briefing,
    FeaturesTaken,
    FeatureTotals,
    OutcomeRefusal,
    Outcomes,
    OutcomesTaken,
    ShadowAnswers,
    Totals,
    TotalsTaken,
)
from glideslope.domain.pairs import Halves
from glideslope.domain.scan import Searched, Tier
from glideslope.domain.traffic import Arm
from glideslope.engine.drifting import features_view
from glideslope.engine.features import Held
from glideslope.engine.slices_display import slices_view
from glideslope.engine.views import (
    DisagreementView,
    FeaturesView,
    SignalsView,
    SignalView,
    SlicesView,
)

DISAGREEMENT = DisagreementView(
    request="0c1d",
    at="2026-11-25T19:00:00.000Z",
    difference=0.42,
    disagree=True,
    candidate="0.8100",
    incumbent="0.3900",
    candidate_ms=4.2,
    incumbent_ms=3.1,
    other_features=True,
    slices=("origin=LGA",),
    attributes={"carrier": "UA", "passenger": "[personal]"},
)

SEARCHED = Searched(
    metric=MetricName("log_loss"),
    slice=SliceName("origin=BOS|PHL"),
    tier=Tier.UNLISTED,
    paired=False,
    wealth=12.5,
    p=0.003,
    candidate=120,
    incumbent=480,
)


class FakeEvidence(FakeRollouts):
    """Keeps what was reported."""

    def __init__(self) -> None:
        super().__init__()
        self.contracts: dict[str, Contract] = {}
        self.days: dict[int, dict[Arm, Held]] = {}
        self.flagged: list[SignalView] = []
        self.reported: list[object] = []
        self.told_by: list[Identity | None] = []

    async def briefing(self, model: ModelName, *, seen: str, wait: float, source: str = "") -> Briefing:
        self._begin()
        self.reported.append((model, seen, wait, source))
        return Briefing(
            model=model,
            grant=None,
            rollouts={},
            metrics=tuple(BUILT_IN.values()),
            dimensions=(),
            key_id=1,
            key=b"secret",
            tag="t1",
        )

    async def agree(self, command: AgreeContract, *, key: str) -> Contract:
        self._begin()
        self.keys[key] = command
        await self.model(command.contract.model)
        self.contracts[command.contract.model] = command.contract
        return command.contract

    async def contract(self, model: ModelName) -> Contract:
        self._begin()
        if model not in self.contracts:
            raise NotFound(what="data contract of", name=model)
        return self.contracts[model]

    async def drift(self, model: ModelName) -> FeaturesView:
        contract = await self.contract(model)
        return features_view(contract, self.days, today=20_000, steps=())

    async def flags(self, model: ModelName) -> SignalsView:
        await self.model(model)
        return SignalsView(
            model=model, advisory=True, budget_per_week=1.0, series=9, learning=2, flags=tuple(self.flagged)
        )

    async def feature_counts(self, totals: FeatureTotals) -> FeaturesTaken:
        self._begin()
        self.reported.append(totals)
        return FeaturesTaken(taken=len(totals.tallies), refused=0)

    async def observe(self, totals: Totals) -> TotalsTaken:
        self._begin()
        self.reported.append(totals)
        return TotalsTaken(taken=len(totals.counts), refused=0)

    async def shadow(self, answers: ShadowAnswers) -> None:
        self._begin()
        self.reported.append(answers)

    async def halves(self, halves: Halves) -> None:
        self._begin()
        self.reported.append(halves)

    async def slices(self, rollout: RolloutId) -> SlicesView:
        view = await self.rollout(rollout)
        plan = self.plans[view.id]
        return slices_view(plan, view.guardrails, view.pairs, searched=(SEARCHED,), left_out=2)

    async def disagreements(self, rollout: RolloutId, *, slice_: SliceName) -> Sequence[DisagreementView]:
        self._begin()
        await self.rollout(rollout)
        return [DISAGREEMENT] if slice_ == WHOLE else []

    async def outcomes(self, outcomes: Outcomes, *, by: Identity | None = None) -> OutcomesTaken:
        self._begin()
        self.reported.append(outcomes)
        self.told_by.append(by)
        refused = tuple(
            OutcomeRefusal(prediction=o.prediction, code=ReceiptInvalid.code, why="too short")
            for o in outcomes.outcomes
            if len(o.prediction) < 4
        )
        return OutcomesTaken(counted=len(outcomes.outcomes) - len(refused), repeated=0, unmeasured=0, refused=refused)
