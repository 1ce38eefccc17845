"""Outcomes by receipt, counted by the batch: what is the same for all outcomes of a step is worked out once.

Of one outcome only four things differ from the next one's: who, when, in which fields, and in which bins. So receipts are
decoded and verified in one go, each becomes one key of a group, and cells are only made per group. A subject of a step has
one key, noted with the fields of its first outcome; another outcome counts in those slices that its first was not in.

Plans by whose formulas an outcome's own attributes decide, those with strata, rankings and shadow stages are counted by
`engine.outcomes`, one by one. Which way a plan goes is told by the plan and by what was counted first, so that no restart
changes it: what an earlier version has begun to count one by one goes on so.
"""

import base64
import binascii
import gc
import hmac
import struct
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import compress
from typing import Final

from msgspec import UNSET

from glideslope.domain.errors import GlideslopeError
from glideslope.domain.identity import Identity
from glideslope.domain.ids import WHOLE, Actor, MetricName, SliceName, StepName
from glideslope.domain.logged import OutcomeRow, named_slices
from glideslope.domain.metric import OUTCOME_SEEN, RANKED, Cell, Metric, Origin, outcome_bin, slices_of
from glideslope.domain.observation import MOST_ATTRIBUTES, Outcome
from glideslope.domain.plan import Plan, StageKind
from glideslope.domain.receipt import EPOCH_2020, LENGTH, SCORE_LEVELS, ReceiptKey, model_hash
from glideslope.domain.rollout import Rollout
from glideslope.domain.traffic import Arm
from glideslope.engine.log_desk import LARGEST_NUMBER, key_of, own_time
from glideslope.engine.ports import Alike, Total
from glideslope.engine.record import Record, rollout_id
from glideslope.engine.scopes import OUTCOMES

_FIELDS: Final = struct.Struct(">8sI3sH5s6s8s")
_SIGNED: Final = struct.Struct(">28s8s")
_NOBODY: Final = bytes(6)
_STEM: Final = 4

MOST_GROUPS: Final = 20_000
"""Groups that are kept made; what a rollout's outcomes differ in is a few thousand."""

Keys = Mapping[int, ReceiptKey]


class Kinds:
    """The bins that a plan's metrics count an outcome in, made once for every score: there are few kinds of them.

    For what happened or did not, no metric's bin ever turns back as the score grows; so where two scores have the same bins,
    all between them have.
    """

    def __init__(self, metrics: Sequence[Metric]) -> None:
        """Take metrics that a score and what happened decide."""
        self._metrics = metrics
        self._numbers: dict[tuple[int, ...], int] = {}
        self.bins: list[Mapping[MetricName, int]] = []
        self.of = [0] * (2 * SCORE_LEVELS + 2)
        """At place 2 x score + happened the place of its bins."""
        for happened in (False, True):
            ends = [
                (0, self._number(0, happened=happened), SCORE_LEVELS, self._number(SCORE_LEVELS, happened=happened))
            ]
            while ends:
                low, first, high, last = ends.pop()
                if first == last or high - low == 1:
                    self.of[2 * low + happened : 2 * high + happened : 2] = [first] * (high - low)
                    self.of[2 * high + happened] = last
                else:
                    middle = (low + high) // 2
                    number = self._number(middle, happened=happened)
                    ends += [(low, first, middle, number), (middle, number, high, last)]

    def _number(self, score: int, *, happened: bool) -> int:
        probability = score / SCORE_LEVELS
        bins = tuple(outcome_bin(m, probability=probability, happened=happened) for m in self._metrics)
        number = self._numbers.setdefault(bins, len(self.bins))
        if number == len(self.bins):
            self.bins.append(dict(zip((m.name for m in self._metrics), bins, strict=True)))
        return number


