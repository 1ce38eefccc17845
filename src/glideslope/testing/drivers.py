"""A data plane in memory: the same promises as a real one, on a clock that the test moves."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from glideslope.domain.errors import NotFound, TokenStale
from glideslope.domain.ids import ModelName
from glideslope.domain.traffic import (
    Arm,
    Assignment,
    Exposure,
    ObservedRoute,
    Route,
    Token,
    assign,
    newest,
)
from glideslope.engine.ports import Feature

Hook = Callable[[str], None]
"""Called with the verb (`shape`, `lease`, `observe`); raises DriverUnavailable to cut the line."""


class Monotonic(Protocol):
    """The part of a Clock by which leases end."""

    def monotonic(self) -> float:
        """Return seconds that never run backwards."""
        ...


@dataclass(frozen=True, slots=True)
class _Lease:
    exposure: Exposure
    token: Token
    until: float


def no_fault(_verb: str) -> None:
    """Let it pass."""


class MemoryDriver:
    """Keeps the port Driver. `fault` may cut the line to the data plane, which then goes on as any other would."""

    name = "memory"

    def __init__(
        self, clock: Monotonic, *, fault: Hook = no_fault, features: frozenset[Feature] = frozenset(Feature)
    ) -> None:
        self.fault = fault
        self.features = features
        self._clock = clock
        self._routes: dict[ModelName, Route] = {}
        self._shaped: Token | None = None
        self._tokens: dict[ModelName, Token] = {}
        self._leases: dict[ModelName, _Lease] = {}
        self._withdrawn: dict[ModelName, Token] = {}

    async def shape(self, routes: Sequence[Route], *, token: Token | None = None) -> None:
        self.fault("shape")
        self._shaped = newest(self._shaped, token, what="all models")
        shaped = {route.model: route for route in routes}
        for model, before in self._routes.items():
            after = shaped.get(model)
            if after is None or _compared(after) != _compared(before):
                self._leases.pop(model, None)
        self._routes = shaped

    async def lease(self, model: ModelName, exposure: Exposure | None, *, token: Token, ttl: timedelta) -> None:
        self.fault("lease")
        route = self._route(model)
        seen = self._tokens.get(model)
        if seen is not None and token < seen:
            raise TokenStale(model=model, seen=str(seen), offered=str(token))
        self._tokens[model] = token
        if exposure is None:
            self._leases.pop(model, None)
            self._withdrawn[model] = token
            return
        if route.candidate is None:
            raise NotFound(what="candidate behind the gateway for", name=model)
        if exposure.rollout != route.salt:
            return  # What is left of an earlier rollout, which leased a layer of its own: it touches no other candidate.
        if self._withdrawn.get(model) == token:
            return  # A renewal that the withdrawal overtook.
        known = self._leases.get(model)
        if known and (known.exposure, known.token) == (exposure, token) and self.exposure(model) is None:
            return  # A renewal prolongs; it cannot bring back what has lapsed.
        self._leases[model] = _Lease(exposure, token, self._clock.monotonic() + ttl.total_seconds())

    async def observe(self, model: ModelName) -> ObservedRoute:
        self.fault("observe")
        route = self._route(model)
        return ObservedRoute(
            model=model,
            exposure=self.exposure(model),
            incumbent=route.incumbent.version,
            candidate=route.candidate.version if route.candidate else None,
        )

    def exposure(self, model: ModelName) -> Exposure | None:
        """Return what is in force now, whether or not the line is cut."""
        lease = self._leases.get(model)
        return lease.exposure if lease and lease.until > self._clock.monotonic() else None

    def token(self, model: ModelName) -> Token:
        """Return the newest token that a model's exposure came with. Raises KeyError before the first."""
        return self._tokens[model]

    def restart(self) -> None:
        """Forget every lease, as a data plane does that starts again: routes and tokens are in its files."""
        self._leases.clear()

    def serve(self, model: ModelName, subject: str) -> Assignment:
        """Assign one request as the data plane does, whether or not the line is cut."""
        exposure = self.exposure(model)
        if exposure is None:
            return Assignment(Arm.INCUMBENT, measured=False)
        return assign(subject, salt=self._routes[model].salt, weights=exposure.split.weights())

    def _route(self, model: ModelName) -> Route:
        route = self._routes.get(model)
        if route is None:
            raise NotFound(what="model behind the gateway", name=model)
        return route


def _compared(route: Route) -> tuple[object, ...]:
    """What a comparison rests on; a change of it ends the exposure, a moved endpoint does not."""
    return (
        route.salt,
        route.incumbent.version,
        route.incumbent.digest,
        route.candidate and (route.candidate.version, route.candidate.digest),
    )
