"""Data contracts that others wrote: ODCS, JSON Schema and pandera, read into ours without losing a constraint.

What constrains a row and cannot be said in our form is refused, all of it in one list. What only describes (titles, descriptions,
owners, prices) is passed over. What is kept in another way is told as a note.
"""

import json
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

import yaml

from glideslope.domain.contract import TAG, Contract, FeatureRule, FeatureType, check_contract
from glideslope.domain.errors import ContractInvalid
from glideslope.domain.ids import ModelName
from glideslope.interfaces.document.contracts import LARGEST


class Form(StrEnum):
    """Who else writes data contracts."""

    ODCS = "odcs"
    JSON_SCHEMA = "json-schema"
    PANDERA = "pandera"


class Inexpressible(ContractInvalid):
    """Constraints that our form cannot say."""

    code = "contract-inexpressible"

    def __init__(self, what: list[str]) -> None:
        super().__init__(f"{len(what)} constraints cannot be said in a contract here: {'; '.join(what)}")
        self.what = tuple(what)


@dataclass(slots=True)
class _Reading:
    """What was found so far; every trouble is gathered before anything is refused."""

    rules: list[FeatureRule] = field(default_factory=list)
    trouble: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def no(self, where: str, what: str) -> None:
        self.trouble.append(f"{where}: {what}")

    def surplus(self) -> None:
        self.notes.append("A row with further fields is counted as surplus; it does not break the contract.")


@dataclass(frozen=True, slots=True)
class Imported:
    """A contract, what it was read from, and what is kept in another way."""

    contract: Contract
    form: Form
    notes: tuple[str, ...]


def read(text: str, *, model: ModelName, file: str, schema: str = "") -> Imported:
    """Read a contract of another form. `schema` picks one of several in an ODCS file. Raises ContractInvalid, Inexpressible."""
    document = _document(text, file=file)
    form = _form(document, file=file)
    reading = _Reading()
    match form:
        case Form.ODCS:
            _odcs(document, reading, schema=schema)
        case Form.JSON_SCHEMA:
            _json_schema(document, reading)
        case Form.PANDERA:
            _pandera(document, reading)
    if reading.trouble:
        raise Inexpressible(reading.trouble)
    contract = Contract(model=model, features=tuple(reading.rules))
    check_contract(contract)
    return Imported(contract=contract, form=form, notes=tuple(reading.notes))


def _document(text: str, *, file: str) -> dict[str, Any]:
    if len(text) > LARGEST:
        raise ContractInvalid(f"{file} is longer than {LARGEST:,} characters")
    try:
        if text.lstrip().startswith("{"):
            found = json.loads(text)
        else:
            # An alias can stand for a document of any size.
            if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, Loader=yaml.SafeLoader)):
                raise ContractInvalid(f"{file} uses an alias, which is not read here; write the value out")
            found = yaml.safe_load(text)
    except (ValueError, yaml.YAMLError, RecursionError) as error:
        raise ContractInvalid(f"{file} is neither JSON nor YAML: {' '.join(str(error).split())}") from None
    if not isinstance(found, dict):
        raise ContractInvalid(f"{file} is no data contract: keys and values are expected")
    return found


def _form(document: Mapping[str, Any], *, file: str) -> Form:
    if document.get("kind") == "DataContract":
        return Form.ODCS
    if document.get("schema_type") == "dataframe":
        return Form.PANDERA
    if document.get("type") == "object" and "properties" in document:
        return Form.JSON_SCHEMA
    raise ContractInvalid(
        f"{file} is none of ODCS (`kind: DataContract`), JSON Schema (`type: object`) and pandera (`schema_type: dataframe`)"
    )


# JSON Schema

_SAID: Final = frozenset(
    {"$schema", "$id", "$comment", "title", "description", "examples", "default", "deprecated", "readOnly", "writeOnly"}
)
_JSON_TYPES: Final = {
    "number": FeatureType.NUMBER,
    "integer": FeatureType.INTEGER,
    "string": FeatureType.TEXT,
    "boolean": FeatureType.BOOLEAN,
}


