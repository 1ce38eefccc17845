"""The keys of `evaluation.yaml`, each with its type, meaning and default: what the file's JSON Schema is made from."""

from collections.abc import Mapping
from typing import Annotated, Final, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema

from glideslope.domain.errors import NameInvalid
from glideslope.domain.ids import model_name, version_name
from glideslope.interfaces.document import quantities
from glideslope.interfaces.document.models import Duration, Fraction, Strict, Tolerance, Words

Kind = Literal["binary", "multiclass", "regression"]
QUALITY: Final[Mapping[Kind, tuple[str, ...]]] = {
    "binary": ("log_loss", "brier", "accuracy", "auc", "calibration_error"),
    "multiclass": ("log_loss", "brier", "accuracy", "macro_f1", "macro_recall", "calibration_error"),
    "regression": ("mae", "rmse", "bias", "pinball", "r2"),
}
"""What tells how well answers met the truth, by the kind of outcome, on the whole and on each slice."""
PER_CLASS: Final = ("recall", "f1")
"""Of a multiclass outcome also these, for each class on the whole."""
ANSWERS: Final[Mapping[Kind, str]] = {
    "binary": "probability",
    "multiclass": "probabilities",
    "regression": "prediction",
}
"""Where an answer is looked for when nobody says it."""
SERVICE: Final = ("errors", "latency_p50", "latency_p95", "latency_p99", "throughput", "cost")
HIGHER_IS_BETTER: Final = frozenset({"accuracy", "auc", "throughput", "macro_f1", "macro_recall", "recall", "f1", "r2"})
CHECKS: Final = ("target", "overlap", "future", "groups", "order")
SEASONS: Final = ("hour", "weekday", "month")
MOST_EXAMPLES: Final = 20

Scalar = str | int | float | bool
Count = Annotated[int, Field(ge=1, le=1_000_000)]
Positive = Annotated[float, Field(gt=0)]
Unsigned = Annotated[float, Field(ge=0)]


def _model(text: object) -> str:
    return _named(text, model=True)


def _version(text: object) -> str:
    return _named(text, model=False)


def _named(text: object, *, model: bool) -> str:
    if not isinstance(text, str):
        raise ValueError(f"{text!r} is not text; write it in quotes")  # noqa: TRY004 - pydantic turns a ValueError into a refusal
    try:
        return model_name(text) if model else version_name(text)
    except NameInvalid as error:
        raise ValueError(error.sentence.rstrip(".")) from None


def _limit(written: object) -> float:
    """Read a limit: a number, a percentage, or for a latency a duration (kept in milliseconds)."""
    if isinstance(written, bool):
        raise ValueError("a limit is a number, a percentage or a duration")  # noqa: TRY004 - as above
    if isinstance(written, int | float):
        return float(written)
    try:
        if isinstance(written, str) and written.endswith("%"):
            return quantities.fraction(written)
        return float(quantities.duration(written))
    except ValueError:
        raise ValueError(
            f"{written!r} is not a limit: write a number, a percentage like 2%, or a duration like 50ms"
        ) from None


_LIMIT_SCHEMA: Final = {
    "anyOf": [
        {"type": "number"},
        {"type": "string", "pattern": quantities.PERCENT},
        {"type": "string", "pattern": quantities.DURATION},
    ]
}
Limit = Annotated[float, BeforeValidator(_limit), WithJsonSchema(_LIMIT_SCHEMA)]
Listed = Field(min_length=1, strict=False)
_NAME: Final = WithJsonSchema({"type": "string", "minLength": 1})


class Served(Strict):
    """A version in its own serving process: started here by a command, or answering already at a URL."""

    version: Annotated[str, BeforeValidator(_version), _NAME] = Field(description="The version's name.")
    command: Annotated[tuple[str, ...], Listed] | None = Field(
        default=None,
        description="How to start its server, without a shell. `{port}` becomes a free port, `{python}` this Python.",
    )
    url: Words | None = Field(default=None, description="Instead of a command: where it answers already.")
    folder: Words | None = Field(
        default=None, description="Its files; their digest is part of what was measured, beside this file."
    )
    ready: str = Field(default="/healthz", description="The path that answers 200 once the command's server is ready.")
    patience: Duration = Field(default=120_000, description="How long the command's server may take to be ready.")


