"""When each visitor last looked at a change, so that a page can say what happened since. Kept in memory: it is nobody's record."""

from typing import Final

MOST: Final = 10_000
"""Looks that are remembered; the oldest are forgotten first."""


class Looks:
    """Remembers as of which version somebody saw a rollout."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, str], tuple[int, int]] = {}
        """Per visitor and rollout: as of which version the look before this one, and this one."""

    def since(self, actor: str, rollout: str, *, version: int, anew: bool) -> int:
        """Return as of which version the visitor's look before this one was; 0 for none. A page that refreshes itself is no new look."""
        before, now = self._seen.pop((actor, rollout), (0, 0))
        if anew:
            before = now
        self._seen[actor, rollout] = before, version
        if len(self._seen) > MOST:
            del self._seen[next(iter(self._seen))]
        return before
