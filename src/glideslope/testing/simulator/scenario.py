"""What a seed makes of the world: how many of everything, which plan, which candidates, and which faults are switched on."""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from glideslope.domain.draft import SECOND, Draft, GuardrailDraft, MetricDraft, StageDraft
from glideslope.domain.ids import MetricName, ModelName, VersionName
from glideslope.domain.metric import ERRORS, WRONG, Kind
from glideslope.domain.plan import AtMaximum, Margin, MarginKind, StageKind
from glideslope.testing.simulator import faults

SLOW_PATH = MetricDraft(name=MetricName("slow_path"), kind=Kind.EVENT)
"""What services count by themselves."""

WIDE = Margin(MarginKind.ABSOLUTE, 0.4)
"""So wide that a few dozen subjects prove or refute it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One run. Times in seconds of virtual time."""

    seed: int
    kinds: frozenset[faults.Kind]
    trouble: float
    """How long things go wrong; then everything heals, and every rollout must end."""
    servers: int
    gateways: int
    models: tuple[ModelName, ...]
    per_second: float
    """Requests at each gateway for each model."""
    subjects: int
    """How many there are; 0 for a new one with each request."""
    anonymous: float
    with_outcomes: bool
    with_shadow: bool
    with_services: bool
    approvals: int
    lease: int
    """Milliseconds."""
    shares: tuple[int, ...]
    at_maximum: AtMaximum
    maximum: int
    """Milliseconds that a canary step may take."""
    harmful: float
    """Chance that a candidate fails."""

    @property
    def settling(self) -> float:
        """Seconds after healing within which every rollout must have ended, whatever its plan says at most."""
        steps = len(self.shares) + 3
        clocks = 80.0 if {faults.Kind.SKEW, faults.Kind.CLOCK_JUMP} & self.kinds else 0.0
        return 3 * steps * self.maximum / 1000 + 60.0 + clocks


def scenario(seed: int, *, kinds: frozenset[faults.Kind] | None = None, trouble: float | None = None) -> Scenario:
    """Return a seed's scenario; `kinds` and `trouble` overrule what the seed says."""
    dice = Random(f"scenario {seed}")  # noqa: S311 - a seed, not a secret
    with_outcomes = dice.random() < 0.3
    return Scenario(
        seed=seed,
        servers=dice.choice((1, 1, 2, 2, 3)),
        gateways=dice.choice((1, 1, 2, 3)),
        models=tuple(ModelName(f"m{k}") for k in range(dice.choice((1, 1, 1, 2)))),
        per_second=dice.choice((5.0, 10.0)),
        subjects=dice.choice((0, 0, 60)),
        anonymous=dice.choice((0.0, 0.1)),
        with_outcomes=with_outcomes,
        with_shadow=with_outcomes and dice.random() < 0.5,
        with_services=dice.random() < 0.35,
        approvals=dice.choice((0, 0, 1)),
        lease=dice.choice((2_000, 4_000)),
        shares=dice.choice(((5_000,), (2_000, 5_000))),
        at_maximum=dice.choice(tuple(AtMaximum)),
        maximum=dice.choice((8_000, 16_000)),
        harmful=dice.choice((0.0, 0.3, 1.0)),
        kinds=faults.chosen(seed) if kinds is None else kinds,
        trouble=dice.choice((8.0, 12.0, 20.0)) if trouble is None else trouble,
    )


def draft(scenario: Scenario, model: ModelName, candidate: VersionName, *, why: str) -> Draft:
    """Return the change that is asked for."""
    stages: list[StageDraft] = []
    if scenario.with_shadow:
        stages.append(_stage(scenario, StageKind.SHADOW))
    stages += [
        StageDraft(
            stage=StageKind.CANARY,
            shares=scenario.shares,
            minimum=SECOND,
            maximum=scenario.maximum,
            at_maximum=scenario.at_maximum,
        ),
        _stage(scenario, StageKind.FULL),
        _stage(scenario, StageKind.BAKE),
    ]
    return Draft(
        model=model,
        candidate=candidate,
        owner="fleet@example.org",
        why=why,
        stages=tuple(stages),
        guardrails=tuple(GuardrailDraft(metric=name, margin=WIDE) for name in _metrics(scenario)),
        metrics=(SLOW_PATH,) if scenario.with_services else (),
        approvals=scenario.approvals,
        stale_after=4 * SECOND,
        outcomes_stale_after=10 * SECOND,
        maturity=0.3,
        lease=scenario.lease,
        alpha=0.05,
        alpha_pass=0.2,
    )


def _metrics(scenario: Scenario) -> Sequence[MetricName]:
    found = [ERRORS.name]
    if scenario.with_outcomes:
        found.append(WRONG.name)
    if scenario.with_services:
        found.append(SLOW_PATH.name)
    return found


def _stage(scenario: Scenario, kind: StageKind) -> StageDraft:
    return StageDraft(stage=kind, minimum=SECOND, maximum=scenario.maximum, at_maximum=scenario.at_maximum)