class Request(Strict):
    """How a row becomes a request, and the answer a probability, one for each class, or a number."""

    path: str = Field(default="/predict", description="Where to POST.")
    form: Literal["object", "list"] = Field(
        default="object", description="Features by name, or a list of them in the order of `features`."
    )
    under: str = Field(default="", description="Key of the body that holds the features; empty when they are the body.")
    answer: Words | None = Field(
        default=None,
        description="Where the answer holds it, like `data.0.score`; else `probability`, `probabilities` or `prediction`, by `data.kind`.",
    )
    timeout: Duration = Field(default=5_000, description="How long an answer may take; a later one is a failure.")
    headers: dict[Words, str] = Field(default={}, description="Headers of each request.")


class Data(Strict):
    """The rows: CSV with a heading, JSON lines, or Parquet. Either one file that is split here, or two that were split before."""

    file: Words | None = Field(default=None, description="All rows; `split` says which of them are held out.")
    train: Words | None = Field(default=None, description="Instead: the rows that the candidate learned from.")
    test: Words | None = Field(default=None, description="Instead: the rows that were held out.")
    outcome: Words = Field(description="The column with the truth.")
    kind: Kind = Field(
        default="binary", description="What the outcome is: one of two, one of several `classes`, or a number."
    )
    positive: Scalar = Field(default=1, description="The outcome that the probability is of, when it is one of two.")
    classes: Annotated[tuple[Scalar, ...], Listed] | None = Field(
        default=None, description="Of `kind: multiclass`: the outcomes, in the order of the answer's probabilities."
    )
    features: Annotated[tuple[Words, ...], Listed] | None = Field(
        default=None, description="Columns that are sent; without it, all that have no other use here."
    )
    time: Words | None = Field(
        default=None, description="The column with the moment of the prediction: ISO 8601, or seconds since 1970."
    )
    group: Words | None = Field(
        default=None, description="The column with what rows have in common: day, user, patient. Resampled together."
    )
    known_at: dict[Words, Words] = Field(
        default={}, description="Of a feature, the column that says when its value was known."
    )


class Split(Strict):
    """Which rows of `file` are held out. Exactly one of `after` and `share`."""

    after: Words | None = Field(default=None, description="Hold out what comes at or after this moment (ISO 8601).")
    gap: Duration = Field(default=0, description="Leave out rows that come less than this before `after`.")
    share: Fraction | None = Field(
        default=None, description="Hold out this share of the groups (of the rows, without a group), by their digest."
    )


class Target(Strict):
    """What a metric must show: within a limit, within a margin of the incumbent, or both. One of them at least."""

    limit: Limit | None = Field(
        default=None, description="Worst value that is accepted: 0.45, 2%, 50ms; of throughput, answers per second."
    )
    margin: Tolerance | None = Field(
        default=None, description="How much worse than the incumbent is tolerable: 5% (relative) or 0.01 (absolute)."
    )
    slices: Tolerance | None = Field(
        default=None, description="The margin of each slice and season, each of which must show it. Of quality only."
    )


class Targets(Strict):
    """Metrics with their targets."""

    log_loss: Target | None = Field(default=None, description="Mean of -ln(probability of what happened), in nats.")
    brier: Target | None = Field(
        default=None,
        description="Mean squared distance of probability and truth; of several classes their sum, 0 to 2.",
    )
    accuracy: Target | None = Field(
        default=None, description="Share of rows that are right: at the threshold, or by the most probable class."
    )
    auc: Target | None = Field(default=None, description="Chance that a positive scores above a negative.")
    calibration_error: Target | None = Field(
        default=None,
        description="Debiased root mean squared calibration error, in probability; of several classes, of the most probable.",
    )
    macro_f1: Target | None = Field(default=None, description="Mean of the classes' F1 scores.")
    macro_recall: Target | None = Field(default=None, description="Mean of the classes' recalls.")
    recall: Target | None = Field(
        default=None, description="Share of a class's rows that are told as it; each class must show it."
    )
    f1: Target | None = Field(default=None, description="F1 score of a class; each class must show it.")
    mae: Target | None = Field(default=None, description="Mean distance of prediction and outcome, in its unit.")
    rmse: Target | None = Field(default=None, description="Root of the mean squared distance, in the outcome's unit.")
    bias: Target | None = Field(
        default=None, description="Size of the mean of prediction minus outcome, in the outcome's unit."
    )
    pinball: Target | None = Field(
        default=None, description="Mean pinball loss at `quantile`, in the outcome's unit; at 0.5 half of `mae`."
    )
    r2: Target | None = Field(
        default=None, description="Share of the outcome's variance that the prediction explains; may be negative."
    )
    errors: Target | None = Field(default=None, description="Share of held-out rows without a valid answer.")
    latency_p50: Target | None = Field(default=None, description="Median latency at the declared load.")
    latency_p95: Target | None = Field(default=None, description="Its 95th percentile.")
    latency_p99: Target | None = Field(default=None, description="Its 99th percentile.")
    throughput: Target | None = Field(default=None, description="Highest declared load that is carried, per second.")
    cost: Target | None = Field(default=None, description="Price of a thousand predictions, in the unit of `cost`.")

    def declared(self) -> dict[str, Target]:
        """Return the targets by metric, in the order of the keys."""
        found = {name: getattr(self, name) for name in type(self).model_fields}
        return {name: target for name, target in found.items() if target is not None}


