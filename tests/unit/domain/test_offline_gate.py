"""A plan's offline criterion is held against the whole interval of an evaluation that has one, and old evaluations mean what they did."""

from itertools import pairwise
from typing import Any

import msgspec
import pytest

from glideslope.domain.decision import Verdict
from glideslope.domain.errors import PlanInvalid
from glideslope.domain.gate import offline_findings
from glideslope.domain.plan import Criterion, Evaluation, Plan, check_plan
from glideslope.testing.examples import plan

LESS = Criterion(metric="log_loss", holdout="days", margin=0.02, lower_is_better=True)
MORE = Criterion(metric="auc", holdout="days", margin=0.02, lower_is_better=False)


def measured(criterion: Criterion = LESS, difference: float = 0.0, **fields: Any) -> Evaluation:
    return Evaluation(
        metric=criterion.metric, holdout="days", incumbent=0.5, candidate=0.5 + difference, count=1000, **fields
    )


def planned(criterion: Criterion, *evaluations: Evaluation) -> Plan:
    return msgspec.structs.replace(plan(), criteria=(criterion,), evaluations=evaluations)


def verdict(criterion: Criterion, *evaluations: Evaluation) -> Verdict:
    (found,) = offline_findings(planned(criterion, *evaluations))
    return found.verdict


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (-0.05, 0.02, Verdict.PASS),
        (-0.05, 0.021, Verdict.INCONCLUSIVE),
        (0.021, 0.05, Verdict.FAIL),
        (None, 0.01, Verdict.PASS),
        (0.03, None, Verdict.FAIL),
        (-0.05, None, Verdict.INCONCLUSIVE),
        (None, None, Verdict.INCONCLUSIVE),
    ],
)
def test_the_whole_interval_must_keep_the_margin(low: float | None, high: float | None, expected: Verdict) -> None:
    """In either direction: what is an upper end where less is better is a lower one where more is."""
    turned = {"low": None if high is None else -high, "high": None if low is None else -low}

    assert verdict(LESS, measured(low=low, high=high)) is expected
    assert verdict(MORE, measured(MORE, **turned)) is expected


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        (Verdict.PASS, Verdict.PASS),
        (Verdict.INCONCLUSIVE, Verdict.INCONCLUSIVE),
        (Verdict.INVALID, Verdict.INCONCLUSIVE),
        (Verdict.FAIL, Verdict.FAIL),
    ],
)
def test_an_evaluation_passes_no_better_than_it_found_itself(own: Verdict, expected: Verdict) -> None:
    assert verdict(LESS, measured(low=-0.1, high=0.0, verdict=own)) is expected
    assert verdict(LESS, measured(verdict=own)) is expected


def test_of_several_every_one_must_pass_and_one_that_fails_fails_all() -> None:
    good, open_, bad = measured(low=0.0, high=0.0), measured(low=0.0, high=0.5), measured(low=0.1, high=0.5)

    assert verdict(LESS, good, good) is Verdict.PASS
    assert verdict(LESS, good, open_) is Verdict.INCONCLUSIVE
    assert verdict(LESS, good, open_, bad) is Verdict.FAIL
    assert verdict(LESS) is Verdict.INCONCLUSIVE


def test_an_evaluation_without_interval_is_judged_and_written_as_before() -> None:
    assert verdict(LESS, measured(difference=0.015)) is Verdict.PASS
    assert verdict(LESS, measured(difference=0.025)) is Verdict.FAIL
    assert msgspec.json.encode(measured()) == (
        b'{"metric":"log_loss","holdout":"days","incumbent":0.5,"candidate":0.5,"count":1000,"lower_is_better":true}'
    )


def test_an_end_that_is_no_finite_number_is_refused() -> None:
    check_plan(planned(LESS, measured(low=-0.1, high=None)))
    for end in (float("nan"), float("inf")):
        with pytest.raises(PlanInvalid, match="no finite ends"):
            check_plan(planned(LESS, measured(low=-0.1, high=end)))


def test_a_wider_interval_is_never_judged_better() -> None:
    order = {Verdict.PASS: 0, Verdict.INCONCLUSIVE: 1, Verdict.FAIL: 1}
    found = [order[verdict(LESS, measured(low=-w, high=w))] for w in (0.0, 0.01, 0.02, 0.03, 1.0)]

    assert all(before <= after for before, after in pairwise(found))
