"""The frozen facts behind a decision: integers, ages and digests, never opinions."""

from typing import Final

import msgspec

from glideslope.domain.doubt import Doubt
from glideslope.domain.governing.governed import Permit
from glideslope.domain.ids import Digest, MetricName, SliceName, StepName, VersionName
from glideslope.domain.recomputation import Recomputation
from glideslope.domain.traffic import Arm

FORMAT: Final = 2
"""The format that is written; the members of format 1 are read for ever."""


class Counts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Outcomes per bin of one metric and slice under one step's coin."""

    step: StepName
    metric: MetricName
    slice: SliceName
    candidate: tuple[int, ...]
    incumbent: tuple[int, ...]


class Pairs(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Shadow: how often the candidate's loss differed from the incumbent's by each bin of `domain.pairing`."""

    metric: MetricName
    slice: SliceName
    differences: tuple[int, ...]


class Exposed(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Subjects really served in a step, per arm, as the gateway counted them."""

    step: StepName
    candidate: int
    incumbent: int


class Maturity(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many of a step's exposed subjects have had their outcome arrive, per arm."""

    step: StepName
    candidate: int
    incumbent: int


class Freshness(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When a kind of source last reported. `age` in milliseconds; -1 when it never did.

    `dropped` is what could not be counted: by the server itself, and by the services of that kind.
    """

    origin: str
    age: int
    dropped: int = 0


class Serving(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an arm's servers say they serve."""

    arm: Arm
    version: VersionName
    digest: Digest


class Evidence(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything that `decide` may look at besides the rollout and the time."""

    format: int = 1
    counts: tuple[Counts, ...] = ()
    pairs: tuple[Pairs, ...] = ()
    exposed: tuple[Exposed, ...] = ()
    maturity: tuple[Maturity, ...] = ()
    freshness: tuple[Freshness, ...] = ()
    serving: tuple[Serving, ...] = ()
    in_force: bool = False
    """The data plane itself confirms that the step's exposure is in force."""
    doubts: tuple[Doubt, ...] | msgspec.UnsetType = msgspec.UNSET
    """What sources said that cannot be true; not in format 1, whose bytes stay as they were."""
    recomputation: Recomputation | msgspec.UnsetType = msgspec.UNSET
    """What came of recomputing the counts from the prediction log; only where the plan asks for it."""
    permit: Permit | msgspec.UnsetType = msgspec.UNSET
    """What governance says at this moment; only where the plan is governed."""


NOTHING = Evidence()
