"""Tables of what expressions are worth, and of what is refused where."""

import math

import pytest

from glideslope.domain.expression import (
    DEEPEST,
    LONGEST,
    MOST_PARTS,
    ExpressionInvalid,
    Type,
    Undefined,
    Why,
    compiled,
    parsed,
)

TYPES = {"prediction": Type.NUMBER, "happened": Type.BOOLEAN, "amount": Type.NUMBER, "origin": Type.TEXT}
VALUES = {"origin": ("EWR", "JFK", "LGA")}
GIVEN = {"prediction": 0.75, "happened": True, "amount": 200.0, "origin": "JFK"}


def value(text: str, **inputs: object) -> object:
    return compiled(parsed(text), TYPES, values=VALUES)({**GIVEN, **inputs})


def refused(text: str) -> ExpressionInvalid:
    with pytest.raises(ExpressionInvalid) as caught:
        compiled(parsed(text), TYPES, values=VALUES)
    return caught.value


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("prediction >= 0.75 and not happened", False),
        ("prediction >= 0.75 and happened", True),
        ("amount * (happened - prediction)", 50.0),
        ("1 + 2 * 3 - 4 / 2", 5.0),
        ("2 - 1 - 1", 0.0),
        ("8 / 4 / 2", 1.0),
        ("-2 * -3", 6.0),
        ("- - 2", 2.0),
        ("not not happened", True),
        ("not prediction > 0.5 or happened", True),
        ("false and true or true", True),
        ("1 if happened else 2 if happened else 3", 1.0),
        ("1 if not happened else 2 if happened else 3", 2.0),
        ("origin == 'JFK'", True),
        ('origin != "JFK"', False),
        ("min(amount, 10, 5)", 5.0),
        ("max(amount, happened)", 200.0),
        ("abs(-amount)", 200.0),
        ("round(2.5) + round(3.5) + round(-0.4)", 6.0),
        ("log(1)", 0.0),
        ("happened + happened", 2.0),
        ("happened == (prediction > 0.5)", True),
        ("1.5e-3", 0.0015),
        ("007", 7.0),
        ("amount\n  > 1", True),
    ],
)
def test_values(text: str, expected: object) -> None:
    found = value(text)

    assert found == expected
    assert type(found) is type(expected)


def test_the_logarithm_is_ours() -> None:
    assert value("log(amount)") == pytest.approx(math.log(200), abs=1e-14)


@pytest.mark.parametrize(
    ("text", "inputs", "why"),
    [
        ("1 / (happened - 1)", {}, Why.DIVISION_BY_ZERO),
        ("amount / 0.0", {}, Why.DIVISION_BY_ZERO),
        ("0 / -0.0", {}, Why.DIVISION_BY_ZERO),
        ("log(happened - 1)", {}, Why.LOG_OF_NOTHING),
        ("log(-amount)", {}, Why.LOG_OF_NOTHING),
        ("amount * 1e307 * 10", {}, Why.OVERFLOW),
        ("amount + amount", {"amount": 1.7e308}, Why.OVERFLOW),
        ("1 / amount", {"amount": 5e-324}, Why.OVERFLOW),
        ("amount > 1", {"amount": math.nan}, Why.NOT_A_NUMBER),
        ("amount > 1", {"amount": math.inf}, Why.NOT_A_NUMBER),
        ("amount > 1", {"amount": 10**400}, Why.NOT_A_NUMBER),
        ("amount > 1", {"amount": None}, Why.MISSING),
        ("true or amount > 1", {"amount": None}, Why.MISSING),
        ("amount > 1", {"amount": True}, Why.WRONG_TYPE),
        ("amount > 1", {"amount": "200"}, Why.WRONG_TYPE),
        ("happened", {"happened": 1}, Why.WRONG_TYPE),
        ("origin == 'JFK'", {"origin": 3}, Why.WRONG_TYPE),
    ],
)
def test_what_has_no_value_has_a_name(text: str, inputs: dict[str, object], why: Why) -> None:
    found = value(text, **inputs)

    assert isinstance(found, Undefined)
    assert found.why is why
    assert found.sentence


def test_what_does_not_matter_is_not_looked_at() -> None:
    assert value("amount > 0 and 1 / amount > 2", amount=0) is False
    assert value("amount == 0 or 1 / amount > 2", amount=0) is True
    assert value("1 / amount if amount > 0 else -1", amount=0) == -1.0


