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
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from glideslope.domain.contract import Contract
from glideslope.domain.errors import GlideslopeError
from glideslope.domain.ids import RolloutId, VersionName, model_name, version_name
from glideslope.domain.logged import Predictions
from glideslope.domain.metric import CONTRACT
from glideslope.domain.observation import FeaturesTaken, FeatureTotals, ShadowAnswers, Totals, TotalsTaken
from glideslope.domain.pairs import Half, Halves
from glideslope.domain.receipt import request_hash
from glideslope.domain.traffic import Arm
from glideslope.sdk import requests
from glideslope.sdk.assign import CLOCK, Assigned, Assigner
from glideslope.sdk.background import Background, after_fork
from glideslope.sdk.batches import Batches
from glideslope.sdk.briefed import NOT_BRIEFED, Briefed, Polling
from glideslope.sdk.client import Client
from glideslope.sdk.contract import open_only, tags_of, with_data_contract
from glideslope.sdk.digest import folder_digest
from glideslope.sdk.errors import ServerRefused
from glideslope.sdk.evaluations import evaluations
from glideslope.sdk.features import FeatureCounter
from glideslope.sdk.flights import Flight, Flights
from glideslope.sdk.formulas import values_of
from glideslope.sdk.halves import Answer, half_of
from glideslope.sdk.notes import PredictionNotes
from glideslope.sdk.observe import Observer
from glideslope.sdk.receipts import level, mint_prediction
from glideslope.sdk.resources import Meter
from glideslope.sdk.stamps import Stamps, of

SHADOW_EVERY: Final = 0.25
MOST_SHADOWED: Final = 20_000
LARGEST_HALVES: Final = 200
"""In one message: each may bring all that a contract lets out, and a server takes 4 MB."""
IDLE: Final = 60.0

_Answer = tuple[RolloutId, int, int]
_Half = tuple[RolloutId, Arm, Half]


