"""A drill: going back, practised. The machine exposes the incumbent in a candidate's place, takes that away, and measures.

Nobody meets anything but the incumbent by it. An exercise that the machine did not measure is told by a person, and says so.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

import msgspec
from msgspec import UNSET, UnsetType

from glideslope.domain.ids import Actor, ModelName, RolloutId, StepName
from glideslope.domain.traffic import Exposure, Split

STEP: Final = StepName("drill")
"""What requests of a drill are stamped with; no plan has such a step."""
SHARE: Final = Split(candidate=100, control=0)
"""The traffic that a drill moves, from the incumbent to the incumbent: one in a hundred."""
MOST: Final = 1_000
"""Drills of a model between two orders to its traffic; the order of what a data plane is told has room for no more."""


class DrillKind(StrEnum):
    """What the machine can practise; a closed set."""

    ROLLBACK = "rollback"  # the exposure is withdrawn by order
    LAPSE = "lapse"  # nobody renews it, as when every server is dead


class DrillBegun(
    msgspec.Struct, frozen=True, kw_only=True, tag="drill-begun", tag_field="kind", forbid_unknown_fields=True
):
    """Somebody asks for a drill. The governor plays it."""

    drill: DrillKind
    by: Actor
    why: str


class DrillEnded(
    msgspec.Struct, frozen=True, kw_only=True, tag="drill-ended", tag_field="kind", forbid_unknown_fields=True
):
    """What the machine measured, in milliseconds; what was not seen is left out, and then it did not pass."""

    passed: bool
    granted_in: float | UnsetType = UNSET
    """From asking for the exposure until the data plane had it in force."""
    restored_in: float | UnsetType = UNSET
    """From the withdrawal, or from the last renewal, until the data plane confirmed that nobody was exposed."""
    served: int | UnsetType = UNSET
    """Requests that it moved, as far as the data plane told of them; absent where that was not counted."""
    failed: int | UnsetType = UNSET
    """Those of them that got no answer, or an error of the server's."""
    why: str = ""
    """Why it did not pass."""


class DrillTold(
    msgspec.Struct, frozen=True, kw_only=True, tag="drill-told", tag_field="kind", forbid_unknown_fields=True
):
    """An exercise that the machine did not measure, as somebody tells of it."""

    drill: str
    """`rollback`, `lapse`, or another word that a policy uses."""
    held_at: int
    """Milliseconds since the epoch, UTC."""
    passed: bool
    restored_in: int | UnsetType = UNSET
    """Milliseconds until all traffic was back, as they took it."""
    by: Actor
    why: str


DrillEvent = DrillBegun | DrillEnded | DrillTold


@dataclass(frozen=True, slots=True)
class OpenDrill:
    """A drill under way."""

    model: ModelName
    id: RolloutId
    """What its exposure is known by, `d-0001`; counted within the model's drills."""
    kind: DrillKind
    begun_at: int
    by: Actor
    why: str

    @property
    def exposure(self) -> Exposure:
        """Return what it asks of the data plane."""
        return Exposure(rollout=self.id, step=STEP, split=SHARE)


@dataclass(frozen=True, slots=True)
class HeldDrill:
    """A drill that is over. Instants in milliseconds since the epoch, UTC."""

    kind: str
    held_at: int
    passed: bool
    granted_in: float | None
    restored_in: float | None
    by: Actor
    """Who asked for it, or tells of it."""
    told: bool
    """Somebody tells of it; the machine measured nothing."""
    why: str
    """What it was held for; where the machine saw it fail, why it failed."""
    served: int | None = None
    """Requests that it moved; None where nobody counted."""
    failed: int | None = None
    """Those of them that were lost."""


@dataclass(frozen=True, slots=True)
class Drills:
    """All drills of one model, folded."""

    model: ModelName
    held: tuple[HeldDrill, ...] = ()
    """Oldest first, in the order in which they were recorded."""
    open: OpenDrill | None = None
    begun: tuple[int, ...] = ()
    """Ledger positions at which a drill began."""
    version: int = 0

    def last(self, kind: str) -> HeldDrill | None:
        """Return the latest of a kind; of two at one moment the one recorded last."""
        found = [held for held in self.held if held.kind == kind]
        return max(reversed(found), key=lambda held: held.held_at, default=None)

    def since(self, entry: int) -> int:
        """Return how many began after a ledger position."""
        return sum(at > entry for at in self.begun)


def practise(before: Drills, event: DrillEvent, *, at: int, entry: int) -> Drills:
    """Take one more event into account, recorded `at` in the ledger position `entry`. Raises ValueError for an end without a beginning."""
    after = replace(before, version=before.version + 1)
    match event:
        case DrillBegun():
            begun = OpenDrill(
                model=before.model,
                id=RolloutId(f"d-{len(before.begun) + 1:04d}"),
                kind=event.drill,
                begun_at=at,
                by=event.by,
                why=event.why,
            )
            return replace(after, open=begun, begun=(*before.begun, entry))
        case DrillEnded():
            if before.open is None:
                raise ValueError("no drill of this model is under way")
            held = HeldDrill(
                kind=before.open.kind.value,
                held_at=before.open.begun_at,
                passed=event.passed,
                granted_in=None if isinstance(event.granted_in, UnsetType) else event.granted_in,
                restored_in=None if isinstance(event.restored_in, UnsetType) else event.restored_in,
                by=before.open.by,
                told=False,
                why=event.why or before.open.why,
                served=None if isinstance(event.served, UnsetType) else event.served,
                failed=None if isinstance(event.failed, UnsetType) else event.failed,
            )
            return replace(after, open=None, held=(*before.held, held))
        case DrillTold():
            told = HeldDrill(
                kind=event.drill,
                held_at=event.held_at,
                passed=event.passed,
                granted_in=None,
                restored_in=None if isinstance(event.restored_in, UnsetType) else float(event.restored_in),
                by=event.by,
                told=True,
                why=event.why,
            )
            return replace(after, held=(*before.held, told))
