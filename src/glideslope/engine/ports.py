"""What the engine needs of the world: small Protocols, each with its promise. Adapters keep them, fakes too."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from glideslope.domain.ids import Digest, ModelName, RolloutId, StepName
from glideslope.domain.observation import Grant
from glideslope.domain.traffic import Arm, Exposure, ObservedRoute, Route, Token


class Clock(Protocol):
    """Tells the time; nobody else may."""

    def now(self) -> datetime:
        """Return the wall clock, timezone-aware, in UTC."""
        ...

    def monotonic(self) -> float:
        """Return seconds that never run backwards."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        ...


class Feature(StrEnum):
    """What a data plane can do; a plan that needs more is refused when proposed."""

    STICKY = "sticky"  # the same subject gets the same arm, by our hash
    MIRROR = "mirror"  # copies requests to a shadow whose death is not felt
    RESCUE = "rescue"  # a failing candidate's request is answered by the incumbent, and counted
    OBSERVE = "observe"  # reports status and latency per arm and step itself
    DRILL = "drill"  # exposes the incumbent in a candidate's place, so that going back can be practised


@dataclass(frozen=True, slots=True)
class Served:
    """One request as the data plane saw it, attributed to the arm that was assigned, not to who answered."""

    model: ModelName
    rollout: RolloutId
    """Empty, like the step, for requests outside any step: the incumbent's traffic, unmeasured but for the baseline."""
    step: StepName
    arm: Arm
    subject: str
    """Empty when the caller named none: then the arm was random, not sticky."""
    status: int
    """HTTP status of the final answer; 0 when there was none."""
    latency_us: int
    rescued: bool
    """The assigned arm failed and the incumbent answered: a failure of the assigned arm."""
    in_flight: bool = False
    """It has not ended: `latency_us` is its age, and it will be told of again."""
    stream: str = ""
    """Tells a request from any other of the data plane; empty when that has no name for it."""


ServedSink = Callable[[Sequence[Served]], None]
"""Takes what the data plane saw; must return at once and never raise."""


class Driver(Protocol):
    """Makes one data plane obey. Every method may be called again after a crash and must then do no harm."""

    name: str
    features: frozenset[Feature]

    async def shape(self, routes: Sequence[Route], *, token: Token | None = None) -> None:
        """Ask for the standing shape of all models' traffic. Exposes nobody; unchanged shapes cost nothing.

        Returns when the data plane has accepted it. Raises DriverUnavailable, and TokenStale for a token below the highest that a
        shape came with: what a server asked for before another took over may arrive late (None is of who cannot have
        predecessors). A route whose candidate is gone ends any exposure to it.
        """
        ...

    async def lease(self, model: ModelName, exposure: Exposure | None, *, token: Token, ttl: timedelta) -> None:
        """Grant or renew an exposure for `ttl`; None withdraws it at once. Returning means asked, not obeyed.

        Raises TokenStale for a token below the highest seen for this model. An unrenewed lease ends by itself, in the
        data plane, whatever happened to us. What lapsed or was withdrawn comes back under a newer token only: a renewal may
        arrive after the withdrawal that overtook it.
        """
        ...

    async def observe(self, model: ModelName) -> ObservedRoute:
        """Report what is in force now, read back from the data plane itself. Raises DriverUnavailable, NotFound."""
        ...


class Grants(Protocol):
    """What a data plane that lives in the services themselves hands to each of them. Nothing is granted of an unknown model."""

    def tag(self, model: ModelName) -> str:
        """Return what changes whenever what `grant` hands out does, but for the time left of it."""
        ...

    def grant(self, model: ModelName, *, source: str) -> Grant | None:
        """Hand out to a source what is granted now; None when nobody is to be exposed."""
        ...

    def acknowledge(self, model: ModelName, *, seen: str, source: str) -> None:
        """Note that a source obeys what it was given under the tag `seen`, and so nothing older."""
        ...

    async def changed(self, model: ModelName, *, seen: str) -> None:
        """Return as soon as the tag is not `seen`; a lease that ends by itself wakes nobody."""
        ...


class Store(Protocol):
    """The append-only record: events are stored once, as ledger entries, in the order of their commit."""

    async def append(self, drafts: Sequence["Draft"], *, fence: "Fence | None" = None) -> Sequence[int]:
        """Append all drafts or none, durably, and return their ledger positions (from 0).

        Versions count from 1 in each stream. A draft whose idempotency key is already there is not written again, whatever
        its version and content are now: its position is returned. Raises VersionConflict when a stream's next version is
        not the draft's, LeaseLost when the fence no longer holds (even if all keys are known: the caller must stop),
        StoreUnavailable when the outcome is unknown (ask again with the same keys).
        """
        ...

    async def entries(self, start: int = 0, stop: int | None = None) -> Sequence[bytes]:
        """Return entries' canonical bytes by ledger position, half-open; read a long ledger in pages."""
        ...

    async def streams(self) -> Mapping[str, int]:
        """Return every stream's name with its last version, which is also its number of entries."""
        ...

    async def stream(self, name: str) -> Sequence[bytes]:
        """Return one stream's entries in order of version; empty when there is none."""
        ...


