"""No evidence is counted twice or lost: what a decision rests on is held against what truly happened and was kept."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from glideslope.testing.simulator.checks.violation import Violation

PROMISE: Final = "no evidence is counted twice or lost"

ON_THE_WAY: Final = 2.0
"""Seconds that a decision may be on its way to the store."""

Place = tuple[str, str, str]
"""Rollout, step, arm."""
Kept = Mapping[tuple[str, int, str], int]
"""Source, epoch and cell to count."""


@dataclass(slots=True)
class Counting:
    """The truth about who was served, which outcomes are known, and what servers were told is kept."""

    _served: dict[Place, set[tuple[str, str]]] = field(default_factory=lambda: defaultdict(set))
    """Server process and subject: a process that starts anew cannot know whom the last one had counted."""
    _anonymous: dict[Place, int] = field(default_factory=lambda: defaultdict(int))
    _outcomes: dict[Place, set[str]] = field(default_factory=lambda: defaultdict(set))
    """Subjects whose outcome was sent."""
    _counted: dict[Place, set[str]] = field(default_factory=lambda: defaultdict(set))
    """Subjects whose outcome was acknowledged, as counted now or before."""
    _serviced: dict[Place, int] = field(default_factory=lambda: defaultdict(int))
    """Subjects that services counted themselves."""
    _kept: dict[tuple[str, int, str], int] = field(default_factory=dict)
    _floor: dict[Place, int] = field(default_factory=lambda: defaultdict(int))
    """Exposed subjects that had been kept when the present governor took over."""
    governor: str = ""
    """The process that commits now."""
    _heard: dict[tuple[str, str], float] = field(default_factory=dict)
    """When a gateway's report last reached a process, by process and model."""
    _models: dict[str, str] = field(default_factory=dict)
    _hung: list[tuple[float, float]] = field(default_factory=list)
    _read: dict[tuple[str, str], dict[Place, int]] = field(default_factory=dict)

    def thawed(self, at: float, *, after: float) -> None:
        """Note that a host that hung for `after` seconds goes on."""
        self._hung.append((at, after))

    def heard(self, process: str, model: str, *, at: float) -> None:
        """A gateway's report on a model reached a server process."""
        self._heard[process, model] = at

    def proposed(self, rollout: str, model: str) -> None:
        """A rollout is about a model."""
        self._models[rollout] = model

    def delivered(self, process: str, place: Place, subject: str) -> None:
        """A gateway's report of one request reached a server process."""
        if subject:
            self._served[place].add((process, subject))
        else:
            self._anonymous[place] += 1

    def serviced(self, place: Place, count: int) -> None:
        """A service counted so many more subjects."""
        self._serviced[place] += count

    def sent(self, place: Place, subject: str) -> None:
        """An outcome of a measured prediction is on its way."""
        self._outcomes[place].add(subject)

    def acknowledged(self, place: Place, subject: str) -> None:
        """Its sender was told that it is counted."""
        self._counted[place].add(subject)

    def took_over(self) -> None:
        """Another governor begins; whatever is kept now, it must know of."""
        self._floor = _sums(self._kept, source="gateway", metric="exposure")

    def saved(self, totals: Kept) -> None:
        """A server was told that these totals are kept."""
        for key, count in totals.items():
            self._kept[key] = max(self._kept.get(key, 0), count)

    def read(self, prefix: str, totals: Kept) -> None:
        """The store is about to answer with these totals; all that is kept must be among them. Raises Violation."""
        for key, count in self._kept.items():
            if key[2].startswith(prefix) and totals.get(key, 0) < count:
                raise Violation(PROMISE, f"{key} was kept at {count} and read back as {totals.get(key, 0)}")

    def loaded(self, process: str, prefix: str, totals: Kept) -> None:
        """A server process has the answer, which may have been under way for long: more may be kept by now."""
        found = _sums(totals, source="gateway", metric="exposure")
        self._read[process, prefix.removesuffix("/")] = found

    def judge(self, entry: Mapping[str, Any], *, at: float) -> None:
        """Hold a decision's evidence against the truth. Raises Violation."""
        self._freshness(entry, at=at)
        rollout, where = entry["stream"], f"{entry['stream']}@{entry['version']}"
        evidence = entry["body"]["evidence"]
        for row in evidence["exposed"]:
            for arm in ("candidate", "incumbent"):
                place = (rollout, row["step"], arm)
                most = len(self._served[place]) + self._anonymous[place]
                if row[arm] > most:
                    raise Violation(PROMISE, f"{where} counts {row[arm]} exposed in {place}; there were {most}")
                least = max(self._read.get((self.governor, rollout), {}).get(place, 0), self._floor[place])
                if row[arm] < least:
                    raise Violation(PROMISE, f"{where} counts {row[arm]} exposed in {place}; {least} had been kept")
        for row in evidence["maturity"]:
            for arm in ("candidate", "incumbent"):
                place = (rollout, row["step"], arm)
                if row[arm] > len(self._outcomes[place]):
                    raise Violation(
                        PROMISE,
                        f"{where} counts {row[arm]} outcomes in {place}; {len(self._outcomes[place])} were sent",
                    )

        for row in evidence["counts"]:
            for arm in ("candidate", "incumbent"):
                place = (rollout, row["step"], arm)
                if row["metric"] == "slow_path" and sum(row[arm]) > self._serviced[place]:
                    raise Violation(
                        PROMISE,
                        f"{where} counts {row[arm]} of services in {place}; {self._serviced[place]} were counted",
                    )

    def _freshness(self, entry: Mapping[str, Any], *, at: float) -> None:
        """Evidence may not be called fresher than it is; it ages while the decision is on its way. Raises Violation."""
        model = self._models[entry["stream"]]
        hung = max((after for until, after in self._hung if until > at - ON_THE_WAY), default=0.0)
        for row in entry["body"]["evidence"]["freshness"]:
            if row["origin"] != "gateway" or row["age"] < 0:
                continue
            silent = at - self._heard.get((self.governor, model), -1e9)
            if silent > row["age"] / 1000 * 1.01 + ON_THE_WAY + hung:
                where = f"{entry['stream']}@{entry['version']}"
                raise Violation(
                    "missing evidence is never a yes",
                    f"{where} calls the gateway's evidence {row['age']} ms old; nothing came for {silent:.2f} s",
                )

    def whole(self, process: str, totals: Kept, *, epoch: int) -> None:
        """What a process that was not killed was told by gateways must be in the store in the end. Raises Violation."""
        mine = {key: count for key, count in totals.items() if key[1] == epoch}
        found = _steps(_sums(mine, source="gateway", metric="exposure"))
        told = {place: {who for by, who in served if by == process} for place, served in self._served.items()}
        for step_of, who in _by_step(told).items():
            if found[step_of] < len(who):
                raise Violation(
                    PROMISE, f"{process} was told of {len(who)} exposed in {step_of} and saved {found[step_of]}"
                )

    def settle(self, totals: Kept) -> None:
        """At the end, hold the store's counts of outcomes against those that were sent and acknowledged. Raises Violation."""
        found = _steps(_sums(totals, source="outcomes", metric="outcome"))
        sent, acknowledged = _by_step(self._outcomes), _by_step(self._counted)
        for place in {*found, *acknowledged}:
            least, most = len(acknowledged.get(place, ())), len(sent.get(place, ()))
            if not least <= found[place] <= most:
                raise Violation(
                    PROMISE, f"{place} has {found[place]} outcomes; {least} were acknowledged of {most} that were sent"
                )


def _sums(totals: Kept, *, source: str, metric: str) -> dict[Place, int]:
    """Add up what a source kept of a metric in the steps of rollouts."""
    found: dict[Place, int] = defaultdict(int)
    for (who, _epoch, cell), count in totals.items():
        parts = cell.split("/")
        if who == source and len(parts) == 6 and parts[3] == metric and not parts[0].startswith("base."):
            found[parts[0], parts[1], parts[2]] += count
    return found


def _steps(sums: Mapping[Place, int]) -> dict[tuple[str, str], int]:
    """Add up both arms."""
    found: dict[tuple[str, str], int] = defaultdict(int)
    for (rollout, step, _arm), count in sums.items():
        found[rollout, step] += count
    return found


def _by_step(subjects: Mapping[Place, set[str]]) -> Mapping[tuple[str, str], set[str]]:
    """Return the subjects of both arms together: one counts once per step, whichever arm it met first."""
    found: dict[tuple[str, str], set[str]] = {}
    for (rollout, step, _arm), who in subjects.items():
        found.setdefault((rollout, step), set()).update(who)
    return found
