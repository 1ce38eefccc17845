"""The data contract: what a model's live input must look like, agreed before anything is served, and how each value is placed.

A feature's rows are counted by place: missing, of a wrong type, below or above the range (of text: unseen), and the bins of the values.
Places are frozen with the contract, so that counts of any number of servers add up and can be held against the reference.
"""

import hashlib
import math
import re
import sys
from bisect import bisect_left
from collections.abc import Callable, Mapping
from enum import StrEnum
from itertools import pairwise
from typing import Any, Final

import msgspec

from glideslope.domain.errors import ContractInvalid
from glideslope.domain.ids import ModelName
from glideslope.ledger import canonical


class FeatureType(StrEnum):
    """What a feature's values are."""

    NUMBER = "number"
    INTEGER = "integer"
    TEXT = "text"
    BOOLEAN = "boolean"


MISSING: Final = 0
"""The place of what is absent, None or NaN."""
WRONG: Final = 1
"""The place of a value of another type."""
OUTSIDE: Final = 2
"""The place of a number below the range, and of a text that is no known category."""
ABOVE: Final = 3
"""The place of a number above the range."""
FIRST: Final = 4
"""The place of the first bin, or category."""

MOST_FEATURES: Final = 2_000
MOST_BINS: Final = 64
LONGEST_NAME: Final = 100

TAG: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?")
HIDDEN: Final = frozenset({"personal", "secret"})
"""Tags of features whose values are shown to nobody: categories by number, no examples."""


class FeatureRule(msgspec.Struct, frozen=True, kw_only=True, cache_hash=True, forbid_unknown_fields=True):
    """One feature. `edges` are the inner edges of a number's bins, ascending; of text the categories are the bins."""

    name: str
    type: FeatureType
    low: float | None = None
    high: float | None = None
    """The range, both ends included; None where there is none."""
    categories: tuple[str, ...] = ()
    """Known texts. None known: any text is one bin."""
    missing: float = 0.0
    """The share of rows that may have no value."""
    tags: tuple[str, ...] = ()
    edges: tuple[float, ...] = ()
    reference: tuple[int, ...] = ()
    """Per place how many rows of the reference; empty without one."""

    @property
    def bins(self) -> int:
        """Return how many bins a good value may fall into."""
        match self.type:
            case FeatureType.NUMBER | FeatureType.INTEGER:
                return len(self.edges) + 1
            case FeatureType.BOOLEAN:
                return 2
            case FeatureType.TEXT:
                return max(1, len(self.categories))

    @property
    def places(self) -> int:
        """Return how many places a row may fall into."""
        return FIRST + self.bins

    @property
    def hidden(self) -> bool:
        """Tell whether its values are shown to nobody."""
        return not HIDDEN.isdisjoint(self.tags)

    def placer(self) -> Callable[[object], int]:
        """Return the function from a value to its place. It never raises; made once, called for each row."""
        match self.type:
            case FeatureType.TEXT:
                return _text(self.categories)
            case FeatureType.BOOLEAN:
                return _boolean
            case FeatureType.NUMBER | FeatureType.INTEGER:
                return _number(self)

    def shown(self, place: int) -> str:
        """Name a place for people; of a hidden feature without its values."""
        named = {MISSING: "missing", WRONG: "of a wrong type", ABOVE: "above the range"}
        if place in named:
            return named[place]
        if place == OUTSIDE:
            return "an unknown category" if self.type is FeatureType.TEXT else "below the range"
        bin_ = place - FIRST
        if self.hidden:
            return f"bin {bin_ + 1} of {self.bins}"
        match self.type:
            case FeatureType.BOOLEAN:
                return ("false", "true")[bin_]
            case FeatureType.TEXT:
                return self.categories[bin_] if self.categories else "any text"
            case FeatureType.NUMBER | FeatureType.INTEGER:
                low = f"above {self.edges[bin_ - 1]:g}" if bin_ else ""
                high = f"up to {self.edges[bin_]:g}" if bin_ < len(self.edges) else ""
                return " ".join(part for part in (low, high) if part) or "any number"


class Contract(msgspec.Struct, frozen=True, kw_only=True, cache_hash=True, forbid_unknown_fields=True):
    """What the rows that a model is asked about must look like, and the reference against which they are held."""

    format: int = 1
    model: ModelName
    features: tuple[FeatureRule, ...]

    @property
    def short(self) -> str:
        """Return twelve digits that name exactly this contract; counts are kept under them."""
        return hashlib.sha256(canonical.encode(msgspec.to_builtins(self))).hexdigest()[:12]

    def index(self) -> Mapping[str, int]:
        """Return each feature's number by its name."""
        return {rule.name: k for k, rule in enumerate(self.features)}


def check_contract(contract: Contract) -> None:
    """Refuse what cannot be counted. Raises ContractInvalid with `where` naming the feature."""
    if not 0 < len(contract.features) <= MOST_FEATURES:
        raise ContractInvalid(f"a contract has 1 to {MOST_FEATURES:,} features", where="features")
    for rule in contract.features:
        sentence = _wrong(rule)
        if sentence:
            raise ContractInvalid(sentence, where=f"features.{rule.name}")


