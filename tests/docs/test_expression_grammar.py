"""The grammar in the reference is the parser's: what it derives is read, and what is read it derives."""

import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from random import Random
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glideslope.domain.expression import (
    DEEPEST,
    FUNCTIONS,
    KEYWORDS,
    LONGEST,
    MOST_PARTS,
    ExpressionInvalid,
    Type,
    Why,
    parsed,
)
from glideslope.domain.expression.tree import LONGEST_TEXT, MOST_ARGUMENTS

PAGE: Final = Path(__file__).resolve().parents[2] / "docs" / "reference" / "expressions.md"
TOKENS: Final = {"number": ["0", "12.5", "1e3"], "text": ["'a'", '"b"'], "name": ["prediction", "x"]}
"""What the grammar leaves to words, with examples."""

Rule = tuple[object, ...]
"""`("seq", parts)`, `("or", parts)`, `("opt", part)`, `("many", part)`, `("rule", name)`, `("word", text)`."""


def grammar() -> dict[str, Rule]:
    """Read the EBNF of the page."""
    block = re.search(r"```ebnf\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert block
    rules = {}
    for line in block[1].split(";\n"):
        name, _, body = line.partition("=")
        if name.strip():
            symbols = re.findall(r'"[^"]+"|[a-z]+|[,|()\[\]{}]', body)
            rules[name.strip()], rest = _alternatives(symbols)
            assert rest == [], rest
    return rules


def _alternatives(symbols: list[str]) -> tuple[Rule, list[str]]:
    parts = []
    while True:
        part, symbols = _sequence(symbols)
        parts.append(part)
        if symbols[:1] != ["|"]:
            return ("or", tuple(parts)), symbols
        symbols = symbols[1:]


def _sequence(symbols: list[str]) -> tuple[Rule, list[str]]:
    parts: list[Rule] = []
    while True:
        part, symbols = _factor(symbols)
        parts.append(part)
        if symbols[:1] != [","]:
            return ("seq", tuple(parts)), symbols
        symbols = symbols[1:]


def _factor(symbols: list[str]) -> tuple[Rule, list[str]]:
    first, rest = symbols[0], symbols[1:]
    if first in "([{":
        inner, rest = _alternatives(rest)
        assert rest[0] == {"(": ")", "[": "]", "{": "}"}[first]
        return {"(": inner, "[": ("opt", inner), "{": ("many", inner)}[first], rest[1:]
    return (("word", first[1:-1]) if first.startswith('"') else ("rule", first)), rest


RULES: Final = grammar()


def sentence(random: Random, rule: Rule, *, depth: int = 0) -> list[str]:
    """Derive tokens from a rule; deeper down the shortest way out is taken more often."""
    match rule:
        case ("seq", parts):
            return [token for part in parts for token in sentence(random, part, depth=depth + 1)]  # type: ignore[attr-defined]
        case ("or", parts):
            simple = [part for part in parts if part[-1][0][-1] in TOKENS] or parts[-1:]  # type: ignore[attr-defined,index]
            return sentence(random, random.choice(parts if depth < 60 else simple), depth=depth + 1)  # type: ignore[arg-type]
        case ("opt" | "many" as kind, part):
            times = 0 if depth > 45 else random.choice([0, 0, 0, 1] + ([2] if kind == "many" else []))
            return [token for _ in range(times) for token in sentence(random, part, depth=depth + 1)]  # type: ignore[arg-type]
        case ("rule", name) if name in TOKENS:
            return [random.choice(TOKENS[name])]  # type: ignore[index]
        case ("rule", name):
            return sentence(random, RULES[name], depth=depth + 1)  # type: ignore[index]
        case ("word", text):
            return [str(text)]
    raise AssertionError(rule)


def derives(tokens: tuple[str, ...]) -> bool:
    """Tell whether the grammar derives exactly these tokens: every place at which each rule can end, from every place."""

    @cache
    def ends(rule: Rule, at: int) -> frozenset[int]:
        match rule:
            case ("seq", parts):
                places = frozenset({at})
                for part in parts:  # type: ignore[attr-defined]
                    places = frozenset(end for place in places for end in ends(part, place))
                return places
            case ("or", parts):
                return frozenset(end for part in parts for end in ends(part, at))  # type: ignore[attr-defined]
            case ("opt", part):
                return ends(part, at) | {at}  # type: ignore[arg-type]
            case ("many", part):
                found, new = {at}, {at}
                while new:
                    new = {end for place in new for end in ends(part, place)} - found  # type: ignore[arg-type]
                    found |= new
                return frozenset(found)
            case ("rule", name) if name in TOKENS:
                return frozenset({at + 1} if at < len(tokens) and tokens[at] in TOKENS[name] else ())  # type: ignore[index]
            case ("rule", name):
                return ends(RULES[name], at)  # type: ignore[index]
            case ("word", text):
                return frozenset({at + 1} if at < len(tokens) and tokens[at] == text else ())
        raise AssertionError(rule)

    return len(tokens) in ends(RULES["expression"], 0)


def is_read(text: str) -> bool | None:
    """Tell whether the parser takes it; None for what only exceeds a bound."""
    try:
        parsed(text)
    except ExpressionInvalid as error:
        bound = re.search(r"nested more than|at most|is longer than|takes \d to \d values", error.sentence)
        return None if bound else False
    return True


@given(st.integers(0, 2**32))
def test_what_the_grammar_derives_is_read(seed: int) -> None:
    tokens = sentence(Random(seed), RULES["expression"])

    assert derives(tuple(tokens))
    assert is_read(" ".join(tokens)) is not False


ALL = sorted({"(", ")", ",", "+", "-", "*", "/", "==", "<", *KEYWORDS, *FUNCTIONS, "12.5", "'a'", "x"})


@given(st.integers(0, 2**32), st.integers(0, 20), st.sampled_from(ALL), st.sampled_from(["put", "change", "drop"]))
def test_what_is_changed_is_read_exactly_when_the_grammar_derives_it(seed: int, at: int, token: str, how: str) -> None:
    tokens = sentence(Random(seed), RULES["expression"])
    at = min(at, len(tokens) - 1)
    tokens[at : at + (how != "put")] = [] if how == "drop" else [token]
    found = is_read(" ".join(tokens))

    assert found is None or found == derives(tuple(tokens))


@given(st.lists(st.sampled_from(ALL), max_size=7))
def test_any_few_tokens_are_read_exactly_when_the_grammar_derives_them(tokens: list[str]) -> None:
    found = is_read(" ".join(tokens))

    assert found is None or found == derives(tuple(tokens))


def test_every_rule_of_the_page_is_reached() -> None:
    seen = {"expression"}
    names: Callable[[object], Iterator[str]]

    def names(rule: object) -> Iterator[str]:
        if isinstance(rule, tuple):
            if rule[:1] == ("rule",):
                yield rule[1]
            for part in rule:
                yield from names(part)

    while more := {name for rule in seen & RULES.keys() for name in names(RULES[rule])} - seen:
        seen |= more

    assert seen == {*RULES, *TOKENS}


def test_functions_and_bounds_are_those_of_the_page() -> None:
    text = PAGE.read_text(encoding="utf-8")
    bounds = [int(number) for number in re.findall(r"^\| [^|]+ \| (\d+) \|$", text, re.MULTILINE)]
    codes = re.findall(r"^\| `([a-z-]+)` \| ", text.split("## What has no value")[1], re.MULTILINE)

    assert bounds == [LONGEST, MOST_PARTS, DEEPEST, MOST_ARGUMENTS, LONGEST_TEXT]
    assert sorted(FUNCTIONS) == sorted(
        word for rule in ("one", "many") for word in re.findall(r"'word', '(\w+)'", str(RULES[rule]))
    )
    assert codes == [why.value for why in Why]
    assert all(f"`{each.value}`" in text for each in Type)


@pytest.mark.parametrize(("text", "expected"), [("0 +", False), ("0 + x", True), ("not", False)])
def test_the_grammar_tells_good_from_bad(text: str, expected: bool) -> None:
    assert derives(tuple(text.split())) is expected
