"""All that a service needs for one model, behind one door: assign, observe, mint, and the threads that keep it true.

`middleware` puts it around an ASGI application; other frameworks use it directly.
"""

import math
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from glideslope.domain.errors import GlideslopeError
from glideslope.domain.ids import RolloutId, VersionName, model_name, version_name
from glideslope.domain.observation import ShadowAnswers, Totals, TotalsTaken
from glideslope.domain.receipt import request_hash
from glideslope.sdk import requests
from glideslope.sdk.assign import CLOCK, Assigned, Assigner
from glideslope.sdk.background import Background, after_fork
from glideslope.sdk.batches import Batches
from glideslope.sdk.briefed import NOT_BRIEFED, Briefed, Polling
from glideslope.sdk.client import Client
from glideslope.sdk.digest import folder_digest
from glideslope.sdk.errors import ServerRefused
from glideslope.sdk.flights import Flight, Flights
from glideslope.sdk.observe import Observer
from glideslope.sdk.receipts import level, mint_prediction
from glideslope.sdk.stamps import Stamps, of

SHADOW_EVERY: Final = 0.25
MOST_SHADOWED: Final = 20_000
IDLE: Final = 60.0

_Answer = tuple[RolloutId, int, int]


class Service:
    """One model in one process. Nothing that a request calls blocks or raises; without a server the incumbent serves.

    Raises Invalid for names, an address or a token that cannot be. `folder` is what is served: its digest is reported.
    """

    def __init__(
        self,
        model: str,
        *,
        version: str = "",
        server: str | None = None,
        token: str = "",
        folder: str | os.PathLike[str] | None = None,
        source: str = "",
        ca: str = "",
        clock: Callable[[], float] = CLOCK,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.model = model_name(model)
        self.version = version_name(version) if version else VersionName("")
        self.assigner = Assigner(clock=clock)
        self.briefed: Briefed = NOT_BRIEFED
        self._wall = wall
        self._folder = None if folder is None else Path(folder)
        self._client = None if server is None else Client(server, token, ca=ca)
        # A client of its own for polls: they are held for long, and totals must not queue behind them.
        self._poller = None if server is None else Client(server, token, ca=ca)
        source = source or f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
        self.observer = Observer(
            self.model, source=source, epoch=int(wall() * 1000), send=self._send_totals, version=self.version
        )
        self.flights = Flights(self.observer)
        self.shadow: Batches[_Answer] = Batches(self._send_shadow, most=MOST_SHADOWED)
        self._polling = None if self._poller is None else self._listen(self._poller, clock=clock)
        self._polls = Background(self._poll, name=f"glideslope-brief-{model}")
        self._aside = Background(self._act_aside, name=f"glideslope-aside-{model}", pause=SHADOW_EVERY)
        self._identified = self._folder is None
        self.unidentified = ""
        """Why the folder's digest cannot be reported; empty while there is no such reason."""
        self._started = False
        self._stopped = False
        self._starting = threading.Lock()
        after_fork(self)

    def start(self) -> None:
        """Begin to listen and to send; harmless when repeated, and every request does it. Never raises."""
        if self._started or self._stopped or self._client is None:
            return
        with self._starting:
            try:
                self._polls.start()
                self.observer.start()
                self._aside.start()
            except Exception:  # noqa: BLE001 - the boundary to the host: no thread can be had now; the next request tries again
                return
            self._started = True

    def stop(self, *, timeout: float = 1.0) -> None:
        """Send what is left and end, within about `timeout` seconds. Never raises."""
        self._stopped = True
        self.assigner.withdraw()
        if self._poller is not None:
            self._poller.close()
        if self._started:
            deadline = time.monotonic() + timeout
            for end in (self.observer.stop, self._aside.stop, self._polls.stop):
                end(timeout=max(deadline - time.monotonic(), 0.05))
        if self._client is not None:
            self._client.close()

    def assign(self, subject: str) -> Assigned:
        """Return a subject's arm, for services that choose in process; see `Assigner.assign`."""
        if not self._started:
            self.start()
        return self.assigner.assign(subject)

    def began(self, assigned: Assigned, *, subject: str, request: str = "") -> Flight:
        """Take note that a request begins whose version was assigned here; give what is returned to `served` at its end.

        While it runs it is counted as late as soon as its age says so. Never raises.
        """
        return self.flights.begin(of(assigned, subject=subject, request=request))

    def served(
        self,
        assigned: Assigned,
        *,
        subject: str,
        seconds: float | None = None,
        flight: Flight | None = None,
        failed: bool = False,
        score: float | None = None,
        slices: Mapping[str, str] | None = None,
        metrics: Mapping[str, float] | None = None,
        request: str = "",
    ) -> str | None:
        """Take note of an answer whose version was assigned here, as a gateway would, and return as `predicted` does.

        `failed` belongs to the arm that was assigned, whoever answered in its place. `request` is any id of the request.
        How long it took is said by `seconds`, or by the `flight` that `began` returned. Never raises.
        """
        try:
            age = None if flight is None else self.flights.end(flight)
            took = seconds if seconds is not None else math.nan if age is None else age  # what is no number is dropped
            seen = {"exposure": 1.0, "errors": float(failed), "latency": took * 1000, **(metrics or {})}
            stamps = of(assigned, subject=subject, request=request)
        except Exception:  # noqa: BLE001 - the boundary to the host, as in `predicted`
            self.observer.drop()
            return None
        return self.predicted(stamps, score=score, slices=slices, metrics=seen)

    def predicted(
        self,
        stamps: Stamps,
        *,
        score: float | None = None,
        slices: Mapping[str, str] | None = None,
        metrics: Mapping[str, float] | None = None,
    ) -> str | None:
        """Take note of an answer: count its metrics and return its prediction id, or None. Never raises.

        `score` is the probability that the model gave. A mirrored copy is noted for its pair and has no id.
        """
        try:
            if not self._started:
                self.start()
            if metrics:
                self.observer.observe(stamps, slices, **metrics)
            if score is None or self._client is None:
                return None
            if stamps.shadow:
                self._mirror(stamps, score=score)
                return None
            return self._mint(stamps, score=score, slices=slices)
        except Exception:  # noqa: BLE001 - the boundary to the host: what went wrong here is ours to count, not its to see
            self.observer.drop()
            return None

    def forked(self) -> None:
        """Let the child listen and send for itself, from its next request on."""
        self._started = False
        self._starting = threading.Lock()
        self.flights.forked()
        for client in (self._client, self._poller):
            if client is not None:
                client.forked()

    def _mint(self, stamps: Stamps, *, score: float, slices: Mapping[str, str] | None) -> str | None:
        at = int(self._wall())
        prediction = mint_prediction(stamps, model=self.model, score=score, at=at, briefed=self.briefed, slices=slices)
        if prediction is None:
            self.observer.drop()
        return prediction

    def _mirror(self, stamps: Stamps, *, score: float) -> None:
        answer = (stamps.rollout, request_hash(stamps.request), level(score)) if 0.0 <= score <= 1.0 else None
        if answer is None or not stamps.request or not self.shadow.put(answer):
            self.observer.drop()

    def _listen(self, poller: Client, *, clock: Callable[[], float]) -> Polling:
        return Polling(
            poller,
            self.model,
            assigner=self.assigner,
            follow=self._follow,
            source=lambda: self.observer.source,
            clock=clock,
        )

    def _follow(self, briefed: Briefed) -> None:
        self.briefed = briefed
        self.observer.follow(briefed)

    def _poll(self) -> float:
        return IDLE if self._polling is None else self._polling.poll()

    def _send_totals(self, message: Totals) -> TotalsTaken | None:
        return None if self._client is None else self._client.send(requests.totals(message))

    def _act_aside(self) -> float:
        if not self._identified and self._folder is not None:
            self._identified = True
            try:
                self.observer.digest = folder_digest(self._folder)
            except GlideslopeError as error:
                self.unidentified = str(error)
        self.shadow.send_waiting()
        self.flights.count_late()
        return SHADOW_EVERY

    def _send_shadow(self, batch: Sequence[_Answer]) -> None:
        if self._client is None:
            return
        for rollout in sorted({answer[0] for answer in batch}):
            answers = tuple((request, score) for of, request, score in batch if of == rollout)
            message = ShadowAnswers(model=self.model, rollout=rollout, answers=answers)
            try:
                self._client.send(requests.shadow_answers(message))
            except ServerRefused as refusal:
                # The rollout has ended meanwhile: its answers are of no use, and must not keep the next one's waiting.
                if refusal.status not in {404, 409}:
                    raise
