"""Whatever text is handed in as an expression: a value, a named reason why there is none, or a refusal with a place in the text."""

import math
import sys

from hypothesis import given
from hypothesis import strategies as st

from glideslope.domain.expression import (
    FUNCTIONS,
    LONGEST,
    MOST_PARTS,
    Compiled,
    ExpressionInvalid,
    Type,
    Undefined,
    compiled,
    parsed,
)

TYPES = {"prediction": Type.NUMBER, "happened": Type.BOOLEAN, "amount": Type.NUMBER, "origin": Type.TEXT}

WORDS = st.sampled_from(
    ["prediction", "happened", "amount", "origin", "true", "false", "and", "or", "not", "if", "else", *FUNCTIONS]
)
MARKS = st.sampled_from(
    ["==", "!=", "<=", ">=", "<", ">", "+", "-", "*", "/", "(", ")", ",", ".", "=", "&&", "**", "'", '"']
)
NUMBERS = st.one_of(st.integers(0, 10**30).map(str), st.floats(0, allow_infinity=False, allow_nan=False).map(repr))
SOUP = st.lists(st.one_of(WORDS, MARKS, NUMBERS, st.text(max_size=3)), max_size=60).map(" ".join)
NESTED = st.tuples(
    st.sampled_from(["(", "not ", "-", "abs(", "1 if true else ", "min(1,", "'"]), st.integers(0, 500)
).map(lambda each: each[0] * each[1])

VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.floats(allow_nan=True, allow_infinity=True),
    st.integers(-(10**400), 10**400),
    st.text(max_size=5),
    st.just([]),
)
INPUTS = st.fixed_dictionaries(dict.fromkeys(TYPES, VALUES))


@st.composite
def sound(draw: st.DrawFn) -> str:
    """Return the text of an expression of numbers that is well typed, and often large."""
    leaves = st.one_of(
        st.sampled_from(["prediction", "amount", "happened"]), NUMBERS.filter(lambda n: float(n) < 1e308)
    )

    def wider(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        pairs = st.tuples(inner, st.sampled_from(["+", "-", "*", "/"]), inner)
        return st.one_of(
            pairs.map(lambda p: f"({p[0]} {p[1]} {p[2]})"),
            st.tuples(st.sampled_from(["abs", "log", "round"]), inner).map(lambda c: f"{c[0]}({c[1]})"),
            st.tuples(inner, inner, inner).map(lambda c: f"({c[0]} + 0 if {c[1]} > 0 else {c[2]} + 0)"),
            st.tuples(st.sampled_from(["min", "max"]), inner, inner).map(lambda c: f"{c[0]}({c[1]}, {c[2]})"),
        )

    return draw(st.recursive(leaves, wider, max_leaves=25))


def made_of(text: str) -> Compiled | ExpressionInvalid:
    try:
        return compiled(parsed(text), TYPES)
    except ExpressionInvalid as error:
        return error


@given(st.one_of(st.text(), SOUP, NESTED), INPUTS)
def test_any_text_has_a_value_a_reason_or_a_refusal_with_its_place(text: str, inputs: dict[str, object]) -> None:
    made = made_of(text)
    if isinstance(made, ExpressionInvalid):
        assert 0 <= made.offset <= min(len(text), LONGEST)
        assert made.width >= 1
        assert made.sentence
        return
    found = made(inputs)
    if not isinstance(found, Undefined):
        assert {bool: Type.BOOLEAN, float: Type.NUMBER, str: Type.TEXT}[type(found)] is made.type


@given(sound(), INPUTS)
def test_a_number_is_finite_or_has_a_reason(text: str, inputs: dict[str, object]) -> None:
    """Never NaN, never infinity, never an exception, whatever the inputs are."""
    made = made_of(text)
    if isinstance(made, ExpressionInvalid):
        assert any(bound in made.sentence for bound in ("nested", "parts", "characters", "larger than any"))
        return
    found = made(inputs)
    assert isinstance(found, Undefined) or (type(found) is float and math.isfinite(found))


@given(sound(), st.floats(0, 1), st.booleans(), st.floats(allow_nan=False, allow_infinity=False))
def test_two_who_compile_the_same_text_get_the_same_bits(
    text: str, prediction: float, happened: bool, amount: float
) -> None:
    inputs = {"prediction": prediction, "happened": happened, "amount": amount}
    try:
        first, second = compiled(parsed(text), TYPES), compiled(parsed(f"({text}) "), TYPES)
    except ExpressionInvalid:
        return
    one, other = first(inputs), second(dict(reversed(inputs.items())))

    assert repr(one) == repr(other)


def calls_of(text: str) -> int:
    """Return how many functions are called while a text is read and evaluated: a cost that does not depend on the machine."""
    count = 0

    def noted(_frame: object, event: str, _argument: object) -> None:
        nonlocal count
        count += event == "call"

    before = sys.getprofile()
    sys.setprofile(noted)
    try:
        compiled(parsed(text), TYPES)({"prediction": 0.5, "happened": True, "amount": 1.0, "origin": "a"})
    except ExpressionInvalid:
        pass
    finally:
        sys.setprofile(before)
    return count


@given(st.one_of(SOUP, NESTED, sound()))
def test_no_text_costs_more_than_its_length(text: str) -> None:
    """Reading takes some ten calls for each token, however they are nested; without bounds, nesting would double it each time."""
    assert calls_of(text) <= 40 * min(len(text), LONGEST) + 40 * MOST_PARTS
