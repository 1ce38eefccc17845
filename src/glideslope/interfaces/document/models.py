"""The keys of `glideslope.yaml`, each with its type, its meaning and its default: what the file's JSON Schema is made from."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    WithJsonSchema,
)
from pydantic_core import CoreSchema, core_schema

from glideslope.domain.draft import DAY, Draft
from glideslope.domain.errors import NameInvalid
from glideslope.domain.ids import ModelName, VersionName, model_name, version_name
from glideslope.domain.metric import BUILT_IN
from glideslope.domain.plan import Margin
from glideslope.domain.value import VALUE
from glideslope.interfaces.document import quantities

N = TypeVar("N", ModelName, VersionName)

METRICS: Final = tuple(sorted((*BUILT_IN, VALUE)))
OWN_NAME: Final = "^[a-z][a-z0-9_]{0,63}$"
MOST_VALUES: Final = 250
"""Of one field. A receipt has a byte for each field, and keeps a few of its values for itself."""


def _model(text: object) -> ModelName:
    return _named(text, model_name)


def _version(text: object) -> VersionName:
    return _named(text, version_name)


def _named(text: object, accept: Callable[[str], N]) -> N:
    if not isinstance(text, str):
        raise _not_text(text)
    try:
        return accept(text)
    except NameInvalid as error:
        raise ValueError(error.sentence.rstrip(".")) from None


def _not_text(value: object) -> ValueError:
    """Return what pydantic turns into a refusal."""
    if isinstance(value, (list, dict)):
        return ValueError("one word or sentence is expected here")
    return ValueError(f"{value!r} is not text; write it in quotes".replace("True", "true").replace("False", "false"))


def _words(text: object) -> str:
    if not isinstance(text, str):
        raise _not_text(text)
    if not text.strip():
        raise ValueError("this needs a word")
    return text


def _slice_part(text: object) -> str:
    words = _words(text)
    if "/" in words or "=" in words or not words.isprintable() or words != words.strip() or len(words) > 64:
        raise ValueError(f"{words!r} cannot name a slice: 1 to 64 printable characters without slash or equals sign")
    return words


def _currency(text: object) -> str:
    words = _words(text)
    if not words.isprintable() or " " in words or len(words) > 12:
        raise ValueError(f"{words!r} cannot name a currency: 1 to 12 printable characters without a space, like EUR")
    return words


_TEXT: Final = {"type": "string", "minLength": 1}
_FRACTION: Final = {
    "anyOf": [{"type": "number", "minimum": 0, "maximum": 1}, {"type": "string", "pattern": quantities.PERCENT}]
}

Words = Annotated[str, BeforeValidator(_words), WithJsonSchema(_TEXT)]
SlicePart = Annotated[
    str, BeforeValidator(_slice_part), WithJsonSchema({**_TEXT, "maxLength": 64, "pattern": "^[^/=]+$"})
]
Duration = Annotated[
    int, BeforeValidator(quantities.duration), WithJsonSchema({"type": "string", "pattern": quantities.DURATION})
]
Share = Annotated[
    int, BeforeValidator(quantities.share), WithJsonSchema({"type": "string", "pattern": quantities.PERCENT})
]
OwnName = Annotated[str, BeforeValidator(_words), WithJsonSchema({"type": "string", "pattern": OWN_NAME})]
MetricWord = Annotated[
    str,
    BeforeValidator(_words),
    WithJsonSchema({"anyOf": [{"enum": list(METRICS)}, {"type": "string", "pattern": OWN_NAME}]}),
]
Currency = Annotated[str, BeforeValidator(_currency), WithJsonSchema({**_TEXT, "maxLength": 12, "pattern": "^[^ ]+$"})]
Fraction = Annotated[float, BeforeValidator(quantities.fraction), WithJsonSchema(_FRACTION)]
Quantile = Annotated[
    float, BeforeValidator(quantities.quantile), WithJsonSchema({"type": "string", "pattern": quantities.QUANTILE})
]
Tolerance = Annotated[
    Margin,
    BeforeValidator(quantities.margin),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "number", "exclusiveMinimum": 0},
                {"type": "string", "pattern": quantities.PERCENT},
                {"type": "string", "pattern": quantities.POINTS},
            ]
        }
    ),
]


HarmSize = Annotated[
    Margin,
    BeforeValidator(quantities.harm),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "number", "exclusiveMinimum": 0},
                {"type": "string", "pattern": quantities.TIMES},
                {"type": "string", "pattern": quantities.MORE},
            ]
        }
    ),
]


@dataclass(frozen=True, slots=True, eq=False)
class One:
    """Lets a list of one be written as that one."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:  # noqa: ANN401 - pydantic's
        return core_schema.no_info_before_validator_function(self._listed, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        many = handler(schema)
        return {"anyOf": [many["items"], many]}

    def _listed(self, written: object) -> object:
        return written if isinstance(written, list) else [written]


@dataclass(frozen=True, slots=True, eq=False)
class Short:
    """Lets a mapping be written as the value of its most important key: `shadow: 1h` for `shadow: {for: 1h}`."""

    key: str
    schema: dict[str, Any]

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:  # noqa: ANN401 - pydantic's
        return core_schema.no_info_before_validator_function(self._widened, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"anyOf": [handler(schema), self.schema]}

    def _widened(self, written: object) -> object:
        return written if isinstance(written, dict) else {self.key: written}


_ONE: Final = One()
_DURATION_SHORT: Final = Short("for", {"type": "string", "pattern": quantities.DURATION})
_TYPE_SHORT: Final = Short("type", {"enum": ["number", "boolean", "text"]})
_SHARES_SHORT: Final = Short(
    "shares", {"type": "array", "minItems": 1, "items": {"type": "string", "pattern": quantities.PERCENT}}
)


class Strict(BaseModel):
    """What is not named here is refused, and nothing is converted from one type to another."""

    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, allow_inf_nan=False, arbitrary_types_allowed=True
    )


