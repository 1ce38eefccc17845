"""From a failing run to the fewest faults that still break the same promise: delta debugging (Zeller and Hildebrandt, 2002)."""

from collections.abc import Callable, Sequence
from typing import Final

from glideslope.testing.simulator.scenario import Scenario
from glideslope.testing.simulator.simulation import Run, simulate

MOST_RUNS: Final = 300


def shrink(scenario: Scenario, failing: Run) -> Run:
    """Return the run with the fewest strikes that was found to break the same promise."""
    best = failing
    left = MOST_RUNS

    def breaks(strikes: Sequence[str]) -> bool:
        nonlocal best, left
        left -= 1
        run = simulate(scenario, only=frozenset(strikes))
        same = run.broken is not None and failing.broken is not None and run.broken.promise == failing.broken.promise
        # What struck after the promise was broken needs not be named; what was named but never struck, neither.
        if same and len(run.struck) <= len(best.struck):
            best = run
        return same

    minimal(list(failing.struck), breaks, left=lambda: left > 0)
    return best


def minimal(parts: list[str], breaks: Callable[[Sequence[str]], bool], *, left: Callable[[], bool]) -> list[str]:
    """Return parts of which none can be spared, as far as `left` allows to ask (the algorithm ddmin)."""
    if left() and breaks([]):
        return []
    pieces = 2
    while len(parts) > 1 and left():
        size = max(1, len(parts) // pieces)
        for start in range(0, len(parts), size):
            rest = parts[:start] + parts[start + size :]
            if left() and breaks(rest):
                parts, pieces = rest, max(2, pieces - 1)
                break
        else:
            if size == 1:
                break
            pieces = min(len(parts), pieces * 2)
    return parts
