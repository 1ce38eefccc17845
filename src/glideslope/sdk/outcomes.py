"""Sending the truth about predictions, whenever it comes: buffered, in batches, again until it arrives."""

import sys
from collections.abc import Mapping, Sequence
from typing import Final

from msgspec import UNSET

from glideslope.domain.ids import ModelName
from glideslope.domain.observation import Fact, Outcome, OutcomeRefusal, Outcomes, OutcomeUndefined
from glideslope.sdk import requests
from glideslope.sdk.background import Background
from glideslope.sdk.batches import LARGEST_BATCH, MOST_WAITING, Batches
from glideslope.sdk.client import Client

EVERY: Final = 1.0
"""Seconds between batches."""
MOST_REFUSALS: Final = 100
LONGEST_TEXT: Final = 1_000
_LARGEST: Final = sys.float_info.max


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
        self.undefined: tuple[OutcomeUndefined, ...] = ()
        """The latest metrics that had no value for an outcome."""

    def send(
        self,
        prediction: str,
        *,
        happened: bool | None = None,
        outcome: Fact | None = None,
        attributes: Mapping[str, Fact] | None = None,
        model: str = "",
        at: int | None = None,
    ) -> bool:
        """Take an outcome; tell whether there was room. Never blocks, never raises.

        `happened` is the truth, `outcome` what it is where it is a class or a number, `attributes` what else became known. What is None is
        not told; what was not told may come in a later outcome of the same prediction. A NaN, an infinity or anything else than a number,
        a truth or a text of up to 1,000 characters is dropped with its outcome.

        `model` names whose prediction it is where the id is your own; `at` says when the truth was known, in milliseconds
        since 1970: of several statements about such an id the latest by it counts.
        """
        try:
            self._background.start()
        except Exception:  # noqa: BLE001 - the boundary to the host: no thread can be had now; the next call tries again
            self._background.failures += 1
        if not all(map(_can_be_told, (prediction, *(attributes or {}).values(), "" if outcome is None else outcome))):
            # In a batch it would cost all others their way.
            self._batches.drop()
            return False
        told = Outcome(
            prediction=prediction,
            happened=UNSET if happened is None else bool(happened),
            outcome=UNSET if outcome is None else outcome,
            attributes=dict(attributes) if attributes else UNSET,
            model=ModelName(model) if model else UNSET,
            at=UNSET if at is None else at,
        )
        return self._batches.put(told)

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
        self.undefined = (*self.undefined, *taken.undefined)[-MOST_REFUSALS:]


def _can_be_told(fact: object) -> bool:
    match fact:
        case bool():
            return True
        case int() | float():
            return -_LARGEST <= fact <= _LARGEST
        case str():
            return len(fact) <= LONGEST_TEXT
        case _:
            return False
