"""Every call of the HTTP API as a value, so that two thin senders can share them. Nothing here touches a network."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Generic, TypeVar
from urllib.parse import quote, urlencode

import msgspec

from glideslope.domain.contract import Contract
from glideslope.domain.ids import ModelName
from glideslope.domain.logged import Predictions, PredictionsTaken
from glideslope.domain.observation import (
    Briefing,
    FeaturesTaken,
    FeatureTotals,
    Outcomes,
    OutcomesTaken,
    ShadowAnswers,
    Totals,
    TotalsTaken,
)
from glideslope.domain.pairs import Halves

T = TypeVar("T")

JSON: Final = "application/json"


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """One call: what to send and how to read the answer."""

    method: str
    path: str
    """With the query, from the server's root."""
    body: bytes | None
    content_type: str
    decode: Callable[[bytes], T]
    """Raises msgspec.MsgspecError for a body that is not what was promised."""
    wait: float = 0.0
    """Seconds for which the server may hold the answer back; added to the sender's timeout."""
    repeatable: bool = True
    """Whether sending it twice is harmless: then a connection found dead may be replaced."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Beside those that every call has: an Idempotency-Key, for instance."""


@dataclass(frozen=True, slots=True)
class Stream(Generic[T]):
    """Server-sent events: how to ask for them, and when no more are to be expected. `Client.follow` yields what they say."""

    call: Call[T]
    """Its `decode` reads the data of one event."""
    ends: Callable[[T], bool]
    """Tell whether this was the last."""


@dataclass(frozen=True, slots=True)
class Answer(Generic[T]):
    """An answer with what came beside it."""

    value: T
    tag: str
    """Stands for it; empty where the server gave none."""
    next: Call[T] | None
    """Asks for the next page of a list; None on the last."""


def briefing(model: ModelName, *, seen: str = "", wait: float = 0.0, source: str = "") -> Call[Briefing]:
    """Ask for a model's briefing; the server holds the answer for up to `wait` seconds while its tag is still `seen`.

    `seen` acknowledges that `source` obeys the briefing with that tag.
    """
    query = {name: text for name, text in (("seen", seen), ("source", source)) if text}
    if wait > 0:
        query["wait"] = f"{wait:g}"
    path = f"/v1/models/{quote(model, safe='')}/briefing"
    return Call(
        method="GET",
        path=f"{path}?{urlencode(query)}" if query else path,
        body=None,
        content_type="",
        decode=_BRIEFING.decode,
        wait=wait,
    )


def totals(message: Totals) -> Call[TotalsTaken | None]:
    """Send a source's counts; grow-only, so repeats change nothing. The answer says which of them were refused."""
    return _post("/v1/observations", message, decode=_totals_taken)


def predictions(message: Predictions) -> Call[PredictionsTaken]:
    """Send predictions to the server's log; each has a number, so repeats are kept once."""
    return _post("/v1/predictions", message, decode=_PREDICTIONS_TAKEN.decode)


def features(message: FeatureTotals) -> Call[FeaturesTaken]:
    """Send a source's counts of feature values; grow-only, as those of metrics."""
    return _post("/v1/features", message, decode=_FEATURES_TAKEN.decode)


def contract(model: ModelName) -> Call[Contract]:
    """Ask for the data contract of a model."""
    return Call(
        method="GET",
        path=f"/v1/models/{quote(model, safe='')}/contract",
        body=None,
        content_type="",
        decode=_CONTRACT.decode,
    )


def shadow_answers(message: ShadowAnswers) -> Call[None]:
    """Send what the shadowed candidate would have answered."""
    return _post("/v1/shadow", message, decode=_nothing)


def halves(message: Halves) -> Call[None]:
    """Send what one arm answered, to be compared with the other's answers to the same requests."""
    return _post("/v1/pairs", message, decode=_nothing)


def outcomes(message: Outcomes) -> Call[OutcomesTaken]:
    """Send the truth about predictions; repeats are told apart by the server."""
    return _post("/v1/outcomes", message, decode=_TAKEN.decode)


def json_call(method: str, path: str, *, content: object = None, repeatable: bool | None = None) -> Call[Any]:
    """Return any other call; `content` is sent as JSON unless it is None, and an empty answer is None.

    A call that changes something counts as repeatable only when the caller says so (an idempotency key, for instance).
    """
    return Call(
        method=method,
        path=path,
        body=None if content is None else msgspec.json.encode(content),
        content_type="" if content is None else JSON,
        decode=_anything,
        repeatable=method in {"GET", "HEAD", "PUT", "DELETE"} if repeatable is None else repeatable,
    )


_BRIEFING: Final = msgspec.json.Decoder(Briefing)
_PREDICTIONS_TAKEN: Final = msgspec.json.Decoder(PredictionsTaken)
_TAKEN: Final = msgspec.json.Decoder(OutcomesTaken)
_CONTRACT: Final = msgspec.json.Decoder(Contract)
_FEATURES_TAKEN: Final = msgspec.json.Decoder(FeaturesTaken)
_TOTALS_TAKEN: Final = msgspec.json.Decoder(TotalsTaken)


def _post(path: str, message: msgspec.Struct, *, decode: Callable[[bytes], T]) -> Call[T]:
    return Call(method="POST", path=path, body=msgspec.json.encode(message), content_type=JSON, decode=decode)


def _totals_taken(body: bytes) -> TotalsTaken | None:
    # An older server answers with nothing.
    return _TOTALS_TAKEN.decode(body) if body else None


def _nothing(_: bytes) -> None:
    return None


def _anything(body: bytes) -> Any:  # noqa: ANN401 - whatever the server answers; the caller knows what it asked
    return msgspec.json.decode(body) if body else None
