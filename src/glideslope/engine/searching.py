"""Counts outcomes by all of a request's fields at once, and searches them for harm in slices that nobody declared.

In memory, saved each second with what the gateway saw. No decision rests on it.
"""

from typing import Final

from glideslope.domain.alphas import is_paired
from glideslope.domain.ids import MetricName, ModelName, RolloutId, SliceName, StepName
from glideslope.domain.metric import PAIR_PREFIX, Cell, Metric, differences
from glideslope.domain.observation import Totals
from glideslope.domain.plan import Plan
from glideslope.domain.receipt import UNLISTED
from glideslope.domain.rollout import Rollout
from glideslope.domain.scan import Places, Searched, search, searched_slices
from glideslope.domain.traffic import Arm
from glideslope.engine.observer import Observer
from glideslope.engine.record import Record

SCAN_PREFIX: Final = "scan."
"""Stands before the name of what is counted for the search; the slice's name is that of all fields' numbers."""
MOST_JOINT: Final = 5_000
"""Combinations of fields' values that are counted per rollout; outcomes of further ones are left out of the search."""
MOST_NAMES: Final = 3
"""Values that are named of one number; all may share it."""

_Arms = tuple[list[int], list[int]]


class Searching:
    """Knows what was counted jointly, and what services say of the values behind the numbers."""

    def __init__(self, *, record: Record, observer: Observer) -> None:
        self._record = record
        self._observer = observer
        self._joint: dict[RolloutId, set[Places]] = {}
        self._left_out: dict[RolloutId, int] = {}
        self._names: dict[ModelName, dict[tuple[str, int], list[str]]] = {}

    def asks(self, plan: Plan, places: Places) -> bool:
        """Tell whether anything is searched that an outcome with these fields is in."""
        return bool(searched_slices(plan.dimensions, plan.crosses or (), places))

    def count(self, cell: Cell, places: Places, *, growth: int = 1) -> None:
        """Count outcomes once more, by all of their fields; `cell` is that of the whole."""
        if not self.asks(self._record.rollout(cell.rollout).plan, places):
            return
        known = self._joint.setdefault(cell.rollout, set())
        if places not in known:
            if len(known) >= MOST_JOINT:
                self._left_out[cell.rollout] = self._left_out.get(cell.rollout, 0) + growth
                return
            known.add(places)
        joint = cell._replace(metric=MetricName(f"{SCAN_PREFIX}{cell.metric}"), slice=joint_name(places))
        self._observer.note(joint, growth=growth)

    def learn(self, totals: Totals) -> None:
        """Note which values services met that no plan lists, by field and number; only a few of each are kept."""
        known = self._names.setdefault(totals.model, {})
        for field, numbers in (totals.unlisted or {}).items():
            for number, value in numbers.items():
                if not (number.isdecimal() and int(number) < UNLISTED and field in self._fields(totals.model)):
                    continue
                values = known.setdefault((field, int(number)), [])
                if value not in values and len(values) < MOST_NAMES:
                    values.append(value)

    def found(self, rollout: Rollout) -> tuple[tuple[Searched, ...], int]:
        """Search; beside what was searched, how many outcomes were left out for want of room."""
        plan = rollout.plan
        scope = self._observer.scope(rollout.id)
        sizes = {
            (g.metric.name, pairs): _size(g.metric, paired=pairs) for g in plan.guardrails for pairs in (False, True)
        }
        counted: dict[tuple[MetricName, bool], dict[Places, dict[StepName, _Arms]]] = {}
        for step, metric, slice_, arm in list(scope.keys()):
            if not metric.startswith(SCAN_PREFIX):
                continue
            name = metric.removeprefix(SCAN_PREFIX)
            key = (MetricName(name.removeprefix(PAIR_PREFIX)), name.startswith(PAIR_PREFIX))
            size = sizes.get(key, 0)
            steps = counted.setdefault(key, {}).setdefault(places_of(slice_), {})
            arms = steps.setdefault(step, ([0] * size, [0] * size))
            arms[arm is Arm.INCUMBENT][:] = scope.bins(step, metric, slice_, arm, size=size)
        names = {key: "|".join(sorted(values)) for key, values in self._names.get(plan.model, {}).items()}
        return search(plan, counted, names=names), self._left_out.get(rollout.id, 0)

    def forget(self, rollout: RolloutId) -> None:
        """Drop what was only needed to bound the counting; the counts stay."""
        self._joint.pop(rollout, None)

    def _fields(self, model: ModelName) -> frozenset[str]:
        rollout = self._record.open_rollout_of(model)
        return frozenset() if rollout is None else frozenset(d.field for d in rollout.plan.dimensions)


def joint_name(places: Places) -> SliceName:
    """Return the name under which all of a request's fields are counted at once."""
    return SliceName("?" + ".".join(map(str, places)))


def places_of(joint: SliceName) -> Places:
    """Read it back."""
    return tuple(map(int, joint[1:].split(".")))


def _size(metric: Metric, *, paired: bool) -> int:
    if not paired:
        return metric.bins
    return len(differences(metric)) if is_paired(metric) else 0
