"""What a source said that cannot be true: a total that shrank, or counts beyond the traffic. Values in, a yes or no out.

A false alarm would stop a healthy rollout, so each rule allows for all that happens to honest sources: messages that come
late, twice or in any order, requests still under way, a data plane whose report of a moment was lost.
"""

from enum import StrEnum
from typing import Final, assert_never

import msgspec

from glideslope.domain.ids import Actor, MetricName, SliceName, StepName
from glideslope.domain.traffic import Arm

TIMES: Final = 2
SLACK: Final = 1_000
"""A source may have counted TIMES what was seen to be served, and SLACK more, before it is doubted."""
PATIENCE: Final = 30_000
"""Milliseconds for which what was seen may lag behind what was counted: twice the longest request through the gateway."""
FASTEST: Final = 1_000_000
"""Counts of one metric per second; the sdk needs a microsecond for one."""
HEADSTART: Final = 60
"""Seconds granted beside those since the proposal, for clocks that were set back."""


class Claim(StrEnum):
    """What cannot be true of what was said."""

    SHRANK = "shrank"  # a later message holds less than an earlier one, or two of one number differ
    BEYOND_TRAFFIC = "beyond-traffic"  # more was counted than was served
    TOO_FAST = "too-fast"  # more was counted than anybody can count in the time


class Doubt(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One thing that a source said, and the number that it cannot be reconciled with."""

    claim: Claim
    actor: Actor
    """Whose token it was; empty for a source that was kept under its name alone."""
    source: str
    """The name that the service gave itself; `outcomes` for outcomes, whoever sent them."""
    epoch: int
    step: StepName
    arm: Arm
    metric: MetricName
    slice: SliceName
    bin: int
    """-1 where it is about all bins of the metric."""
    said: int
    """What was counted; of a total that shrank, the one in the message with the lower number."""
    against: int
    """Of a total that shrank, the one in the message with the higher number.

    Of what is beyond the traffic, how many were seen to be served; of what is too fast, the seconds since the proposal.
    """
    first: int = 0
    second: int = 0
    """Of a total that shrank, the numbers of the two messages."""
    peak: int = 0
    """The most subjects that were seen to be served in a second of the step."""
    age: int = 0
    """Milliseconds for which what was said has been known."""
    metrics: tuple[MetricName, ...]
    """All that this source counts for the rollout, and so all that is doubted with it."""


class Aside(msgspec.Struct, frozen=True, kw_only=True, order=True, forbid_unknown_fields=True):
    """A source whose counts up to an epoch are not used any more in a rollout, because a person said so."""

    actor: Actor
    source: str
    epoch: int


def allowed(*, seen: int, peak: int, lease: int) -> int:
    """Return how many a source may have counted where so many were seen to be served; `lease` in milliseconds.

    The data plane may go on for a lease without its report arriving, and reports each second.
    """
    return TIMES * seen + SLACK + TIMES * peak * (lease + 1_000) // 1_000


def stands(doubt: Doubt, *, lease: int) -> bool:
    """Tell whether what was said and what it is held against cannot both be."""
    match doubt.claim:
        case Claim.SHRANK:
            return doubt.against < doubt.said if doubt.first < doubt.second else doubt.against != doubt.said
        case Claim.BEYOND_TRAFFIC:
            return doubt.said > allowed(seen=doubt.against, peak=doubt.peak, lease=lease)
        case Claim.TOO_FAST:
            return doubt.said > FASTEST * (doubt.against + HEADSTART)
        case _:
            assert_never(doubt.claim)


def is_settled(doubt: Doubt) -> bool:
    """Tell whether time cannot resolve it: what is seen to be served may yet catch up with what was counted, for a while."""
    return doubt.claim is not Claim.BEYOND_TRAFFIC or doubt.age >= PATIENCE


def sentence(doubt: Doubt) -> str:
    """Say who said what, and the number that it cannot be reconciled with."""
    who = f"{doubt.actor}/{doubt.source}" if doubt.actor else doubt.source
    where = f"{doubt.metric} of the {doubt.arm.value} in {doubt.step}"
    match doubt.claim:
        case Claim.SHRANK:
            cell = f"{where}, {doubt.slice}, bin {doubt.bin}"
            return (
                f"{who} (epoch {doubt.epoch}) said {doubt.said:,} for {cell} in message {doubt.first}, "
                f"and {doubt.against:,} in message {doubt.second}."
            )
        case Claim.BEYOND_TRAFFIC:
            return (
                f"{who} (epoch {doubt.epoch}) counted {doubt.said:,} for {where}, where {doubt.against:,} were served."
            )
        case Claim.TOO_FAST:
            return (
                f"{who} (epoch {doubt.epoch}) counted {doubt.said:,} for {where}, "
                f"{doubt.against:,} s after the rollout was proposed."
            )
        case _:
            assert_never(doubt.claim)
