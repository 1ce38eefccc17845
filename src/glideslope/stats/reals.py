"""Logarithm and exponential that give the same bits on every machine.

The C library's `log` and `exp` may differ in the last bit between platforms, which is enough to make two honest
recomputations of one rollout disagree. Here tables come from `decimal`, whose `ln` and `exp` are correctly rounded by
specification (General Decimal Arithmetic 1.70), and the rest is addition, multiplication and division of IEEE doubles.
"""

from decimal import ROUND_HALF_EVEN, Context, Decimal
from fractions import Fraction
from math import frexp, isfinite, ldexp

SHORT = Context(prec=28, rounding=ROUND_HALF_EVEN)
"""Enough digits to round a logarithm correctly to a double."""

LONG = Context(prec=70, rounding=ROUND_HALF_EVEN)
"""For verdicts close to the line: at least 50 digits survive the sums."""

FINAL = Context(prec=50, rounding=ROUND_HALF_EVEN)
"""What a close verdict is read with, so that wealth of exactly 1/alpha is not lost to the last digits."""

_CELLS = 64
_EXP_32 = tuple(float(SHORT.exp(Decimal(-32 * k))) for k in range(24))
_EXP_1 = tuple(float(SHORT.exp(Decimal(-k))) for k in range(32))
_EXP_CELL = tuple(float(SHORT.exp(SHORT.divide(Decimal(-k), Decimal(_CELLS)))) for k in range(_CELLS))

_KNOTS = 128
_LN_KNOT = tuple(float(SHORT.ln(SHORT.divide(Decimal(max(j, 1)), Decimal(_KNOTS)))) for j in range(2 * _KNOTS))
_LN_2 = float(SHORT.ln(Decimal(2)))
_HALF_ROOT = 0.7071067811865476
_UNDERFLOW = -745.0


def written(number: float) -> Fraction:
    """Return the fraction a person wrote: 1.2 is 6/5, not the double nearest to it.

    Raises `ValueError` on NaN and infinity.
    """
    if not isfinite(number):
        raise ValueError(f"expected a finite number, got {number!r}")
    return Fraction(number) if isinstance(number, int) else Fraction(Decimal(repr(float(number))))


def decimal_ln(number: Fraction, *, context: Context = SHORT) -> Decimal:
    """Return the natural logarithm of a positive fraction, rounded to the context's digits."""
    return context.ln(context.divide(Decimal(number.numerator), Decimal(number.denominator)))


def exp(x: float) -> float:
    """Return e to the power *x* for x <= 0, within 4 units in the last place; 0.0 below -745."""
    if not x <= 0.0:
        raise ValueError(f"expected a number at or below 0, got {x!r}")
    if x < _UNDERFLOW:
        return 0.0
    whole = int(-x)
    rest = -x - whole
    cell = int(rest * _CELLS)
    r = rest - cell / _CELLS
    # Taylor to degree 6: the next term is below 5e-17 since r < 1/64.
    tail = 1.0 - r * (1.0 - r * (0.5 - r * (1 / 6 - r * (1 / 24 - r * (1 / 120 - r / 720)))))
    return _EXP_32[whole >> 5] * _EXP_1[whole & 31] * _EXP_CELL[cell] * tail


def ln(x: float) -> float:
    """Return the natural logarithm of a positive finite number, within 2 units in the last place of max(1, result)."""
    if not (x > 0.0 and isfinite(x)):
        raise ValueError(f"expected a positive finite number, got {x!r}")
    mantissa, exponent = frexp(x)
    if mantissa < _HALF_ROOT:
        mantissa, exponent = ldexp(mantissa, 1), exponent - 1
    knot = int(mantissa * _KNOTS + 0.5)
    centre = knot / _KNOTS
    s = (mantissa - centre) / (mantissa + centre)
    square = s * s
    # The series of atanh: |s| < 0.003, so the next term is below 1e-19.
    near = 2.0 * s * (1.0 + square * (1 / 3 + square * (1 / 5 + square / 7)))
    return exponent * _LN_2 + (_LN_KNOT[knot] + near)


def log_sum_exp(terms: list[float]) -> float:
    """Return ln(sum(exp(term))) of at least one finite term, in the order given."""
    top = max(terms)
    total = 0.0
    for term in terms:
        gap = term - top
        # Below e^-45 a term cannot move a sum that is at least 1.
        if gap > -45.0:
            total += exp(gap)
    return top + ln(total)
