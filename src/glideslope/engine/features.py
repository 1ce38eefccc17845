"""Counts of feature values: merged from all services by maximum, kept day by day, and held against the data contract's reference.

Advisory: nothing here is evidence, and no decision reads it. What may gate is the metric `contract`, counted like any other.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import msgspec

from glideslope.domain.contract import LEVELS, Contract, counted_step, day, is_day
from glideslope.domain.errors import GlideslopeError, Invalid, StoreUnavailable
from glideslope.domain.ids import ModelName, RolloutId
from glideslope.domain.observation import FeaturesTaken, FeatureTally, FeatureTotals
from glideslope.domain.traffic import Arm
from glideslope.engine.ports import Clock, Summaries
from glideslope.engine.record import Record
from glideslope.ledger.canonical import LARGEST_INTEGER

DAYS: Final = 8
"""Days that are kept: today and a week before."""
MOST_SOURCES: Final = 500
"""Sources per model and day; further ones are refused."""
_NAME: Final = "features/"


class Held(msgspec.Struct):
    """All integers of one arm in one place, of one source or summed."""

    rows: list[int]
    counts: list[int]
    sums: list[int]
    levels: list[int]

    @classmethod
    def zero(cls, size: int) -> "Held":
        """Return nothing counted over so many places."""
        return cls(rows=[0, 0, 0], counts=[0] * size, sums=[0] * size, levels=[0] * LEVELS)

    def parts(self) -> tuple[list[int], ...]:
        """Return all of it."""
        return (self.rows, self.counts, self.sums, self.levels)

    def raise_to(self, tally: FeatureTally) -> None:
        """Merge by maximum."""
        for mine, told in zip(self.parts(), (tally.rows, tally.counts, tally.sums, tally.levels), strict=True):
            for k, count in enumerate(told):
                mine[k] = max(mine[k], count)

    def add(self, other: "Held") -> None:
        """Add up."""
        for mine, more in zip(self.parts(), other.parts(), strict=True):
            mine[:] = map(int.__add__, mine, more)


class _Saved(msgspec.Struct):
    contract: str
    held: dict[str, Held]
    """By source, epoch and arm, joined by a character that none can hold."""


@dataclass(slots=True)
class _Place:
    """One day, or one step, of one model."""

    contract: str
    held: dict[tuple[str, int, Arm], Held] = field(default_factory=dict)
    changed: bool = True


_BETWEEN: Final = "\x1e"


class Features:
    """What all services counted. `flush` makes it durable; a kill in between loses what they send again within seconds."""

    def __init__(self, *, record: Record, clock: Clock, summaries: Summaries | None) -> None:
        self._record = record
        self._clock = clock
        self._summaries = summaries
        self._places: dict[tuple[ModelName, str], _Place] = {}

    async def load(self) -> None:
        """Read back what was saved. Raises StoreUnavailable."""
        if self._summaries is None:
            return
        for name, data in (await self._summaries.summaries(_NAME)).items():
            model, where = name.removeprefix(_NAME).split("/", 1)
            try:
                saved = msgspec.msgpack.decode(data, type=_Saved)
            except msgspec.MsgspecError:
                continue  # of another release; services send their days again, and what is gone was advisory
            place = _Place(contract=saved.contract, changed=False)
            for key, held in saved.held.items():
                source, epoch, arm = key.split(_BETWEEN)
                place.held[source, int(epoch), Arm(arm)] = held
            self._places[ModelName(model), where] = place

    async def flush(self) -> None:
        """Save what changed, and forget days long past. Raises StoreUnavailable, keeping it for the next time."""
        oldest = self._today() - DAYS + 1
        gone = [key for key in self._places if (d := is_day(key[1])) is not None and d < oldest]
        ended = {r.id for r in self._record.rollouts()} - {r.id for r in self._record.open_rollouts()}
        gone += [key for key in self._places if key[1].partition("/")[0] in ended]
        changed = {key: place for key, place in self._places.items() if place.changed and key not in gone}
        for key in gone:
            del self._places[key]
        if self._summaries is None or not (changed or gone):
            return
        for place in changed.values():
            place.changed = False
        try:
            await self._summaries.summarise(
                {_name(key): _encoded(place) for key, place in changed.items()}, drop=[_name(key) for key in gone]
            )
        except StoreUnavailable:
            for place in changed.values():
                place.changed = True
            raise

    def take(self, totals: FeatureTotals) -> FeaturesTaken:
        """Merge a source's totals, each tally by itself. Raises NotFound, and Invalid for a source that cannot be."""
        contract = self._record.model(totals.model).contract
        if not 0 <= totals.epoch <= LARGEST_INTEGER:
            raise Invalid(f"{totals.epoch} cannot be the epoch of a source.")
        taken, why = 0, ""
        for tally in totals.tallies:
            try:
                self._take(totals, tally, contract)
                taken += 1
            except GlideslopeError as error:
                why = why or str(error)
        return FeaturesTaken(taken=taken, refused=len(totals.tallies) - taken, why=why)

    def _take(self, totals: FeatureTotals, tally: FeatureTally, contract: Contract | None) -> None:
        if contract is None or totals.contract != contract.short:
            raise Invalid(f"{totals.model} has no data contract {totals.contract!r} now.")
        size = sum(rule.places for rule in contract.features)
        number = is_day(tally.where)
        if number is not None and not -1 <= self._today() - number < DAYS:
            raise Invalid(f"{tally.where} is not one of the last {DAYS} days.")
        if number is None:
            rollout = RolloutId(tally.where.partition("/")[0])
            if self._record.rollout(rollout).plan.model != totals.model:
                raise Invalid(f"{rollout} is not about {totals.model}.")
            if all(rollout != r.id for r in self._record.open_rollouts()):
                raise Invalid(f"{rollout} has ended.")
        shapes = ((tally.counts, {size}), (tally.sums, {0, size}), (tally.levels, {0, LEVELS}))
        if any(len(part) not in lengths for part, lengths in shapes):
            raise Invalid(f"{totals.model} counts features in {size} places.")
        if any(not 0 <= n <= LARGEST_INTEGER for part in (tally.rows, *(p for p, _ in shapes)) for n in part):
            raise Invalid("Nothing can have been seen that often.")
        place = self._places.get((totals.model, tally.where))
        if place is None or place.contract != contract.short:
            place = self._places[totals.model, tally.where] = _Place(contract=contract.short)
        key = (totals.source, totals.epoch, tally.arm)
        held = place.held.get(key)
        if held is None:
            if len(place.held) >= MOST_SOURCES:
                raise Invalid(f"More than {MOST_SOURCES} sources count features of {totals.model}.")
            held = place.held[key] = Held.zero(size)
        held.raise_to(tally)
        place.changed = True

    def days(self, model: ModelName, contract: Contract, *, last: int = DAYS) -> Mapping[int, Mapping[Arm, Held]]:
        """Return the sums of the last days by their number, today's last; days without rows are left out."""
        today = self._today()
        found: dict[int, Mapping[Arm, Held]] = {}
        for number in range(today - last + 1, today + 2):
            held = self.at(model, f"d{number}", contract)
            if held:
                found[number] = held
        return found

    def compared(self, rollout: RolloutId, step: str, model: ModelName, contract: Contract) -> Mapping[Arm, Held]:
        """Return the sums of a rollout's step."""
        return self.at(model, counted_step(rollout, step), contract)

    def at(self, model: ModelName, where: str, contract: Contract) -> Mapping[Arm, Held]:
        """Return the sums over all sources, per arm."""
        place = self._places.get((model, where))
        if place is None or place.contract != contract.short:
            return {}
        size = sum(rule.places for rule in contract.features)
        found: dict[Arm, Held] = {}
        for (_, _, arm), held in place.held.items():
            found.setdefault(arm, Held.zero(size)).add(held)
        return found

    def _today(self) -> int:
        number = is_day(day(self._clock.now().timestamp()))
        assert number is not None  # noqa: S101 - `day` names days
        return number

    @property
    def today(self) -> int:
        """Return the number of this UTC day."""
        return self._today()


def total(held: Iterable[Held]) -> Held | None:
    """Return the sum; None of nothing."""
    found: Held | None = None
    for each in held:
        if found is None:
            found = Held.zero(len(each.counts))
        found.add(each)
    return found


def slices_of(contract: Contract) -> Sequence[slice]:
    """Return where each feature's places stand among all of them."""
    found, offset = [], 0
    for rule in contract.features:
        found.append(slice(offset, offset + rule.places))
        offset += rule.places
    return found


def _name(key: tuple[ModelName, str]) -> str:
    return f"{_NAME}{key[0]}/{key[1]}"


def _encoded(place: _Place) -> bytes:
    return msgspec.msgpack.encode(
        _Saved(
            contract=place.contract,
            held={
                f"{source}{_BETWEEN}{epoch}{_BETWEEN}{arm.value}": held
                for (source, epoch, arm), held in place.held.items()
            },
        )
    )
