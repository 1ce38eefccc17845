"""What was measured, as values: the parts of a report. Whatever is not known is null, and null is never a pass."""

import math
from collections.abc import Mapping
from typing import Any, Final

import msgspec
from msgspec import UNSET, UnsetType

from glideslope.domain.decision import Verdict

DIGITS: Final = 6
"""Significant digits of a figure: more than rows can tell apart, and fewer than another machine's arithmetic would change."""


class Figure(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A value with its interval; null where it is undefined, or unbounded on that side."""

    value: float | None
    low: float | None = None
    high: float | None = None


class Bound(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How far the candidate is beyond what is tolerable; passed when all of the interval is at or below zero."""

    kind: str
    """`limit` or `margin`."""
    tolerance: str
    """As it was written."""
    excess: Figure
    verdict: Verdict


class Comparison(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One metric of both arms on the same rows (or under the same load), and what was asked of it."""

    metric: str
    slice: str
    higher_is_better: bool
    unit: str
    candidate: Figure
    incumbent: Figure
    difference: Figure
    """Candidate minus incumbent."""
    count: int
    groups: int
    method: str
    bounds: tuple[Bound, ...] = ()


class Reliability(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One bin of an arm's answers: their mean, what happened on average (a share, or the number), and how many rows."""

    arm: str
    predicted: float
    happened: float
    count: int


class Leak(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One check of the rows themselves."""

    check: str
    verdict: Verdict
    skipped: bool
    sentence: str
    examples: tuple[str, ...] = ()


class Broken(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One case in which an arm did not do what was expected."""

    row: int
    """In the held-out rows, from 0."""
    changed: str
    """What was done to the row."""
    answer: str
    """What came back."""


class Behaviour(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one arm did in a scenario."""

    cases: int
    answered: int
    refused: int
    broken: int
    crashes: int
    """How often its server ended by itself; once is a failure, whatever else is allowed."""
    share: Figure
    """Share of broken cases, exact interval."""
    worst: float | None = None
    """Largest move of the probability, where that is the question."""
    examples: tuple[Broken, ...] = ()


class Scenario(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One controlled variation of the rows. The verdict is the candidate's."""

    name: str
    expected: str
    allow: float
    verdict: Verdict
    skipped: bool = False
    why: str = ""
    """Why it was skipped or could not be asked."""
    candidate: Behaviour | None = None
    incumbent: Behaviour | None = None


class Carried(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one arm did under one load. Latencies are in milliseconds from the moment at which a request was due."""

    offered: int
    answered: int
    late: int
    """Answered, but later than `within`."""
    failed: int
    carried: Figure
    """Share answered well within the time, exact interval."""
    per_second: float
    latency_p50: Figure
    latency_p95: Figure
    latency_p99: Figure
    sent_late_p99: float
    """Milliseconds by which our own sending lagged behind, apart from waiting for a connection."""
    cpu_per_thousand: Figure | None = None
    """CPU seconds of the server's processes per thousand answers; null where they cannot be seen."""


class Level(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One load: requests per second, or the replayed hours of the data (its busiest at the peak)."""

    name: str
    rate: float
    seconds: float
    candidate: Carried
    incumbent: Carried
    candidate_verdict: Verdict
    """Whether the candidate carried it."""
    incumbent_verdict: Verdict


class Quality(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All that depends on rows, answers and seed alone; the same again when it is measured again."""

    rows: int
    groups: int
    positives: int | UnsetType = UNSET
    """Of a binary outcome."""
    train_rows: int | None
    test_digest: str
    train_digest: str | None
    unanswered_candidate: int
    unanswered_incumbent: int
    comparisons: tuple[Comparison, ...]
    reliability: tuple[Reliability, ...]
    leakage: tuple[Leak, ...]
    scenarios: tuple[Scenario, ...]
    outcomes: Mapping[str, float] | UnsetType = UNSET
    """Of a multiclass outcome the rows of each class; of a number its least, mean, most and standard deviation."""


class Version(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What was measured."""

    version: str
    digest: str | None
    """Of its folder, where one is declared."""
    served: str
    """The command, or the URL."""


class Report(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An evaluation: what was asked, what was measured, and whether all of it was met."""

    format: int = 1
    model: str
    holdout: str
    candidate: Version
    incumbent: Version
    met: bool
    """True only when every bound, check and scenario that was asked is a pass."""
    failed: int
    inconclusive: int
    passed: int
    confidence: float
    seed: int
    quality: Quality
    quality_digest: str
    """SHA-256 of the canonical JSON of `quality`."""
    service: tuple[Level, ...]
    service_comparisons: tuple[Comparison, ...]
    files: dict[str, str]
    """Digests of the rows' files by name."""
    declared: dict[str, Any]
    """The evaluation file with every default written out."""
    measured_with: dict[str, str]
    began_at: str
    ended_at: str

    @property
    def kind(self) -> str:
        """Return what the outcome is: `binary`, `multiclass` or `regression`."""
        return str(self.declared["data"]["kind"])


def rounded(value: float | None) -> float | None:
    """Return a figure as it stands in a report: DIGITS significant digits, null for what is no finite number."""
    if value is None or not math.isfinite(value):
        return None
    short = float(f"{value:.{DIGITS}g}")
    return 0.0 if short == 0.0 else short


def figure(value: float | None, interval: tuple[float | None, float | None] | None = None) -> Figure:
    """Return a figure, rounded."""
    low, high = interval or (None, None)
    return Figure(value=rounded(value), low=rounded(low), high=rounded(high))


def verdict_of(excess: Figure) -> Verdict:
    """Judge by the whole interval: at or below zero is a pass, above zero a failure, anything else inconclusive."""
    if excess.value is not None and excess.high is not None and excess.high <= 0.0:
        return Verdict.PASS
    if excess.low is not None and excess.low > 0.0:
        return Verdict.FAIL
    return Verdict.INCONCLUSIVE
