"""What people and programs are shown: read models, plain values that become JSON as they are.

It is long because every door shows from this one list.
"""

from collections.abc import Mapping

import msgspec

from glideslope.domain.decision import Finding
from glideslope.domain.experience import Lesson
from glideslope.domain.foresight import Prospect
from glideslope.domain.freeze import Baseline
from glideslope.domain.governing.person import Person
from glideslope.domain.pair_foresight import PairProspect
from glideslope.domain.plan import Plan
from glideslope.domain.recomputation import Difference
from glideslope.engine.governing_views import GovernedView, LaneView


class StepView(msgspec.Struct, frozen=True, kw_only=True):
    """One step of a plan and what became of it. Shares in basis points, times in milliseconds."""

    name: str
    stage: str
    candidate: int
    control: int
    mirror: int
    minimum: int
    maximum: int
    state: str
    """`done`, `now`, `ahead`, or `left` for the step from which a rollout was rolled back."""
    candidate_subjects: int = 0
    incumbent_subjects: int = 0
    candidate_outcomes: int = 0
    """Of those subjects so many have their outcome."""
    incumbent_outcomes: int = 0


class GuardrailView(msgspec.Struct, frozen=True, kw_only=True):
    """One guardrail on one slice: what each arm shows, the interval of the difference, and how sure we are."""

    metric: str
    slice: str
    kind: str
    """What `low`, `estimate`, `high` and `margin` are: `ratio` (candidate / incumbent) or `difference`; `paired` in shadow."""
    incumbent: float | None
    candidate: float | None
    low: float | None
    estimate: float | None
    high: float | None
    margin: float
    """In the same unit: the ratio or difference beyond which it counts as worse."""
    harm_wealth: float
    harm_line: float
    proof_wealth: float
    proof_line: float
    word: str
    """`proven`, `harm`, `beyond its limit`, `watching`, `no evidence`; `not in a shadow` for what cannot be compared there and is
    judged from the canary on; or `asymptotic, advisory` for what moves no traffic."""
    candidate_count: int
    incumbent_count: int
    worth: float | None = None
    """What the difference is worth per thousand subjects, in the plan's currency; None without a price."""


