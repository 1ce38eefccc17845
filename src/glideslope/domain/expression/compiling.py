"""From tree to function: one walk finds every part's type and what computes it.

Numbers are IEEE doubles and every operation on them is correctly rounded, but for `log`, which is ours (`stats.reals`); so the same inputs
give the same bits on every machine. A truth counts as 1 or 0 where a number is needed; nothing else is converted.
"""

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Final, assert_never

from glideslope.domain.expression.answers import Type, Undefined, Value, Why
from glideslope.domain.expression.mistakes import ExpressionInvalid
from glideslope.domain.expression.tree import (
    ARITHMETIC,
    ORDER,
    Binary,
    Call,
    Choice,
    Literal,
    Name,
    Node,
    Not,
    Sign,
)
from glideslope.stats.reals import ln

_Inputs = Mapping[str, Any]
_Run = Callable[[_Inputs], Any]
"""Any, since what a part yields is of the type that was found for it, and only that."""

_LARGEST: Final = sys.float_info.max


class _Stop(Exception):
    """Carries the reason out of nested calls; nobody outside sees it."""

    def __init__(self, why: Why) -> None:
        super().__init__(why)
        self.why = why


@dataclass(frozen=True, slots=True)
class Compiled:
    """An expression ready for use. `uses` are the inputs that it reads, in the order in which they are written."""

    type: Type
    uses: Mapping[str, Type]
    _run: _Run

    def __call__(self, inputs: Mapping[str, object]) -> Value | Undefined:
        """Evaluate. Total: an input that is missing, of another type or not finite gives Undefined, and so does all that has no value."""
        read: dict[str, Value] = {}
        for name, wanted in self.uses.items():
            found = as_type(name, inputs.get(name), wanted)
            if isinstance(found, Undefined):
                return found
            read[name] = found
        try:
            value: Value = self._run(read)
        except _Stop as stop:
            return Undefined(stop.why)
        return value


def compiled(node: Node, types: Mapping[str, Type], *, values: Mapping[str, tuple[str, ...]] | None = None) -> Compiled:
    """Find the types of a tree. `types` are the inputs there are; `values` the only texts that some of them can be.

    Raises ExpressionInvalid.
    """
    compiler = _Compiler(types, values or {})
    kind, run = compiler.part(node)
    return Compiled(type=kind, uses=dict(compiler.uses), _run=run)


def as_type(name: str, found: object, wanted: Type) -> Value | Undefined:
    """Return an input as its type, converting nothing but whole numbers; None is one that is missing."""
    if found is None:
        return Undefined(Why.MISSING, name)
    match wanted:
        case Type.BOOLEAN:
            return found if isinstance(found, bool) else Undefined(Why.WRONG_TYPE, name)
        case Type.TEXT:
            return found if isinstance(found, str) else Undefined(Why.WRONG_TYPE, name)
        case Type.NUMBER:
            if isinstance(found, bool) or not isinstance(found, (int, float)):
                return Undefined(Why.WRONG_TYPE, name)
            # Compared before it is converted: an integer may have any number of digits.
            return float(found) if -_LARGEST <= found <= _LARGEST else Undefined(Why.NOT_A_NUMBER, name)
        case _:
            assert_never(wanted)


class _Compiler:
    """One walk over one tree."""

    def __init__(self, types: Mapping[str, Type], values: Mapping[str, tuple[str, ...]]) -> None:
        self._types = types
        self._values = values
        self.uses: dict[str, Type] = {}

    def part(self, node: Node) -> tuple[Type, _Run]:
        """Return a part's type and what computes it."""
        match node:
            case Literal(value=value):
                return _type_of(value), lambda _: value
            case Name(name=name):
                return self._name(node), lambda inputs: inputs[name]
            case Sign():
                return Type.NUMBER, _negative(self._number(node.operand, node))
            case Not():
                return Type.BOOLEAN, _not(self._truth(node.operand, node))
            case Binary():
                return self._binary(node)
            case Choice():
                return self._choice(node)
            case Call():
                arguments = tuple(self._number(argument, node) for argument in node.arguments)
                return Type.NUMBER, _CALLS[node.function](arguments)
            case _:
                assert_never(node)

    def _name(self, node: Name) -> Type:
        found = self._types.get(node.name)
        if found is None:
            close = get_close_matches(node.name, self._types, n=1, cutoff=0.5)
            known = ", ".join(sorted(self._types))
            raise ExpressionInvalid(
                f"there is no input `{node.name}`; there are {known}",
                offset=node.at,
                width=node.width,
                suggestion=f"`{close[0]}`" if close else "",
            )
        self.uses[node.name] = found
        return found

    def _binary(self, node: Binary) -> tuple[Type, _Run]:
        operator = node.operator
        if operator in ("and", "or"):
            left, right = self._truth(node.left, node), self._truth(node.right, node)
            if operator == "and":
                return Type.BOOLEAN, lambda inputs: left(inputs) and right(inputs)
            return Type.BOOLEAN, lambda inputs: left(inputs) or right(inputs)
        if operator in ARITHMETIC:
            return Type.NUMBER, _ARITHMETIC[operator](self._number(node.left, node), self._number(node.right, node))
        if operator in ORDER:
            return Type.BOOLEAN, _ORDER[operator](self._number(node.left, node), self._number(node.right, node))
        return Type.BOOLEAN, self._equality(node)

    def _equality(self, node: Binary) -> _Run:
        (left_type, left), (right_type, right) = self.part(node.left), self.part(node.right)
        if left_type is not right_type:
            hint = "it alone, or `not` before it" if Type.BOOLEAN in (left_type, right_type) else ""
            raise ExpressionInvalid(
                f"`{node.operator}` compares {left_type.words} with {right_type.words}, which are never equal",
                offset=node.at,
                width=node.width,
                suggestion=hint,
            )
        self._check_possible(node.left, node.right)
        self._check_possible(node.right, node.left)
        if node.operator == "==":
            return lambda inputs: left(inputs) == right(inputs)
        return lambda inputs: left(inputs) != right(inputs)

    def _check_possible(self, node: Node, other: Node) -> None:
        """Refuse a comparison with a text that the input never is: it is misspelled."""
        if not isinstance(node, Name) or not isinstance(other, Literal) or node.name not in self._values:
            return
        known = self._values[node.name]
        if other.value not in known:
            close = get_close_matches(str(other.value), known, n=1, cutoff=0.5)
            raise ExpressionInvalid(
                f"`{node.name}` is never `{other.value}`; it is one of {', '.join(known)}",
                offset=other.at,
                width=other.width,
                suggestion=f"`{close[0]}`" if close else "",
            )

    def _choice(self, node: Choice) -> tuple[Type, _Run]:
        (then_type, then), condition = self.part(node.then), self._truth(node.condition, node)
        other_type, otherwise = self.part(node.otherwise)
        if then_type is not other_type:
            raise ExpressionInvalid(
                f"this is {then_type.words} in one case and {other_type.words} in the other",
                offset=node.at,
                width=node.width,
            )
        return then_type, lambda inputs: then(inputs) if condition(inputs) else otherwise(inputs)

    def _number(self, node: Node, by: Node) -> _Run:
        """Return what computes a number; a truth is 1 or 0."""
        found, run = self.part(node)
        match found:
            case Type.NUMBER:
                return run
            case Type.BOOLEAN:
                return lambda inputs: 1.0 if run(inputs) else 0.0
            case Type.TEXT:
                raise _needs(Type.NUMBER, found, by)
            case _:
                assert_never(found)

    def _truth(self, node: Node, by: Node) -> _Run:
        found, run = self.part(node)
        if found is not Type.BOOLEAN:
            raise _needs(Type.BOOLEAN, found, by)
        return run


