"""The engine as its interfaces see it: one method per command and per query, nothing else."""

from collections.abc import AsyncIterator, Collection, Sequence
from typing import Protocol

from glideslope.domain.commands import (
    AgreeContract,
    AnswerAgreement,
    Approve,
    AskGlass,
    AskMore,
    BeginDrill,
    BreakGlass,
    CloseIncident,
    DescribePerson,
    ErasePerson,
    Halt,
    Judge,
    NoteIncident,
    OrderRollback,
    Propose,
    RecordAdvisories,
    RecordFacts,
    Register,
    Reply,
    Resume,
    Retry,
    ReviewAgreement,
    ReviewGlass,
    TableAgreement,
    TellDrill,
    Withdraw,
)
from glideslope.domain.contract import Contract
from glideslope.domain.draft import Draft
from glideslope.domain.governing.dossier import Dossier
from glideslope.domain.governing.envelope import Envelope
from glideslope.domain.identity import Identity
from glideslope.domain.ids import Actor, ModelName, RolloutId, SliceName, VersionName
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
from glideslope.engine.access import AccessView
from glideslope.engine.advisories import AdvisoriesView
from glideslope.engine.agreement_record import AgreementRecordView
from glideslope.engine.announcing import AnnouncementView
from glideslope.engine.baselines import UsualView
from glideslope.engine.courses import CourseView, ProposalView, PulseView, ServedView
from glideslope.engine.drilling import DrillView
from glideslope.engine.dues import DueView
from glideslope.engine.explaining import ExplanationView
from glideslope.engine.facts import FactsView
from glideslope.engine.governing_views import AgreementView, IncidentView, OwnedView
from glideslope.engine.inbox_views import InboxView
from glideslope.engine.incident_record import IncidentRecordView
from glideslope.engine.live import LiveView
from glideslope.engine.orphans import OrphanView
from glideslope.engine.repository import Told
from glideslope.engine.self_check import InclusionView, VerifiedView
from glideslope.engine.telemetry.families import Telling
from glideslope.engine.telling.views import ChannelsView, DeliveryView, ReplayedView, TriedView
from glideslope.engine.version_record import VersionRecordView
from glideslope.engine.views import (
    BasisView,
    CheckpointView,
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
from glideslope.engine.weighing import WeighingView


class Service(Protocol):
    """What can be asked of a running server. Every method may raise GlideslopeError; `key` makes a command idempotent."""

    def identify(self, token: str) -> Identity:
        """Return who holds a token. Raises TokenUnknown."""
        ...

    async def register(self, command: Register, *, key: str) -> ModelView: ...
    async def agree(self, command: AgreeContract, *, key: str) -> Contract: ...
    async def plan(self, draft: Draft, *, by: Actor | None = None, envelope: Envelope | None = None) -> PlanView: ...
    async def basis(self, draft: Draft) -> BasisView: ...
    async def propose(self, command: Propose, *, key: str) -> RolloutView: ...
    async def approve(self, command: Approve, *, key: str) -> RolloutView: ...
    async def withdraw(self, command: Withdraw, *, key: str) -> RolloutView: ...
    async def ask_more(self, command: AskMore, *, key: str) -> RolloutView: ...
    async def reply(self, command: Reply, *, key: str) -> RolloutView: ...
    async def judge(self, command: Judge, *, key: str) -> RolloutView: ...
    async def ask_glass(self, command: AskGlass, *, key: str) -> RolloutView: ...
    async def break_glass(self, command: BreakGlass, *, key: str) -> RolloutView: ...
    async def review_glass(self, command: ReviewGlass, *, key: str) -> RolloutView: ...
    async def note_incident(self, command: NoteIncident, *, key: str) -> IncidentView: ...
    async def close_incident(self, command: CloseIncident, *, key: str) -> IncidentView: ...
    async def incidents(self) -> Sequence[IncidentView]: ...
    async def incident(self, rollout: RolloutId) -> IncidentView: ...
    async def incident_record(self, rollout: RolloutId, *, as_of: int | None = None) -> IncidentRecordView:
        """Return an incident with the course of its rollout, now or as it stood right after a ledger entry."""
        ...

    async def table(self, command: TableAgreement, *, key: str) -> AgreementView: ...
    async def answer(self, command: AnswerAgreement, *, key: str) -> AgreementView: ...
    async def review(self, command: ReviewAgreement, *, key: str) -> AgreementView: ...
    async def agreements(self) -> Sequence[AgreementView]: ...
    async def agreement(self, of: str, name: str) -> AgreementView: ...
    async def agreement_record(self, of: str, name: str, *, as_of: int | None = None) -> AgreementRecordView:
        """Return all that is recorded about an agreement, now or as it stood right after a ledger entry."""
        ...

    async def explain(self, rollout: RolloutId) -> ExplanationView:
        """Ask the policies in force and those that are tabled about a change; decides nothing. Raises NotFound, Conflict."""
        ...

    async def owned(self, *, owner: str, kind: str, name: str) -> Sequence[OwnedView]:
        """Return who owns what; empty arguments leave nothing out. Raises NotFound where no organisation is in force."""
        ...

    async def orphans(self) -> Sequence[OrphanView]: ...
    async def access(self, *, who: str, right: str, function: str, as_of: int | None = None) -> Sequence[AccessView]:
        """Return who may do what; empty arguments leave nobody out. Both raise NotFound where no organisation is in force."""
        ...

    async def dues(self) -> Sequence[DueView]:
        """Return what comes round, overdue things first; nothing where no organisation is in force."""
        ...

    async def begin_drill(self, command: BeginDrill, *, key: str) -> Sequence[DrillView]: ...
    async def tell_drill(self, command: TellDrill, *, key: str) -> Sequence[DrillView]: ...
    async def drills(self, model: ModelName, *, as_of: int | None = None) -> Sequence[DrillView]: ...
    async def record_advisories(self, command: RecordAdvisories, *, key: str) -> AdvisoriesView: ...
    async def advisories(self) -> AdvisoriesView: ...

    async def halt(self, command: Halt, *, key: str) -> RolloutView: ...
    async def resume(self, command: Resume, *, key: str) -> RolloutView: ...
    async def roll_back(self, command: OrderRollback, *, key: str) -> RolloutView: ...
    async def retry(self, command: Retry, *, key: str) -> RolloutView: ...

    async def record_facts(self, command: RecordFacts, *, key: str) -> FactsView: ...

    async def contract(self, model: ModelName) -> Contract: ...
    async def facts(self, model: ModelName, version: VersionName) -> FactsView: ...
    async def version(self, model: ModelName, version: VersionName) -> VersionRecordView:
        """Return all that the ledger says about a version."""
        ...

    async def drift(self, model: ModelName) -> FeaturesView:
        """Hold the live input against the data contract. Advisory."""
        ...

    async def flags(self, model: ModelName) -> SignalsView:
        """Return what was flagged outside the criteria. Advisory."""
        ...

    async def live(self, model: ModelName) -> LiveView:
        """Return a model's last ten minutes, both arms, against what is usual. Advisory."""
        ...

    async def usual(self, model: ModelName) -> Sequence[UsualView]:
        """Return the last day against the same hours of earlier weeks. Advisory."""
        ...

    async def weigh(self, rollout: RolloutId) -> WeighingView:
        """Return what a rollout's plan can tell, whom it reaches, and what each answer would do to traffic."""
        ...

    async def inbox(self, who: Actor | None = None, *, may_act: bool = True) -> InboxView:
        """Return what waits for somebody, as far as their token lets them act; for anybody where nobody is named."""
        ...

    async def fleet(self, *, ended: int | None = None) -> FleetView:
        """Return all at a glance; of rollouts that have ended the newest `ended`, and what still asks something of people."""
        ...

    async def listed(
        self, *, model: ModelName | None = None, below: int | None = None, limit: int
    ) -> Sequence[RolloutView]:
        """Return the newest rollouts (of a model), those whose number is below one."""
        ...

    async def model(self, name: ModelName, *, as_of: int | None = None) -> ModelView:
        """Return a model, now or as it stood right after the ledger entry `as_of`. So do the three that follow."""
        ...

    async def rollout(self, rollout: RolloutId, *, as_of: int | None = None) -> RolloutView: ...
    async def decisions(self, rollout: RolloutId, *, as_of: int | None = None) -> Sequence[DecisionView]: ...
    async def story(
        self, rollout: RolloutId, *, after: int = 0, as_of: int | None = None
    ) -> Sequence[HappeningView]: ...
    async def proposal(self, rollout: RolloutId) -> ProposalView:
        """Return what was proposed, as it was frozen."""
        ...

    async def announcement(self, rollout: RolloutId, *, as_of: int | None = None) -> AnnouncementView:
        """Return what is said of a change to the people affected."""
        ...

    async def course(self, rollout: RolloutId, *, as_of: int | None = None) -> CourseView:
        """Return whom a rollout exposed when, and what its guardrails showed at each decision."""
        ...

    async def served(self, model: ModelName) -> Sequence[ServedView]:
        """Return what served a model, the newest first."""
        ...

    async def pulse(self) -> PulseView:
        """Return what tells whether anything is new; may be asked every second."""
        ...

    async def telemetry(self) -> Telling:
        """Return what is told to machines that watch; may be asked every second."""
        ...

    async def functions(self, actor: Actor) -> Sequence[str] | None:
        """Return the functions in which somebody approves now; None where no organisation is in force."""
        ...

    async def search(
        self, question: str, *, limit: int = 50, below: int | None = None, whole: bool = False
    ) -> SearchView:
        """Return the newest entries that answer a question, as `Repository.search` does."""
        ...

    def entries(self, *, start: int | None, model: ModelName | None, kinds: Collection[str]) -> AsyncIterator[Told]:
        """Yield the ledger's entries as they come, as `Repository.entries` does."""
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

    async def dossier(self, rollout: RolloutId) -> Dossier:
        """Return what a policy is shown about a rollout's change now. Raises NotFound, Conflict."""
        ...

    async def checkpoint(self, *, size: int | None = None, cosigned: int = 0) -> CheckpointView:
        """Return a signed checkpoint, as `Witnessing` does; so do the two that follow."""
        ...

    async def witness_request(self, *, older: int, size: int | None = None) -> str: ...
    async def cosign(self, *, size: int, lines: str) -> CheckpointView: ...

    async def describe_person(self, command: DescribePerson, *, key: str) -> PersonView: ...
    async def erase_person(self, command: ErasePerson, *, key: str) -> PersonView: ...
    async def person(self, actor: Actor) -> PersonView: ...
    async def people(self) -> Sequence[PersonView]: ...

    async def verifier(self) -> str:
        """Return the public key (C2SP vkey) that an auditor should write down."""
        ...

    async def verified(self) -> VerifiedView:
        """Recompute the whole ledger, as `SelfCheck` does."""
        ...

    async def inclusion(self, entry: int) -> InclusionView:
        """Prove one entry. Raises NotFound."""
        ...

    async def ready(self) -> bool:
        """Tell whether this server governs now; of several, one does."""
        ...

    async def doctor(self) -> Sequence[CheckView]: ...

    async def channels(self) -> ChannelsView: ...
    async def deliveries(
        self, channel: str = "", *, limit: int = 50, below: int | None = None
    ) -> Sequence[DeliveryView]:
        """Return the newest attempts to deliver, of one channel or of all; those below a number for more."""
        ...

    async def test_channel(self, channel: str, *, by: Actor) -> TriedView:
        """Send a sample through a channel, and tell what came of it. Raises NotFound."""
        ...

    async def replay_channel(self, channel: str, *, start: int) -> ReplayedView:
        """Tell a channel again of everything from an entry on that is for it. Raises NotFound."""
        ...

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
