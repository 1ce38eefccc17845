"""A data contract places every value somewhere, and what cannot be counted is refused where it is written."""

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glideslope.domain.contract import (
    ABOVE,
    FIRST,
    MISSING,
    OUTSIDE,
    WRONG,
    Contract,
    FeatureRule,
    FeatureType,
    check_contract,
    is_broken,
    is_day,
)
from glideslope.domain.errors import ContractInvalid
from glideslope.domain.ids import ModelName
from glideslope.domain.infer import infer
from glideslope.interfaces.document import contracts

NUMBER = FeatureRule(name="n", type=FeatureType.NUMBER, low=0.0, high=10.0, edges=(2.0, 5.0))
INTEGER = FeatureRule(name="i", type=FeatureType.INTEGER)
TEXT = FeatureRule(name="t", type=FeatureType.TEXT, categories=("a", "b"))
ANY = FeatureRule(name="t", type=FeatureType.TEXT)
BOOLEAN = FeatureRule(name="b", type=FeatureType.BOOLEAN)
MODEL = ModelName("delays")


class Numberlike:
    """What a library's number looks like."""

    def __float__(self) -> float:
        return 4.0


class Unwilling:
    def __float__(self) -> float:
        raise RuntimeError("no")


@pytest.mark.parametrize(
    ("rule", "value", "place"),
    [
        (NUMBER, None, MISSING),
        (NUMBER, math.nan, MISSING),
        (NUMBER, "3", WRONG),
        (NUMBER, True, WRONG),
        (NUMBER, [1], WRONG),
        (NUMBER, Unwilling(), WRONG),
        (NUMBER, -0.1, OUTSIDE),
        (NUMBER, 10.1, ABOVE),
        (NUMBER, math.inf, ABOVE),
        (NUMBER, 0, FIRST),
        (NUMBER, 2.0, FIRST),
        (NUMBER, 2.1, FIRST + 1),
        (NUMBER, Numberlike(), FIRST + 1),
        (NUMBER, 10.0, FIRST + 2),
        (INTEGER, 2.0, FIRST),
        (INTEGER, 2.5, WRONG),
        (INTEGER, math.inf, WRONG),
        (INTEGER, -math.inf, WRONG),
        (TEXT, "a", FIRST),
        (TEXT, "c", OUTSIDE),
        (TEXT, None, MISSING),
        (TEXT, math.nan, MISSING),
        (TEXT, 3, WRONG),
        (ANY, "whatever", FIRST),
        (BOOLEAN, True, FIRST + 1),
        (BOOLEAN, False, FIRST),
        (BOOLEAN, None, MISSING),
        (BOOLEAN, 1, WRONG),
        (BOOLEAN, "true", WRONG),
    ],
)
def test_each_value_has_its_place(rule: FeatureRule, value: Any, place: int) -> None:
    assert rule.placer()(value) == place


@given(st.one_of(st.none(), st.booleans(), st.floats(), st.integers(), st.text(), st.binary(), st.lists(st.integers())))
def test_whatever_comes_is_placed_and_nothing_is_raised(value: object) -> None:
    for rule in (NUMBER, INTEGER, TEXT, ANY, BOOLEAN):
        assert 0 <= rule.placer()(value) < rule.places


def test_a_missing_value_breaks_the_contract_only_where_none_may_be() -> None:
    some = FeatureRule(name="n", type=FeatureType.NUMBER, missing=0.1)

    assert is_broken(MISSING, NUMBER)
    assert not is_broken(MISSING, some)
    assert is_broken(WRONG, some)
    assert not is_broken(FIRST, some)


def test_of_what_is_personal_no_value_is_shown() -> None:
    hidden = FeatureRule(name="t", type=FeatureType.TEXT, categories=("Ada", "Grace"), tags=("personal",))

    assert [hidden.shown(place) for place in (OUTSIDE, FIRST, FIRST + 1)] == [
        "an unknown category",
        "bin 1 of 2",
        "bin 2 of 2",
    ]
    assert NUMBER.shown(FIRST + 1) == "above 2 up to 5"


def test_a_sample_keeps_the_contract_that_it_gave_rise_to() -> None:
    columns: dict[str, list[object]] = {
        "distance": [float(k * 13 % 997) for k in range(400)],
        "month": [k % 12 + 1 for k in range(400)],
        "origin": [("EWR", "JFK", None)[k % 3] for k in range(400)],
        "late": [k % 5 == 0 for k in range(400)],
        "name": [f"n{k}" for k in range(400)],
    }

    found = infer(MODEL, columns, tags={"name": ("personal",)})

    for rule in found.features:
        place = rule.placer()
        assert not any(is_broken(place(value), rule) for value in columns[rule.name]), rule.name
        assert sum(rule.reference) == 400
    assert [rule.type.value for rule in found.features] == ["number", "integer", "text", "boolean", "text"] or [
        rule.type.value for rule in found.features
    ] == ["integer", "integer", "text", "boolean", "text"]
    assert contracts.read(contracts.show(found), file="c").contract == found


