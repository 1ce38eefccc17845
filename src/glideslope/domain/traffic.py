"""Where requests go: splits, the coin that assigns subjects, and the route a data plane is asked to carry."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import xxhash

from glideslope.domain.errors import SplitInvalid, TokenStale
from glideslope.domain.ids import Digest, ModelName, RolloutId, StepName, VersionName

TOTAL: Final = 65_536
"""Weights add up to this in every data plane, for ever: another total would reshuffle the subjects."""

FULL: Final = 10_000
"""All of the traffic, in basis points."""


class Arm(StrEnum):
    """The two sides of a comparison."""

    CANDIDATE = "candidate"
    INCUMBENT = "incumbent"


@dataclass(frozen=True, slots=True)
class Weights:
    """A split as a data plane carries it: integer weights that always add up to TOTAL."""

    candidate: int
    control: int
    rest: int


@dataclass(frozen=True, slots=True)
class Split:
    """A step's division of subjects, in basis points of all traffic.

    `candidate` is exposed, `control` is the incumbent measured beside it, and what remains is the incumbent unmeasured.
    Raises SplitInvalid.
    """

    candidate: int
    control: int

    def __post_init__(self) -> None:
        if self.candidate < 0 or self.control < 0 or self.candidate + self.control > FULL:
            raise SplitInvalid(candidate=self.candidate, control=self.control)

    def weights(self) -> Weights:
        """Round down, so that no step is ever exceeded by rounding."""
        candidate = self.candidate * TOTAL // FULL
        control = self.control * TOTAL // FULL
        if self.candidate + self.control == FULL:
            control = TOTAL - candidate
        return Weights(candidate=candidate, control=control, rest=TOTAL - candidate - control)


NOBODY: Final = Split(candidate=0, control=0)


@dataclass(frozen=True, slots=True)
class Assignment:
    """Which arm a subject is served by, and whether it is counted (`rest` is served by the incumbent, uncounted)."""

    arm: Arm
    measured: bool


def bucket(subject: str, *, salt: str) -> int:
    """Toss the coin: `xxh64("salt:subject", seed 0) mod TOTAL`, the very number that Envoy computes (0 <= n < TOTAL)."""
    return xxhash.xxh64_intdigest(f"{salt}:{subject}".encode()) % TOTAL


def assign(subject: str, *, salt: str, weights: Weights) -> Assignment:
    """Choose an arm. The candidate's range comes first, so widening it moves nobody back to the incumbent."""
    n = bucket(subject, salt=salt)
    if n < weights.candidate:
        return Assignment(Arm.CANDIDATE, measured=True)
    return Assignment(Arm.INCUMBENT, measured=n < weights.candidate + weights.control)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a version is served (`http://host:port`), and the content that must be served there."""

    version: VersionName
    digest: Digest
    url: str


@dataclass(frozen=True, slots=True)
class Exposure:
    """What a lease grants: one step's split, and how many of all requests are mirrored to the candidate (basis points)."""

    rollout: RolloutId
    step: StepName
    split: Split
    mirror: int = 0


@dataclass(frozen=True, slots=True)
class Route:
    """The standing shape of one model's traffic. It exposes nobody: only a lease does."""

    model: ModelName
    incumbent: Endpoint
    candidate: Endpoint | None = None
    salt: str = ""


@dataclass(frozen=True, slots=True, order=True)
class Token:
    """Orders what a data plane is told: a governor's epoch, then the rollout's version. Older tokens are refused."""

    epoch: int
    version: int

    def __str__(self) -> str:
        return f"{self.epoch}.{self.version}"


def newest(seen: Token | None, offered: Token | None, *, what: str) -> Token | None:
    """Return the newer of two tokens; None is of who can have no predecessors. Raises TokenStale for one older than was seen."""
    if seen is None or offered is None:
        return offered or seen
    if offered < seen:
        raise TokenStale(model=what, seen=str(seen), offered=str(offered))
    return offered


@dataclass(frozen=True, slots=True)
class ObservedRoute:
    """What the data plane says it does now; `exposure` is None when the incumbent serves everybody."""

    model: ModelName
    exposure: Exposure | None
    incumbent: VersionName
    candidate: VersionName | None