def _json_schema(document: Mapping[str, Any], reading: _Reading) -> None:
    for key in document.keys() - _SAID - {"type", "properties", "required", "additionalProperties"}:
        reading.no(key, "is not read")
    if document.get("additionalProperties", True) not in (True, False):
        reading.no("additionalProperties", "further fields cannot be described")
    elif document.get("additionalProperties", True) is False:
        reading.surplus()
    required = document.get("required", [])
    for name, property_ in _named(document["properties"], reading, "properties"):
        _json_property(name, property_, reading, required=isinstance(required, list) and name in required)


def _json_property(name: str, written: Mapping[str, Any], reading: _Reading, *, required: bool) -> None:
    where = f"properties.{name}"
    known = {"type", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "enum", "x-tags"}
    for key in sorted(written.keys() - _SAID - known):
        reading.no(f"{where}.{key}", "cannot be said")
    kinds = written.get("type")
    kinds = kinds if isinstance(kinds, list) else [kinds]
    listed = written.get("enum")
    nullable = "null" in kinds
    if listed is not None and nullable and (not isinstance(listed, list) or None not in listed):
        nullable = False
    kinds = [kind for kind in kinds if kind != "null"]
    if len(kinds) != 1 or kinds[0] not in _JSON_TYPES:
        reading.no(f"{where}.type", "is not one of number, integer, string and boolean, alone or with null")
        return
    kind = _JSON_TYPES[kinds[0]]
    low = _end(written, ("minimum", "exclusiveMinimum"), kind, reading, where=where, step=1)
    high = _end(written, ("maximum", "exclusiveMaximum"), kind, reading, where=where, step=-1)
    listed = None if listed is None else [each for each in listed if each is not None]
    _add(reading, where, name, kind, low=low, high=high, listed=listed, may_be_missing=nullable or not required,
         tags=written.get("x-tags", []))  # fmt: skip


# ODCS 3

_ODCS_TYPES: Final = {
    "string": FeatureType.TEXT,
    "number": FeatureType.NUMBER,
    "integer": FeatureType.INTEGER,
    "boolean": FeatureType.BOOLEAN,
}
_ODCS_SAID: Final = frozenset(
    {
        *(
            "name",
            "id",
            "businessName",
            "description",
            "physicalName",
            "physicalType",
            "examples",
            "criticalDataElement",
        ),
        *("primaryKeyPosition", "partitioned", "partitionKeyPosition", "transformSourceObjects", "transformLogic"),
        *("transformDescription", "authoritativeDefinitions", "customProperties", "encryptedName", "relationships"),
    }
)


def _odcs(document: Mapping[str, Any], reading: _Reading, *, schema: str) -> None:
    version = str(document.get("apiVersion", ""))
    if not version.startswith("v3."):
        reading.no("apiVersion", f"{version or 'nothing'} is not of version 3")
        return
    objects = document.get("schema")
    found = [each for each in objects if isinstance(each, dict)] if isinstance(objects, list) else []
    chosen = [each for each in found if not schema or each.get("name") == schema]
    if len(chosen) != 1:
        names = ", ".join(str(each.get("name")) for each in found) or "none"
        reading.no("schema", f"one is read, and here are {names}; say which with --schema")
        return
    if chosen[0].get("quality"):
        reading.no("schema.quality", "rules about the table as a whole cannot be said")
    properties = chosen[0].get("properties")
    for number, each in enumerate(properties if isinstance(properties, list) else []):
        if isinstance(each, dict) and isinstance(each.get("name"), str):
            _odcs_property(each["name"], each, reading)
        else:
            reading.no(f"schema.properties.{number}", "has no name")