def test_a_sample_that_says_nothing_is_refused() -> None:
    for columns, word in (
        ({"a": [1] * 10}, "too few"),
        ({"a": [None] * 60}, "no value"),
        ({"a": [1, "x"] * 30}, "one type"),
        ({}, "no columns"),
    ):
        with pytest.raises(ContractInvalid, match=word):
            infer(MODEL, columns, tags={})


@pytest.mark.parametrize(
    ("rule", "word"),
    [
        (FeatureRule(name="x", type=FeatureType.NUMBER, low=2.0, high=1.0), "lower number"),
        (FeatureRule(name="x", type=FeatureType.TEXT, low=2.0), "only numbers"),
        (FeatureRule(name="x", type=FeatureType.NUMBER, edges=(2.0, 2.0)), "ascend"),
        (FeatureRule(name="x", type=FeatureType.NUMBER, edges=(math.inf,)), "finite"),
        (FeatureRule(name="x", type=FeatureType.NUMBER, categories=("a",)), "only text"),
        (FeatureRule(name="x", type=FeatureType.TEXT, categories=("a", "a")), "twice"),
        (FeatureRule(name="x", type=FeatureType.TEXT, missing=1.5), "between 0% and 100%"),
        (FeatureRule(name="x", type=FeatureType.TEXT, tags=("Not a tag",)), "tag"),
        (FeatureRule(name="x", type=FeatureType.TEXT, reference=(1, 2)), "expected 5"),
        (FeatureRule(name="", type=FeatureType.TEXT), "1 to 100 characters"),
        (FeatureRule(name="x", type=FeatureType.TEXT, categories=tuple(map(str, range(70)))), "at most 64"),
    ],
)
def test_what_cannot_be_counted_is_refused(rule: FeatureRule, word: str) -> None:
    with pytest.raises(ContractInvalid, match=word):
        check_contract(Contract(model=MODEL, features=(rule,)))


@pytest.mark.parametrize(
    ("lines", "sentence", "line", "column"),
    [
        ("features:\n  a: {type: nmber}", "a type is number", 4, 13),
        ("features:\n  a: {type: number, rnge: [0, 1]}", "`rnge` is not known", 4, 21),
        ("features:\n  a: {type: number, range: [2, 1]}", "lower number", 4, 3),
        ("features:\n  a: {type: number, range: [2, b]}", "is not a number", 4, 32),
        ("features:\n  a: {range: [0, 1]}", "has no type", 4, 3),
        ("features:\n  a: {type: text, missing: 200%}", "is not a number between", 4, 28),
        ("features:\n  a: {type: text, reference: [1]}", "expected 2 or 3 numbers", 4, 30),
        ("features: [a]", "keys and values", 3, 11),
        ("feature:\n  a: {type: text}", "`feature` is not known", 3, 1),
    ],
)
def test_a_mistake_in_the_file_is_shown_at_its_place(lines: str, sentence: str, line: int, column: int) -> None:
    with pytest.raises(contracts.ContractRefused, match=sentence) as caught:
        contracts.read(f"contract: 1\nmodel: delays\n{lines}\n", file="contract.yaml")

    assert (caught.value.line, caught.value.column) == (line, column)
    assert (caught.value.code, caught.value.file) == ("contract-invalid", "contract.yaml")
    assert "Nothing was registered" in caught.value.traffic


def test_the_schema_accepts_what_the_reader_does_and_refuses_what_it_does_not() -> None:
    jsonschema = pytest.importorskip("jsonschema")
    checks = jsonschema.Draft202012Validator(contracts.schema())
    good = {
        "contract": 1,
        "model": "delays",
        "features": {"a": {"type": "number", "range": [0, "any"], "missing": "1%"}},
    }

    assert checks.is_valid(good)
    for bad in (
        {**good, "x": 1},
        {**good, "contract": 2},
        {**good, "features": {}},
        json.loads(json.dumps(good).replace("number", "nmber")),
    ):
        assert not checks.is_valid(bad)


def test_places_are_days_or_steps() -> None:
    assert is_day("d20416") == 20_416
    assert is_day("r-0001/s2") is None
    with pytest.raises(ContractInvalid):
        is_day("r-0001")