def _wrong(rule: FeatureRule) -> str:
    numeric = rule.type in {FeatureType.NUMBER, FeatureType.INTEGER}
    ends = [end for end in (rule.low, rule.high) if end is not None]
    if not 0 < len(rule.name) <= LONGEST_NAME or not rule.name.isprintable():
        return f"a feature's name has 1 to {LONGEST_NAME} characters that can be printed"
    if (ends or rule.edges) and not numeric:
        return "only numbers have a range and edges"
    if not all(map(math.isfinite, (*ends, *rule.edges))):
        return "a range and its edges are finite numbers"
    if rule.low is not None and rule.high is not None and rule.low > rule.high:
        return "a range goes from the lower number to the higher"
    if any(low >= high for low, high in pairwise(rule.edges)):
        return "edges ascend, each once"
    if rule.categories and rule.type is not FeatureType.TEXT:
        return "only text has categories"
    if len(set(rule.categories)) != len(rule.categories):
        return "a category is listed twice"
    if not 0.0 <= rule.missing <= 1.0:
        return "the share that may be missing lies between 0% and 100%"
    if rule.bins > MOST_BINS:
        return f"a feature has at most {MOST_BINS} bins or categories; leave the rare ones out, they count as unseen"
    if any(not TAG.fullmatch(tag) for tag in rule.tags):
        return "a tag is a word of lower-case letters, digits and dashes"
    if rule.reference and (len(rule.reference) != rule.places or min(rule.reference) < 0 or not any(rule.reference)):
        return f"its reference has {len(rule.reference)} counts; expected {rule.places} at or above 0, not all 0"
    return ""


def is_broken(place: int, rule: FeatureRule) -> bool:
    """Tell whether a row at this place breaks the contract by itself. One missing value does not where some may be missing."""
    return place in (WRONG, OUTSIDE, ABOVE) or (place == MISSING and rule.missing == 0.0)


def _text(categories: tuple[str, ...]) -> Callable[[object], int]:
    known = {category: FIRST + k for k, category in enumerate(categories)}
    get = known.get

    def place(value: object) -> int:
        if isinstance(value, str):
            return get(value, OUTSIDE) if known else FIRST
        # A NaN stands for a missing text in tables.
        return MISSING if value is None or value != value else WRONG  # noqa: PLR0124 - NaN of any type, without a call

    return place


def _boolean(value: object) -> int:
    if value is True:
        return FIRST + 1
    if value is False:
        return FIRST
    if value is None or value != value:  # noqa: PLR0124 - as above
        return MISSING
    # What a table's own type of truth (numpy.bool_) is, its class says; 0 and 1 are numbers.
    return FIRST + bool(value) if type(value).__name__ in {"bool_", "bool"} else WRONG


def _number(rule: FeatureRule) -> Callable[[object], int]:
    low = -_LARGEST if rule.low is None else max(rule.low, -_LARGEST)
    high = _LARGEST if rule.high is None else min(rule.high, _LARGEST)
    edges, whole = rule.edges, rule.type is FeatureType.INTEGER

    def place(value: Any) -> int:  # noqa: ANN401 - whatever a row holds; its type is looked at first
        kind = type(value)
        # Nearly all there is, in as few steps as can be; NaN and infinity lie in no range.
        if (kind is float or kind is int) and low <= value <= high and (not whole or value == value // 1):
            return FIRST + bisect_left(edges, value)
        return _odd(value, rule)

    return place


def _odd(value: Any, rule: FeatureRule) -> int:  # noqa: ANN401 - as above
    """Return the place of what is missing, no number, or out of range; and of other libraries' numbers: numpy.float32, Decimal."""
    kind = type(value)
    if kind is not float and kind is not int:
        if value is None:
            return MISSING
        if kind is bool or isinstance(value, str) or not hasattr(kind, "__float__"):
            return WRONG
        try:
            number = float(value)
        except Exception:  # noqa: BLE001 - somebody else's type, in a request path: what cannot be read is of a wrong type
            return WRONG
        return rule.placer()(number)
    if value != value:  # noqa: PLR0124 - NaN, without a call
        return MISSING
    if rule.low is not None and value < rule.low:
        return OUTSIDE
    if rule.high is not None and value > rule.high:
        return ABOVE
    return WRONG  # infinity, an integer that no float can hold, or what is not whole


_LARGEST: Final = sys.float_info.max


# Where rows are counted, and what of a row as a whole.

KEPT: Final = 0
"""Rows that keep the contract."""
BROKEN: Final = 1
SURPLUS: Final = 2
"""Rows, counted a second time, with a field that the contract does not know."""

LEVELS: Final = 20
"""Equal bins of a score, from 0 to 1."""

MIRRORED: Final = "s0"
"""Stands for the step of mirrored copies, whose rows the candidate alone sees under a rollout's stamps."""

_DAY: Final = 86_400
_WHERE: Final = re.compile(r"d([0-9]{1,6})|(r-[0-9]{4,12})/(s[0-9]{1,3})")


def day(seconds: float) -> str:
    """Return where the rows of a moment's UTC day are counted: `d20416`, days since 1970."""
    return f"d{int(seconds // _DAY)}"


def counted_step(rollout: str, step: str) -> str:
    """Return where the subjects of a rollout's step are counted, each once: what its coin compares. `r-0001/s2`."""
    return f"{rollout}/{step}"


def is_day(where: str) -> int | None:
    """Return the day's number; None for a step. Raises ContractInvalid for what is neither."""
    match = _WHERE.fullmatch(where)
    if match is None:
        raise ContractInvalid(f"{where!r} is neither a day nor a step")
    return int(match[1]) if match[1] else None
