"""Predictions on their way to the server's log: noted beside the counts, sent in batches, dropped before anything waits."""

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from glideslope.domain.ids import ModelName, RolloutId
from glideslope.domain.logged import LONGEST_TEXT, MOST_FIELDS, NO_SCORE, TOSS, Prediction, Predictions
from glideslope.domain.receipt import request_hash
from glideslope.sdk.batches import Batches
from glideslope.sdk.briefed import Briefed
from glideslope.sdk.receipts import level
from glideslope.sdk.stamps import Stamps, log_hash

MOST_WAITING: Final = 100_000
"""Predictions, about 60 MB; further ones are counted as written, so that the server finds them missing."""


class PredictionNotes:
    """Notes the predictions of one model while the server keeps a log. Thread-safe; `note` never blocks for long.

    `lock` is held from counting a prediction until it is noted: a message of totals that takes it as well says exactly how
    many of the predictions behind it were noted (`numbers`).
    """

    def __init__(
        self,
        model: ModelName,
        *,
        send: Callable[[Predictions], object],
        whose: Callable[[], tuple[str, int]],
        most: int = MOST_WAITING,
    ) -> None:
        self._model = model
        self._send = send
        self._whose = whose
        self._batches: Batches[Prediction] = Batches(self._deliver, most=most)
        self.forked()

    @property
    def dropped(self) -> int:
        """Return how many were lost: the buffer was full, or the server could make nothing of them."""
        return self._batches.dropped

    def note(
        self,
        stamps: Stamps,
        *,
        prediction: str,
        at: int,
        briefed: Briefed,
        score: float | None,
        slices: Mapping[str, str] | None,
        metrics: Mapping[str, float] | None,
        tosses: Mapping[str, float] | None = None,
        attributes: Mapping[str, float | bool | str] | None,
    ) -> None:
        """Note a prediction; the caller holds `lock`. Of what it is given only what may be logged is kept."""
        rollout = stamps.rollout if stamps.rollout in briefed.rollouts else RolloutId("")
        self.numbers[rollout] = number = self.numbers.get(rollout, 0) + 1
        looked_at, loggable = briefed.slices, briefed.logged or ()
        self._batches.put(
            Prediction(
                prediction=prediction,
                at=at,
                number=number,
                rollout=rollout,
                step=stamps.step,
                arm=stamps.arm,
                request=request_hash(stamps.request) if stamps.request else 0,
                subject=log_hash(stamps.subject),
                slices={k: v for k, v in (slices or {}).items() if v in looked_at.get(k, ())},
                score=NO_SCORE if score is None or not 0.0 <= score <= 1.0 else level(score),
                metrics={
                    **{k: v for k, v in (metrics or {}).items() if k in briefed.metrics and abs(v) < float("inf")},
                    **{f"{TOSS}{k}": v for k, v in (tosses or {}).items()},
                },
                attributes={
                    k: str(v)[:LONGEST_TEXT] for k, v in list((attributes or {}).items())[:MOST_FIELDS] if k in loggable
                },
            )
        )

    def send_waiting(self) -> bool:
        """Send all that waits; tell whether all of it arrived. Never raises."""
        return self._batches.send_waiting()

    def forked(self) -> None:
        """Begin again: the child counts and numbers under a name of its own."""
        self.lock = threading.Lock()
        self.numbers: dict[RolloutId, int] = {}

    def _deliver(self, batch: Sequence[Prediction]) -> None:
        source, epoch = self._whose()
        self._send(Predictions(source=source, epoch=epoch, model=self._model, predictions=tuple(batch)))
