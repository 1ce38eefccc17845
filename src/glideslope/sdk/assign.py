"""Assigning subjects inside the process, under a lease that is looked at on every single call.

The coin is the gateway's (`domain.traffic.bucket`), so every service and every proxy give a subject the same arm.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Final

import xxhash

from glideslope.domain.ids import RolloutId, StepName, VersionName
from glideslope.domain.observation import Grant
from glideslope.domain.traffic import TOTAL, Arm, Assignment, Token

# Linux's monotonic clock stands still while a machine is suspended, and a lease would outlive its night; this one does not.
CLOCK: Final[Callable[[], float]] = (
    partial(time.clock_gettime, time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic
)
"""Seconds that never run backwards, suspension included where the system can tell."""

LONGEST_LEASE: Final = 3600.0
"""Seconds; a longer lease is no lease, and is not obeyed."""

NO_ROLLOUT: Final = RolloutId("")
NO_STEP: Final = StepName("")
NO_VERSION: Final = VersionName("")


@dataclass(frozen=True, slots=True)
class Assigned:
    """Which arm serves a subject, and under which step it is counted; both names are empty when it is not."""

    arm: Arm
    measured: bool
    rollout: RolloutId = NO_ROLLOUT
    step: StepName = NO_STEP
    version: VersionName = NO_VERSION
    """What to serve; empty before the server has named the incumbent: then what the service was deployed with."""

    @property
    def assignment(self) -> Assignment:
        """Return the arm as `domain.traffic.assign` states it."""
        return Assignment(self.arm, measured=self.measured)


UNMEASURED: Final = Assigned(Arm.INCUMBENT, measured=False)
"""The incumbent, uncounted: the rest of the traffic, and the answer to every doubt."""

_hash: Final = xxhash.xxh64_intdigest
_State = tuple[str, float, float, int, int, Assigned, Assigned]
_NOTHING: Final[_State] = ("", 0.0, 0.0, 0, 0, UNMEASURED, UNMEASURED)


class Assigner:
    """Assigns the subjects of one model. Without a grant, after its lease or on any doubt, the incumbent serves.

    `clock` returns seconds that never run backwards; a reading from before the grant ends the exposure, as does none.
    """

    __slots__ = ("_clock", "_newest", "_rest", "_state")

    def __init__(self, *, clock: Callable[[], float] = CLOCK) -> None:
        self._clock = clock
        self._newest = Token(epoch=0, version=0)
        self._state = _NOTHING
        self._rest = UNMEASURED

    def assign(self, subject: str) -> Assigned:
        """Return the subject's arm. Never raises, never blocks.

        An empty subject is nobody in particular: it cannot be sticky, so the incumbent serves it, uncounted.
        """
        try:
            prefix, start, end, candidate, measured, as_candidate, as_control = self._state
            if not (start <= self._clock() < end and subject):
                return self._rest
            n = _hash((prefix + subject).encode()) & 0xFFFF
        except Exception:  # noqa: BLE001 - the boundary to the host: whatever failed, the incumbent serves
            return self._rest
        if n < candidate:
            return as_candidate
        return as_control if n < measured else self._rest

    def assign_many(self, subjects: Iterable[str]) -> list[Assigned]:
        """Return the arms of many subjects, equal to `assign` of each; the lease is looked at once, at the start.

        Raises whatever iterating over `subjects` raises. For numpy's columns see `columns.assign_column`.
        """
        prefix, start, end, candidate, measured, as_candidate, as_control = self._state
        rest = self._rest
        if not self._within(start, end):
            return [rest for _ in subjects]
        found: list[Assigned] = []
        for subject in subjects:
            try:
                n = _hash((prefix + subject).encode()) & 0xFFFF if subject else TOTAL
            except Exception:  # noqa: BLE001 - one odd subject must not take the others' arms from them
                n = TOTAL
            found.append(as_candidate if n < candidate else as_control if n < measured else rest)
        return found

    def coin(self) -> tuple[str, int, int]:
        """Return what the coin is tossed with now: the salt with its colon, and the ends of the candidate's and control's ranges.

        Both ends are 0 when nobody is exposed.
        """
        prefix, start, end, candidate, measured, *_ = self._state
        return (prefix, candidate, measured) if self._within(start, end) else ("", 0, 0)

    def obey(
        self,
        grant: Grant | None,
        *,
        asked: float,
        incumbent: VersionName = NO_VERSION,
        candidate: VersionName = NO_VERSION,
    ) -> bool:
        """Follow a grant, or nobody's when it is None; tell whether it was one that can be followed.

        The arms' versions are what subjects are told to be served; the incumbent's stays known beyond the lease.

        `asked` is the clock's reading when the server was asked: a slow network shortens a lease, never lengthens it.
        A grant older than the newest one seen is ignored; one that makes no sense ends the exposure.
        """
        if incumbent:
            self._rest = Assigned(Arm.INCUMBENT, measured=False, version=incumbent)
        if grant is None:
            self._state = _NOTHING
            return True
        token = Token(epoch=grant.epoch, version=grant.version)
        if token < self._newest:
            return False
        lease = grant.lease_ms / 1000
        sound = grant.candidate >= 0 and grant.control >= 0 and grant.candidate + grant.control <= TOTAL
        if not (sound and grant.rollout and grant.step and grant.salt and 0 < lease <= LONGEST_LEASE):
            self._state = _NOTHING
            return False
        self._newest = token
        self._state = (
            f"{grant.salt}:",
            asked,
            asked + lease,
            grant.candidate,
            grant.candidate + grant.control,
            Assigned(Arm.CANDIDATE, measured=True, rollout=grant.rollout, step=grant.step, version=candidate),
            Assigned(Arm.INCUMBENT, measured=True, rollout=grant.rollout, step=grant.step, version=incumbent),
        )
        return True

    def withdraw(self) -> None:
        """End the exposure now."""
        self._state = _NOTHING

    @property
    def remaining(self) -> float:
        """Return the seconds left of the lease; 0 when there is none."""
        _, start, end, *_ = self._state
        now = self._clock()
        return end - now if start <= now < end else 0.0

    def _within(self, start: float, end: float) -> bool:
        try:
            return start <= self._clock() < end
        except Exception:  # noqa: BLE001 - a clock that fails is a doubt: the incumbent serves
            return False
