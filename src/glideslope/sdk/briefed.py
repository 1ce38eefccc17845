"""A briefing made ready for use in a request path, and the thread's work that keeps it fresh."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

import msgspec

from glideslope.domain.expression import Compiled
from glideslope.domain.formula import Expression, compile_expression
from glideslope.domain.ids import MetricName, ModelName, RolloutId, SliceName
from glideslope.domain.metric import EXPOSURE, Cross, Kind, Metric, Origin, crossed
from glideslope.domain.observation import Briefing
from glideslope.domain.receipt import MAX_DIMENSIONS, NO_SLICE, ReceiptKey, unlisted_place
from glideslope.sdk import requests
from glideslope.sdk.assign import CLOCK, NO_ROLLOUT, Assigner
from glideslope.sdk.client import Client
from glideslope.sdk.errors import AnswerUnreadable, ServerRefused, ServerUnreachable

LONG_POLL: Final = 20.0
"""Seconds for which the server may hold a poll back while there is no lease to renew."""
FIRST_PAUSE: Final = 0.25
LONGEST_PAUSE: Final = 5.0
RENEWALS: Final = 4
"""Polls per lease."""
SHORTEST_PAUSE: Final = 0.02
"""Seconds between polls, whatever the server does."""

_EXPOSED: Final = Metric(name=EXPOSURE, kind=Kind.SCORE, origin=Origin.GATEWAY, edges=(1.0,))
"""One bin, and a subject's first value only: whoever serves a subject says `exposure=1`."""
_NO_SLICES: Final = (NO_SLICE,) * MAX_DIMENSIONS


@dataclass(frozen=True, slots=True)
class Briefed:
    """What a service knows of one model; empty before the first briefing."""

    rollouts: Mapping[RolloutId, int] = field(default_factory=dict)
    metrics: Mapping[MetricName, Metric] = field(default_factory=dict)
    """Those counted here."""
    tolerances: Mapping[MetricName, float] = field(default_factory=dict)
    """The candidate's values are divided by 1 + this before they are binned."""
    thresholds: Mapping[MetricName, float] = field(default_factory=dict)
    """Beyond this a value, so divided, is late, however late it becomes."""
    key: ReceiptKey | None = None
    tag: str = ""
    contract: str = ""
    """The data contract in force, by its `short`."""
    in_process: bool = False
    """Services assign, and so are the gateway."""
    logged: tuple[str, ...] | None = None
    """The attributes that may be logged; None where the server keeps no log of predictions."""
    slices: Mapping[str, Mapping[str, tuple[int, int, SliceName]]] = field(default_factory=dict)
    """Field and value to the dimension's place, the value's index and the slice's name."""
    formulas: Mapping[MetricName, Compiled] = field(default_factory=dict)
    """Expressions that give the values of metrics counted here."""
    crosses: tuple[Cross, ...] = ()
    """Fields that are looked at together."""
    numbered: bool = False
    """Receipts may number the values that the plan does not list."""
    usage: bool = False
    """The server hears what a process uses."""
    shadow: RolloutId = NO_ROLLOUT
    """The rollout in whose shadow stage requests are mirrored now; empty outside one."""

    def slice_indices(self, fields: Mapping[str, str] | None) -> tuple[int, ...]:
        """Return per dimension the value's index; for a value that is not listed a number beyond, where the server knows those.

        NO_SLICE where the field is absent.
        """
        if not fields or not self.slices:
            return _NO_SLICES
        found = list(_NO_SLICES)
        for name, value in fields.items():
            if (values := self.slices.get(name)) is not None:
                if (known := values.get(value)) is not None:
                    found[known[0]] = known[1]
                elif self.numbered and values:
                    place = next(iter(values.values()))[0]
                    found[place] = unlisted_place(value, listed=len(values))
        return tuple(found)

    def unlisted(self, fields: Mapping[str, str]) -> list[tuple[str, str, str]]:
        """Return field, number and value of what the plan slices by and does not list."""
        return [
            (name, str(place - len(values)), value)
            for name, value in fields.items()
            if (values := self.slices.get(name))
            and value not in values
            and (place := unlisted_place(value, listed=len(values))) != NO_SLICE
        ]

    def slice_names(self, fields: Mapping[str, str]) -> list[SliceName]:
        """Return the slices that a request with these fields is in."""
        found = {
            name: known[2]
            for name, value in fields.items()
            if (values := self.slices.get(name)) is not None and (known := values.get(value)) is not None
        }
        if not self.crosses:
            return [*found.values()]
        return [*found.values(), *(crossed(found[a], found[b]) for a, b in self.crosses if a in found and b in found)]


