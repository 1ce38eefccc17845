"""A plan's expressions in SQL: the second reading of the language, by which a recount finds what each outcome is worth.

What has no value is NULL, and every operation hands NULL on, as the evaluator hands on its reason. A part that is needed
twice is bound by a lambda: written twice, parts within parts would double with each level.
"""

from collections.abc import Mapping
from typing import Final, assert_never

from glideslope.domain.expression import Type, parsed
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
from glideslope.domain.formula import HAPPENED, PREDICTION, Attribute, Expression, Moment

_Part = tuple[Type, str]
_JSON_TYPES: Final[Mapping[Type, str]] = {
    Type.NUMBER: "'BIGINT', 'UBIGINT', 'HUGEINT', 'DOUBLE'",
    Type.BOOLEAN: "'BOOLEAN'",
    Type.TEXT: "'VARCHAR'",
}
_SQL_TYPES: Final[Mapping[Type, str]] = {Type.NUMBER: "DOUBLE", Type.BOOLEAN: "BOOLEAN", Type.TEXT: "VARCHAR"}


def value_of(formula: Expression, *, score: str = PREDICTION) -> str:
    """Return SQL for an expression's value as a DOUBLE, over columns happened, slices, facts, and that of the score."""
    inputs = {each.name: (each.type, _input(each, score=score)) for each in formula.inputs}
    found, text = _part(parsed(formula.text), inputs)
    known = " AND ".join(f"({each}) IS NOT NULL" for _, each in inputs.values())
    # An input that is missing leaves no value, also where a branch not taken asks for it.
    return f"CASE WHEN {known} THEN {_number((found, text))} END"


def _part(node: Node, inputs: Mapping[str, _Part]) -> _Part:
    match node:
        case Literal(value=value):
            return _literal(value)
        case Name(name=name):
            return inputs[name]
        case Sign():
            return Type.NUMBER, f"(-{_number(_part(node.operand, inputs))})"
        case Not():
            return Type.BOOLEAN, f"(NOT {_part(node.operand, inputs)[1]})"
        case Binary():
            return _binary(node, inputs)
        case Choice():
            kind, then = _part(node.then, inputs)
            _, otherwise = _part(node.otherwise, inputs)
            return kind, _chosen(_part(node.condition, inputs)[1], then, otherwise)
        case Call():
            arguments = [_number(_part(each, inputs)) for each in node.arguments]
            return Type.NUMBER, _called(node.function, arguments)
        case _:
            assert_never(node)


def _binary(node: Binary, inputs: Mapping[str, _Part]) -> _Part:
    left, right = _part(node.left, inputs), _part(node.right, inputs)
    match node.operator:
        case "and":
            return Type.BOOLEAN, _chosen(left[1], right[1], "false")
        case "or":
            return Type.BOOLEAN, _chosen(left[1], "true", right[1])
        case "/":
            # By zero there is no value, and none beyond what can be represented.
            return Type.NUMBER, _finite(f"({_number(left)} / nullif({_number(right)}, 0::DOUBLE))")
        case operator if operator in ARITHMETIC:
            return Type.NUMBER, _finite(f"({_number(left)} {operator} {_number(right)})")
        case operator if operator in ORDER:
            return Type.BOOLEAN, f"({_number(left)} {operator} {_number(right)})"
        case operator:
            return Type.BOOLEAN, f"({left[1]} {'=' if operator == '==' else '<>'} {right[1]})"


def _called(function: str, arguments: list[str]) -> str:
    match function:
        case "abs":
            return f"abs({arguments[0]})"
        case "round":
            return f"round_even({arguments[0]}, 0)"
        case "log":
            return _let(arguments[0], "CASE WHEN {x} > 0 THEN ln({x}) END")
        case _:
            least = f"list_{function}({{x}})"
            return _let(f"[{', '.join(arguments)}]", f"CASE WHEN list_count({{x}}) = {len(arguments)} THEN {least} END")


def _input(each: Attribute, *, score: str) -> str:
    if each.name == PREDICTION:
        return score
    if each.name == HAPPENED:
        return each.name
    path = f"'$.\"{each.name}\"'"
    if each.comes is Moment.PREDICTION:
        # A field by which the data is sliced; empty where the plan lists its value nowhere.
        return f"coalesce(json_extract_string(slices, {path}), '')"
    value = "json_extract_string" if each.type is Type.TEXT else "json_extract"
    return (
        f"CASE WHEN json_type(facts, {path}) IN ({_JSON_TYPES[each.type]})"
        f" THEN {value}(facts, {path})::{_SQL_TYPES[each.type]} END"
    )


def _literal(value: float | bool | str) -> _Part:
    match value:
        case bool():
            return Type.BOOLEAN, str(value).lower()
        case str():
            return Type.TEXT, "'" + value.replace("'", "''") + "'"
        case _:
            # As a text: a number that is written out would be a decimal first.
            return Type.NUMBER, f"'{value!r}'::DOUBLE"


def _number(part: _Part) -> str:
    kind, text = part
    return f"({text})::INTEGER::DOUBLE" if kind is Type.BOOLEAN else f"({text})"


def _chosen(condition: str, then: str, otherwise: str) -> str:
    return _let(condition, f"CASE WHEN {{x}} THEN {_quoted(then)} WHEN NOT {{x}} THEN {_quoted(otherwise)} END")


def _finite(text: str) -> str:
    return _let(text, "CASE WHEN isfinite({x}) THEN {x} END")


def _quoted(text: str) -> str:
    """Keep braces of a part apart from those of `_let`; there are none but in texts."""
    return text.replace("{", "{{").replace("}", "}}")


def _let(value: str, body: str) -> str:
    # A name of its own for each level, so that a part within does not hide it.
    name = f"x{value.count('lambda') + body.count('lambda')}"
    return f"list_transform([{value}], lambda {name}: {body.format(x=name)})[1]"
