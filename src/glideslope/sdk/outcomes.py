"""Sending the truth about predictions, whenever it comes: buffered, in batches, again until it arrives."""

from collections.abc import Sequence
from typing import Final

import msgspec

from glideslope.domain.ids import ModelName
from glideslope.domain.observation import Outcome, OutcomeRefusal, Outcomes
from glideslope.sdk import requests
from glideslope.sdk.background import Background
from glideslope.sdk.batches import LARGEST_BATCH, MOST_WAITING, Batches
from glideslope.sdk.client import Client

EVERY: Final = 1.0
"""Seconds between batches."""
MOST_REFUSALS: Final = 100


class OutcomeSender:
    """Sends outcomes with the predictions' ids. `send` takes one and returns at once; a thread does the rest.

    Repeats are harmless, so a batch whose fate is unknown is sent again. Counts what the server said of them.
    """

    def __init__(
        self, client: Client, *, every: float = EVERY, largest: int = LARGEST_BATCH, most: int = MOST_WAITING
    ) -> None:
        self._client = client
        self._every = every
        self._batches: Batches[Outcome] = Batches(self._deliver, largest=largest, most=most)
        self._background = Background(self._act, name="glideslope-outcomes", pause=every)
        self.counted = 0
        self.repeated = 0
        self.unmeasured = 0
        self.refused = 0
        self.kept = 0
        self.refusals: tuple[OutcomeRefusal, ...] = ()
        """The latest ones."""

    def send(self, prediction: str, *, happened: bool, model: str = "", at: int | None = None) -> bool:
        """Take an outcome; tell whether there was room. Never blocks, never raises.

        `model` names whose prediction it is where the id is your own; `at` says when the truth was known, in milliseconds
        since 1970: of several statements about such an id the latest by it counts.
        """
        try:
            self._background.start()
        except Exception:  # noqa: BLE001 - the boundary to the host: no thread can be had now; the next call tries again
            self._background.failures += 1
        whose = ModelName(model) if model else msgspec.UNSET
        when = msgspec.UNSET if at is None else at
        return self._batches.put(Outcome(prediction=prediction, happened=happened, model=whose, at=when))

    @property
    def waiting(self) -> int:
        """Return how many have not arrived yet."""
        return len(self._batches)

    @property
    def dropped(self) -> int:
        """Return how many were lost: the buffer was full, or the server could make nothing of the batch."""
        return self._batches.dropped

    def flush(self) -> bool:
        """Send all that waits, now and in this thread; tell whether all arrived. Waits for the server, never raises."""
        return self._batches.send_waiting()

    def stop(self, *, timeout: float = 1.0) -> bool:
        """Send once more and end; tell whether everything arrived within `timeout` seconds."""
        return self._background.stop(timeout=timeout) and not self.waiting

    def _act(self) -> float:
        self._batches.send_waiting()
        return self._every

    def _deliver(self, batch: Sequence[Outcome]) -> None:
        taken = self._client.send(requests.outcomes(Outcomes(outcomes=tuple(batch))))
        self.counted += taken.counted
        self.repeated += taken.repeated
        self.unmeasured += taken.unmeasured
        self.refused += len(taken.refused)
        self.kept += taken.kept
        self.refusals = (*self.refusals, *taken.refused)[-MOST_REFUSALS:]