NOT_BRIEFED: Final = Briefed()


def briefed(briefing: Briefing) -> Briefed:
    """Make a briefing ready. Dimensions beyond what a receipt can carry are left out, as are their values beyond 255.

    Where services assign, this process is the gateway: it counts the gateway's metrics, exposure included.
    """
    mine = {Origin.SERVICE, Origin.GATEWAY} if briefing.in_process else {Origin.SERVICE}
    metrics = {metric.name: metric for metric in briefing.metrics if metric.origin in mine}
    fields = {dimension.field for dimension in briefing.dimensions[:MAX_DIMENSIONS]}
    if briefing.in_process:
        metrics[EXPOSURE] = _EXPOSED
    return Briefed(
        rollouts=dict(briefing.rollouts),
        metrics=metrics,
        tolerances=dict(briefing.tolerances),
        thresholds=dict(briefing.thresholds or {}),
        key=ReceiptKey(id=briefing.key_id, secret=briefing.key) if briefing.key else None,
        tag=briefing.tag,
        contract=briefing.contract,
        in_process=briefing.in_process,
        crosses=tuple(cross for cross in briefing.crosses if set(cross) <= fields),
        numbered=briefing.numbered,
        usage=briefing.usage,
        shadow=briefing.shadow,
        logged=None if briefing.logged is msgspec.UNSET else briefing.logged,
        slices={
            dimension.field: {
                value: (place, index, name)
                for index, (value, name) in enumerate(zip(dimension.values, dimension.slices(), strict=True))
                if index < NO_SLICE
            }
            for place, dimension in enumerate(briefing.dimensions[:MAX_DIMENSIONS])
        },
        formulas={
            name: compile_expression(metric.formula)
            for name, metric in metrics.items()
            if isinstance(metric.formula, Expression)
        },
    )


class Polling:
    """Asks for the briefing of one model, again and again; `poll` is what a Background calls.

    A lease counts from the moment the question was asked. Failures are waited out, longer each time, while the lease
    runs on to its end by itself; an answer that makes no sense ends the exposure at once.
    """

    def __init__(
        self,
        client: Client,
        model: ModelName,
        *,
        assigner: Assigner,
        follow: Callable[[Briefed], None],
        source: Callable[[], str],
        clock: Callable[[], float] = CLOCK,
    ) -> None:
        self._client = client
        self._model = model
        self._assigner = assigner
        self._follow = follow
        self._source = source
        self._clock = clock
        self._pause = FIRST_PAUSE
        self._wait = 0.0
        self.tag = ""
        self.failures = 0
        """In a row; 0 after an answer."""

    def poll(self) -> float:
        """Ask once and return the seconds to wait before asking again. Never raises."""
        asked, waited, seen = self._clock(), self._wait, self.tag
        call = requests.briefing(self._model, seen=seen, wait=waited, source=self._source())
        try:
            self._obey(self._client.send(call), asked=asked)
        except AnswerUnreadable:
            self._assigner.withdraw()
            return self._failed()
        except ServerUnreachable:
            return self._failed()
        except ServerRefused as refusal:
            # A server that stumbles has not answered; any other refusal says that there is no briefing for us.
            if refusal.status < 500:
                self._assigner.withdraw()
            return self._failed()
        except Exception:  # noqa: BLE001 - the boundary to what a server may say: whatever it was, nobody is exposed
            self._assigner.withdraw()
            return self._failed()
        self.failures = 0
        self._pause = FIRST_PAUSE
        # A server that does not hold polls back must not be asked without a pause.
        early = waited - (self._clock() - asked) if self.tag == seen else 0.0
        return max(early, SHORTEST_PAUSE)

    def _obey(self, briefing: Briefing, *, asked: float) -> None:
        if briefing.model != self._model:
            raise ValueError(briefing.model)
        new = briefing.tag != self.tag
        if new:
            self._follow(briefed(briefing))
        self._assigner.obey(briefing.grant, asked=asked, incumbent=briefing.incumbent, candidate=briefing.candidate)
        # The poll that brought a new grant may have been held for long, and a lease counts from its question: ask again.
        if briefing.grant is not None and new:
            self._wait = 0.0
        else:
            self._wait = self._assigner.remaining / RENEWALS or LONG_POLL
        self.tag = briefing.tag

    def _failed(self) -> float:
        self.failures += 1
        self._wait = 0.0
        pause, self._pause = self._pause, min(self._pause * 2, LONGEST_PAUSE)
        return pause
