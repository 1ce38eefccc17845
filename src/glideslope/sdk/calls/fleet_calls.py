"""Everything at a glance, models, and the server itself."""

from glideslope.engine.baselines import UsualView
from glideslope.engine.courses import ServedView
from glideslope.engine.inbox_views import InboxView
from glideslope.engine.live import LiveView
from glideslope.engine.views import (
    CallerView,
    CheckView,
    FeaturesView,
    FleetView,
    Health,
    LedgerKey,
    ModelView,
    Ready,
    SignalsView,
)
from glideslope.sdk.calls.making import ask, at
from glideslope.sdk.requests import Call


def health() -> Call[Health]:
    """Ask whether the server answers; needs no token."""
    return ask(Health, at("healthz"))


def ready() -> Call[Ready]:
    """Ask whether the server governs; needs no token."""
    return ask(Ready, at("readyz"))


def me() -> Call[CallerView]:
    """Ask as whom and in which role one is heard."""
    return ask(CallerView, at("me"))


def fleet(*, ended: int | None = None) -> Call[FleetView]:
    """Ask for all at a glance, with the newest `ended` of the rollouts that have ended."""
    return ask(FleetView, at("fleet"), {"ended": ended})


def inbox(*, who: str = "", everybody: bool = False) -> Call[InboxView]:
    """Ask what waits for oneself, for somebody, or for everybody."""
    return ask(InboxView, at("inbox"), {"who": who, "everybody": everybody or None})


def metrics() -> Call[str]:
    """Ask for the figures that machines watch, as Prometheus reads them."""
    return ask(str, "/metrics")


def doctor() -> Call[tuple[CheckView, ...]]:
    """Ask what is wrong."""
    return ask(tuple[CheckView, ...], at("doctor"))


def ledger_key() -> Call[LedgerKey]:
    """Ask for the key that an auditor writes down."""
    return ask(LedgerKey, at("ledger", "key"))


def model(model: str, *, as_of: int | None = None) -> Call[ModelView]:
    """Ask for a model and its versions."""
    return ask(ModelView, at("models", model), {"as_of": as_of})


def served(model: str, *, limit: int | None = None) -> Call[tuple[ServedView, ...]]:
    """Ask what served a model and by which decision, newest first."""
    return ask(tuple[ServedView, ...], at("models", model, "served"), {"limit": limit})


def usual(model: str) -> Call[tuple[UsualView, ...]]:
    """Ask for the last day against the same hours of earlier weeks."""
    return ask(tuple[UsualView, ...], at("models", model, "usual"))


def live(model: str) -> Call[LiveView]:
    """Ask for the last ten minutes of both arms."""
    return ask(LiveView, at("models", model, "live"))


def live_features(model: str) -> Call[FeaturesView]:
    """Ask how a model's live input stands against its data contract."""
    return ask(FeaturesView, at("models", model, "features"))


def signals(model: str) -> Call[SignalsView]:
    """Ask what was not as usual outside the criteria."""
    return ask(SignalsView, at("models", model, "signals"))