@pytest.mark.parametrize(
    ("text", "offset", "width", "sentence"),
    [
        ("", 0, 1, "expected a value before the end"),
        ("prediction >", 12, 1, "expected a value before the end"),
        ("(amount", 7, 1, "expected `)`"),
        ("amount)", 6, 1, "expected an operator or the end"),
        ("amount amount", 7, 6, "expected an operator or the end"),
        ("prediction && happened", 11, 1, "`&` means nothing here"),
        ("amount = 1", 7, 1, "`=` means nothing here"),
        ("amount ** 2", 8, 1, "** means nothing here"),
        ("amount.real", 6, 1, "a dot means nothing here"),
        (".5", 0, 1, "a dot means nothing here"),
        ("amount[0]", 6, 1, "`[` means nothing here"),
        ("amount\x00", 6, 1, "U+0000 means nothing here"),
        ("origin == 'JFK", 10, 4, "no closing quote"),
        ("1 < prediction < 2", 15, 1, "not chained"),
        ("1 if happened", 13, 1, "expected `else`"),
        ("amuont", 0, 6, "there is no input `amuont`"),
        ("Amount", 0, 6, "is no name"),
        ("exec('1')", 0, 4, "there is no function `exec`"),
        ("min(amount)", 0, 3, "takes 2 to 8 values, not 1"),
        ("abs(1, 2)", 0, 3, "takes 1 values, not 2"),
        ("abs", 0, 3, "is a function"),
        ("1e999", 0, 5, "larger than any number"),
        ("origin == 'EWRR'", 10, 6, "is never `EWRR`"),
        ("'EWRR' != origin", 0, 6, "is never `EWRR`"),
        ("happened == 1", 9, 2, "compares true or false with a number"),
        ("prediction and happened", 11, 3, "`and` needs true or false, and this is a number"),
        ("not amount", 0, 3, "`not` needs true or false"),
        ("1 if amount else 2", 2, 2, "`if` needs true or false"),
        ("-origin", 0, 1, "`-` needs a number, and this is text"),
        ("origin < 'JFK'", 7, 1, "`<` needs a number, and this is text"),
        ("min(origin, 1)", 0, 3, "`min` needs a number"),
        ("1 if happened else 'no'", 2, 2, "a number in one case and text in the other"),
        ("and", 0, 3, "expected a value before `and`"),
    ],
)
def test_what_is_refused_is_refused_at_its_place(text: str, offset: int, width: int, sentence: str) -> None:
    error = refused(text)

    assert sentence in error.sentence
    assert (error.offset, error.width) == (offset, width)


@pytest.mark.parametrize(
    ("text", "suggestion"),
    [
        ("amuont > 1", "`amount`"),
        ("logg(1)", "`log`"),
        ("origin == 'JFKK'", "`JFK`"),
        ("Amount > 1", "`amount`"),
        ("prediction && happened", "`and`"),
        ("happened = true", "`==`"),
        ("2 amount", "`*`"),
        ("prediction and happened", "a comparison, like `x > 0`"),
    ],
)
def test_what_was_meant_is_guessed(text: str, suggestion: str) -> None:
    assert refused(text).suggestion == suggestion


@pytest.mark.parametrize(
    "text",
    [
        "1" * (LONGEST + 1),
        "+".join("1" for _ in range(MOST_PARTS)),
        "(" * (DEEPEST + 1) + "1" + ")" * (DEEPEST + 1),
        "not " * (DEEPEST + 1) + "true",
        "-" * (DEEPEST + 1) + "1",
        "1 if true else " * (DEEPEST + 1) + "1",
        "abs(" * (DEEPEST + 1) + "1" + ")" * (DEEPEST + 1),
    ],
    ids=["long", "many", "parentheses", "not", "signs", "else", "calls"],
)
def test_what_is_too_much_is_refused(text: str) -> None:
    assert refused(text)


def test_what_is_just_enough_is_taken() -> None:
    assert value("(" * DEEPEST + "1" + ")" * DEEPEST) == 1.0
    assert value("+".join("1" for _ in range(MOST_PARTS // 2))) == MOST_PARTS / 2