def _odcs_property(name: str, written: Mapping[str, Any], reading: _Reading) -> None:
    where = f"schema.properties.{name}"
    known = {
        "logicalType",
        "logicalTypeOptions",
        "required",
        "unique",
        "primaryKey",
        "tags",
        "classification",
        "quality",
    }
    for key in sorted(written.keys() - _ODCS_SAID - known):
        reading.no(f"{where}.{key}", "cannot be said")
    for key in ("unique", "primaryKey"):
        if written.get(key):
            reading.no(f"{where}.{key}", "rows are looked at one by one, so that none is known to be the only one")
    kind = _ODCS_TYPES.get(str(written.get("logicalType")))
    if kind is None:
        reading.no(f"{where}.logicalType", "is not one of string, number, integer and boolean")
        return
    options = written.get("logicalTypeOptions") or {}
    for key in sorted(options.keys() - {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"}):
        reading.no(f"{where}.logicalTypeOptions.{key}", "cannot be said")
    low = _end(options, ("minimum", "exclusiveMinimum"), kind, reading, where=where, step=1)
    high = _end(options, ("maximum", "exclusiveMaximum"), kind, reading, where=where, step=-1)
    listed, missing = None, 0.0 if written.get("required") is True else 1.0
    for number, rule in enumerate(written.get("quality") or []):
        values, share = _odcs_rule(rule, reading, f"{where}.quality.{number}")
        listed = values if values is not None else listed
        missing = share if share is not None else missing
    tags = list(written.get("tags") or [])
    if written.get("classification"):
        tags.append(str(written["classification"]).lower())
    _add(reading, where, name, kind, low=low, high=high, listed=listed, may_be_missing=missing, tags=tags)


def _odcs_rule(rule: Any, reading: _Reading, where: str) -> tuple[list[Any] | None, float | None]:  # noqa: ANN401 - JSON
    """Return the values that are valid, or the share that may be missing."""
    if isinstance(rule, dict):
        if rule.get("type") == "text":
            reading.notes.append(f"{where} is a sentence for people and is not checked.")
            return None, None
        metric, most = rule.get("metric", rule.get("rule")), rule.get("mustBeLessOrEqualTo", rule.get("mustBe"))
        arguments = rule.get("arguments") or {}
        if metric == "invalidValues" and rule.get("mustBe") == 0 and isinstance(arguments.get("validValues"), list):
            return arguments["validValues"], None
        if metric in {"nullValues", "nullCheck"} and isinstance(most, (int, float)):
            if rule.get("unit") == "percent":
                return None, most / 100
            if most == 0:
                return None, 0.0
    reading.no(where, "is a rule that cannot be said")
    return None, None


# pandera

_PANDERA_SAID: Final = frozenset({"title", "description", "name", "metadata", "coerce", "drop_invalid_rows"})
_PANDERA_ENDS: Final = {
    "greater_than_or_equal_to": "minimum",
    "less_than_or_equal_to": "maximum",
    "greater_than": "exclusiveMinimum",
    "less_than": "exclusiveMaximum",
}


def _pandera(document: Mapping[str, Any], reading: _Reading) -> None:
    said = _PANDERA_SAID | {
        "schema_type",
        "api",
        "version",
        "columns",
        "strict",
        "report_duplicates",
        "unique_column_names",
    }
    for key in sorted(document.keys() - said - {"ordered", "index"}):
        if document[key]:
            reading.no(key, "cannot be said")
    if document.get("ordered") or document.get("index"):
        reading.notes.append("The order of columns and the index are not looked at: rows come by name.")
    if document.get("coerce"):
        reading.notes.append("Nothing is converted: a value of another type counts as wrong.")
    if document.get("strict"):
        reading.surplus()
    for name, column in _named(document.get("columns"), reading, "columns"):
        _pandera_column(name, column, reading)


def _pandera_column(name: str, written: Mapping[str, Any], reading: _Reading) -> None:
    where = f"columns.{name}"
    dtype = str(written.get("dtype")).lower().partition("[")[0]
    kind = (
        FeatureType.INTEGER
        if dtype.startswith(("int", "uint"))
        else FeatureType.NUMBER
        if dtype.startswith("float")
        else FeatureType.BOOLEAN
        if dtype in {"bool", "boolean"}
        else FeatureType.TEXT
        if dtype in {"str", "string"}
        else None
    )
    if kind is None:
        reading.no(f"{where}.dtype", f"{written.get('dtype')} is not a number, a text or a truth")
        return
    ends: dict[str, Any] = {}
    listed = None
    for check, value in _checks(written):
        if check in _PANDERA_ENDS:
            ends[_PANDERA_ENDS[check]] = (
                value.get("min_value", value.get("max_value")) if isinstance(value, dict) else value
            )
        elif check == "in_range" and isinstance(value, dict):
            ends["minimum" if value.get("include_min", True) else "exclusiveMinimum"] = value.get("min_value")
            ends["maximum" if value.get("include_max", True) else "exclusiveMaximum"] = value.get("max_value")
        elif check == "isin":
            listed = value.get("allowed_values") if isinstance(value, dict) else value
        else:
            reading.no(f"{where}.{check}", "cannot be said")
    low = _end(ends, ("minimum", "exclusiveMinimum"), kind, reading, where=where, step=1)
    high = _end(ends, ("maximum", "exclusiveMaximum"), kind, reading, where=where, step=-1)
    may_be_missing = written.get("nullable") is True or written.get("required") is False
    metadata = written.get("metadata") or {}
    tags = [key for key, value in metadata.items() if value is True] + list(metadata.get("tags") or [])
    _add(reading, where, name, kind, low=low, high=high, listed=listed, may_be_missing=may_be_missing, tags=tags)


def _checks(written: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield a column's checks, as newer versions write them (beside its type) and older ones (below `checks`)."""
    plain = _PANDERA_SAID | {
        "dtype",
        "nullable",
        "required",
        "unique",
        "regex",
        "checks",
        "report_duplicates",
        "default",
    }
    for key in ("unique", "regex"):
        if written.get(key):
            yield key, True
    yield from ((key, value) for key, value in written.items() if key not in plain)
    match written.get("checks"):
        case dict() as checks:
            yield from checks.items()
        case list() as checks:
            for each in checks:
                options = each.get("options", {}) if isinstance(each, dict) else {}
                value = each.get("value", each) if isinstance(each, dict) else each
                yield str(options.get("check_name", "a check")), value
        case _:
            return


# What all share


def _named(written: Any, reading: _Reading, where: str) -> Iterator[tuple[str, dict[str, Any]]]:  # noqa: ANN401 - JSON
    if not isinstance(written, dict):
        reading.no(where, "are names and what is said of them")
        return
    for name, each in written.items():
        if isinstance(name, str) and isinstance(each, dict):
            yield name, each
        else:
            reading.no(f"{where}.{name}", "says nothing that is read")


def _end(
    written: Mapping[str, Any], keys: tuple[str, str], kind: FeatureType, reading: _Reading, *, where: str, step: int
) -> float | None:
    """Return an end of the range, included; of whole numbers an open end is the next one inside."""
    rounds: Callable[[float], int] = math.floor if step > 0 else math.ceil
    found = []
    closed, _ = keys
    for key in keys:
        value = written.get(key)
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
            reading.no(f"{where}.{key}", "is not a number")
        elif kind not in {FeatureType.NUMBER, FeatureType.INTEGER}:
            reading.no(f"{where}.{key}", "only numbers have a range")
        elif key == closed:
            found.append(float(value))
        elif kind is FeatureType.INTEGER:
            found.append(float(rounds(value) + step))
        else:
            reading.no(f"{where}.{key}", "an end that is left out itself cannot be said")
    if not found:
        return None
    return max(found) if step > 0 else min(found)


def _add(
    reading: _Reading,
    where: str,
    name: str,
    kind: FeatureType,
    *,
    low: float | None,
    high: float | None,
    listed: list[Any] | None,
    may_be_missing: float,
    tags: list[Any],
) -> None:
    if listed is not None and (
        kind is not FeatureType.TEXT
        or not isinstance(listed, list)
        or not all(isinstance(each, str) for each in listed)
    ):
        reading.no(where, "only texts are listed one by one")
        listed = None
    if listed is not None and not listed:
        reading.no(where, "a list of no values lets nothing through")
    wrong = [str(tag) for tag in tags if not isinstance(tag, str) or not TAG.fullmatch(tag)]
    if wrong:
        reading.no(where, f"{', '.join(wrong)} cannot be a tag: lower-case letters, digits and dashes")
        tags = []
    reading.rules.append(
        FeatureRule(
            name=name,
            type=kind,
            low=low,
            high=high,
            categories=tuple(dict.fromkeys(listed or ())),
            missing=float(may_be_missing),
            tags=tuple(dict.fromkeys(tags)),
        )
    )
