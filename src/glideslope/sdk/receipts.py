"""Minting prediction ids in the service: signed receipts, made from the stamps and the briefing, without any call."""

from collections.abc import Mapping

from glideslope.domain.ids import ModelName
from glideslope.domain.receipt import SCORE_LEVELS, Receipt, mint, model_hash, request_hash, subject_hash
from glideslope.sdk.briefed import Briefed
from glideslope.sdk.stamps import Stamps, step_number


def mint_prediction(
    stamps: Stamps,
    *,
    model: ModelName,
    score: float,
    at: int,
    briefed: Briefed,
    slices: Mapping[str, str] | None = None,
) -> str | None:
    """Return the prediction's id, or None when no true one can be made.

    `score` is a probability, `at` seconds since 1970, `slices` the request's fields by which the data is sliced. None:
    there is no key yet, the score is no probability, no receipt can carry the time, the request is a mirrored copy, or its
    rollout is not known here.
    A receipt that called such a request unmeasured would be false.
    """
    if briefed.key is None or stamps.shadow or not 0.0 <= score <= 1.0:
        return None
    rollout = step = 0
    if stamps.measured:
        known, number = briefed.rollouts.get(stamps.rollout), step_number(stamps.step)
        if known is None or number is None:
            return None
        rollout, step = known, number
    receipt = Receipt(
        model=model_hash(model),
        rollout=rollout,
        step=step,
        arm=stamps.arm,
        at=at,
        slices=briefed.slice_indices(slices),
        score=level(score),
        request=request_hash(stamps.request) if stamps.request else 0,
        subject=subject_hash(stamps.subject),
    )
    try:
        return mint(receipt, key=briefed.key)
    except OverflowError:
        return None  # a clock before 2020, say: no field holds that, and a host's request must not suffer for it


def level(score: float) -> int:
    """Return a probability as receipts and shadow answers carry it: 0 to SCORE_LEVELS."""
    return round(score * SCORE_LEVELS)