@dataclass(frozen=True, slots=True)
class _Head:
    """What the first eight bytes of a receipt stand for: key, model, rollout, step and arm."""

    rollout: Rollout
    step: StepName
    arm: Arm
    stem: bytes
    key: ReceiptKey
    kinds: Kinds

    def group(self, places: bytes, kind: int) -> "Group":
        """Return where outcomes with these fields and bins count."""
        plan, name, bins = self.rollout.plan, self.rollout.id, self.kinds.bins[kind]
        cells = [Cell(name, self.step, self.arm, OUTCOME_SEEN, WHOLE, 0)] + [
            Cell(name, self.step, self.arm, metric, slice_, bin_)
            for slice_ in (WHOLE, *slices_of(plan.dimensions, plan.crosses or (), places))
            for metric, bin_ in bins.items()
        ]
        return Group(self.rollout, self.step, self.arm, places, cells, added(cells, note=places))


@dataclass(frozen=True, slots=True)
class Group:
    """Outcomes that count alike."""

    rollout: Rollout
    step: StepName
    arm: Arm
    places: bytes
    """Per dimension the number of the value, as in the receipts."""
    cells: Sequence[Cell]
    """Where each counts."""
    adds: Alike
    """The same as it is written."""

    def elsewhere(self, before: bytes) -> Mapping[SliceName, list[Cell]]:
        """Return where one counts whose subject's first outcome had other fields: in its slices that are new, by slice."""
        plan = self.rollout.plan
        known = {WHOLE, *slices_of(plan.dimensions, plan.crosses or (), before)}
        found: dict[SliceName, list[Cell]] = {}
        for cell in self.cells:
            if cell.slice not in known:
                found.setdefault(cell.slice, []).append(cell)
        return found


@dataclass(frozen=True, slots=True)
class Spelled:
    """Outcomes whose predictions are spelled like receipts, with those one after the other, and the others."""

    outcomes: Sequence[Outcome]
    data: bytes
    rest: Sequence[Outcome]

    @property
    def starts(self) -> set[bytes]:
        """Return the different first eight bytes."""
        size = _FIELDS.size
        return set(
            map(self.data.__getitem__, map(slice, range(0, len(self.data), size), range(8, len(self.data), size)))
        )


@dataclass(frozen=True, slots=True)
class Batch:
    """Outcomes that were read: per outcome its key, its group and when it was answered (seconds since 2020)."""

    outcomes: Sequence[Outcome] = ()
    keys: Sequence[bytes] = ()
    members: Sequence[int] = ()
    at: Sequence[int] = ()
    scores: Sequence[int] = ()
    groups: Sequence[Group] = ()