class Criterion(Strict):
    """The candidate may be worse by at most `margin` on this holdout."""

    holdout: Words = Field(description="Name of the evaluation's holdout, as registered with the version.")
    margin: float = Field(description="How much worse is tolerable, in the metric's own unit; 0.0 means not at all.")
    lower_is_better: bool | None = Field(
        default=None,
        description="Whether less is better. Needed unless the metric is built in (there, less is better).",
    )


class Timed(Strict):
    """How long a stage lasts at least and at most, and what an unproven one does then."""

    minimum: Duration = Field(default=0, alias="for", description="Least time in each step: 500ms, 30s, 10m, 2h, 7d.")
    at_most: Duration = Field(default=7 * DAY, description="Most time in each step.")
    then: Literal["hold", "extend", "roll-back"] = Field(
        default="hold", description="What a step does that is not proven when its most time has passed."
    )


class Shadow(Timed):
    """Copies of requests are answered by the candidate; nobody sees its answers."""

    mirror: Share = Field(default=10_000, description="Share of the requests that are copied.")


class Canary(Timed):
    """A growing share of the subjects is answered by the candidate, compared with a control group."""

    shares: Annotated[tuple[Share, ...], Field(min_length=1, strict=False)] = Field(
        description="The steps, as shares of the subjects, ascending."
    )


class Stage(Strict):
    """One regime of the plan: exactly one of these keys."""

    offline: dict[str, Annotated[tuple[Criterion, ...], Field(min_length=1, strict=False), _ONE]] | None = Field(
        default=None, description="What the registered evaluations must show before anything moves."
    )
    shadow: Annotated[Shadow, _DURATION_SHORT] | None = Field(
        default=None, description="`shadow: 1h` is short for `for: 1h`."
    )
    canary: Annotated[Canary, _SHARES_SHORT] | None = Field(
        default=None, description="`canary: [5%, 25%]` is short for `shares: [5%, 25%]`."
    )
    full: Annotated[Timed, _DURATION_SHORT] | None = Field(
        default=None, description="Everybody, nothing to compare with."
    )
    bake: Annotated[Timed, _DURATION_SHORT] | None = Field(
        default=None, description="A last wait before the promotion."
    )


class Guardrail(Strict):
    """A metric that must not get worse."""

    metric: MetricWord = Field(description="What is measured: a built-in metric, or one of `metrics`.")
    margin: Tolerance = Field(
        description="How much worse is tolerable: 25% (relative), 0.02 (absolute), 0.5pp (percentage points)."
    )
    harm: Literal["worse", "beyond-margin"] | None = Field(
        default=None, description="What rolls back: worse at all, or worse by more than the margin."
    )
    limit: Fraction | None = Field(default=None, description="Rate of an event that nobody may exceed, whoever serves.")
    weight: int = Field(default=1, ge=1, le=1000, description="Share of alpha in proportion to the other guardrails.")
    required: bool = Field(default=True, description="False: only watched for harm; no proof needed to advance.")
    base_rate: float | None = Field(
        default=None,
        description="The incumbent's rate, mean or quantile, if it is not to be taken from recent traffic.",
    )
    quantile: Quantile | None = Field(
        default=None, description="Of a latency: the guardrail is about this quantile, p99, and not about the whole."
    )
    strata: "Strata | None" = Field(
        default=None, description="Judge the whole within groups of subjects: finds the same harm in fewer of them."
    )


