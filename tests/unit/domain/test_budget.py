"""What is spent of a harm budget: exact sums, whatever the order, and nothing that was not counted."""

from fractions import Fraction

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glideslope.domain.budget import Budget, Measure, check_budget, spendings
from glideslope.domain.decision import Finding, Verdict
from glideslope.domain.errors import PlanInvalid
from glideslope.domain.evidence import NOTHING, Counts, Evidence
from glideslope.domain.ids import WHOLE, MetricName, SliceName, StepName
from glideslope.domain.metric import AUC, BRIER, ERRORS, LATENCY, Better, Kind, Metric, Origin

MONEY = Metric(
    name=MetricName("value"),
    kind=Kind.MEAN,
    origin=Origin.OUTCOME,
    edges=(-200.0, -5.0, 0.0, 20.0),
    better=Better.HIGHER,
)


def row(
    metric: Metric, step: str, candidate: tuple[int, ...], incumbent: tuple[int, ...], slice_: str = WHOLE
) -> Counts:
    return Counts(
        step=StepName(step), metric=metric.name, slice=SliceName(slice_), candidate=candidate, incumbent=incumbent
    )


def evidence(*rows: Counts) -> Evidence:
    return msgspec.structs.replace(NOTHING, counts=rows)


def spent(metric: Metric, *rows: Counts, measure: Measure = Measure.EXCESS, size: float = 1e9) -> Finding:
    budget = Budget(metric=metric.name, measure=measure, size=size)
    (found,) = spendings((budget,), {metric.name: metric}, evidence(*rows))
    return found


def amount(finding: Finding) -> float:
    assert finding.spending
    return finding.spending.spent


def test_a_count_is_of_the_candidates_harmful_outcomes() -> None:
    found = spent(
        ERRORS, row(ERRORS, "s1", (90, 3), (5, 50)), row(ERRORS, "s2", (90, 4), (0, 0)), measure=Measure.COUNT
    )

    assert amount(found) == 7
    assert (found.candidate, found.incumbent) == (187, 55)


def test_an_excess_is_against_the_control_of_the_same_step() -> None:
    """Of 100 each: in s1 10 against the control's 2 %, in s2 10 against 10 %."""
    found = spent(ERRORS, row(ERRORS, "s1", (90, 10), (98, 2)), row(ERRORS, "s2", (90, 10), (90, 10)))

    assert amount(found) == 8


def test_a_step_without_a_control_is_held_against_all_that_was_counted_before() -> None:
    """In full 10 of 100, where the controls had 4 of 200."""
    found = spent(
        ERRORS,
        row(ERRORS, "s1", (0, 0), (98, 2)),
        row(ERRORS, "s2", (0, 0), (98, 2)),
        row(ERRORS, "s3", (90, 10), (0, 0)),
    )

    assert amount(found) == 8


def test_a_good_step_makes_up_for_a_bad_one_and_nothing_is_saved_for_later() -> None:
    bad, good = row(ERRORS, "s1", (90, 10), (98, 2)), row(ERRORS, "s2", (100, 0), (70, 30))

    assert amount(spent(ERRORS, bad)) == 8
    assert amount(spent(ERRORS, bad, good)) == 0


def test_value_that_the_incumbent_would_have_brought_is_spent() -> None:
    """Ten hits against ten misses cost 220 each; of a value, more is better."""
    found = spent(MONEY, row(MONEY, "s1", (10, 0, 0, 0), (0, 0, 0, 10)))

    assert amount(found) == 2_200


def test_a_score_is_in_its_own_unit() -> None:
    middle = BRIER.values
    found = spent(BRIER, row(BRIER, "s1", (0,) * 31 + (4,), (4,) + (0,) * 31))

    assert amount(found) == pytest.approx(4 * (middle[-1] - middle[0]))


@pytest.mark.parametrize(
    ("size", "verdict"), [(7.0, Verdict.FAIL), (7.000001, Verdict.INCONCLUSIVE), (6.0, Verdict.FAIL)]
)
def test_a_budget_is_spent_when_nothing_is_left(size: float, verdict: Verdict) -> None:
    assert spent(ERRORS, row(ERRORS, "s1", (90, 7), (90, 7)), measure=Measure.COUNT, size=size).verdict is verdict