class Service:
    """One model in one process. Nothing that a request calls blocks or raises; without a server the incumbent serves.

    Raises Invalid for names, an address or a token that cannot be. `folder` is what is served: its digest is reported.
    `price` is what an hour of this process costs, in any currency, for the cost of predictions that people are shown. `tags` tags
    fields as open, personal or secret, before and beside the data contract: of a request only what is open ever leaves.
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
        price: float = 0.0,
        tags: Mapping[str, str] | None = None,
        clock: Callable[[], float] = CLOCK,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.model = model_name(model)
        self.version = version_name(version) if version else VersionName("")
        self.assigner = Assigner(clock=clock)
        self._evaluations = evaluations(model, os.environ)
        self.briefed: Briefed = NOT_BRIEFED
        self._wall = wall
        self._tags = tags_of(tags)
        self._contract = self._tags
        self._folder = None if folder is None else Path(folder)
        self._client = None if server is None else Client(server, token, ca=ca)
        # A client of its own for polls: they are held for long, and totals must not queue behind them.
        self._poller = None if server is None else Client(server, token, ca=ca)
        source = source or f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
        self.observer = Observer(
            self.model, source=source, epoch=int(wall() * 1000), send=self._send_totals, version=self.version
        )
        self.flights = Flights(self.observer)
        self.notes = PredictionNotes(
            self.model, send=self._send_predictions, whose=lambda: (self.observer.source, self.observer.epoch)
        )
        self.observer.notes = self.notes
        self.meter = Meter(price=price)
        self.observer.usage = self.meter.read
        self.features = FeatureCounter(
            self.model, source=source, epoch=self.observer.epoch, send=self._send_features, wall=wall
        )
        self.shadow: Batches[_Answer] = Batches(self._send_shadow, most=MOST_SHADOWED)
        self.halves: Batches[_Half] = Batches(self._send_halves, largest=LARGEST_HALVES, most=MOST_SHADOWED)
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
            for end in (self.observer.stop, self.features.stop, self._aside.stop, self._polls.stop):
                end(timeout=max(deadline - time.monotonic(), 0.05))
        if self._client is not None:
            self._client.close()

    @property
    def untold(self) -> tuple[str, ...]:
        """Return what is kept back because the server, being older than this package, knows no word for it; its counts do arrive.

        Of `usage` and `unlisted`; empty before the first briefing, and beside a server of this release.
        """
        known = {"usage": self.briefed.usage, "unlisted": self.briefed.numbered}
        return tuple(word for word, heard in known.items() if self.briefed.tag and not heard)

    def assign(self, subject: str) -> Assigned:
        """Return a subject's arm, for services that choose in process; see `Assigner.assign`."""
        if not self._started:
            self.start()
        assigned = self.assigner.assign(subject)
        if self._evaluations is not None:
            key = self.briefed.key
            self._evaluations.tell(assigned, subject, key=b"" if key is None else key.secret)
        return assigned

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
        attributes: Mapping[str, float | bool | str] | None = None,
        features: Mapping[str, Any] | None = None,
        request: str = "",
        prediction: str = "",
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
        return self.predicted(
            stamps,
            score=score,
            slices=slices,
            metrics=seen,
            prediction=prediction,
            attributes=attributes,
            features=features,
        )

    def predicted(
        self,
        stamps: Stamps,
        *,
        score: float | None = None,
        slices: Mapping[str, str] | None = None,
        metrics: Mapping[str, float] | None = None,
        prediction: str = "",
        attributes: Mapping[str, float | bool | str] | None = None,
        features: Mapping[str, Any] | None = None,
        answer: str = "",
        seconds: float | None = None,
    ) -> str | None:
        """Take note of an answer: count its metrics and return its prediction id, or None. Never raises.

        `score` is the probability that the model gave. `attributes` are what the plan's expressions may ask for besides, `features`
        is the row that the model was given, by the names in its data contract. A mirrored copy is noted for its pair and has no
        id. For pairs alone are `answer` (the class) and `seconds` (how long it took); fields that are tagged as open are shown to
        people. `prediction` is an id of your own, instead of a receipt, where the server keeps a prediction log; there the
        attributes go that the plan calls loggable.
        """
        try:
            if not self._started:
                self.start()
            if self.briefed.formulas and stamps.measured and not stamps.shadow:
                valued, lost = values_of(self.briefed, score=score, slices=slices, attributes=attributes)
                self.observer.drop(lost)
                metrics = {**(metrics or {}), **valued}
            self.meter.predicted()
            if features is not None:
                broken = self.features.check(features, stamps, score=score)
                if broken is not None and CONTRACT.name in self.briefed.metrics:
                    metrics = {**(metrics or {}), CONTRACT.name: float(broken)}
            if self._client is not None:
                what = Answer(score=score, name=answer, seconds=seconds, features=features, attributes=attributes)
                self._compare(stamps, what, slices=slices)
                if self.briefed.logged is not None and not stamps.shadow:
                    return self._log(
                        stamps,
                        score=score,
                        slices=slices,
                        metrics=metrics,
                        prediction=prediction,
                        attributes=attributes,
                    )
            if prediction:
                # Without a log nobody could ever tell whose it was.
                self.observer.drop()
                return None
            if metrics:
                self.observer.observe(stamps, slices, **metrics)
            if score is None or stamps.shadow or self._client is None:
                return None
            return self._mint(stamps, score=score, slices=slices)
        except Exception:  # noqa: BLE001 - the boundary to the host: what went wrong here is ours to count, not its to see
            self.observer.drop()
            return None

    def forked(self) -> None:
        """Let the child listen and send for itself, from its next request on."""
        self._started = False
        self._starting = threading.Lock()
        self.notes.forked()
        self.flights.forked()
        for client in (self._client, self._poller):
            if client is not None:
                client.forked()

    def _log(
        self,
        stamps: Stamps,
        *,
        score: float | None,
        slices: Mapping[str, str] | None,
        metrics: Mapping[str, float] | None,
        prediction: str,
        attributes: Mapping[str, float | bool | str] | None,
    ) -> str | None:
        """Count and note in one, so that the counts and the log can be held against each other to the last one."""
        made = prediction or (None if score is None else self._mint(stamps, score=score, slices=slices))
        with self.notes.lock:
            tosses = self.observer.observe(stamps, slices, **metrics) if metrics else None
            self.notes.note(
                stamps,
                prediction=made or f"{self.observer.source}-{sum(self.notes.numbers.values())}",
                at=int(self._wall() * 1000),
                briefed=self.briefed,
                score=score,
                slices=slices,
                metrics=metrics,
                tosses=tosses,
                attributes=attributes,
            )
        return made

    def _mint(self, stamps: Stamps, *, score: float, slices: Mapping[str, str] | None) -> str | None:
        at = int(self._wall())
        prediction = mint_prediction(stamps, model=self.model, score=score, at=at, briefed=self.briefed, slices=slices)
        if prediction is None:
            self.observer.drop()
        return prediction

    def _compare(self, stamps: Stamps, answer: Answer, *, slices: Mapping[str, str] | None) -> None:
        """Note what is compared beyond the plan's metrics: values that no slice lists, and answers to the same request."""
        if slices and self._contract and self.briefed.numbered:
            self.observer.name_unlisted(open_only(slices, self._contract))
        if self.briefed.shadow and (stamps.shadow or not stamps.measured):
            self._pair(stamps, answer, slices=slices)
        elif stamps.shadow and answer.score is not None:
            self._mirror(stamps, score=answer.score)

    def _mirror(self, stamps: Stamps, *, score: float) -> None:
        answer = (stamps.rollout, request_hash(stamps.request), level(score)) if 0.0 <= score <= 1.0 else None
        if answer is None or not stamps.request or not self.shadow.put(answer):
            self.observer.drop()

    def _pair(self, stamps: Stamps, answer: Answer, *, slices: Mapping[str, str] | None) -> None:
        """Put a half on its way. What cannot be compared must not cost the answer its prediction id."""
        rollout = stamps.rollout if stamps.shadow else self.briefed.shadow
        try:
            half = half_of(stamps, answer, briefed=self.briefed, slices=slices, tags=self._contract)
        except Exception:  # noqa: BLE001 - the boundary to the host, as in `predicted`: features may be anything
            half = None
        if half is None or not self.halves.put((rollout, stamps.arm, half)):
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
        if not briefed.contract:
            self.features.follow(None)
            self._contract = self._tags

    def _fetch_contract(self) -> None:
        """Ask for the contract that the briefing names, if it is not the one at hand; asked again the next time where that fails."""
        if self._client is None or self.briefed.contract in ("", self.features.contract):
            return
        with suppress(GlideslopeError):
            contract: Contract = self._client.send(requests.contract(self.model))
            self.features.follow(contract)
            self._contract = with_data_contract(self._tags, contract)

    def _poll(self) -> float:
        return IDLE if self._polling is None else self._polling.poll()

    def _send_predictions(self, message: Predictions) -> None:
        if self._client is not None:
            self._client.send(requests.predictions(message))

    def _send_totals(self, message: Totals) -> TotalsTaken | None:
        # What was noted goes first: the message says how much that was.
        self.notes.send_waiting()
        return None if self._client is None else self._client.send(requests.totals(message))

    def _send_features(self, message: FeatureTotals) -> FeaturesTaken | None:
        return None if self._client is None else self._client.send(requests.features(message))

    def _act_aside(self) -> float:
        if not self._identified and self._folder is not None:
            self._identified = True
            try:
                self.observer.digest = folder_digest(self._folder)
            except GlideslopeError as error:
                self.unidentified = str(error)
        self._fetch_contract()
        self.shadow.send_waiting()
        self.flights.count_late()
        self.meter.look_at_gpu(now=time.monotonic())
        self.halves.send_waiting()
        return SHADOW_EVERY

    def _send_halves(self, batch: Sequence[_Half]) -> None:
        if self._client is None:
            return
        for rollout, arm in sorted({(rollout, arm) for rollout, arm, _ in batch}):
            halves = tuple(half for of, by, half in batch if (of, by) == (rollout, arm))
            message = Halves(model=self.model, rollout=rollout, arm=arm, halves=halves)
            try:
                self._client.send(requests.halves(message))
            except ServerRefused as refusal:
                if refusal.status not in {404, 409}:  # as below
                    raise

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
