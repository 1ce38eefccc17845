"""What can go wrong, by name; each kind has a stream of chance of its own, so that leaving one out disturbs no other."""

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from random import Random
from typing import Final


class Kind(StrEnum):
    """A way to fail. The first group strikes single messages and acts, the second strikes hosts for a while."""

    LOST = "lost"  # a message never arrives
    LATE = "late"  # it arrives late, perhaps after its sender gave up
    DUPLICATED = "duplicated"  # it arrives twice
    REORDERED = "reordered"  # it is overtaken
    TORN = "torn"  # part of it arrives
    UNACKNOWLEDGED = "unacknowledged"  # it was carried out, and the answer is lost
    STORE_BEFORE = "store-before"  # the store fails before it looks at a transaction
    STORE_DURING = "store-during"  # it fails inside, and rolls back
    STORE_AFTER = "store-after"  # it fails after the commit
    KILL_AT = "kill-at"  # a server is killed between two of its acts

    KILL = "kill"  # a server is killed at any moment
    STOP = "stop"  # a server is stopped in good order
    FREEZE = "freeze"  # a server hangs for a while, and wakes believing what it believed
    STORE_DOWN = "store-down"  # nobody reaches the store
    STORE_CUT = "store-cut"  # one server does not
    SKEW = "skew"  # hosts' wall clocks differ from the start
    DRIFT = "drift"  # hosts' clocks run at different speeds
    CLOCK_JUMP = "clock-jump"  # a wall clock is set, forwards or back
    GATEWAY_RESTART = "gateway-restart"  # a gateway forgets its leases
    GATEWAY_CUT = "gateway-cut"  # nobody reaches a gateway, which serves on
    GATEWAY_LATE = "gateway-late"  # a gateway says yes, and obeys later
    GATEWAY_LIES = "gateway-lies"  # a gateway reports what it was told instead of what it does
    SPLIT_LIES = "split-lies"  # a gateway tosses another coin than it says
    SOURCE_STALL = "source-stall"  # a service falls silent
    SOURCE_RESTART = "source-restart"  # a service begins a new epoch
    SOURCE_RESEND = "source-resend"  # a service sends everything again
    MEDDLING = "meddling"  # people halt, resume, deny and order at the worst moment


RATES: Final[Mapping[Kind, float]] = {
    Kind.LOST: 0.03,
    Kind.LATE: 0.05,
    Kind.DUPLICATED: 0.05,
    Kind.REORDERED: 0.1,
    Kind.TORN: 0.05,
    Kind.UNACKNOWLEDGED: 0.03,
    Kind.STORE_BEFORE: 0.02,
    Kind.STORE_DURING: 0.02,
    Kind.STORE_AFTER: 0.03,
    Kind.KILL_AT: 0.006,
    Kind.KILL: 0.03,
    Kind.STOP: 0.03,
    Kind.FREEZE: 0.04,
    Kind.STORE_DOWN: 0.04,
    Kind.STORE_CUT: 0.03,
    Kind.SKEW: 1.0,
    Kind.DRIFT: 1.0,
    Kind.CLOCK_JUMP: 0.04,
    Kind.GATEWAY_RESTART: 0.03,
    Kind.GATEWAY_CUT: 0.05,
    Kind.GATEWAY_LATE: 0.1,
    Kind.GATEWAY_LIES: 0.03,
    Kind.SPLIT_LIES: 0.02,
    Kind.SOURCE_STALL: 0.04,
    Kind.SOURCE_RESTART: 0.04,
    Kind.SOURCE_RESEND: 0.1,
    Kind.MEDDLING: 0.08,
}
"""How likely each strikes: per message and act, or per second and host."""


FEW: Final = 0.4
"""Share of the seeds with three kinds at most: where little goes wrong, much can be demanded."""


def chosen(seed: int) -> frozenset[Kind]:
    """Return which kinds a seed switches on: a swarm finds more than everything at once (Groce et al., ISSTA 2012)."""
    dice = Random(f"swarm {seed}")  # noqa: S311 - a seed, not a secret
    if dice.random() < FEW:
        return frozenset(dice.sample(list(Kind), dice.randrange(4)))
    share = dice.choice((0.1, 0.2, 0.35, 0.5))
    return frozenset(kind for kind in Kind if dice.random() < share)


def _unheard(_strike: str) -> None:
    """Say nothing."""


@dataclass(slots=True)
class Faults:
    """Decides by the seed when something goes wrong. `only` names the strikes that are let through, as `kind#number`."""

    seed: int
    kinds: Collection[Kind]
    only: Collection[str] | None = None
    active: bool = False
    told: Callable[[str], None] = _unheard
    """Hears of each strike."""
    struck: list[str] = field(default_factory=list)
    _tossed: Counter[Kind] = field(default_factory=Counter)
    _dice: dict[Kind, Random] = field(default_factory=dict)

    def strikes(self, kind: Kind, whom: str) -> Random | None:
        """Toss for one occasion; return the strike's own chance for its details, or None when all goes well."""
        if kind not in self.kinds or not self.active:
            return None
        dice = self._dice.get(kind)
        if dice is None:
            dice = self._dice[kind] = Random(f"{kind} {self.seed}")  # noqa: S311 - a seed, not a secret
        number = self._tossed[kind]
        self._tossed[kind] += 1
        if dice.random() >= RATES[kind]:
            return None
        name = f"{kind}#{number}"
        if self.only is not None and name not in self.only:
            return None
        self.struck.append(name)
        self.told(f"{name} strikes {whom}")
        return Random(f"{name} {self.seed}")  # noqa: S311 - a seed, not a secret

    def by_kind(self) -> Counter[str]:
        """Return how often each kind struck."""
        return Counter(name.partition("#")[0] for name in self.struck)