def test_slices_are_not_counted_twice() -> None:
    whole, part = row(ERRORS, "s1", (90, 10), (98, 2)), row(ERRORS, "s1", (40, 10), (49, 1), "origin=EWR")

    assert amount(spent(ERRORS, whole, part)) == 8


@pytest.mark.parametrize(
    "rows",
    [
        [row(ERRORS, "s1", (90, -1), (90, 1))],
        [row(ERRORS, "s1", (90, 1), (90, 2**60))],
        [row(ERRORS, "s1", (90, 1, 1), (90, 1))],
        [row(ERRORS, "s1", (90, 1), ())],
        [row(ERRORS, "s1", (90, 1), (90, 1))] * 2,
        [row(ERRORS, "s1", (90, True), (90, 1))],
    ],
    ids=["negative", "too large", "bins", "none", "twice", "truth"],
)
def test_malformed_counts_are_invalid(rows: list[Counts]) -> None:
    assert spent(ERRORS, *rows, size=0.5).verdict is Verdict.INVALID


@pytest.mark.parametrize(
    ("metric", "measure", "size"),
    [
        (BRIER, Measure.COUNT, 10.0),
        (LATENCY, Measure.EXCESS, 10.0),
        (AUC, Measure.EXCESS, 10.0),
        (ERRORS, Measure.COUNT, 0.0),
        (ERRORS, Measure.COUNT, float("nan")),
        (ERRORS, Measure.EXCESS, float("inf")),
    ],
)
def test_what_cannot_be_added_up_is_refused(metric: Metric, measure: Measure, size: float) -> None:
    with pytest.raises(PlanInvalid):
        check_budget(Budget(metric=metric.name, measure=measure, size=size), metric)


COUNTS = st.tuples(*[st.integers(0, 10**6)] * 4)
ROWS = st.lists(st.tuples(COUNTS, COUNTS), max_size=5)


@given(ROWS, st.randoms(use_true_random=False))
def test_the_order_of_rows_changes_nothing(
    counts: list[tuple[tuple[int, ...], tuple[int, ...]]], random: object
) -> None:
    rows = [row(MONEY, f"s{k}", candidate, incumbent) for k, (candidate, incumbent) in enumerate(counts)]
    before = spent(MONEY, *rows)
    random.shuffle(rows)  # type: ignore[attr-defined]

    assert spent(MONEY, *rows) == before


@given(ROWS)
def test_the_same_in_exact_numbers_by_another_way(counts: list[tuple[tuple[int, ...], tuple[int, ...]]]) -> None:
    """Mean by mean: what n candidates cost is n times their mean, less n times the incumbents'."""
    rows = [row(MONEY, f"s{k}", candidate, incumbent) for k, (candidate, incumbent) in enumerate(counts)]
    worth = [Fraction(edge) for edge in MONEY.edges]

    def mean(groups: list[tuple[int, ...]]) -> Fraction | None:
        size = sum(map(sum, groups))
        return (
            sum((w * n for group in groups for w, n in zip(worth, group, strict=True)), Fraction(0)) / size
            if size
            else None
        )

    pooled = mean([incumbent for _, incumbent in counts])
    total = Fraction(0)
    for candidate, incumbent in counts:
        usual = mean([incumbent])
        usual = pooled if usual is None else usual
        mine = mean([candidate])
        if mine is not None:
            total += sum(candidate) * ((max(worth) if usual is None else usual) - mine)

    assert amount(spent(MONEY, *rows)) == round(float(max(Fraction(0), total)), 6)


@given(ROWS, st.integers(1, 1_000))
def test_one_more_harmful_outcome_never_gives_back(
    counts: list[tuple[tuple[int, ...], tuple[int, ...]]], more: int
) -> None:
    rows = [row(MONEY, f"s{k}", candidate, incumbent) for k, (candidate, incumbent) in enumerate(counts)]
    if not rows:
        return
    worst = msgspec.structs.replace(rows[0], candidate=(rows[0].candidate[0] + more, *rows[0].candidate[1:]))

    assert amount(spent(MONEY, worst, *rows[1:])) >= amount(spent(MONEY, *rows))
