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
import hmac
import struct
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from msgspec import UNSET

from glideslope.domain.errors import GlideslopeError
from glideslope.domain.identity import Identity
from glideslope.domain.ids import WHOLE, Actor, MetricName, StepName
from glideslope.domain.logged import OutcomeRow, canonical_slices
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

Keys = Mapping[int, ReceiptKey]


class _Kinds(dict[int, int]):
    """By 2 x score + happened the number of the bins that a plan's metrics count it in: there are few of those."""

    def __init__(self, metrics: Sequence[Metric]) -> None:
        super().__init__()
        self._metrics = metrics
        self._numbers: dict[tuple[int, ...], int] = {}
        self.bins: list[Mapping[MetricName, int]] = []

    def __missing__(self, place: int) -> int:
        probability, happened = (place >> 1) / SCORE_LEVELS, bool(place & 1)
        bins = tuple(outcome_bin(m, probability=probability, happened=happened) for m in self._metrics)
        number = self._numbers.setdefault(bins, len(self.bins))
        if number == len(self.bins):
            self.bins.append(dict(zip((m.name for m in self._metrics), bins, strict=True)))
        self[place] = number
        return number


@dataclass(frozen=True, slots=True)
class _Head:
    """What the first eight bytes of a receipt stand for: key, model, rollout, step and arm."""

    rollout: Rollout
    step: StepName
    arm: Arm
    stem: bytes
    key: ReceiptKey
    kinds: _Kinds


@dataclass(frozen=True, slots=True)
class Group:
    """Outcomes that count alike."""

    rollout: Rollout
    step: StepName
    arm: Arm
    places: bytes
    """Per dimension the number of the value, as in the receipts."""
    bins: Mapping[MetricName, int]

    def cells(self, *, but: bytes | None = None) -> list[Cell]:
        """Return where each counts; `but` in no slice of a subject's first outcome, whose fields are given."""
        plan, name = self.rollout.plan, self.rollout.id
        slices = [WHOLE, *slices_of(plan.dimensions, plan.crosses or (), self.places)]
        if but is not None:
            before = {WHOLE, *slices_of(plan.dimensions, plan.crosses or (), but)}
            slices = [slice_ for slice_ in slices if slice_ not in before]
        seen = [Cell(name, self.step, self.arm, OUTCOME_SEEN, WHOLE, 0)] if but is None else []
        return seen + [
            Cell(name, self.step, self.arm, metric, slice_, bin_)
            for slice_ in slices
            for metric, bin_ in self.bins.items()
        ]


@dataclass(slots=True)
class Batch:
    """Outcomes that were read: per outcome its key, its group and when it was answered (seconds since 1970)."""

    outcomes: list[Outcome] = field(default_factory=list)
    keys: list[bytes] = field(default_factory=list)
    members: list[int] = field(default_factory=list)
    at: list[int] = field(default_factory=list)
    scores: list[int] = field(default_factory=list)
    groups: list[Group] = field(default_factory=list)


class Receipts:
    """Reads outcomes whose receipts say all that there is to count."""

    def __init__(self, *, record: Record, keys: Keys) -> None:
        self._record = record
        self._keys = keys
        self._kinds: dict[tuple[Metric, ...], _Kinds] = {}

    def rollouts(self, outcomes: Sequence[Outcome]) -> list[Rollout]:
        """Return which rollouts receipts claim to be of whose plans can be counted by the batch; nothing is verified yet."""
        data, _ = _decoded(outcomes)
        numbers = {int.from_bytes(data[start + 3 : start + 6]) for start in range(0, len(data), _FIELDS.size)}
        found = []
        for number in sorted(numbers):
            try:
                rollout = self._record.rollout(rollout_id(number))
            except GlideslopeError:
                continue
            if is_plain(rollout.plan):
                found.append(rollout)
        return found

    def read(
        self, outcomes: Sequence[Outcome], *, rollouts: Sequence[Rollout], by: Identity | None
    ) -> tuple[Batch, list[Outcome]]:
        """Read those that are of these rollouts; return the others too, of which some are good and some are not."""
        data, rest = _decoded(outcomes)
        left = {id(outcome) for outcome in rest}
        told = [outcome for outcome in outcomes if id(outcome) not in left] if left else outcomes
        heads = self._heads(data, {r.id: r for r in rollouts}, by=by)
        genuine = _verified(data, heads)
        batch, numbers = Batch(), dict[tuple[bytes, bytes, int], int]()
        for is_genuine, outcome, (start, at, places, score, request, subject, _) in zip(
            genuine, told, _FIELDS.iter_unpack(data), strict=True
        ):
            if not (is_genuine and _is_sound(outcome)):
                rest.append(outcome)
                continue
            head = heads[start]
            kind = head.kinds[2 * score + (outcome.happened is True)]
            like = (start, places, kind)
            number = numbers.get(like)
            if number is None:
                number = numbers[like] = len(batch.groups)
                batch.groups.append(Group(head.rollout, head.step, head.arm, places, head.kinds.bins[kind]))
            batch.outcomes.append(outcome)
            batch.keys.append(head.stem + (subject if subject != _NOBODY else request))
            batch.members.append(number)
            batch.at.append(at + EPOCH_2020)
            batch.scores.append(score)
        return batch, rest

    def _heads(self, data: bytes, rollouts: Mapping[str, Rollout], *, by: Identity | None) -> dict[bytes, _Head]:
        claimed = {data[start : start + 8] for start in range(0, len(data), _FIELDS.size)}
        found = {}
        for start in claimed:
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
                kinds=self._kinds_of(tuple(m for m in plan.counted if m.origin is Origin.OUTCOME)),
            )
        return found

    def _kinds_of(self, metrics: tuple[Metric, ...]) -> _Kinds:
        found = self._kinds.get(metrics)
        if found is None:
            found = self._kinds[metrics] = _Kinds(metrics)
        return found


