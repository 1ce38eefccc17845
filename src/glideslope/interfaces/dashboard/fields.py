"""What can be asked of the record, in words, for the places where people ask it."""

from collections.abc import Mapping
from typing import Final

TOLD: Final[Mapping[str, str]] = {
    "author": "who did it, by their id: author:ana",
    "decision": "what was decided: advance, hold, roll-back, promote",
    "reason": "why, as a code: reason:guardrail-breached",
    "rollout": "a rollout, or an attempt before it: rollout:r-0002",
    "model": "a model by its name",
    "version": "a version that is named, as incumbent or candidate",
    "kind": "what kind of entry: kind:decided, kind:approval-given",
    "metric": "a metric that is named, as a guardrail or in a finding",
    "slice": "a part of the data: slice:origin=LGA",
    "step": "a step of a plan: step:s3",
    "owner": "who owns a change or a dataset",
    "maker": "who trained, built the data, evaluated or wrote the code",
    "dataset": "data that a version was made from or measured with",
    "feature": "a field of the input",
    "holdout": "rows kept apart to measure with: holdout:by-day",
    "licence": "a licence of a version, a dataset or a package",
    "tag": "a tag on a field of data: tag:pii",
    "digest": "content by its digest: digest:sha256:…",
    "stream": "all that was said about one thing: stream:model.fraud",
    "after": "not before a time: after:2026-01, after:2026-01-31",
    "before": "before a time: before:2026-03",
}
"""Each field of `domain.governing.query`, those that are asked most first."""

EXAMPLES: Final = (
    ("decision:roll-back", "every rollback"),
    ("kind:approval-given", "every yes and no"),
    ("kind:decided reason:guardrail-breached", "what harm led to"),
    ("kind:lease-lapsed", "where the server was gone"),
    ("kind:version-registered", "every version"),
)
"""Questions that can be tried by pressing on them."""
