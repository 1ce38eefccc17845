"""Texts of a form: `90d`, `5%`, a name. The form stands in the type, is written into the JSON Schema, and is looked at here.

msgspec can look by itself (`Meta(pattern=...)`), but with version 0.22.0 the interpreter then crashes at its exit, measured in half of
all runs of a program that reads two such types; so it is only told what to write into a schema.
"""

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, Final

import msgspec
from msgspec import inspect

Path = tuple[str | int, ...]

PATTERN: Final = "pattern"


def of_form(pattern: str, words: str, *, longest: int = 200) -> msgspec.Meta:
    """Return what makes a text one of a form, described in words."""
    return msgspec.Meta(max_length=longest, description=words, extra_json_schema={PATTERN: pattern})


def misformed(value: msgspec.Struct) -> Iterator[tuple[Path, str]]:
    """Yield the place of each text that has not its form, and what was expected."""
    for field in _fields(type(value)):
        yield from _at((field.encode_name,), field.type, getattr(value, field.name))


@lru_cache(maxsize=256)
def _fields(kind: type[msgspec.Struct]) -> tuple[inspect.Field, ...]:
    found = inspect.type_info(kind)
    return found.fields if isinstance(found, inspect.StructType) else ()


def _at(path: Path, node: inspect.Type, value: Any) -> Iterator[tuple[Path, str]]:  # noqa: ANN401 - any field's
    match node:
        case inspect.Metadata(type=inner, extra_json_schema=extra):
            pattern = (extra or {}).get(PATTERN)
            if isinstance(value, str) and pattern and not re.fullmatch(str(pattern), value, re.ASCII):
                yield path, str((extra or {}).get("description", "another text"))
            else:
                yield from _at(path, inner, value)
        case inspect.UnionType(types=types):
            # The branches of our unions are told apart by what they hold: a text, a list, a mapping, a struct.
            for each in types:
                if _holds(each, value):
                    yield from _at(path, each, value)
        case inspect.VarTupleType(item_type=item) if isinstance(value, tuple):
            for number, each in enumerate(value):
                yield from _at((*path, number), item, each)
        case inspect.DictType(key_type=key_type, value_type=value_type) if isinstance(value, Mapping):
            for key, each in value.items():
                yield from _at((*path, key), key_type, key)
                yield from _at((*path, key), value_type, each)
        case inspect.StructType() if isinstance(value, msgspec.Struct):
            yield from (((*path, *inside), words) for inside, words in misformed(value))
        case _:
            return


def _holds(node: inspect.Type, value: object) -> bool:
    match node:
        case inspect.Metadata(type=inner):
            return _holds(inner, value)
        case inspect.StrType():
            return isinstance(value, str)
        case inspect.VarTupleType():
            return isinstance(value, tuple)
        case inspect.DictType():
            return isinstance(value, Mapping)
        case inspect.StructType(cls=cls):
            return isinstance(value, cls)
        case _:
            return False