def is_plain(plan: Plan) -> bool:
    """Tell whether a receipt and what happened decide all that an outcome counts in, and nothing else waits for it."""
    return not (
        any(s.stage is StageKind.SHADOW for s in plan.steps)
        or any(g.strata is not UNSET or g.metric.kind in RANKED for g in plan.guardrails)
        or any(m.origin is Origin.OUTCOME and m.formula is not UNSET for m in plan.counted)
    )


def alike(group: Group) -> Alike:
    """Return what each outcome of a group adds."""
    return Alike(note=group.places, totals=tuple(Total(OUTCOMES, 0, cell.key(), 1) for cell in group.cells()))


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
        by_slice: dict[str, list[Cell]] = {}
        for cell in group.cells(but=note):
            by_slice.setdefault(cell.slice, []).append(cell)
        for slice_, cells in by_slice.items():
            number = numbers.setdefault((member, note, slice_), len(groups))
            if number == len(groups):
                groups.append(cells)
            keys.append(key + b"/" + slice_.encode())
            places.append(number)
    return keys, places, groups


def grown(batch: Batch, notes: Sequence[bytes | None]) -> Counter[int]:
    """Return how many outcomes of each group were new."""
    return Counter(member for member, note in zip(batch.members, notes, strict=True) if note is None)


def row_of(outcome: Outcome, key: bytes, group: Group, *, score: int, by: Actor) -> OutcomeRow:
    """Return what is logged of an outcome that is counted by the batch."""
    named = zip(group.rollout.plan.dimensions, group.places, strict=False)
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
        slices=canonical_slices({d.field: d.values[index] for d, index in named if index < len(d.values)}),
        score=score,
    )


def new_times(batch: Batch, notes: Sequence[bytes | None]) -> Counter[tuple[int, int]]:
    """Return how many new outcomes there are by group and time of the answer."""
    times = zip(batch.members, batch.at, notes, strict=True)
    return Counter((member, at) for member, at, note in times if note is None)


def _unit(key: bytes) -> int:
    """Return what the log says counts once, of a key: the subject, or minus one minus the request."""
    who = key[_STEM:]
    return int.from_bytes(who) if len(who) == len(_NOBODY) else -1 - int.from_bytes(who)


def _is_sound(outcome: Outcome) -> bool:
    """Tell whether an outcome says what there is to count; of any other it is said elsewhere why not."""
    if outcome.happened is UNSET or not (outcome.attributes is UNSET or len(outcome.attributes) <= MOST_ATTRIBUTES):
        return False
    return outcome.at is UNSET or 0 <= outcome.at <= LARGEST_NUMBER


def _decoded(outcomes: Sequence[Outcome]) -> tuple[bytes, list[Outcome]]:
    """Return the receipts one after the other, and the outcomes whose prediction is spelled like none."""
    spelled = [o.prediction for o in outcomes if len(o.prediction) == LENGTH and o.prediction.isascii()]
    data = _all_decoded("".join(spelled))
    if data is not None and len(spelled) == len(outcomes):
        return data, []
    parts, rest = [], []
    for outcome in outcomes:
        is_spelled = len(outcome.prediction) == LENGTH and outcome.prediction.isascii()
        part = _all_decoded(outcome.prediction) if is_spelled else None
        if part is None:
            rest.append(outcome)
        else:
            parts.append(part)
    return b"".join(parts), rest


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
