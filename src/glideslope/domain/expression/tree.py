"""The parts of an expression, each with its place in the text, and the bounds within which every one of them stays."""

from dataclasses import dataclass
from typing import Final

from glideslope.domain.expression.answers import Value

LONGEST: Final = 500
"""Characters of an expression."""
MOST_PARTS: Final = 128
"""Names, numbers, texts, operators and calls in one expression: what evaluating it costs."""
DEEPEST: Final = 16
"""Parentheses, calls, `not`, signs and `else` within each other."""
MOST_ARGUMENTS: Final = 8
LONGEST_TEXT: Final = 64
"""Characters between quotes."""

FUNCTIONS: Final = {
    "abs": (1, 1),
    "log": (1, 1),
    "round": (1, 1),
    "min": (2, MOST_ARGUMENTS),
    "max": (2, MOST_ARGUMENTS),
}
"""Each function with the least and the most arguments that it takes."""

KEYWORDS: Final = frozenset({"and", "or", "not", "if", "else", "true", "false"})

ARITHMETIC: Final = frozenset({"+", "-", "*", "/"})
ORDER: Final = frozenset({"<", "<=", ">", ">="})
EQUALITY: Final = frozenset({"==", "!="})


@dataclass(frozen=True, slots=True)
class Literal:
    """A number, `true`, `false`, or text between quotes."""

    value: Value
    at: int
    width: int


@dataclass(frozen=True, slots=True)
class Name:
    """An input."""

    name: str
    at: int

    @property
    def width(self) -> int:
        """Return how many characters it takes."""
        return len(self.name)


@dataclass(frozen=True, slots=True)
class Sign:
    """`- operand`."""

    operand: "Node"
    at: int
    width: int = 1


@dataclass(frozen=True, slots=True)
class Not:
    """`not operand`."""

    operand: "Node"
    at: int
    width: int = 3


@dataclass(frozen=True, slots=True)
class Binary:
    """`left operator right`: arithmetic, a comparison, `and`, `or`. Its place is the operator's."""

    operator: str
    left: "Node"
    right: "Node"
    at: int

    @property
    def width(self) -> int:
        """Return how many characters the operator takes."""
        return len(self.operator)


@dataclass(frozen=True, slots=True)
class Choice:
    """`then if condition else otherwise`. Its place is the `if`'s."""

    then: "Node"
    condition: "Node"
    otherwise: "Node"
    at: int
    width: int = 2


@dataclass(frozen=True, slots=True)
class Call:
    """`function(arguments)`. Its place is the function's name."""

    function: str
    arguments: tuple["Node", ...]
    at: int

    @property
    def width(self) -> int:
        """Return how many characters the function's name takes."""
        return len(self.function)


Node = Literal | Name | Sign | Not | Binary | Choice | Call
