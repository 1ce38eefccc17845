"""How often somebody may guess a password, without anybody being able to keep its owner out.

What is counted is a name together with where it is tried from: after a few wrong ones, each further try waits twice as long, and
only from there. Wrong ones from everywhere together close a name for addresses that never signed in by it; its owner's address, a
passkey, a token and a link stay open. NIST SP 800-63B-4, section 3.2.2, asks for a bound of 100. A try is counted before it is
checked, so many at once are many.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar

from glideslope.domain.errors import Denied
from glideslope.interfaces.dashboard.attempts import network

K = TypeVar("K")

FREE: Final = 5
"""Wrong passwords for one name from one network before it waits."""
LONGEST: Final = 900.0
"""Seconds of the longest wait."""
FORGET: Final = 3_600.0
"""Seconds after which what went wrong is forgotten."""
MOST_PER_NAME: Final = 100
"""Wrong passwords for one name from unfamiliar networks within FORGET."""
MOST_PER_NETWORK: Final = 50
"""Wrong passwords for whatever names from one network within WINDOW."""
WINDOW: Final = 60.0
MOST_KEPT: Final = 10_000


class WaitFirst(Denied):
    code = "sign-in-wait"

    def __init__(self, seconds: float) -> None:
        super().__init__(
            f"There were too many wrong tries, from your address or for this name. Wait {max(1, round(seconds))} s before you try "
            "again. A passkey, a right token and a link sign in meanwhile.",
            next_command="glideslope open",
        )
        self.seconds = max(1, round(seconds))


@dataclass(slots=True)
class _Tries:
    began: float
    count: int = 0
    until: float = 0.0


class Guesses:
    """Counts tries by name and network. `monotonic` tells seconds."""

    def __init__(self, *, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._pairs: dict[tuple[str, str], _Tries] = {}
        self._names: dict[str, _Tries] = {}
        self._networks: dict[str, _Tries] = {}
        self._familiar: dict[tuple[str, str], None] = {}

    def begin(self, name: str, address: str) -> float:
        """Note a try, which counts as wrong until `right` is told; return for how many seconds it must wait instead, 0 for not at all."""
        where, now = network(address), self._monotonic()
        pair = _of(self._pairs, (name, where), now, lasts=FORGET)
        all_ = _of(self._networks, where, now, lasts=WINDOW)
        everywhere = _of(self._names, name, now, lasts=FORGET)
        familiar = (name, where) in self._familiar
        if pair.until > now:
            return pair.until - now
        if all_.count >= MOST_PER_NETWORK:
            return all_.began + WINDOW - now
        if not familiar and everywhere.count >= MOST_PER_NAME:
            return everywhere.began + FORGET - now
        pair.count += 1
        all_.count += 1
        everywhere.count += not familiar
        if pair.count >= FREE:
            pair.until = now + min(LONGEST, 2.0 ** (pair.count - FREE))
        return 0.0

    def right(self, name: str, address: str) -> None:
        """Take back what was counted: somebody signed in by this name from there."""
        where = network(address)
        unfamiliar = (name, where) not in self._familiar
        for found in (self._networks.get(where), self._names.get(name) if unfamiliar else None):
            if found is not None and found.count:
                found.count -= 1
        self._pairs.pop((name, where), None)
        self._familiar.pop((name, where), None)
        while len(self._familiar) >= MOST_KEPT:
            del self._familiar[next(iter(self._familiar))]
        self._familiar[name, where] = None


def _of(kept: dict[K, _Tries], key: K, now: float, *, lasts: float) -> _Tries:
    found = kept.pop(key, None)
    if found is None or now - found.began >= lasts:
        found = _Tries(began=now)
    while len(kept) >= MOST_KEPT:
        del kept[next(iter(kept))]
    kept[key] = found
    return found
