"""A small typed language for metrics of a plan's own: text in, one number or truth out, or a named reason why not.

It has no loops, no access to anything but its inputs, and bounds on size and depth, so that evaluating one costs microseconds whatever
was written. It is total: what has no value is an `Undefined`, never an exception and never a number. And it gives the same bits on every
machine: its numbers are IEEE doubles, and its logarithm is ours.
"""

from glideslope.domain.expression.answers import Type, Undefined, Value, Why
from glideslope.domain.expression.compiling import Compiled, as_type, compiled
from glideslope.domain.expression.mistakes import ExpressionInvalid
from glideslope.domain.expression.parsing import parsed
from glideslope.domain.expression.tree import DEEPEST, FUNCTIONS, KEYWORDS, LONGEST, MOST_PARTS

__all__ = [
    "DEEPEST",
    "FUNCTIONS",
    "KEYWORDS",
    "LONGEST",
    "MOST_PARTS",
    "Compiled",
    "ExpressionInvalid",
    "Type",
    "Undefined",
    "Value",
    "Why",
    "as_type",
    "compiled",
    "parsed",
]