def _needs(wanted: Type, found: Type, by: Node) -> ExpressionInvalid:
    match by:
        case Binary(operator=word) | Call(function=word):
            pass
        case Not():
            word = "not"
        case Choice():
            word = "if"
        case Sign() | Literal() | Name():
            word = "-"
        case _:
            assert_never(by)
    hint = "a comparison, like `x > 0`" if (wanted, found) == (Type.BOOLEAN, Type.NUMBER) else ""
    return ExpressionInvalid(
        f"`{word}` needs {wanted.words}, and this is {found.words}", offset=by.at, width=by.width, suggestion=hint
    )


def _type_of(value: Value) -> Type:
    if isinstance(value, bool):
        return Type.BOOLEAN
    return Type.TEXT if isinstance(value, str) else Type.NUMBER


def _finite(value: float) -> float:
    """Return it, or stop: of finite numbers no operation here gives NaN, only infinity."""
    if -_LARGEST <= value <= _LARGEST:
        return value
    raise _Stop(Why.OVERFLOW)


def _negative(operand: _Run) -> _Run:
    return lambda inputs: -operand(inputs)


def _not(operand: _Run) -> _Run:
    return lambda inputs: not operand(inputs)


def _divided(left: _Run, right: _Run) -> _Run:
    def run(inputs: _Inputs) -> float:
        dividend, divisor = left(inputs), right(inputs)
        if divisor == 0:
            raise _Stop(Why.DIVISION_BY_ZERO)
        return _finite(dividend / divisor)

    return run


_ARITHMETIC: Final[Mapping[str, Callable[[_Run, _Run], _Run]]] = {
    "+": lambda left, right: lambda inputs: _finite(left(inputs) + right(inputs)),
    "-": lambda left, right: lambda inputs: _finite(left(inputs) - right(inputs)),
    "*": lambda left, right: lambda inputs: _finite(left(inputs) * right(inputs)),
    "/": _divided,
}

_ORDER: Final[Mapping[str, Callable[[_Run, _Run], _Run]]] = {
    "<": lambda left, right: lambda inputs: left(inputs) < right(inputs),
    "<=": lambda left, right: lambda inputs: left(inputs) <= right(inputs),
    ">": lambda left, right: lambda inputs: left(inputs) > right(inputs),
    ">=": lambda left, right: lambda inputs: left(inputs) >= right(inputs),
}


def _log(arguments: tuple[_Run, ...]) -> _Run:
    (operand,) = arguments

    def run(inputs: _Inputs) -> float:
        value = operand(inputs)
        if value <= 0:
            raise _Stop(Why.LOG_OF_NOTHING)
        return ln(value)

    return run


def _abs(arguments: tuple[_Run, ...]) -> _Run:
    (operand,) = arguments
    return lambda inputs: abs(operand(inputs))


def _round(arguments: tuple[_Run, ...]) -> _Run:
    """Round to the nearest whole number, a half to the even one."""
    (operand,) = arguments
    return lambda inputs: float(round(operand(inputs)))


def _min(arguments: tuple[_Run, ...]) -> _Run:
    return lambda inputs: min([argument(inputs) for argument in arguments])


def _max(arguments: tuple[_Run, ...]) -> _Run:
    return lambda inputs: max([argument(inputs) for argument in arguments])


_CALLS: Final[Mapping[str, Callable[[tuple[_Run, ...]], _Run]]] = {
    "abs": _abs,
    "log": _log,
    "max": _max,
    "min": _min,
    "round": _round,
}