class Load(Strict):
    """Open-loop load: requests are due at moments that do not depend on how fast earlier ones were answered."""

    levels: Annotated[tuple[Positive, ...], Listed] = Field(
        description="Requests per second, ascending; the last is the declared peak."
    )
    latency_at: Positive | None = Field(
        default=None, description="The level at which latency and cost are judged; the peak, if not said."
    )
    duration: Duration = Field(default=10_000, alias="for", description="Time of one round at one level.")
    rounds: Annotated[int, Field(ge=1, le=100)] = Field(
        default=2, description="Rounds of each arm at each level, in alternating order."
    )
    connections: Annotated[int, Field(ge=1, le=1024)] = Field(
        default=64, description="Most requests at once; further ones wait, and their waiting counts."
    )
    within: Duration = Field(
        default=1_000, description="A request is carried when it is answered well within this from when it was due."
    )
    carried: Fraction = Field(default=0.99, description="Share of requests that a carried level carries.")
    replay: bool = Field(
        default=False, description="Also replay the hours of the data, squeezed into one round, busiest at the peak."
    )


class Cost(Strict):
    """What a prediction costs. Exactly one of the two prices, in any currency."""

    per_cpu_hour: Positive | None = Field(
        default=None, description="Price of an hour of one CPU, times the CPU time that the started process took."
    )
    per_hour: Positive | None = Field(
        default=None, description="Price of an hour of the server, shared by what it can carry."
    )


class Invariance(Strict):
    """Change a feature, and the answer must stay within a tolerance."""

    change: Words = Field(description="The feature.")
    to: Annotated[tuple[Scalar, ...], Listed] = Field(description="The values it is changed to, one after another.")
    tolerance: Unsigned = Field(default=0.0, description="How far the answer may move.")
    allow: Fraction = Field(default=0.0, description="Share of cases that may break it.")


class Direction(Strict):
    """Raise a feature, and the score must not fall (or must not rise)."""

    raised: Words = Field(alias="raise", description="The feature, a number.")
    by: Positive = Field(description="By how much.")
    of: Scalar | None = Field(default=None, description="Of `kind: multiclass`: the class whose probability is meant.")
    score: Literal["must-not-fall", "must-not-rise"] = Field(
        default="must-not-fall", description="What is expected of the answer."
    )
    tolerance: Unsigned = Field(default=0.0, description="How far the answer may move the other way.")
    allow: Fraction = Field(default=0.0, description="Share of cases that may break it.")


class Hostile(Strict):
    """Input as it should not be. Whatever comes, a server answers or refuses; it does not fail."""

    features: Annotated[tuple[Words, ...], Listed] | None = Field(
        default=None, description="Features that are spoilt, one at a time; without it, all."
    )
    expect: Literal["either", "answer", "refuse"] | None = Field(
        default=None,
        description="A valid answer, a refusal (4xx), or either of them; the default is the scenario's.",
    )
    allow: Fraction = Field(default=0.0, description="Share of cases that may break it.")


class Stability(Strict):
    """Shake every number a little, and the answer must move little."""

    by: Fraction = Field(default=0.01, description="Size of the shake, as a share of the feature's standard deviation.")
    tolerance: Unsigned = Field(
        default=0.1, description="How far the answer may move; of a number it must be written, in the outcome's unit."
    )
    allow: Fraction = Field(default=0.0, description="Share of cases that may break it.")


