"""Durations, shares and margins as people write them, and back. Exact: nothing is rounded, what does not fit is refused."""

import re
from decimal import Decimal
from typing import Final

from glideslope.domain.plan import Margin, MarginKind, Milliseconds

_NUMBER = r"(?:0|[1-9][0-9]{0,11})(?:\.[0-9]{1,20})?"
DURATION: Final = rf"^{_NUMBER}(ms|s|m|h|d)$"
PERCENT: Final = rf"^{_NUMBER}%$"
POINTS: Final = rf"^{_NUMBER}pp$"
QUANTILE: Final = r"^p[1-9][0-9](?:\.[0-9]{1,2})?$"

TIMES: Final = rf"^x{_NUMBER}$"
MORE: Final = rf"^\+?{_NUMBER}(%|pp)$"

_UNITS: Final = {"d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1_000, "ms": 1}
_LONGEST: Final = 366 * _UNITS["d"]


def duration(written: object, *, longest: Milliseconds = _LONGEST) -> Milliseconds:
    """Read `500ms`, `30s`, `10m`, `2h`, `7d`. Raises ValueError with a sentence."""
    if not isinstance(written, str) or not (match := re.fullmatch(DURATION, written)):
        raise ValueError(f"{written!r} is not a duration: write a number and a unit, like 500ms, 30s, 10m, 2h or 7d")
    milliseconds = Decimal(written.removesuffix(match[1])) * _UNITS[match[1]]
    if milliseconds != int(milliseconds) or milliseconds > longest:
        raise ValueError(f"{written} is not a whole number of milliseconds up to {longest // _UNITS['d']:,} days")
    return int(milliseconds)


def write_duration(milliseconds: Milliseconds) -> str:
    """Write milliseconds in the largest unit that holds them exactly."""
    if milliseconds == 0:
        return "0s"
    unit = next(unit for unit, size in _UNITS.items() if milliseconds % size == 0)
    return f"{milliseconds // _UNITS[unit]}{unit}"


def share(written: object) -> int:
    """Read a share of the traffic, `5%` or `0.25%`, as basis points. Raises ValueError with a sentence."""
    if not isinstance(written, str) or not re.fullmatch(PERCENT, written):
        raise ValueError(f"{written!r} is not a share of the traffic: write a percentage, like 5%")
    points = Decimal(written.removesuffix("%")) * 100
    if points != int(points) or points > 10_000:
        raise ValueError(f"{written} is not between 0% and 100% in steps of 0.01%")
    return int(points)


def write_share(points: int) -> str:
    """Write basis points as a percentage."""
    return f"{_plain(Decimal(points) / 100)}%"


def fraction(written: object) -> float:
    """Read a number between 0 and 1, also as a percentage: `0.02` or `2%`. Raises ValueError with a sentence."""
    match written:
        case bool():
            value = -1.0
        case int() | float():
            value = float(written)
        case str() if re.fullmatch(PERCENT, written):
            value = float(Decimal(written.removesuffix("%")) / 100)
        case _:
            value = -1.0
    if not 0 <= value <= 1:
        raise ValueError(f"{written!r} is not a number between 0 and 1, like 0.02 or 2%")
    return value


def quantile(written: object) -> float:
    """Read `p50`, `p95`, `p99.9` as a number between 0 and 1. Raises ValueError with a sentence."""
    if not isinstance(written, str) or not re.fullmatch(QUANTILE, written):
        raise ValueError(f"{written!r} is not a quantile: write p50, p95, p99 or p99.9 (from p10 to p99.99)")
    return float(Decimal(written[1:]) / 100)


def write_quantile(value: float) -> str:
    """Write a quantile as `p99`."""
    return f"p{_plain(Decimal(repr(value)) * 100)}"


def margin(written: object) -> Margin:
    """Read `25%` (relative), `0.02` (absolute, in the metric's unit) or `0.5pp` (absolute, in percentage points).

    Raises ValueError with a sentence.
    """
    match written:
        case int() | float() if not isinstance(written, bool):
            found = Margin(MarginKind.ABSOLUTE, float(written))
        case str() if re.fullmatch(PERCENT, written):
            found = Margin(MarginKind.RELATIVE, float(Decimal(written.removesuffix("%")) / 100))
        case str() if re.fullmatch(POINTS, written):
            found = Margin(MarginKind.ABSOLUTE, float(Decimal(written.removesuffix("pp")) / 100))
        case _:
            raise ValueError(
                f"{written!r} is not a margin: write 25% (relative), 0.02 (absolute) or 0.5pp (percentage points)"
            )
    if not 0 < found.size < 1e6:
        raise ValueError("a margin is above zero: no finite traffic can prove that nothing at all got worse")
    return found


def harm(written: object) -> Margin:
    """Read how bad is bad: `x2` (twice as much), `+20%`, `+0.1` (absolute) or `+0.5pp`. Raises ValueError with a sentence."""
    if isinstance(written, str) and re.fullmatch(TIMES, written):
        times = Decimal(written.removeprefix("x"))
        if times <= 1:
            raise ValueError(f"a harm is more than there was; {written} is not more than x1")
        return Margin(MarginKind.RELATIVE, float(times - 1))
    try:
        return margin(written.removeprefix("+") if isinstance(written, str) else written)
    except ValueError:
        raise ValueError(
            f"{written!r} is not a harm: write x2 (times as much), +20% (more), +0.1 (absolute) or +0.5pp (percentage points)"
        ) from None


def write_harm(value: Margin) -> str | float:
    """Write a harm so that it reads back the same."""
    return value.size if value.kind is MarginKind.ABSOLUTE else f"x{_plain(1 + Decimal(repr(value.size)))}"


def write_margin(value: Margin) -> str | float:
    """Write a margin so that it reads back the same: relative as a percentage, absolute as a number."""
    if value.kind is MarginKind.ABSOLUTE:
        return value.size
    return f"{_plain(Decimal(repr(value.size)) * 100)}%"


def _plain(number: Decimal) -> str:
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
