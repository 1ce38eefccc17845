"""A scenario asks what it says, of every feature, and its verdict follows from what came back."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from glideslope.domain.decision import Verdict
from glideslope.evaluate.asking import Answer, Kind
from glideslope.evaluate.results import Scenario
from glideslope.evaluate.scenarios import Asked, behaviour, judged, suite

Make = Callable[..., Any]


@pytest.fixture
def asked(prepared: Make) -> Callable[..., dict[str, Asked]]:
    def make(*changes: tuple[str, str]) -> dict[str, Asked]:
        written, _, found = prepared(*changes)
        return {each.name: each for each in suite(written, found.test)}

    return make


def verdict(
    asked: Asked, answer: Callable[[int], Answer], *, before: float = 0.5, crashes: int = 0
) -> tuple[Scenario, Verdict]:
    originals = {case.row: Answer(Kind.ANSWERED, (before,)) for case in asked.cases}
    seen = behaviour(
        asked, [answer(k) for k in range(len(asked.cases))], originals, crashes=crashes, confidence=0.95, examples=2
    )
    found = judged(asked, seen, None)
    return found, found.verdict


def answered(p: float) -> Callable[[int], Answer]:
    return lambda _: Answer(Kind.ANSWERED, (p,), f"{p:g}")


def refused(_: int) -> Answer:
    return Answer(Kind.REFUSED, why="422")


def broken(_: int) -> Answer:
    return Answer(Kind.BROKEN, why="500")


def test_every_feature_is_spoilt_and_nothing_else_changes(asked: Make, prepared: Make) -> None:
    scenarios = asked()
    _, _, found = prepared()

    for name, features in (("missing", "x code"), ("absent", "x code"), ("out_of_range", "x"), ("unseen", "code")):
        changed = set()
        for case in scenarios[name].cases:
            body, original = json.loads(case.body), found.test.named(case.row)
            different = {key for key in original if body.get(key, "absent") != original[key]}
            assert len(different) == 1
            changed |= different
        assert changed == set(features.split())
    low, high = found.test.numeric["x"].min(), found.test.numeric["x"].max()
    assert all(not low <= json.loads(case.body)["x"] <= high for case in scenarios["out_of_range"].cases)


def test_duplicated_and_reordered_features_say_the_same(asked: Make, prepared: Make) -> None:
    scenarios = asked()
    _, _, found = prepared()
    written_twice = [json.loads(case.body, object_pairs_hook=list) for case in scenarios["duplicated"].cases]
    orders = [list(json.loads(case.body)) for case in scenarios["reordered"].cases]

    assert all(len(pairs) == 3 and pairs[2] in pairs[:2] for pairs in written_twice)
    assert ["code", "x"] in orders
    assert all(json.loads(c.body) == found.test.named(c.row) for c in scenarios["reordered"].cases)


def test_the_same_seed_asks_the_same_and_another_does_not(asked: Make) -> None:
    bodies = [
        [case.body for each in asked(*changes).values() for case in each.cases]
        for changes in ((), (), (("replicates: 200", "replicates: 200\nseed: 2"),))
    ]

    assert bodies[0] == bodies[1] != bodies[2]


@pytest.mark.parametrize(
    ("name", "answer", "expected"),
    [
        ("missing", answered(0.9), Verdict.PASS),
        ("missing", refused, Verdict.PASS),
        ("missing", broken, Verdict.FAIL),
        ("corrupted", refused, Verdict.PASS),
        ("corrupted", answered(0.5), Verdict.FAIL),
        ("reordered", answered(0.5), Verdict.PASS),
        ("reordered", answered(0.51), Verdict.FAIL),
        ("reordered", refused, Verdict.FAIL),
        ("duplicated", refused, Verdict.PASS),
        ("duplicated", answered(0.6), Verdict.FAIL),
        ("repeated", answered(0.5), Verdict.PASS),
        ("direction: x +1", answered(0.5), Verdict.PASS),
        ("direction: x +1", answered(0.7), Verdict.PASS),
        ("direction: x +1", answered(0.49), Verdict.FAIL),
        ("direction: x +1", refused, Verdict.FAIL),
    ],
)
def test_the_verdict_follows_from_what_came_back(
    asked: Make, name: str, answer: Callable[[int], Answer], expected: Verdict
) -> None:
    assert verdict(asked()[name], answer)[1] is expected


def test_one_broken_case_is_a_failure_and_is_shown_and_examples_are_bounded(asked: Make) -> None:
    found, given = verdict(asked()["missing"], lambda k: broken(k) if k == 3 else refused(k))
    many, _ = verdict(asked()["missing"], broken)
    assert found.candidate is not None
    assert many.candidate is not None

    assert given is Verdict.FAIL
    assert [(each.changed, each.answer) for each in found.candidate.examples] == [("code = null", "failed: 500")]
    assert (many.candidate.broken, len(many.candidate.examples)) == (20, 2)


def test_where_some_may_break_the_exact_interval_decides(asked: Make) -> None:
    each = asked(("scenarios: {cases: 20,", "scenarios: {cases: 160, missing: {allow: 5%},"))["missing"]

    assert verdict(each, refused)[1] is Verdict.PASS
    assert verdict(each, lambda k: broken(k) if k < 6 else refused(k))[1] is Verdict.INCONCLUSIVE
    assert verdict(each, lambda k: broken(k) if k < 40 else refused(k))[1] is Verdict.FAIL
    assert verdict(each, refused, crashes=1)[1] is Verdict.FAIL


def test_an_invariance_holds_within_its_tolerance(asked: Make) -> None:
    each = asked(("direction:", "invariance: [{change: code, to: [a, b], tolerance: 0.1}], direction:"))[
        "invariance: code"
    ]

    assert len(each.cases) == 40
    assert verdict(each, answered(0.6))[1] is Verdict.PASS
    assert verdict(each, answered(0.61))[1] is Verdict.FAIL


def test_nothing_is_concluded_from_a_row_that_was_not_answered_as_it_was(asked: Make) -> None:
    each = asked()["reordered"]
    seen = behaviour(each, [Answer(Kind.ANSWERED, (0.5,))] * 20, {}, crashes=0, confidence=0.95, examples=1)

    assert judged(each, seen, None).verdict is Verdict.FAIL


def test_what_cannot_be_spoilt_is_not_asked_and_what_is_skipped_says_why(asked: Make) -> None:
    scenarios = asked(
        ("features: [x, code]", "features: [x]"),
        ("scenarios: {", "scenarios: {skip: {corrupted: the gateway checks this}, "),
    )

    assert judged(scenarios["unseen"], None, None).verdict is Verdict.PASS
    assert scenarios["unseen"].why == "no feature is a category"
    assert judged(scenarios["corrupted"], None, None).skipped
    assert scenarios["corrupted"].why == "the gateway checks this"