class Scenarios(Strict):
    """Controlled variation of the data. Those with a default are asked unless `skip` says why not."""

    cases: Count = Field(default=100, description="Rows that each scenario starts from, drawn by the seed.")
    missing: Hostile = Field(default=Hostile(), description="A feature is null: either.")
    absent: Hostile = Field(default=Hostile(), description="A feature's key is left out: either.")
    corrupted: Hostile = Field(
        default=Hostile(), description="A feature is of a wrong type; the body is cut off or is no JSON: refuse."
    )
    out_of_range: Hostile = Field(default=Hostile(), description="A number lies far outside what the data has: either.")
    unseen: Hostile = Field(default=Hostile(), description="A category is one that the data does not have: either.")
    duplicated: Hostile = Field(
        default=Hostile(),
        description="A feature is written twice, with the same value: either, and an answer is as before.",
    )
    reordered: Hostile = Field(default=Hostile(), description="The features come in another order: answer, as before.")
    repeated: Hostile = Field(default=Hostile(), description="The same request comes again: answer, as before.")
    stability: Stability | None = Field(default=None, description="Small shakes of all numbers, off unless written.")
    invariance: Annotated[tuple[Invariance, ...], Field(strict=False)] = Field(
        default=(), description="What the answer must not depend on."
    )
    direction: Annotated[tuple[Direction, ...], Field(strict=False)] = Field(
        default=(), description="Which way the answer must not go."
    )
    examples: Annotated[int, Field(ge=0, le=MOST_EXAMPLES)] = Field(
        default=3, description="Failures of each scenario that the report shows."
    )
    skip: dict[
        Literal["missing", "absent", "corrupted", "out_of_range", "unseen", "duplicated", "reordered", "repeated"],
        Words,
    ] = Field(default={}, description="Scenarios that are not asked, each with the reason that the report shows.")


class Leakage(Strict):
    """What a holdout must be free of, else its figures flatter."""

    target: Fraction = Field(
        default=0.99,
        description="AUC at which a single feature is taken to hold the outcome itself; of a number, the share of pairs that it orders.",
    )
    overlap: Fraction = Field(default=0.0, description="Share of held-out rows that the training rows may hold too.")
    skip: dict[Literal["target", "overlap", "future", "groups", "order"], Words] = Field(
        default={}, description="Checks that are not asked, each with the reason that the report shows."
    )


class Evaluation(Strict):
    """What is measured of a candidate before anybody meets it, and what it must show."""

    model: Annotated[str, BeforeValidator(_model), _NAME] = Field(description="What callers ask for by name.")
    holdout: Words = Field(description="Name of these rows; a plan's offline criteria ask for it.")
    candidate: Served = Field(description="The version that asks to replace the incumbent.")
    incumbent: Served = Field(description="The version that serves.")
    request: Request = Field(default=Request(), description="How to ask.")
    data: Data = Field(description="The rows.")
    split: Split | None = Field(default=None, description="Which rows of `data.file` are held out.")
    targets: Targets = Field(description="What must be shown.")
    slices: dict[Words, Annotated[tuple[Scalar, ...], Listed]] = Field(
        default={}, description="Columns, each with the values that are looked at separately."
    )
    seasons: Annotated[tuple[Literal["hour", "weekday", "month"], ...], Field(strict=False)] = Field(
        default=(), description="Parts of the time that are looked at separately; needs `data.time`."
    )
    threshold: Fraction = Field(default=0.5, description="Probability from which on a row counts as positive.")
    quantile: Fraction = Field(default=0.5, description="Level of the quantile that `pinball` takes a prediction for.")
    load: Load | None = Field(default=None, description="Needed by targets of latency, throughput and cost.")
    cost: Cost | None = Field(default=None, description="Needed by a target of cost.")
    scenarios: Scenarios = Field(default=Scenarios(), description="Controlled variation of the data.")
    leakage: Leakage = Field(default=Leakage(), description="Checks of the rows themselves.")
    confidence: Fraction = Field(default=0.95, description="Of every interval.")
    replicates: Annotated[int, Field(ge=200, le=100_000)] = Field(default=2_000, description="Bootstrap samples.")
    seed: Annotated[int, Field(ge=0, le=2**53 - 1)] = Field(default=1, description="Of every draw.")