class Strata(Strict):
    """Groups of subjects that are known before an arm is chosen, so that what they explain is no noise."""

    by: SlicePart = Field(description="A field under `slices`. Its value must not depend on which version answers.")
    usual: dict[SlicePart, Annotated[float, Field(ge=0)]] = Field(
        min_length=1,
        description="The incumbent's rate or mean for each of its values. A wrong one costs power, no more.",
    )


class OwnMetric(Strict):
    """A metric of the plan's own; less of it is better, unless it says otherwise.

    Services count it by themselves, unless it has an expression or a plug-in.
    """

    kind: Literal["event", "score", "count", "mean", "unbounded-mean", "latency"] | None = Field(
        default=None,
        description=(
            "An event is good or bad; a score is a number from 0 up; a count a whole number; a mean lies between a floor and "
            "a cap; an unbounded mean only advises; a latency is in milliseconds. Needed, unless an expression tells it: one "
            "that is true or false is an event, a number is a mean."
        ),
    )
    cap: Annotated[float, Field(gt=0)] | None = Field(
        default=None,
        description="Of a score or mean: everything above counts as this; below are 32 bins of equal width.",
    )
    floor: float = Field(default=0.0, description="Of a mean: everything below counts as this; it may be negative.")
    edges: Annotated[tuple[float, ...], Field(min_length=2, strict=False)] | None = Field(
        default=None,
        description="Instead of a cap: the upper edges of a score's or count's bins, or a mean's points, ascending.",
    )
    unit: Annotated[float, Field(gt=0)] | None = Field(
        default=None, description="Of an unbounded mean: the smallest amount that matters."
    )
    better: Literal["lower", "higher"] = Field(
        default="lower", description="Of a mean: whether less of it is better, or more."
    )
    expression: Words | None = Field(
        default=None, description="Gives its value from prediction, outcome and attributes: true where an event is bad."
    )
    plugin: Words | None = Field(
        default=None,
        description="The name under which a package on the server provides its value, in glideslope.metrics.",
    )
    no_outcome_within: Duration | None = Field(
        default=None,
        description="An event that is bad where no outcome came within so long of the answer. Needs a prediction log.",
    )


class Attribute(Strict):
    """A fact beside score and truth that expressions and plug-ins may ask for."""

    type: Literal["number", "boolean", "text"] = Field(description="What it is.")
    comes: Literal["outcome", "prediction"] = Field(
        default="outcome",
        alias="with",
        description="Whether it is told with the outcome, or by the service when it predicts.",
    )


class Value(Strict):
    """What outcomes are worth: more of it is better. Either what each outcome is worth, or an expression between two bounds."""

    currency: Currency = Field(description="In what it is counted, like EUR.")
    threshold: Fraction | None = Field(
        default=None, description="From this score on, a prediction counts as an alarm; 0.5 unless it is said."
    )
    hit: float | None = Field(default=None, description="Worth of an alarm that came true.")
    miss: float | None = Field(default=None, description="Worth of what came true without an alarm.")
    false_alarm: float | None = Field(default=None, description="Worth of an alarm that did not come true.")
    quiet: float | None = Field(default=None, description="Worth of no alarm where nothing came true.")
    expression: Words | None = Field(default=None, description="Gives the worth of a prediction's outcome.")
    floor: float | None = Field(default=None, description="Of an expression: everything below counts as this.")
    cap: float | None = Field(default=None, description="Of an expression: everything above counts as this.")
    each: dict[MetricWord, float] = Field(
        default={}, description="What one more unit of a technical metric is worth, shown beside it: {errors: -0.5}."
    )


class HarmBudget(Strict):
    """How much harm ends the rollout, proof or not: exactly one of `count` and `excess`."""

    metric: MetricWord = Field(description="In what it is: an event, a score, a mean, or `value`.")
    count: Annotated[int, Field(gt=0)] | None = Field(
        default=None, description="Harmful outcomes of the candidate's subjects."
    )
    excess: Annotated[float, Field(gt=0)] | None = Field(
        default=None, description="What they cost beyond what the incumbent would have cost the same subjects."
    )


class PairLimit(Strict):
    """How differently the arms may answer the same request."""

    limit: Fraction = Field(description="How much is tolerable, as a share or a number between 0 and 1.")
    weight: int = Field(default=1, ge=1, le=1000, description="Share of alpha, as of a guardrail.")
    required: bool = Field(default=True, description="False: only watched; no proof needed to leave the shadow.")


_LIMIT_SHORT: Final = Short("limit", _FRACTION)


class Pairs(Strict):
    """What is asked of both arms' answers to the same request, in the shadow stage, before any outcome is known."""

    threshold: Fraction = Field(default=0.5, description="A score at or above this is a yes.")
    disagreement: Annotated[PairLimit, _LIMIT_SHORT] | None = Field(
        default=None, description="Share of the requests that the arms may decide differently."
    )
    shift: Annotated[PairLimit, _LIMIT_SHORT] | None = Field(
        default=None, description="How far the mean score may move, up or down."
    )
    slower: Annotated[PairLimit, _LIMIT_SHORT] | None = Field(
        default=None, description="How much longer the candidate may take on half of the requests: 25%."
    )
    skew: Annotated[PairLimit, _LIMIT_SHORT] | None = Field(
        default=None, description="Share of the requests that the arms may answer from different features."
    )