class Receipts:
    """Reads outcomes whose receipts say all that there is to count."""

    def __init__(self, *, record: Record, keys: Keys) -> None:
        self._record = record
        self._keys = keys
        self._kinds: dict[tuple[Metric, ...], Kinds] = {}
        self._groups: dict[tuple[bytes, bytes, int], Group] = {}

    def rollouts(self, spelled: Spelled) -> list[Rollout]:
        """Return which rollouts receipts claim to be of whose plans can be counted by the batch; nothing is verified yet."""
        found = []
        for number in sorted({int.from_bytes(start[3:6]) for start in spelled.starts}):
            try:
                rollout = self._record.rollout(rollout_id(number))
            except GlideslopeError:
                continue
            if is_plain(rollout.plan):
                found.append(rollout)
        return found

    def read(
        self, spelled: Spelled, *, rollouts: Sequence[Rollout], by: Identity | None
    ) -> tuple[Batch, list[Outcome]]:
        """Read those that are of these rollouts; return the others too, of which some are good and some are not."""
        with _uncollected():
            return self._read(spelled, rollouts=rollouts, by=by)

    def _read(
        self, spelled: Spelled, *, rollouts: Sequence[Rollout], by: Identity | None
    ) -> tuple[Batch, list[Outcome]]:
        heads = self._heads(spelled.starts, {r.id: r for r in rollouts}, by=by)
        good = _verified(spelled.data, heads)
        if not all(map(_is_bare, spelled.outcomes)):
            good = [fine and _is_sound(outcome) for fine, outcome in zip(good, spelled.outcomes, strict=True)]
        rest = [*spelled.rest, *(outcome for fine, outcome in zip(good, spelled.outcomes, strict=True) if not fine)]
        if not any(good):
            return Batch(), rest
        outcomes = list(compress(spelled.outcomes, good))
        # By columns: a loop over whole receipts takes twice as long.
        columns = zip(*compress(_FIELDS.iter_unpack(spelled.data), good), strict=True)
        starts, times, fields, scores, requests, subjects, _ = columns
        of = {start: head.kinds.of for start, head in heads.items()}
        kinds = [
            of[start][2 * score + (outcome.happened is True)]
            for start, score, outcome in zip(starts, scores, outcomes, strict=True)
        ]
        likes = list(zip(starts, fields, kinds, strict=True))
        numbers = {like: number for number, like in enumerate(dict.fromkeys(likes))}
        stems = {start: head.stem for start, head in heads.items()}
        batch = Batch(
            outcomes=outcomes,
            keys=[
                stems[start] + (subject if subject != _NOBODY else request)
                for start, subject, request in zip(starts, subjects, requests, strict=True)
            ],
            members=list(map(numbers.__getitem__, likes)),
            at=times,
            scores=scores,
            groups=[self._group(like, heads) for like in numbers],
        )
        return batch, rest

    def _group(self, like: tuple[bytes, bytes, int], heads: Mapping[bytes, _Head]) -> Group:
        found = self._groups.get(like)
        if found is None:
            if len(self._groups) >= MOST_GROUPS:
                self._groups.clear()
            start, places, kind = like
            found = self._groups[like] = heads[start].group(places, kind)
        return found

    def _heads(
        self, starts: Iterable[bytes], rollouts: Mapping[str, Rollout], *, by: Identity | None
    ) -> dict[bytes, _Head]:
        found = {}
        for start in starts:
            key, model, number, step, arm = struct.unpack(">B2s3sBB", start)
            rollout = rollouts.get(rollout_id(int.from_bytes(number)))
            if rollout is None or key not in self._keys or not 1 <= step <= len(rollout.plan.steps):
                continue
            plan = rollout.plan
            if model_hash(plan.model) != int.from_bytes(model) or (by is not None and not by.speaks_for(plan.model)):
                continue
            found[start] = _Head(
                rollout=rollout,
                step=StepName(f"s{step}"),
                arm=Arm.CANDIDATE if arm else Arm.INCUMBENT,
                stem=number + step.to_bytes(),
                key=self._keys[key].of(plan.model),
                kinds=self._kinds_of(tuple(m for m in plan.counted if m.is_of_outcomes)),
            )
        return found

    def _kinds_of(self, metrics: tuple[Metric, ...]) -> Kinds:
        found = self._kinds.get(metrics)
        if found is None:
            found = self._kinds[metrics] = Kinds(metrics)
        return found


def is_plain(plan: Plan) -> bool:
    """Tell whether a receipt and what happened decide all that an outcome counts in, and nothing else waits for it."""
    return not (
        any(s.stage is StageKind.SHADOW for s in plan.steps)
        or any(g.strata is not UNSET or g.metric.kind in RANKED for g in plan.guardrails)
        or any(m.origin is Origin.OUTCOME and m.formula is not UNSET for m in plan.counted)
    )


def added(cells: Sequence[Cell], *, note: bytes = b"") -> Alike:
    """Return what one outcome adds that counts in these cells."""
    return Alike(note=note, totals=tuple(Total(OUTCOMES, 0, cell.key(), 1) for cell in cells))


def elsewhere(batch: Batch, notes: Sequence[bytes | None]) -> tuple[list[bytes], list[int], list[list[Cell]]]:
    """Return what subjects count in that came again with other fields: keys, places, and per place its cells."""
    keys: list[bytes] = []
    places: list[int] = []
    numbers: dict[tuple[int, bytes, str], int] = {}
    groups: list[list[Cell]] = []
    for key, member, note in zip(batch.keys, batch.members, notes, strict=True):
        group = batch.groups[member]
        if note is None or note == group.places:
            continue
        for slice_, cells in group.elsewhere(note).items():
            number = numbers.setdefault((member, note, slice_), len(groups))
            if number == len(groups):
                groups.append(cells)
            keys.append(key + b"/" + slice_.encode())
            places.append(number)
    return keys, places, groups


