"""How a metric of a plan's own comes by its value: an expression, or a plug-in. Frozen in the plan with the types of all it reads.

What is known when a prediction is made is evaluated by the service that makes it; whatever needs the truth is evaluated by the server when
the outcome arrives, from the signed receipt and from what the outcome brings. A receipt holds the score as one of SCORE_LEVELS levels and
the slices, and no other attribute: so the service, too, evaluates the score at its level, and both give the same bin.
"""

from collections.abc import Mapping
from enum import StrEnum
from functools import lru_cache
from typing import Final

import msgspec

from glideslope.domain.errors import PlanInvalid
from glideslope.domain.expression import (
    FUNCTIONS,
    KEYWORDS,
    Compiled,
    ExpressionInvalid,
    Type,
    compiled,
    parsed,
)

PREDICTION: Final = "prediction"
"""The score that was given, 0 to 1."""
HAPPENED: Final = "happened"
"""Whether what was predicted came true."""
OUTCOME: Final = "outcome"
"""The truth itself where it is more than a yes or no; its type is declared among the attributes."""

TAKEN: Final = frozenset({PREDICTION, HAPPENED, *KEYWORDS, *FUNCTIONS})
"""Names that no attribute can have."""


class Moment(StrEnum):
    """When an input becomes known."""

    PREDICTION = "prediction"
    OUTCOME = "outcome"


class Attribute(msgspec.Struct, frozen=True, kw_only=True, cache_hash=True, forbid_unknown_fields=True):
    """A fact beside score and truth, declared with its type. It comes with the outcome unless it says otherwise."""

    name: str
    type: Type
    comes: Moment = Moment.OUTCOME


class Expression(
    msgspec.Struct, frozen=True, kw_only=True, tag="expression", cache_hash=True, forbid_unknown_fields=True
):
    """A text of the language of `domain.expression`, with every input that it reads."""

    text: str
    inputs: tuple[Attribute, ...]

    @property
    def moment(self) -> Moment:
        """Return when it can be evaluated: when the last of its inputs is known."""
        return _moment(self.inputs)


class Plugin(msgspec.Struct, frozen=True, kw_only=True, tag="plugin", cache_hash=True, forbid_unknown_fields=True):
    """A function that an installed package provides under a name, as it was when the plan was frozen."""

    name: str
    package: str
    version: str
    inputs: tuple[Attribute, ...]

    @property
    def moment(self) -> Moment:
        """Return when it is evaluated: the server has plug-ins and a service has none, so with the outcome."""
        return Moment.OUTCOME


Formula = Expression | Plugin


def inputs_of(attributes: tuple[Attribute, ...], fields: Mapping[str, tuple[str, ...]]) -> dict[str, Attribute]:
    """Return everything that may be named: score, truth, the fields by which the data is sliced, and the declared attributes.

    Raises PlanInvalid for an attribute that cannot be.
    """
    found = {
        PREDICTION: Attribute(name=PREDICTION, type=Type.NUMBER, comes=Moment.PREDICTION),
        HAPPENED: Attribute(name=HAPPENED, type=Type.BOOLEAN),
        **{name: Attribute(name=name, type=Type.TEXT, comes=Moment.PREDICTION) for name in fields},
    }
    for attribute in attributes:
        where = f"attributes.{attribute.name}"
        if attribute.name in TAKEN:
            raise PlanInvalid(
                f"`{attribute.name}` means something else here; name the attribute otherwise", where=where
            )
        if attribute.name in fields:
            raise PlanInvalid(f"`{attribute.name}` is a field of `slices` already, and so a text", where=where)
        if attribute.name == OUTCOME and attribute.comes is not Moment.OUTCOME:
            raise PlanInvalid("`outcome` comes with the outcome", where=where)
        found[attribute.name] = attribute
    return found


def expression(text: str, *, attributes: tuple[Attribute, ...], fields: Mapping[str, tuple[str, ...]]) -> Expression:
    """Read and check an expression. `fields` are those by which the data is sliced, with their values.

    Raises ExpressionInvalid, and PlanInvalid for attributes that cannot be.
    """
    known = inputs_of(attributes, fields)
    made = compiled(parsed(text), {name: each.type for name, each in known.items()}, values=fields)
    if not made.uses:
        raise ExpressionInvalid("this reads no input, so it is the same for everybody", offset=0, width=len(text))
    used = tuple(known[name] for name in sorted(made.uses))
    early = [each.name for each in used if each.comes is Moment.PREDICTION and _only_declared(each, fields)]
    if early and _moment(used) is Moment.OUTCOME:
        late = next(each.name for each in used if each.comes is Moment.OUTCOME)
        raise ExpressionInvalid(
            f"`{early[0]}` is known with the prediction only and `{late}` comes later, when it is no longer at hand: "
            f"send `{early[0]}` with the outcome, and declare it so",
            offset=max(text.find(early[0]), 0),
            width=len(early[0]),
        )
    return Expression(text=text, inputs=used)


def _only_declared(each: Attribute, fields: Mapping[str, tuple[str, ...]]) -> bool:
    """Tell whether no receipt carries it."""
    return each.name != PREDICTION and each.name not in fields


def _moment(inputs: tuple[Attribute, ...]) -> Moment:
    late = any(each.comes is Moment.OUTCOME for each in inputs)
    return Moment.OUTCOME if late else Moment.PREDICTION


@lru_cache(maxsize=1024)
def compile_expression(written: Expression) -> Compiled:
    """Return an expression ready for use. Raises ExpressionInvalid: one that came from elsewhere may be anything."""
    return compiled(parsed(written.text), {each.name: each.type for each in written.inputs})


def type_of(formula: Expression) -> Type:
    """Return what an expression yields. Raises ExpressionInvalid."""
    return compile_expression(formula).type


def asked(formula: Formula, inputs: Mapping[str, object]) -> bool:
    """Tell whether an outcome is about a formula at all: it brings at least one of the inputs that come with outcomes."""
    return any(each.comes is Moment.OUTCOME and inputs.get(each.name) is not None for each in formula.inputs)
