"""What an expression can be worth: a number, true or false, a text, or nothing, with the reason."""

from dataclasses import dataclass
from enum import StrEnum
from typing import assert_never

Value = float | bool | str


class Type(StrEnum):
    """Of an input or of a part; each part has exactly one, known before anything is evaluated."""

    NUMBER = "number"
    BOOLEAN = "boolean"
    TEXT = "text"

    @property
    def words(self) -> str:
        """Return it as it stands in a sentence."""
        return {Type.NUMBER: "a number", Type.BOOLEAN: "true or false", Type.TEXT: "text"}[self]


class Why(StrEnum):
    """Why there is no value. Codes are stable."""

    DIVISION_BY_ZERO = "division-by-zero"
    LOG_OF_NOTHING = "log-of-zero-or-less"
    OVERFLOW = "overflow"
    NOT_A_NUMBER = "not-a-number"
    MISSING = "missing"
    WRONG_TYPE = "wrong-type"
    PLUGIN_MISSING = "plugin-missing"
    PLUGIN_FAILED = "plugin-failed"


@dataclass(frozen=True, slots=True)
class Undefined:
    """There is no value; nothing may be counted in its place."""

    why: Why
    name: str = ""
    """The input that is missing, not finite or of another type; or the plug-in."""

    @property
    def sentence(self) -> str:
        """Return what people read."""
        match self.why:
            case Why.DIVISION_BY_ZERO:
                return "it divides by zero"
            case Why.LOG_OF_NOTHING:
                return "it takes the logarithm of zero or less"
            case Why.OVERFLOW:
                return "a number in it grows beyond what can be represented"
            case Why.NOT_A_NUMBER:
                return f"{self.name} is not a finite number"
            case Why.MISSING:
                return f"{self.name} is missing"
            case Why.WRONG_TYPE:
                return f"{self.name} has another type than the plan declares"
            case Why.PLUGIN_MISSING:
                return f"the plug-in {self.name} is not installed here in the version that the plan was frozen with"
            case Why.PLUGIN_FAILED:
                return f"the plug-in {self.name} failed, or returned what is no value of this metric"
            case _:
                assert_never(self.why)