def grown(batch: Batch, notes: Sequence[bytes | None]) -> Counter[int]:
    """Return how many outcomes of each group were new."""
    return Counter(compress(batch.members, map(_is_none, notes)))


def row_of(outcome: Outcome, key: bytes, group: Group, *, score: int, by: Actor) -> OutcomeRow:
    """Return what is logged of an outcome that is counted by the batch."""
    model = group.rollout.plan.model
    return OutcomeRow(
        model=model,
        prediction=outcome.prediction,
        key=key_of(model, outcome.prediction),
        at=own_time(outcome),
        happened=outcome.happened is True,
        by=by,
        counted=True,
        rollout=group.rollout.id,
        step=group.step,
        arm=group.arm,
        unit=_unit(key),
        slices=named_slices(group.rollout.plan.dimensions, group.places),
        score=score,
    )


def new_times(batch: Batch, notes: Sequence[bytes | None]) -> Counter[tuple[int, int]]:
    """Return how many new outcomes there are by group and time of the answer, in seconds since 1970."""
    times = Counter(compress(zip(batch.members, batch.at, strict=True), map(_is_none, notes)))
    return Counter({(member, at + EPOCH_2020): size for (member, at), size in times.items()})


def _is_none(note: bytes | None) -> bool:
    return note is None


def _unit(key: bytes) -> int:
    """Return what the log says counts once, of a key: the subject, or minus one minus the request."""
    who = key[_STEM:]
    return int.from_bytes(who) if len(who) == len(_NOBODY) else -1 - int.from_bytes(who)


@contextmanager
def _uncollected() -> Iterator[None]:
    """Look for no cycles meanwhile: a batch makes a hundred thousand small objects and none, and the search costs a quarter."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def _is_bare(outcome: Outcome) -> bool:
    return outcome.happened is not UNSET and outcome.attributes is UNSET and outcome.at is UNSET


def _is_sound(outcome: Outcome) -> bool:
    """Tell whether an outcome says what there is to count; of any other it is said elsewhere why not."""
    if outcome.happened is UNSET or not (outcome.attributes is UNSET or len(outcome.attributes) <= MOST_ATTRIBUTES):
        return False
    return outcome.at is UNSET or 0 <= outcome.at <= LARGEST_NUMBER


def spelled(outcomes: Sequence[Outcome]) -> Spelled:
    """Decode what may be receipts; nothing is verified yet."""
    if all(len(outcome.prediction) == LENGTH for outcome in outcomes):
        data = _all_decoded("".join([outcome.prediction for outcome in outcomes]))
        if data is not None:
            return Spelled(outcomes, data, ())
    found, parts, rest = [], [], []
    for outcome in outcomes:
        part = _all_decoded(outcome.prediction) if len(outcome.prediction) == LENGTH else None
        if part is None:
            rest.append(outcome)
        else:
            found.append(outcome)
            parts.append(part)
    return Spelled(found, b"".join(parts), rest)


def _all_decoded(text: str) -> bytes | None:
    try:
        data = base64.b64decode(text, altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    # The decoder takes other spellings too, under which one prediction could count twice.
    return data if base64.urlsafe_b64encode(data).decode() == text else None


def _verified(data: bytes, heads: Mapping[bytes, _Head]) -> list[bool]:
    """Tell of each receipt whether it is of one of these heads and its tag is right."""
    hashers = {start: head.key.hasher() for start, head in heads.items()}
    made: list[bytes] = []
    tags: list[bytes] = []
    for body, tag in _SIGNED.iter_unpack(data):
        hasher = hashers.get(body[:8])
        if hasher is None:
            made.append(b"")
        else:
            mine = hasher.copy()
            mine.update(body)
            made.append(mine.digest())
        tags.append(tag)
    if hmac.compare_digest(b"".join(made), b"".join(tags)):
        return [True] * len(tags)
    return [hmac.compare_digest(ours, theirs) for ours, theirs in zip(made, tags, strict=True)]
