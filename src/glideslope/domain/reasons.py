"""Every reason a decision may carry, each with its sentence. Codes are stable and never reused."""

from enum import StrEnum


class Reason(StrEnum):
    """Why; the closed list that people, tools and the reference share."""

    PASSED = "guardrails-passed"
    BAKED = "baked"
    OFFLINE_PASSED = "offline-passed"
    APPROVED = "approved"
    INSIDE_ENVELOPE = "inside-envelope"
    LEASE_RESTORED = "lease-restored"

    BREACHED = "guardrail-breached"
    BUDGET_SPENT = "harm-budget-spent"
    OFFLINE_FAILED = "offline-failed"
    DIGEST_DIFFERS = "served-digest-differs"
    DENIED = "approval-denied"
    ORDERED = "ordered-by-a-person"
    DEADLINE_ROLLBACK = "deadline-passed-roll-back"

    AWAITING_APPROVAL = "awaiting-approval"
    MINIMUM_TIME = "minimum-time-not-reached"
    NOT_ENOUGH = "not-enough-evidence"
    NO_EVIDENCE = "no-evidence"
    STALE = "evidence-stale"
    IMMATURE = "outcomes-not-mature"
    LOPSIDED = "outcomes-lopsided"
    OFFLINE_MISSING = "offline-evaluation-missing"
    DEADLINE_HOLD = "deadline-passed-hold"
    DEADLINE_EXTENDED = "deadline-passed-extended"
    UNCONFIRMED = "traffic-not-confirmed"
    CLOCK_BACK = "clock-ran-backwards"
    LIMIT_BREACHED = "absolute-limit-breached"
    SPLIT_BROKEN = "split-not-as-asked"
    MALFORMED = "evidence-malformed"
    SOURCE_DOUBTED = "source-not-credible"
    COUNTS_AHEAD = "counts-ahead-of-traffic"
    RECOMPUTATION_MISSING = "recomputation-missing"
    RECOMPUTATION_DIFFERS = "recomputation-differs"
    APPROVALS_RUN_OUT = "approvals-run-out"
    ENVELOPE_LEFT = "envelope-left"
    APPROVAL_WITHDRAWN = "approval-withdrawn"
    POLICY_BLOCKS = "policy-blocks"
    PERMIT_MISSING = "permit-missing"
    FROZEN = "freeze-in-force"
    FROZEN_RETURN = "freeze-returns"
    SIGN_OFF_MISSING = "sign-off-missing"
    HALTED = "halted"
    ENDED = "rollout-ended"

    @property
    def sentence(self) -> str:
        """Return what people read."""
        return _SENTENCES[self]


FOR_PEOPLE = frozenset(
    {
        Reason.DEADLINE_HOLD,
        Reason.SPLIT_BROKEN,
        Reason.MALFORMED,
        Reason.SOURCE_DOUBTED,
        Reason.RECOMPUTATION_DIFFERS,
        Reason.LOPSIDED,
        Reason.CLOCK_BACK,
    }
)
"""For which reasons to hold waiting alone will not do: somebody must look."""

_SENTENCES = {
    Reason.PASSED: "Every guardrail is proven to be within its margin.",
    Reason.BAKED: "The candidate served everybody for its time without a breach.",
    Reason.OFFLINE_PASSED: "The offline evaluation meets every criterion.",
    Reason.APPROVED: "All approvals that the plan asks for were given.",
    Reason.INSIDE_ENVELOPE: "The change is inside an envelope; approvals that were given with it count.",
    Reason.LEASE_RESTORED: "The lease had lapsed; the evidence allows the same step again.",
    Reason.BREACHED: "A guardrail got worse than the plan allows.",
    Reason.BUDGET_SPENT: "The harm that the plan allows this rollout is spent.",
    Reason.OFFLINE_FAILED: "The offline evaluation misses a criterion.",
    Reason.DIGEST_DIFFERS: "A server answers with other content than was registered.",
    Reason.DENIED: "Somebody whose approval counts denied it.",
    Reason.ORDERED: "A person ordered it.",
    Reason.DEADLINE_ROLLBACK: "The step's maximum time passed without a proof, and the plan says to roll back then.",
    Reason.AWAITING_APPROVAL: "Approvals are missing.",
    Reason.MINIMUM_TIME: "The step's minimum time has not passed.",
    Reason.NOT_ENOUGH: "The evidence neither proves harm nor proves that all is well.",
    Reason.NO_EVIDENCE: "There is no evidence.",
    Reason.STALE: "A source of evidence has gone silent.",
    Reason.IMMATURE: "Too few of the outcomes have arrived.",
    Reason.LOPSIDED: "The outcomes did not come from the arms as their subjects did; what is missing may be the harm.",
    Reason.OFFLINE_MISSING: "The offline evaluation that the plan asks for is missing.",
    Reason.DEADLINE_HOLD: "The step's maximum time passed without a proof; a person must look.",
    Reason.DEADLINE_EXTENDED: "The step's maximum time passed without a proof; the plan grants more.",
    Reason.UNCONFIRMED: "The data plane does not show the traffic that was asked for.",
    Reason.CLOCK_BACK: "The clock shows a time before this step began.",
    Reason.LIMIT_BREACHED: "An absolute limit is broken; it may be neither arm's fault, so exposure pauses.",
    Reason.SPLIT_BROKEN: "The traffic is not the split that was asked for, so no comparison counts.",
    Reason.MALFORMED: "The evidence does not fit the plan's bins or counts below zero, so nothing may be concluded from it.",
    Reason.SOURCE_DOUBTED: "A source contradicts itself or the traffic, so nothing may be concluded from what it counts.",
    Reason.COUNTS_AHEAD: "More was counted than was seen to be served; until that is, nothing advances.",
    Reason.RECOMPUTATION_MISSING: "The plan asks for a recomputation from the prediction log, and there is no complete one.",
    Reason.RECOMPUTATION_DIFFERS: "The counters and the prediction log disagree, so one of them is wrong and neither proves anything.",
    Reason.APPROVALS_RUN_OUT: "Approvals that the plan needs have expired, so it goes no further.",
    Reason.ENVELOPE_LEFT: "Approvals that were given with an envelope count no longer, so it goes no further before people approve it.",
    Reason.APPROVAL_WITHDRAWN: "Somebody took their approval back; nobody is exposed until it is given again.",
    Reason.POLICY_BLOCKS: "The policy does not permit it.",
    Reason.PERMIT_MISSING: "Whether the policy permits it is not known.",
    Reason.FROZEN: "A freeze is in force; nothing is begun or widened.",
    Reason.FROZEN_RETURN: "A freeze asks that nobody is exposed.",
    Reason.SIGN_OFF_MISSING: "After a limit was broken, product, security and compliance must agree before anybody is exposed again.",
    Reason.HALTED: "The rollout is halted; nobody is exposed until a person resumes it.",
    Reason.ENDED: "The rollout has ended.",
}
