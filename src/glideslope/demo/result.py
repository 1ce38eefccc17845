"""What the demo found, as one JSON document; it succeeded only if all of it came out as it should."""

import msgspec


class RolloutResult(msgspec.Struct, frozen=True, kw_only=True):
    """One rollout of the story."""

    rollout: str
    candidate: str
    decision: str
    """`promote` or `roll-back`."""
    step: str
    stage: str
    share: int
    """Candidate share of that step in basis points."""
    reasons: tuple[str, ...]
    guardrail: str
    slice: str
    low: float | None
    estimate: float | None
    high: float | None
    canary_requests: int
    """Subjects that the candidate served until then."""
    confirmation_ms: float | None
    """From the commit of the decision to the data plane's confirmation."""
    requests: int
    dropped: int
    data_day: str


class KillResult(msgspec.Struct, frozen=True, kw_only=True):
    """What happened when the server was killed in the middle of a canary."""

    share_before: int
    seconds_to_incumbent: float
    """From the kill to the last answer of the candidate."""
    lease_seconds: float
    requests_meanwhile: int
    dropped_meanwhile: int
    lapse_recorded: bool
    exposure_came_back_by_decision: bool


class RecordResult(msgspec.Struct, frozen=True, kw_only=True):
    """What a stranger found in the record."""

    entries: int
    checkpoints: int
    decisions_replayed: int
    verified: bool
    tampering_found: bool
    tampered_entry: int
    """The entry in which one byte was changed, as `verify` named it."""


class DemoResult(msgspec.Struct, frozen=True, kw_only=True):
    """The whole."""

    ok: bool
    failures: tuple[str, ...]
    """What did not come out as it should; empty when all did."""
    rollouts: tuple[RolloutResult, ...]
    kill: KillResult
    record: RecordResult
    offline_warning: str
    """What `plan` warned of, before v3 was applied."""
    requests: int
    dropped: int
    outcomes: int
    seconds: float
