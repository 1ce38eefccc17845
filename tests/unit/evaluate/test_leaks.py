"""Each leak that is planted is found, and clean rows have none."""

from collections.abc import Callable
from typing import Any

import pytest

from glideslope.domain.decision import Verdict
from glideslope.evaluate.leaks import check_leaks, single_feature_auc
from glideslope.evaluate.results import Leak

Make = Callable[..., Any]
AFTER = "{after: 2026-02-15, gap: 1d}"


def found(written: Any, _: Any, prepared: Any) -> dict[str, Leak]:
    return {each.check: each for each in check_leaks(written, prepared)}


def test_clean_rows_pass_every_check(prepared: Make) -> None:
    leaks = found(*prepared())

    assert {name: leak.verdict for name, leak in leaks.items()} == dict.fromkeys(leaks, Verdict.PASS)
    assert set(leaks) == {"target", "overlap", "future", "groups", "order"}


@pytest.mark.parametrize(
    "disguise", [lambda y: 3.0 + y, lambda y: 5.0 - y, lambda y: "yes" if y else "no", lambda y: None if y else 1.0]
)
def test_a_feature_that_holds_the_label_is_found_in_any_disguise(
    prepared: Make, rows: Make, disguise: Callable[[bool], Any]
) -> None:
    drawn = [{**row, "x2": disguise(row["happened"])} for row in rows()]

    leaks = found(*prepared(("features: [x, code]", "features: [x, code, x2]"), rows=drawn))

    assert leaks["target"].verdict is Verdict.FAIL
    assert leaks["target"].examples == ("x2 alone has an AUC of 1.0000",)


def test_a_feature_with_a_value_of_its_own_for_each_row_is_not_taken_for_the_label(prepared: Make, rows: Make) -> None:
    drawn = [{**row, "x2": f"ticket {k}"} for k, row in enumerate(rows())]
    _, _, made = prepared(("features: [x, code]", "features: [x, code, x2]"), rows=drawn)

    assert single_feature_auc(made.test, "x2") == pytest.approx(0.5, abs=0.05)


def test_training_rows_that_are_held_out_too_are_found(prepared: Make, rows: Make) -> None:
    drawn = rows()
    made = prepared(
        (AFTER, "{share: 40%}"),
        (", group: day", ""),
        (", time: at", ""),
        (", known_at: {x: known}", ""),
        ("seasons: [weekday]\n", ""),
        rows=drawn,
    )
    test, train = made[2].test, made[2].train
    assert found(*made)["overlap"].verdict is Verdict.PASS

    object.__setattr__(
        made[2],
        "train",
        type(train)(
            **{
                **vars_of(train),
                "columns": {k: [*v, *test.columns[k][:3]] for k, v in train.columns.items()},
                "outcome": [*train.outcome, *test.outcome[:3]],
            }
        ),
    )

    leak = found(*made)["overlap"]
    assert leak.verdict is Verdict.FAIL
    assert leak.sentence.startswith("3 of ")


def vars_of(part: Any) -> dict[str, Any]:
    return {name: getattr(part, name) for name in part.__dataclass_fields__}


def test_a_value_from_after_the_prediction_is_found(prepared: Make, rows: Make) -> None:
    drawn = rows()
    drawn[-1]["known"] = "2026-03-09T00:00:00"

    leak = found(*prepared(rows=drawn))["future"]

    assert leak.verdict is Verdict.FAIL
    assert leak.sentence.startswith("1 values")
    assert "2026-03-09T00:00:00Z" in leak.examples[0]


def test_groups_on_both_sides_and_training_after_testing_are_found(prepared: Make, rows: Make) -> None:
    """Two users over all days: a split by time leaves both on both sides; one by user trains on what comes later."""
    drawn = [{**row, "user": "ana" if k % 3 else "bo"} for k, row in enumerate(rows())]
    by_time = found(*prepared(("group: day", "group: user"), rows=drawn))
    by_day = found(*prepared((AFTER, "{share: 40%}"), rows=drawn))

    assert (by_time["groups"].verdict, by_time["order"].verdict) == (Verdict.FAIL, Verdict.PASS)
    assert (by_day["groups"].verdict, by_day["order"].verdict) == (Verdict.PASS, Verdict.FAIL)


def test_what_nobody_said_is_no_pass_and_what_is_skipped_says_why(prepared: Make) -> None:
    leaks = found(
        *prepared(
            (", known_at: {x: known}", ""),
            ("replicates: 200", "leakage: {skip: {order: the model is retrained daily}}\nreplicates: 200"),
        )
    )

    assert leaks["future"].verdict is Verdict.INCONCLUSIVE
    assert "data.known_at" in leaks["future"].sentence
    assert (leaks["order"].skipped, leaks["order"].sentence) == (True, "the model is retrained daily")


@pytest.mark.parametrize("kind", ["regression", "multiclass"])
def test_a_feature_that_holds_a_number_or_a_class_is_found(
    prepared: Callable[..., Any], rows: Callable[..., list[dict[str, Any]]], kind: str
) -> None:
    drawn = rows()
    for k, row in enumerate(drawn):
        truth = float(k % 97) if kind == "regression" else ["low", "mid", "high"][k * 7 % 3]
        row |= {
            "happened": truth,
            "copy": truth * 2 + 1 if isinstance(truth, float) else f"is {truth}",
            "noise": k * 31 % 89,
        }
    data = "kind: regression" if kind == "regression" else "kind: multiclass, classes: [low, mid, high]"
    written, _, found = prepared(
        ("positive: true", data),
        ("features: [x, code]", "features: [x, code, copy, noise]"),
        ("log_loss: {limit: 0.7, margin: 0.1}\n  auc: {margin: 0.01}", "errors: {limit: 0}"),
        (", direction: [{raise: x, by: 1.0}]", ""),
        rows=drawn,
    )
    leak = check_leaks(written, found)[0]

    assert (leak.check, leak.verdict) == ("target", Verdict.FAIL)
    assert [each.split()[0] for each in leak.examples] == ["copy"]
    assert single_feature_auc(found.test, "noise", kind=kind) < 0.7
