"""Any draft that a file can say."""

from typing import Any

from hypothesis import strategies as st

from glideslope.domain.draft import (
    DAY,
    Draft,
    GuardrailDraft,
    MetricDraft,
    StageDraft,
)
from glideslope.domain.ids import MetricName, ModelName, VersionName
from glideslope.domain.metric import BUILT_IN, SPENDS_NO_ALPHA, Better, Dimension, Kind
from glideslope.domain.plan import AtMaximum, Criterion, HarmNull, Margin, MarginKind, StageKind

NAMES = st.from_regex(r"[a-z0-9](?:[a-z0-9.-]{0,20}[a-z0-9])?", fullmatch=True)
WORDS = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Cn", "Co", "Zl", "Zp")), min_size=1
).filter(lambda text: bool(text.strip()))
PARTS = WORDS.map(str.strip).filter(
    lambda text: 0 < len(text) <= 64 and text.isprintable() and not set("/=") & set(text)
)
TIMES = st.integers(0, 366 * DAY)
FRACTIONS = st.floats(0, 1)
SHARES = st.lists(st.integers(0, 10_000), min_size=1, max_size=4).map(tuple)


def timed(kind: StageKind, **more: Any) -> st.SearchStrategy[StageDraft]:
    return st.builds(
        StageDraft, stage=st.just(kind), minimum=TIMES, maximum=TIMES, at_maximum=st.sampled_from(AtMaximum), **more
    )


def guardrail(name: str) -> st.SearchStrategy[GuardrailDraft]:
    kind = BUILT_IN[MetricName(name)].kind
    sizes = st.floats(1e-6, 1e3)
    relative, absolute = (
        st.builds(Margin, st.just(each), sizes) for each in (MarginKind.RELATIVE, MarginKind.ABSOLUTE)
    )
    return st.builds(
        GuardrailDraft,
        metric=st.just(MetricName(name)),
        margin={Kind.EVENT: relative | absolute, Kind.LATENCY: relative}.get(kind, absolute),
        harm=st.none() | st.sampled_from(HarmNull),
        base_rate=st.none() | st.floats(0, 1e6),
        limit=st.none() | FRACTIONS if kind is Kind.EVENT else st.none(),
        weight=st.integers(1, 1_000),
        required=st.booleans() if kind not in SPENDS_NO_ALPHA else st.just(False),
        quantile=st.none() | st.sampled_from((0.5, 0.95, 0.999)) if kind is Kind.LATENCY else st.none(),
    )


CRITERIA = st.lists(
    st.builds(Criterion, metric=NAMES, holdout=WORDS, margin=st.floats(-1e6, 1e6), lower_is_better=st.booleans()),
    min_size=1,
    max_size=4,
).map(lambda found: tuple(sorted(found, key=lambda each: [c.metric for c in found].index(each.metric))))
LATER = (
    timed(StageKind.SHADOW, mirror=st.integers(0, 10_000))
    | timed(StageKind.CANARY, shares=SHARES)
    | timed(StageKind.FULL)
    | timed(StageKind.BAKE)
)
DRAFTS = st.builds(
    Draft,
    model=NAMES.map(ModelName),
    candidate=NAMES.map(VersionName),
    owner=WORDS,
    why=WORDS,
    stages=st.lists(LATER, min_size=1, max_size=4).map(tuple),
    guardrails=st.lists(st.sampled_from(sorted(BUILT_IN)), min_size=1, unique=True).flatmap(
        lambda names: st.tuples(*(guardrail(name) for name in names))
    ),
    metrics=st.lists(
        st.builds(
            MetricDraft,
            name=WORDS.map(MetricName),
            kind=st.sampled_from((Kind.EVENT, Kind.SCORE, Kind.COUNT, Kind.MEAN, Kind.UNBOUNDED, Kind.LATENCY)),
            floor=st.floats(-1e6, 1e6),
            unit=st.none() | st.floats(1e-300, 1e300),
            better=st.sampled_from(Better),
            cap=st.none() | st.floats(1e-300, 1e300),
            edges=st.just(()) | st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=4).map(tuple),
        ),
        max_size=3,
        unique_by=lambda own: own.name,
    ).map(tuple),
    slices=st.dictionaries(PARTS, st.lists(PARTS, min_size=1, max_size=4, unique=True), max_size=3).map(
        lambda found: tuple(Dimension(name, tuple(values)) for name, values in found.items())
    ),
    alpha=FRACTIONS,
    alpha_pass=FRACTIONS,
    approvals=st.integers(0, 20),
    stale_after=TIMES,
    outcomes_stale_after=TIMES,
    maturity=FRACTIONS,
    lease=TIMES,
)
