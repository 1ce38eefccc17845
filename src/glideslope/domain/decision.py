"""What `decide` returns: one of four decisions, with reasons from the closed list and the findings behind them."""

from enum import StrEnum

import msgspec

from glideslope.domain.doubt import Doubt
from glideslope.domain.ids import MetricName, SliceName
from glideslope.domain.reasons import Reason
from glideslope.domain.recomputation import Difference

DECIDER = 4
"""Version of the rules in `gate` and `decide`. A change of meaning raises it; old ones stay for replay."""


class Verdict(StrEnum):
    """A gate's answer on evidence."""

    PASS = "pass"  # noqa: S105 - a verdict, not a password
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"
    INVALID = "invalid"


class Question(StrEnum):
    """What a test asks."""

    HARM = "harm"  # is the candidate worse
    PROOF = "proof"  # is it proven to be within the margin
    LIMIT = "limit"  # is an absolute limit broken
    SPLIT = "split"  # is the traffic the split we asked for
    SOURCE = "source"  # can what a source said be true
    RECOMPUTATION = "recomputation"  # do the counters agree with the prediction log
    OFFLINE = "offline"  # does the offline evaluation meet the criterion
    BUDGET = "budget"  # is the harm budget spent


class Spending(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How much of a harm budget is spent, in the metric's unit."""

    measure: str
    """`count` or `excess`."""
    spent: float
    size: float


class Finding(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One test's answer. `wealth` and `line` are natural logarithms: the verdict changes when wealth reaches the line."""

    question: Question
    verdict: Verdict
    subject: str
    """The guardrail's or budget's metric, the step of a split test, or the offline criterion."""
    slice: SliceName
    wealth: float
    line: float
    candidate: int
    """How many subjects (or pairs) of each arm stand behind it."""
    incumbent: int
    doubt: Doubt | msgspec.UnsetType = msgspec.UNSET
    """What a source said, when that is the question."""
    difference: Difference | msgspec.UnsetType = msgspec.UNSET
    """Where the counters and the prediction log disagree, when that is the question."""
    spending: Spending | msgspec.UnsetType = msgspec.UNSET
    """What was spent of a harm budget, when that is the question."""
    awaited: int | msgspec.UnsetType = msgspec.UNSET
    """Of a proof: requests that were still under way, and were taken to end as badly for it as they can; unset where none was."""


class Advance(msgspec.Struct, frozen=True, kw_only=True, tag="advance", forbid_unknown_fields=True):
    """Go to the step with this index (or back onto the same one after a lapse)."""

    to: int
    reasons: tuple[Reason, ...]
    findings: tuple[Finding, ...] = ()


class Hold(msgspec.Struct, frozen=True, kw_only=True, tag="hold", forbid_unknown_fields=True):
    """Stay. `exposed` False withdraws the exposure until a person resumes."""

    exposed: bool
    reasons: tuple[Reason, ...]
    findings: tuple[Finding, ...] = ()


class RollBack(msgspec.Struct, frozen=True, kw_only=True, tag="roll-back", forbid_unknown_fields=True):
    """All traffic returns to the incumbent; the rollout is over."""

    reasons: tuple[Reason, ...]
    findings: tuple[Finding, ...] = ()


class Promote(msgspec.Struct, frozen=True, kw_only=True, tag="promote", forbid_unknown_fields=True):
    """The candidate becomes the incumbent."""

    reasons: tuple[Reason, ...]
    findings: tuple[Finding, ...] = ()


Decision = Advance | Hold | RollBack | Promote


def breach(decision: Decision) -> tuple[MetricName, SliceName] | None:
    """Return the guardrail and slice that broke, if one did."""
    for finding in decision.findings:
        if finding.question is Question.HARM and finding.verdict is Verdict.FAIL:
            return MetricName(finding.subject), finding.slice
    return None