@dataclass(frozen=True, slots=True)
class Draft:
    """An entry to append: canonical bytes already made, since what is signed must be what was decided."""

    stream: str
    version: int
    data: bytes
    key: str
    """Idempotency key: the same act sent twice is recorded once."""


@dataclass(frozen=True, slots=True)
class Fence:
    """A lease that must still be held, in this epoch, at the moment of the commit.

    Held means: nobody took it over and it was not given back. Whether its time is up is for `acquire` to find.
    """

    name: str
    epoch: int


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to act for `name` until just before `until`; `epoch` counts from 1 and grows with every change of holder."""

    name: str
    holder: str
    epoch: int
    until: datetime


class Leases(Protocol):
    """One governor per rollout, however many servers."""

    async def acquire(self, name: str, *, holder: str, ttl: timedelta, now: datetime) -> Lease | None:
        """Take or renew; None while another holds it. Taking it from another, or again after a lapse, raises the epoch.

        Raises Invalid for a holder without name and a time without zone.
        """
        ...

    async def release(self, lease: Lease) -> None:
        """Give it back early; harmless when it is no longer ours."""
        ...


@dataclass(frozen=True, slots=True)
class Total:
    """One source's grow-only count of one cell, as last sent."""

    source: str
    epoch: int
    cell: str
    count: int


@dataclass(frozen=True, slots=True)
class Alike:
    """What each key of a group adds: to every total its count. `note` is kept beside the keys."""

    note: bytes
    totals: tuple[Total, ...]


class Counters(Protocol):
    """Evidence between commits: totals per source and epoch, merged by maximum."""

    async def save(self, totals: Sequence[Total]) -> None:
        """Keep the maximum of what is there and what comes, all or nothing.

        Raises Invalid for a count or epoch outside 0 to 2^53 - 1, which not every reader of JSON keeps exactly.
        """
        ...

    async def load(self, prefix: str) -> Sequence[Total]:
        """Return the totals of all cells that start with `prefix` (a rollout), taken literally: end it with its separator."""
        ...

    async def once(self, keys: Sequence[str], totals: Sequence[Total]) -> Sequence[bool]:
        """Note keys never seen before and add the totals' counts of those, in one transaction; tell which were new.

        `totals[i]` belongs to `keys[i]`; its count is an increment. This is how an outcome counts exactly once. Raises Invalid,
        noting no key, as `save` does and when a sum would leave that range.
        """
        ...

    async def once_alike(
        self, keys: Sequence[bytes], places: Sequence[int], groups: Sequence[Alike]
    ) -> Sequence[bytes | None]:
        """Do the same for many keys that add the same: `keys[i]` is of `groups[places[i]]`, and adds all of its totals.

        Returns per key None where it was new, else the note with which it was first noted. Its keys are apart from those of
        `once`. Raises Invalid as `once` does.
        """
        ...

    async def has_noted(self, prefix: str) -> bool:
        """Tell whether `once` noted any key that starts with `prefix`, taken literally."""
        ...


class Summaries(Protocol):
    """What people look at and no decision rests on, made small: bytes by name, of which the last written stay."""

    async def summarise(self, summaries: Mapping[str, bytes], *, drop: Sequence[str] = ()) -> None:
        """Keep each under its name in place of what was there, and drop names; all or nothing."""
        ...

    async def summaries(self, prefix: str) -> Mapping[str, bytes]:
        """Return all whose name starts with `prefix`, taken literally, in the order of their names."""
        ...


class Checkpoints(Protocol):
    """Signed statements of the ledger's size and root."""

    async def keep(self, size: int, note: bytes) -> None:
        """Store a checkpoint; one per size.

        Keeping the same again is harmless, cosigned meanwhile or not. Raises Conflict for another note of a size that has one:
        two stories about one ledger.
        """
        ...

    async def cosign(self, size: int, line: bytes) -> None:
        """Add a witness's signature line to the end of a checkpoint's note, once. Raises NotFound where there is none."""
        ...

    async def checkpoints(self) -> Sequence[bytes]:
        """Return all checkpoints, oldest first, with the lines that were added."""
        ...


class Signer(Protocol):
    """Signs checkpoints; the key stays inside."""

    name: str

    def sign(self, text: bytes) -> bytes:
        """Return a C2SP signed note over the text (UTF-8, ending in a newline). Raises NoteError for any other."""
        ...


class Artifacts(Protocol):
    """Content-addressed versions."""

    async def digest(self, folder: str) -> Digest:
        """Return the OpenSSF model-signing root digest of a folder. Raises NotFound, ArtifactInvalid."""
        ...

    async def keep(self, folder: str) -> Digest:
        """Copy a folder into the store under its digest, and return that. Raises NotFound, ArtifactInvalid, StoreUnavailable."""
        ...


class Probe(Protocol):
    """Asks a model server whether it is there, before anybody is sent to it."""

    async def ask(self, url: str) -> str | None:
        """Return None when `url` answers its health check, else why not, as half a sentence. Never raises."""
        ...