class SourceView(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of source of evidence, and whether it still reports: a silent one advances nothing."""

    origin: str
    """`gateway`, `sdk`, `outcome` and the like."""
    last: str
    """When it last reported, RFC 3339 to the second; empty when it never did."""
    fresh: bool
    dropped: int
    """What could not be counted."""


class ValueView(msgspec.Struct, frozen=True, kw_only=True):
    """What the outcomes of each arm are worth on one slice, per so many subjects; more is better."""

    slice: str
    currency: str
    per: int
    incumbent: float
    candidate: float
    low: float | None
    """Of the candidate's less the incumbent's: with `high` an interval that holds with 95 % at all times."""
    high: float | None
    candidate_count: int
    incumbent_count: int


class BudgetView(msgspec.Struct, frozen=True, kw_only=True):
    """A harm budget as a gauge."""

    metric: str
    measure: str
    """`count` of harmful outcomes, or `excess` over what the incumbent would have cost."""
    spent: float | None
    """By now, also after the end; None when the counts are malformed."""
    size: float
    unit: str
    """The currency of a value; else empty."""
    waiting: int
    """Subjects who met the candidate and whose outcome has not come: by their harm the budget may yet be exceeded."""


class PairView(msgspec.Struct, frozen=True, kw_only=True):
    """How both arms' answers to the same requests compare, on one slice, before any outcome is known."""

    kind: str
    """`disagreement`, `shift`, `slower` or `skew`."""
    slice: str
    count: int
    """Pairs, of a subject the first."""
    low: float | None
    estimate: float | None
    """Of disagreement and skew the share of requests, of slower the share on which the candidate took longer (than its
    limit allows), of shift the mean difference of scores, candidate's minus incumbent's."""
    high: float | None
    times: float | None = None
    """Of slower: the median of the candidate's time over the incumbent's."""
    limit: float | None = None
    """What the plan allows, in the estimate's unit; None where it asks nothing, and pairs are compared for people."""
    harm_wealth: float = 0.0
    harm_line: float = 0.0
    word: str = "shown"
    """`proven`, `harm`, `watching`; `shown` where the plan asks nothing."""


class SearchedView(msgspec.Struct, frozen=True, kw_only=True):
    """A slice that nobody declared, as a search found it. Advisory: it moves no traffic."""

    metric: str
    slice: str
    """`field=?3` stands for one or several values that the plan does not list."""
    paired: bool
    """From pairs in the shadow stage, else from the arms of the canary."""
    wealth: float
    p: float
    """Anytime p-value, corrected for everything that the search could look at."""
    found: bool
    candidate_count: int
    incumbent_count: int


class SlicesView(msgspec.Struct, frozen=True, kw_only=True):
    """The parts of a rollout's data, worst first."""

    declared: tuple[GuardrailView, ...]
    """Each guardrail on each declared slice that has outcomes, those nearest to their line of harm first."""
    pairs: tuple[PairView, ...]
    """The same for comparisons of answers."""
    tests: int
    """Over how many tests of harm alpha is shared, slices and wholes together."""
    alpha: float
    """Chance that any of them ever shows harm where there is none. Intervals hold with 95 % each, not all at once."""
    searched: tuple[SearchedView, ...]
    """What the search looked at, the likeliest harm first, at most MOST_SHOWN. Advisory: it moves no traffic."""
    search_alpha: float
    """Chance that the search ever shows harm where there is none."""
    search_size: int
    """Tests that the search could come to, for all of which it is corrected."""
    left_out: int
    """Outcomes that the search left out for want of room."""


class DisagreementView(msgspec.Struct, frozen=True, kw_only=True):
    """One request that the arms answered differently, for people to look at. It stands in no ledger."""

    request: str
    at: str
    difference: float
    """Size of the difference of scores; 1 for two classes without scores."""
    disagree: bool
    """They decided differently, too."""
    candidate: str
    incumbent: str
    """Class or score."""
    candidate_ms: float | None
    incumbent_ms: float | None
    other_features: bool | None
    """Whether they answered from different features; None where that is not known."""
    slices: tuple[str, ...]
    attributes: Mapping[str, str]
    """What the service's contract lets out of the request."""


class DecisionView(msgspec.Struct, frozen=True, kw_only=True):
    """One recorded decision. `at` is RFC 3339; `entry` its position in the ledger, `version` its number in the stream."""

    rollout: str
    version: int
    entry: int
    at: str
    by: str
    decision: str
    step: str
    stage: str
    reasons: tuple[str, ...]
    sentences: tuple[str, ...]
    findings: tuple[Finding, ...]
    why: str = ""


class FoundView(msgspec.Struct, frozen=True, kw_only=True):
    """An entry that a search found. `entry` is its ledger position; `link` shows what it is about as it stood then."""

    entry: int
    stream: str
    version: int
    at: str
    kind: str
    by: str
    sentence: str
    link: str
    whole: str = ""
    """The entry's own bytes, where they were asked for: canonical JSON."""


class SearchView(msgspec.Struct, frozen=True, kw_only=True):
    """Entries that answer a question, newest first."""

    question: str
    entries: int
    """How many were searched: all that the ledger held."""
    found: tuple[FoundView, ...]
    next: int | None
    """Ask again with `below` this for older ones; None when there are none."""


class PersonView(msgspec.Struct, frozen=True, kw_only=True):
    """Who an actor is, as far as it is kept beside the ledger."""

    actor: str
    person: Person | None
    """None when nothing is kept."""
    erased: bool
    """The last entry about the actor says that it was erased."""
    commitment: str
    """What the ledger is committed to; empty when erased, or never said."""
    matches: bool
    """What is kept is what the ledger is committed to."""
    at: str


class HappeningView(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of a rollout's story, as a sentence."""

    version: int
    entry: int
    at: str
    by: str
    kind: str
    sentence: str


class RationaleView(msgspec.Struct, frozen=True, kw_only=True):
    """What a proposal says for itself besides why; empty where it says nothing."""

    benefit: str
    benefit_metric: str
    risks: tuple[str, ...]
    rollback_plan: str
    intended_use_changed: bool | None
    """None where it was not said."""


class StandingView(msgspec.Struct, frozen=True, kw_only=True):
    """Since when a rollout stands as it does, and what happens next by itself. Instants are RFC 3339; empty for none."""

    since: str = ""
    """When traffic was last ordered or the last decision recorded, whichever came later."""
    deadline: str = ""
    """When the present step's maximum time passes."""
    at_deadline: str = ""
    """What happens then, as a sentence."""
    glass_asked_at: str = ""
    glass_broken_at: str = ""
    escalated_at: str = ""
    """When it was last told that a sign-off is missing, and to whom."""
    escalated_to: tuple[str, ...] = ()
    escalates_at: str = ""
    """When it will be told next, and to whom."""
    escalates_to: tuple[str, ...] = ()


class MoreView(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody asked for before a yes, and the reply."""

    question: int
    """Version of the entry in the rollout's stream: what a reply names."""
    by: str
    at: str
    why: str
    replied_by: str
    """Empty while there is no reply."""
    replied_at: str
    reply: str


class JudgementView(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody judged that the machine cannot, and why it goes on."""

    by: str
    at: str
    step: str
    about: tuple[str, ...]
    why: str


class RolloutView(msgspec.Struct, frozen=True, kw_only=True):
    """Everything about one rollout that a page or a terminal shows."""

    id: str
    model: str
    incumbent: str
    candidate: str
    phase: str
    stage: str
    step: str
    share: int
    """Candidate share in force by decision, in basis points; 0 when nobody is exposed."""
    confirmed: bool
    """The data plane itself confirms the present traffic."""
    reasons: tuple[str, ...]
    sentences: tuple[str, ...]
    next: str
    """What happens next and when at the earliest, as a sentence."""
    owner: str
    why: str
    proposed_by: str
    proposed_at: str
    changed_at: str
    ended: bool
    approvals_needed: int
    approved_by: tuple[str, ...]
    denied_by: tuple[str, ...]
    plan_digest: str
    attempt_of: str
    version: int
    steps: tuple[StepView, ...]
    guardrails: tuple[GuardrailView, ...]
    candidate_subjects: int
    """Subjects that met the candidate in all."""
    rescued: int
    last: DecisionView | None
    confirmation_ms: float | None
    """From the last decision's commit to the data plane's confirmation."""
    budgets: tuple[BudgetView, ...] = ()
    values: tuple[ValueView, ...] = ()
    """What outcomes are worth, on the whole and by slice; empty without a value model."""
    pairs: tuple[PairView, ...] = ()
    """How the arms' answers compare, from the shadow stage."""
    sources: tuple[SourceView, ...] = ()
    """Where the figures come from, and how fresh they are."""
    governed: GovernedView | None = None
    """Under which rules it stands; None where no organisation is in force."""
    standing: StandingView = StandingView()
    asked: tuple[MoreView, ...] = ()
    """What people asked for before a yes, oldest first."""
    judged: tuple[JudgementView, ...] = ()
    """What people judged and let go on, oldest first."""
    proposal: RationaleView | None = None
    """None where nothing but why was said."""
    tag: str = ""
    """Stands for what an act on it rests on: the record, and what approvals are bound to. Live figures do not change it."""


class VersionView(msgspec.Struct, frozen=True, kw_only=True):
    """A registered version."""

    version: str
    digest: str
    url: str
    by: str
    at: str
    state: str
    """`incumbent`, `candidate`, `registered`, `was incumbent`, `rolled back`."""


class ModelView(msgspec.Struct, frozen=True, kw_only=True):
    """A model, what serves it and what asks to."""

    name: str
    incumbent: str
    rollout: str
    """The rollout in progress, or empty."""
    versions: tuple[VersionView, ...]
    requests_per_second: float
    signals: Mapping[str, Mapping[str, float]]
    """Per arm: throughput, error rate, latency quantiles in milliseconds, over the last minute."""


class FleetView(msgspec.Struct, frozen=True, kw_only=True):
    """All at a glance."""

    models: tuple[ModelView, ...]
    rollouts: tuple[RolloutView, ...]
    """Newest first; guardrails left out."""
    entries: int
    gateway: str
    """`ready`, or why not."""
    time: str
    overdue: int = 0
    """Reviews and drills that should have been held by now; `dues` names them."""
    older: int = 0
    """Rollouts that have ended and are left out here; the list of rollouts has them."""


class StepForecast(msgspec.Struct, frozen=True, kw_only=True):
    """What one step can tell from recent traffic, before it starts."""

    name: str
    stage: str
    share: int
    control: int
    guardrail: str
    detects: float
    """The smallest harm (ratio for an event, difference for a score) that the step's maximum time likely catches."""
    subjects_to_proof: int
    """Candidate subjects until an equal candidate is proven, on average; 0 where no number is known, or nothing is proven."""
    seconds_to_proof: float | None
    """At recent traffic; None without recent traffic."""
    subjects_at_risk: int | None
    """Candidate subjects until a candidate twice as bad (or one margin beyond) is caught, on average."""


class PlanView(msgspec.Struct, frozen=True, kw_only=True):
    """What `plan` shows: the resolved plan, its forecast, and warnings. Nothing was changed."""

    plan: Plan
    digest: str
    forecast: tuple[StepForecast, ...]
    warnings: tuple["Warning_", ...]
    traffic_per_second: float | None
    earliest_seconds: float
    """Sum of the steps' minimum times."""
    budgets: tuple["BudgetForecast", ...] = ()
    prospects: tuple[Prospect, ...] = ()
    """What to expect of a sound candidate, then of each harm; empty where no traffic is known."""
    lessons: tuple[Lesson, ...] = ()
    """From where what is expected was learned."""
    pair_prospects: tuple[PairProspect, ...] = ()
    """What the shadow will tell of each limit on pairs."""
    lane: LaneView | None = None
    """How its envelope would classify it; None where none speaks for the model."""
    blocks: tuple[str, ...] = ()
    """What would not let it go on if it were proposed now, as sentences; approvals are among it."""


class BasisView(msgspec.Struct, frozen=True, kw_only=True):
    """All that a forecast of a plan rests on, for whoever computes it elsewhere."""

    plan: Plan
    digest: str
    baseline: Baseline
    starts: float
    """Now, in seconds after Monday at midnight, UTC: when a rollout that began now would begin."""


class BudgetForecast(msgspec.Struct, frozen=True, kw_only=True):
    """How many subjects must meet the candidate until a harm budget is spent; None where nothing is known of the metric."""

    metric: str
    measure: str
    size: float
    when_equal: int | None
    """By one that is no worse: of a count on average, of an excess with one chance in twenty, by bad luck."""
    when_worse: int | None
    """By one with twice the rate, on average."""


class Warning_(msgspec.Struct, frozen=True, kw_only=True):  # noqa: N801 - Warning is Python's own
    """Something a person should know before applying; it does not refuse by itself."""

    code: str
    sentence: str


class MaturityView(msgspec.Struct, frozen=True, kw_only=True):
    """How many of the subjects that an arm first answered within one hour have their outcome."""

    step: str
    arm: str
    hour: str
    """When it began (RFC 3339, UTC)."""
    subjects: int
    labelled: int


class SliceMaturityView(msgspec.Struct, frozen=True, kw_only=True):
    """How many of the subjects of a slice that an arm answered in a step have their outcome. Shown; a proof asks it of the whole."""

    slice: str
    step: str
    arm: str
    subjects: int
    """By the slices of a subject's first prediction."""
    labelled: int


class ForeseenView(msgspec.Struct, frozen=True, kw_only=True):
    """ADVISORY, never evidence: what an arm's scores alone let expect, beside the truth as far as it is known.

    Sound only if each probability is what it says, for the subjects at hand; see docs/explanation/late-outcomes.md.
    """

    advisory: bool = True
    metric: str
    step: str
    arm: str
    foreseen: float
    """The mean loss to be expected over all subjects of the step."""
    scored: int
    truth: float | None
    """The mean over those whose outcome is known; None while there is none."""
    labelled: int


class ContradictionView(msgspec.Struct, frozen=True, kw_only=True):
    """An id of a caller's own of which different things were said; `counted` is what counts."""

    prediction: str
    statements: int
    counted: bool
    late: bool
    """A later word differs, and came after what counts had been counted."""


class RecomputationView(msgspec.Struct, frozen=True, kw_only=True):
    """A rollout counted again from its rows in the prediction log, and what else the log knows of it."""

    rollout: str
    agrees: bool
    """All that was compared is the same, and all was compared."""
    asked_for: bool
    """The plan lets nothing advance without it."""
    cells: int
    differing: int
    differences: tuple[Difference, ...]
    sentences: tuple[str, ...]
    missing: int
    """Rows that services or the gateway counted and the log does not hold."""
    unmatched: int
    """Outcomes that came with a receipt whose prediction the log does not hold."""
    uncovered: tuple[str, ...]
    """Guardrails that cannot be recomputed from the log."""
    unconfirmed: tuple[str, ...]
    """What a shadow stage is judged by and nothing confirms, since its pairs are not logged."""
    waiting: int
    """Outcomes for ids of callers' own whose prediction is not known."""
    contradicted: int
    late: int
    """Ids whose last word came too late to count."""
    contradictions: tuple[ContradictionView, ...]
    maturity: tuple[MaturityView, ...]
    by_slice: tuple[SliceMaturityView, ...] = ()
    """The same per slice, over all hours, the least mature first."""
    foreseen: tuple[ForeseenView, ...]


class ReplayView(msgspec.Struct, frozen=True, kw_only=True):
    """One decision made again from the record."""

    rollout: str
    version: int
    recorded: str
    """Canonical JSON of the decision as recorded."""
    recomputed: str
    same: bool


class CheckView(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that `doctor` looked at."""

    name: str
    ok: bool
    sentence: str
    next_command: str = ""


class FeatureShift(msgspec.Struct, frozen=True, kw_only=True):
    """A bin of a feature whose share of the rows changed, and the scores of the predictions that had it."""

    values: str
    """What falls into it; of a feature tagged personal or secret only the bin's number."""
    reference: float
    live: float
    """Shares of the rows with a value."""
    score_here: float | None
    """Mean score of its rows; None where no scores are counted."""
    score_elsewhere: float | None
    """Mean score of all other rows. What differs here goes together with the feature; it need not be caused by it."""


class FeatureView(msgspec.Struct, frozen=True, kw_only=True):
    """One feature: how good its data is today (of yesterday, before the first row), and how far it drifted."""

    name: str
    type: str
    tags: tuple[str, ...]
    rows: int
    missing: int
    wrong_type: int
    out_of_range: int
    unseen: int
    breaches: tuple[str, ...]
    """How the data contract is broken, in sentences."""
    psi: float | None
    """Without what chance adds. None, as below, where the contract has no reference."""
    jensen_shannon: float | None
    wasserstein: float | None
    """Of numbers: in parts of the range."""
    p_value: float | None
    """Of the last finished day, against the tolerated PSI; looked at once."""
    adjusted_p_value: float | None
    """The same for all features at once (Holm)."""
    anytime_p_value: float | None
    """Of today so far, against the tolerated bands; may be looked at as often as one likes."""
    drifted: bool
    said_by: str
    """Which of the two says so."""
    shifts: tuple[FeatureShift, ...]
    """The three bins that changed most."""
    influenced: float | None
    """Share of the rows that lie in them beyond what the reference has there."""


class ArmsFeature(msgspec.Struct, frozen=True, kw_only=True):
    """One feature in both arms of the rollout in progress. Pairs are (candidate, incumbent)."""

    name: str
    candidate_rows: int
    incumbent_rows: int
    missing: tuple[int, int]
    broken: tuple[int, int]
    psi: float
    anytime_p_value: float
    differs: bool
    """The arms are given different values: train/serve skew, or a broken split."""


class FeaturesView(msgspec.Struct, frozen=True, kw_only=True):
    """The live input of a model against its data contract. Advisory: no decision reads it."""

    model: str
    contract: str
    advisory: bool
    day: str
    """The last finished UTC day with rows, as 2026-01-31; empty before there is one."""
    rows: int
    """Rows of that day."""
    rows_today: int
    broken_today: int
    surplus_today: int
    """Rows with a field that the contract does not know."""
    alpha: float
    """Chance that any feature is flagged without drift: of the finished day, and ever during today."""
    tolerated_psi: float
    features: tuple[FeatureView, ...]
    arms: tuple[ArmsFeature, ...]
    """Empty while no rollout compares the arms."""


class SignalView(msgspec.Struct, frozen=True, kw_only=True):
    """A flag: something outside the criteria was not as usual. Advisory: it moved no traffic and never will."""

    id: str
    model: str
    series: str
    arm: str
    """`candidate`, `incumbent`, or `difference`."""
    rollout: str
    """The rollout in progress then; empty without one."""
    first: str
    last: str
    """When it was first flagged and last still seen, RFC 3339."""
    expected: float | None
    seen: float | None
    unit: str
    baseline: str
    """Against what: `hour of week`, `hour of day`, `the other arm`."""
    evidence: float
    """How much more likely a change than chance, as a factor: the detector's sum, of which `line` is flagged."""
    line: float
    sentence: str


class SignalsView(msgspec.Struct, frozen=True, kw_only=True):
    """All flags of a model, newest first, with the budget of false ones. Advisory."""

    model: str
    advisory: bool
    budget_per_week: float
    """How many false flags a week are accepted over all series together, on average."""
    series: int
    """How many are watched."""
    learning: int
    """How many of them have no history yet, and cannot be flagged."""
    flags: tuple[SignalView, ...]


class CosignedView(msgspec.Struct, frozen=True, kw_only=True):
    """A witness that saw a checkpoint."""

    witness: str
    """Its public key, as C2SP writes it."""
    at: str
    """By the witness's clock."""


class CheckpointView(msgspec.Struct, frozen=True, kw_only=True):
    """A signed checkpoint, and which of the known witnesses saw it."""

    origin: str
    size: int
    root: str
    """In base64, as it stands in the note."""
    note: str
    """The signed note, cosignatures and all."""
    cosigned: tuple[CosignedView, ...]
    witnesses: int
    """How many are known to the server."""


class LedgerKey(msgspec.Struct, frozen=True, kw_only=True):
    """The key under which checkpoints verify."""

    vkey: str
    """In the notation of C2SP signed notes."""


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """The server answers."""

    status: str = "ok"


class Ready(msgspec.Struct, frozen=True, kw_only=True):
    """The server governs."""

    status: str = "ready"


class CallerView(msgspec.Struct, frozen=True, kw_only=True):
    """Who calls: the actor that the ledger would name, and the role in which they are heard."""

    actor: str
    role: str
