"""Answers on their way to be compared with the other arm's: made in the request path, sent by a thread."""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import msgspec

from glideslope.domain.pairs import Half
from glideslope.domain.receipt import request_hash, subject_hash
from glideslope.sdk.briefed import Briefed
from glideslope.sdk.contract import Tags, let_out, shortened
from glideslope.sdk.receipts import level
from glideslope.sdk.stamps import Stamps


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a service says of one answer, as `Service.predicted` takes it."""

    score: float | None = None
    name: str = ""
    seconds: float | None = None
    features: Mapping[str, Any] | None = None
    attributes: Mapping[str, object] | None = None


def half_of(
    stamps: Stamps, answer: Answer, *, briefed: Briefed, slices: Mapping[str, str] | None, tags: Tags
) -> Half | None:
    """Return one arm's half of a pair; None for a request without an id, a score that is none, or nothing to compare.

    The shadow's half says nothing about the request itself: the incumbent's does.
    """
    score = answer.score
    if not stamps.request or (score is not None and not 0.0 <= score <= 1.0) or (score is None and not answer.name):
        return None
    return Half(
        request=request_hash(stamps.request),
        score=-1 if score is None else level(score),
        answer=shortened(answer.name),
        microseconds=-1 if answer.seconds is None else max(0, round(answer.seconds * 1_000_000)),
        features=0 if answer.features is None else features_digest(answer.features),
        subject=subject_hash(stamps.subject),
        slices=briefed.slice_indices(slices),
        id="" if stamps.shadow else shortened(stamps.request),
        attributes={} if stamps.shadow else let_out({**(answer.features or {}), **(answer.attributes or {})}, tags),
    )


def features_digest(features: Mapping[str, Any]) -> int:
    """Return 53 bits that are the same for the same features, whatever their order; 0 for values that cannot be written.

    Numbers are compared as they are written: 1 and 1.0 differ, as they may to a model.
    """
    try:
        data = msgspec.json.encode(features, order="deterministic")
    except (TypeError, ValueError, OverflowError):
        return 0
    return int.from_bytes(blake2b(data, digest_size=8).digest()) >> 11 or 1