class Proposal(Strict):
    """What the proposal says for itself; policies may ask for any of it."""

    benefit: Words | None = Field(default=None, description="What should get better, and for whom.")
    benefit_metric: Words | None = Field(default=None, description="By which metric one will see it.")
    risks: Annotated[tuple[Words, ...], Field(strict=False)] | None = Field(
        default=None, description="What may get worse, and for whom."
    )
    rollback_plan: Words | None = Field(
        default=None, description="What is done besides returning the traffic, which needs no plan."
    )
    intended_use_changed: bool | None = Field(
        default=None, description="Whether it is for other uses than the incumbent was."
    )


_D: Final = Draft(model=ModelName("m"), candidate=VersionName("v"), owner="o", why="w")


class Document(Strict):
    """An update of a model, as `glideslope plan` reads it. Four keys suffice; everything else has the default shown."""

    model: Annotated[str, BeforeValidator(_model), WithJsonSchema(_TEXT)] = Field(
        description="What callers ask for by name."
    )
    candidate: Annotated[str, BeforeValidator(_version), WithJsonSchema(_TEXT)] = Field(
        description="The registered version that asks to replace the incumbent."
    )
    owner: Words = Field(description="Who can be reached about this change.")
    why: Words = Field(description="What is better for those affected.")
    proposal: Proposal | None = Field(
        default=None, description="Benefit, risks and way back, as people should read them."
    )
    stages: Annotated[tuple[Stage, ...], Field(min_length=1, strict=False)] | None = Field(
        default=None, description="The course, in the order offline, shadow, canary, full, bake; some may be left out."
    )
    guardrails: Annotated[tuple[Guardrail, ...], Field(min_length=1, strict=False)] | None = Field(
        default=None, description="What must not get worse."
    )
    metrics: dict[OwnName, OwnMetric] = Field(
        default={}, description="The plan's own metrics by name; services count them by `record` or `observe`."
    )
    slices: dict[SlicePart, Annotated[tuple[SlicePart, ...], Field(min_length=1, strict=False)]] = Field(
        default={}, description="Fields of the data, each with the values that are looked at separately."
    )
    harms: dict[MetricWord, Annotated[tuple[HarmSize, ...], Field(min_length=1, strict=False), _ONE]] = Field(
        default={},
        description="Harms that the plan should catch, by metric: x2, +20%, +0.1 or +0.5pp. Forecasts are about them; no test is.",
    )
    attributes: dict[OwnName, Annotated[Attribute, _TYPE_SHORT]] = Field(
        default={},
        description="Facts that expressions may ask for; `amount: number` is short for `{type: number, with: outcome}`.",
    )
    value: Value | None = Field(default=None, description="What outcomes are worth, as the metric `value`.")
    harm_budget: Annotated[tuple[HarmBudget, ...], Field(min_length=1, strict=False), _ONE] | None = Field(
        default=None, description="How much harm ends the rollout, proof or not."
    )
    cross: Annotated[tuple[Words, ...], Field(strict=False)] = Field(
        default=(), description="Two fields of `slices` to look at together: [region & tier]."
    )
    pairs: Pairs | None = Field(default=None, description="How differently the arms may answer the same request.")
    alpha: Fraction = Field(default=_D.alpha, description="Chance of ever rolling back a candidate that is not worse.")
    alpha_pass: Fraction = Field(
        default=_D.alpha_pass, description="Chance of a proof for one that is beyond a margin."
    )
    approvals: int = Field(
        default=_D.approvals, ge=0, le=20, description="How many others than the proposer must approve."
    )
    lease: Duration = Field(default=_D.lease, description="How long an exposure outlives its last renewal.")
    stale_after: Duration = Field(
        default=_D.stale_after, description="Silence of a source after which nothing advances."
    )
    outcomes_stale_after: Duration = Field(default=_D.outcomes_stale_after, description="The same for outcomes.")
    maturity: Fraction | None = Field(
        default=None,
        description="Least share of outcomes that a proof needs: 50% unless said, 80% where it is about a mean or a loss.",
    )
    recompute: Literal["required"] | None = Field(
        default=None,
        description="required: nothing advances unless a recount from the prediction log agrees with the counters.",
    )
    logged: Annotated[tuple[SlicePart, ...], Field(strict=False)] = Field(
        default=(), description="Attributes of predictions that may be written into the prediction log."
    )
