"""The engine as its interfaces see it: one method per command and per query, nothing else."""

from collections.abc import AsyncIterator, Sequence
from typing import Protocol

from glideslope.domain.commands import (
    AgreeContract,
    AnswerAgreement,
    Approve,
    DescribePerson,
    ErasePerson,
    Halt,
    OrderRollback,
    Propose,
    Register,
    Resume,
    Retry,
    ReviewAgreement,
    TableAgreement,
    Withdraw,
)
from glideslope.domain.contract import Contract
from glideslope.domain.draft import Draft
from glideslope.domain.identity import Identity
from glideslope.domain.ids import Actor, ModelName, RolloutId, SliceName
from glideslope.domain.logged import Predictions, PredictionsTaken
from glideslope.domain.observation import (
    Briefing,
    FeaturesTaken,
    FeatureTotals,
    Outcomes,
    OutcomesTaken,
    ShadowAnswers,
    Totals,
    TotalsTaken,
)
from glideslope.domain.pairs import Halves
from glideslope.engine.governing_views import AgreementView, OwnedView
from glideslope.engine.views import (
    BasisView,
    CheckView,
    DecisionView,
    DisagreementView,
    FeaturesView,
    FleetView,
    HappeningView,
    ModelView,
    PersonView,
    PlanView,
    RecomputationView,
    ReplayView,
    RolloutView,
    SearchView,
    SignalsView,
    SlicesView,
)


class Service(Protocol):
    """What can be asked of a running server. Every method may raise GlideslopeError; `key` makes a command idempotent."""

    def identify(self, token: str) -> Identity:
        """Return who holds a token. Raises TokenUnknown."""
        ...

    async def register(self, command: Register, *, key: str) -> ModelView: ...
    async def agree(self, command: AgreeContract, *, key: str) -> Contract: ...
    async def plan(self, draft: Draft) -> PlanView: ...
    async def basis(self, draft: Draft) -> BasisView: ...
    async def propose(self, command: Propose, *, key: str) -> RolloutView: ...
    async def approve(self, command: Approve, *, key: str) -> RolloutView: ...
    async def withdraw(self, command: Withdraw, *, key: str) -> RolloutView: ...
    async def table(self, command: TableAgreement, *, key: str) -> AgreementView: ...
    async def answer(self, command: AnswerAgreement, *, key: str) -> AgreementView: ...
    async def review(self, command: ReviewAgreement, *, key: str) -> AgreementView: ...
    async def agreements(self) -> Sequence[AgreementView]: ...
    async def agreement(self, of: str, name: str) -> AgreementView: ...
    async def owned(self, *, owner: str, kind: str, name: str) -> Sequence[OwnedView]:
        """Return who owns what; empty arguments leave nothing out. Raises NotFound where no organisation is in force."""
        ...

    async def halt(self, command: Halt, *, key: str) -> RolloutView: ...
    async def resume(self, command: Resume, *, key: str) -> RolloutView: ...
    async def roll_back(self, command: OrderRollback, *, key: str) -> RolloutView: ...
    async def retry(self, command: Retry, *, key: str) -> RolloutView: ...

    async def contract(self, model: ModelName) -> Contract: ...
    async def drift(self, model: ModelName) -> FeaturesView:
        """Hold the live input against the data contract. Advisory."""
        ...

    async def flags(self, model: ModelName) -> SignalsView:
        """Return what was flagged outside the criteria. Advisory."""
        ...

    async def fleet(self) -> FleetView: ...
    async def model(self, name: ModelName, *, as_of: int | None = None) -> ModelView:
        """Return a model, now or as it stood right after the ledger entry `as_of`. So do the three that follow."""
        ...

    async def rollout(self, rollout: RolloutId, *, as_of: int | None = None) -> RolloutView: ...
    async def decisions(self, rollout: RolloutId, *, as_of: int | None = None) -> Sequence[DecisionView]: ...
    async def story(
        self, rollout: RolloutId, *, after: int = 0, as_of: int | None = None
    ) -> Sequence[HappeningView]: ...
    async def search(
        self, question: str, *, limit: int = 50, below: int | None = None, whole: bool = False
    ) -> SearchView:
        """Return the newest entries that answer a question, as `Repository.search` does."""
        ...

    def follow(self, rollout: RolloutId) -> AsyncIterator[RolloutView]:
        """Yield the rollout now, then whenever something about it changes (at most about four times a second)."""
        ...

    async def replay(self, rollout: RolloutId, version: int) -> ReplayView: ...
    async def ledger(self) -> AsyncIterator[bytes]:
        """Return the bundle of `ledger.bundle`, line by line, ending with a fresh checkpoint."""
        ...

    async def pack(self, rollout: RolloutId, *, size: int | None = None, published: Sequence[int] = ()) -> bytes:
        """Return the evidence pack of a rollout; `Packer.pack` says what the arguments mean."""
        ...

    async def describe_person(self, command: DescribePerson, *, key: str) -> PersonView: ...
    async def erase_person(self, command: ErasePerson, *, key: str) -> PersonView: ...
    async def person(self, actor: Actor) -> PersonView: ...
    async def people(self) -> Sequence[PersonView]: ...

    async def verifier(self) -> str:
        """Return the public key (C2SP vkey) that an auditor should write down."""
        ...

    async def doctor(self) -> Sequence[CheckView]: ...

    async def briefing(self, model: ModelName, *, seen: str, wait: float, source: str = "") -> Briefing:
        """Return what a service needs; while its tag is still `seen`, wait up to `wait` seconds for something new.

        `seen` says that `source` obeys what it was given under that tag, and so nothing older.
        """
        ...

    async def observe(self, totals: Totals) -> TotalsTaken: ...
    async def predictions(self, predictions: Predictions) -> PredictionsTaken:
        """Keep predictions in the log. Raises LogAbsent."""
        ...

    async def recomputation(self, rollout: RolloutId) -> RecomputationView:
        """Recompute a rollout's counts from the prediction log, now. Raises LogAbsent."""
        ...

    async def feature_counts(self, totals: FeatureTotals) -> FeaturesTaken: ...
    async def shadow(self, answers: ShadowAnswers) -> None: ...
    async def halves(self, halves: Halves) -> None: ...
    async def slices(self, rollout: RolloutId) -> SlicesView:
        """Return the parts of the data, those with the most evidence of harm first, and what a search of others found."""
        ...

    async def disagreements(self, rollout: RolloutId, *, slice_: SliceName) -> Sequence[DisagreementView]:
        """Return the pairs of answers that differ most in a slice, the worst first."""
        ...

    async def outcomes(self, outcomes: Outcomes, *, by: Identity | None = None) -> OutcomesTaken:
        """Count a batch; each outcome about a model that `by` does not speak for is refused by itself."""
        ...
