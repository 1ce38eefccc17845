"""Contracts of others: what they say of a row is kept to the letter, and what cannot be kept is refused, all of it."""

import json

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glideslope.domain.contract import FeatureType, is_broken
from glideslope.domain.errors import ContractInvalid
from glideslope.domain.ids import ModelName
from glideslope.interfaces.document import contracts, foreign
from glideslope.interfaces.document.foreign import Form, Imported, Inexpressible

MODEL = ModelName("delays")


def read(document: object) -> Imported:
    text = document if isinstance(document, str) else json.dumps(document)
    return foreign.read(text, model=MODEL, file="given")


SCHEMA = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "additionalProperties": False,
    "required": ["distance", "stops", "origin"],
    "properties": {
        "distance": {"type": "number", "minimum": 0, "maximum": 5000, "description": "miles"},
        "stops": {"type": "integer", "exclusiveMinimum": -1, "exclusiveMaximum": 4},
        "origin": {"type": "string", "enum": ["EWR", "JFK"]},
        "name": {"type": ["string", "null"], "x-tags": ["personal"]},
        "night": {"type": "boolean"},
    },
}
ODCS = """
apiVersion: v3.0.2
kind: DataContract
id: 53581432
version: 1.0.0
status: active
schema:
  - name: flights
    logicalType: object
    properties:
      - {name: distance, logicalType: number, required: true, logicalTypeOptions: {minimum: 0, maximum: 5000}, businessName: Miles}
      - {name: stops, logicalType: integer, required: true, logicalTypeOptions: {minimum: 0, maximum: 3}}
      - name: origin
        logicalType: string
        required: true
        quality: [{metric: invalidValues, mustBe: 0, arguments: {validValues: [EWR, JFK]}}]
      - {name: name, logicalType: string, classification: Personal}
      - {name: night, logicalType: boolean}
"""
PANDERA = """
schema_type: dataframe
api: pandas
columns:
  distance: {dtype: float64, greater_than_or_equal_to: 0, less_than_or_equal_to: 5000}
  stops:
    dtype: Int64
    in_range: {min_value: 0, max_value: 3, include_min: true, include_max: true}
  origin: {dtype: 'string[python]', isin: [EWR, JFK]}
  name: {dtype: str, nullable: true, metadata: {personal: true}}
  night: {dtype: bool, required: false}
strict: true
"""
OLDER_PANDERA = {
    "schema_type": "dataframe",
    "version": "0.20.4",
    "columns": {
        "distance": {
            "title": None,
            "dtype": "float64",
            "nullable": False,
            "checks": [
                {"value": 0, "options": {"check_name": "greater_than_or_equal_to", "raise_warning": False}},
                {"value": 5000, "options": {"check_name": "less_than_or_equal_to"}},
            ],
            "unique": False,
            "coerce": False,
            "required": True,
            "regex": False,
        },
    },
    "checks": None,
    "index": None,
    "dtype": None,
    "unique": None,
}


@pytest.mark.parametrize(
    ("document", "form"), [(SCHEMA, Form.JSON_SCHEMA), (ODCS, Form.ODCS), (PANDERA, Form.PANDERA)], ids=list(Form)[::-1]
)
def test_each_form_of_one_contract_is_read_as_the_same(document: object, form: Form) -> None:
    found = read(document)

    assert found.form is form
    assert contracts.show(found.contract) == (
        "contract: 1\nmodel: delays\nfeatures:\n"
        '  "distance":\n    type: number\n    range: [0, 5000]\n    missing: 0\n'
        '  "stops":\n    type: integer\n    range: [0, 3]\n    missing: 0\n'
        '  "origin":\n    type: text\n    categories: ["EWR", "JFK"]\n    missing: 0\n'
        '  "name":\n    type: text\n    missing: 1\n    tags: [personal]\n'
        '  "night":\n    type: boolean\n    missing: 1\n'
    )


def test_older_pandera_is_read_too() -> None:
    (rule,) = read(OLDER_PANDERA).contract.features

    assert (rule.type, rule.low, rule.high, rule.missing) == (FeatureType.NUMBER, 0.0, 5000.0, 0.0)


VALUES = st.one_of(
    st.integers(-3, 6), st.floats(-10, 6000, allow_nan=False), st.text("EWRJFK", max_size=3), st.booleans(), st.none()
)


@given(st.sampled_from(sorted(SCHEMA["properties"])), VALUES)  # type: ignore[arg-type]  # a dictionary
def test_a_value_breaks_ours_exactly_when_it_breaks_the_schema(name: str, value: object) -> None:
    rule = next(rule for rule in read(SCHEMA).contract.features if rule.name == name)
    schema = SCHEMA["properties"][name]  # type: ignore[index]  # as above
    valid = jsonschema.Draft202012Validator(schema).is_valid(value)
    if value is None:
        # What is not required may be absent, and we do not tell absent from null.
        valid = name not in SCHEMA["required"]
    if isinstance(value, float) and name == "stops":
        valid = valid and value == int(value)

    assert (not is_broken(rule.placer()(value), rule)) == valid


@pytest.mark.parametrize(
    ("document", "says"),
    [
        ({**SCHEMA, "properties": {"a": {"type": "string", "pattern": "^x", "minLength": 2}}}, ["a.minLength", "a.pattern"]),
        ({**SCHEMA, "properties": {"a": {"type": "number", "exclusiveMinimum": 0}, "b": {"type": "array"}}}, ["a.exclusive", "b.type"]),
        ({**SCHEMA, "allOf": []}, ["allOf"]),
        ({**SCHEMA, "properties": {"a": {"type": "integer", "enum": [1, 2]}}}, ["only texts are listed"]),
        (ODCS.replace("required: true, logicalTypeOptions: {minimum: 0, maximum: 3}", "unique: true"), ["stops.unique"]),
        (ODCS.replace("logicalType: boolean", "logicalType: date"), ["night.logicalType"]),
        (ODCS.replace("metric: invalidValues", "metric: duplicateValues"), ["origin.quality.0"]),
        (ODCS.replace("v3.0.2", "v2.2.0"), ["apiVersion"]),
        (ODCS + "  - {name: other, properties: []}\n", ["flights, other"]),
        (PANDERA.replace("isin: [EWR, JFK]", "str_matches: ^x, unique: true"), ["origin.unique", "origin.str_matches"]),
        (PANDERA.replace("dtype: bool", "dtype: datetime64"), ["night.dtype"]),
    ],
)  # fmt: skip
def test_what_cannot_be_said_is_refused_with_the_whole_list(document: object, says: list[str]) -> None:
    with pytest.raises(Inexpressible) as refusal:
        read(document)

    for each in says:
        assert each in refusal.value.sentence


@pytest.mark.parametrize("text", ["[]", "a: *b", "{", "kind: Other", "a: &x 1\nb: *x", "x" * 3_000_000])
def test_what_is_no_contract_is_refused(text: str) -> None:
    with pytest.raises(ContractInvalid):
        read(text)


def test_what_is_kept_in_another_way_is_told() -> None:
    assert "surplus" in read(SCHEMA).notes[0]
    assert read(ODCS).notes == ()
