"""Personal data in memory, with the promises of the real store but that of outliving the process."""

from collections.abc import Sequence

from glideslope.domain.ids import Actor


class MemoryPeople:
    """Keeps the port PersonalData in this process."""

    def __init__(self) -> None:
        self._data: dict[Actor, bytes] = {}

    async def put(self, actor: Actor, data: bytes) -> None:
        self._data[actor] = data

    async def of(self, actor: Actor) -> bytes | None:
        return self._data.get(actor)

    async def actors(self) -> Sequence[Actor]:
        return sorted(self._data)

    async def erase(self, actor: Actor) -> None:
        self._data.pop(actor, None)
