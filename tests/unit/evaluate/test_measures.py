"""The figures of classes and of numbers are those of scikit-learn, their samples are the rows repeated, and intervals hold the truth."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics

from glideslope.domain.decision import Verdict
from glideslope.domain.plan import Margin, MarginKind
from glideslope.evaluate.measures import Scored
from glideslope.evaluate.multiclass import Multiclass
from glideslope.evaluate.regression import Regression
from glideslope.evaluate.results import Comparison
from glideslope.evaluate.scoring import compare, nothing

CLASSES = ("a", "b", "c")
HALF = Margin(MarginKind.RELATIVE, 0.5)


def classified(seed: int, *, rows: int = 600, groups: int = 60, sharp: float = 2.0, noise: float = 1.0) -> Scored:
    """Three classes, the last of them rare; the incumbent sees them less sharply."""
    rng = np.random.default_rng(seed)
    happened = rng.choice(3, rows, p=[0.5, 0.35, 0.15])
    seen = sharp * np.eye(3)[happened] + rng.normal(0, noise, (rows, 3))

    def probabilities(strength: float) -> np.ndarray:
        raised = np.exp(strength * seen)
        return raised / raised.sum(axis=1, keepdims=True)

    return Scored(happened, probabilities(1.5), probabilities(0.3), np.arange(rows) % groups, "multiclass", CLASSES)


def amounts(seed: int, *, rows: int = 600, groups: int = 60, bias: float = 0.2, shared: float = 0.5) -> Scored:
    """Numbers about 100 whose errors rows of a group have in common; the candidate is biased, the incumbent blunt."""
    rng = np.random.default_rng(seed)
    group = np.arange(rows) % groups
    signal = rng.normal(0, 2, rows)
    outcome = 100 + signal + rng.normal(0, 1, rows) + rng.normal(0, shared, groups)[group]
    return Scored(outcome, 100 + signal + bias, 100 + 0.5 * signal, group, "regression")


def found_in(scored: Scored, *, seed: int = 1, quantile: float = 0.5, **asked: Margin | float) -> dict[str, Comparison]:
    bounds = {m: [("margin" if isinstance(t, Margin) else "limit", "t", t)] for m, t in asked.items()}
    found = compare(
        scored,
        slice_name="all",
        asked=bounds,
        threshold=0.5,
        confidence=0.95,
        replicates=400,
        seed=[seed],
        quantile=quantile,
        outcome="y",
    )
    return {each.metric if each.slice == "all" else f"{each.metric} {each.slice}": each for each in found}


@pytest.mark.parametrize("arm", ["candidate", "incumbent"])
def test_the_figures_of_classes_are_those_of_scikit_learn(arm: str) -> None:
    scored = classified(1)
    p, y = getattr(scored, arm), scored.happened
    told = p.argmax(axis=1)
    found = {name: getattr(each, arm).value for name, each in found_in(scored).items()}

    recall, f1 = metrics.recall_score(y, told, average=None), metrics.f1_score(y, told, average=None)
    expected = {
        "log_loss": metrics.log_loss(y, p),
        "brier": metrics.brier_score_loss(y, p, labels=[0, 1, 2], scale_by_half=False),
        "accuracy": metrics.accuracy_score(y, told),
        "macro_f1": metrics.f1_score(y, told, average="macro"),
        "macro_recall": metrics.balanced_accuracy_score(y, told),
        **{f"recall y={name}": recall[k] for k, name in enumerate(CLASSES)},
        **{f"f1 y={name}": f1[k] for k, name in enumerate(CLASSES)},
    }
    assert {n: v for n, v in found.items() if n != "calibration_error"} == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("arm", ["candidate", "incumbent"])
@pytest.mark.parametrize("quantile", [0.1, 0.5, 0.9])
def test_the_figures_of_numbers_are_those_of_scikit_learn(arm: str, quantile: float) -> None:
    scored = amounts(1)
    predicted, y = getattr(scored, arm), scored.happened
    found = {name: getattr(each, arm).value for name, each in found_in(scored, quantile=quantile).items()}

    assert found == pytest.approx(
        {
            "mae": metrics.mean_absolute_error(y, predicted),
            "rmse": metrics.root_mean_squared_error(y, predicted),
            "bias": abs(float(np.mean(predicted - y))),
            "pinball": metrics.mean_pinball_loss(y, predicted, alpha=quantile),
            "r2": metrics.r2_score(y, predicted),
        },
        rel=1e-5,
    )


@given(st.integers(0, 10_000))
def test_a_sample_of_weights_is_the_rows_repeated(seed: int) -> None:
    rng = np.random.default_rng(seed)
    weights = rng.integers(0, 3, 12).astype(float)
    weights[rng.integers(12)] = 1.0
    for scored in (classified(seed, rows=36, groups=12), amounts(seed, rows=36, groups=12)):
        repeated = np.repeat(np.arange(36), weights[scored.group].astype(int))
        again = Scored(
            scored.happened[repeated],
            scored.candidate[repeated],
            scored.incumbent[repeated],
            np.zeros(len(repeated), dtype=np.int64),
            scored.kind,
            scored.classes,
        )

        def measured(each: Scored) -> Multiclass | Regression:
            return Multiclass.of(each) if each.kind == "multiclass" else Regression.of(each, quantile=0.3)

        weighted = measured(scored).values(weights[None, :])
        whole = measured(again).values(np.ones((1, 1)))
        # Bins of calibration follow the rows; and a class that is drawn by nobody is not one that never was.
        whole = {key: each for key, each in whole.items() if key[0] != "calibration_error"}
        if len(np.unique(again.happened)) < len(np.unique(scored.happened)) and scored.kind == "multiclass":
            whole = {key: each for key, each in whole.items() if not key[0].startswith("macro")}
        for key, each in whole.items():
            assert weighted[key] == pytest.approx(each, nan_ok=True, abs=1e-9), key


def test_the_calibration_of_the_top_class_is_told_from_that_of_a_sound_model() -> None:
    rng = np.random.default_rng(3)
    p = rng.dirichlet([1, 1, 1], 4000)
    happened = (rng.random(4000)[:, None] > p.cumsum(axis=1)).sum(axis=1)
    sure = p**3 / (p**3).sum(axis=1, keepdims=True)
    found = found_in(Scored(happened, p, sure, np.arange(4000), "multiclass", CLASSES), calibration_error=0.05)

    error = found["calibration_error"]
    assert error.bounds[0].verdict is Verdict.PASS
    assert error.incumbent.low is not None
    assert error.incumbent.low > 0.1


def test_a_class_that_cannot_be_resampled_gives_no_interval_and_one_that_is_absent_no_figure() -> None:
    scored = classified(1)
    rows = scored.happened < 2
    rows[np.flatnonzero(scored.happened == 2)[0]] = True
    rare = found_in(scored.select(rows), recall=0.5, macro_recall=0.5)
    absent = found_in(scored.select(scored.happened < 2), recall=0.5, macro_recall=0.5)

    assert rare["recall y=c"].bounds[0].verdict is Verdict.INCONCLUSIVE
    assert rare["macro_recall"].bounds[0].verdict is Verdict.INCONCLUSIVE
    assert rare["recall y=a"].bounds[0].verdict is Verdict.PASS
    assert absent["recall y=c"].candidate.value is None
    assert absent["recall y=c"].bounds[0].verdict is Verdict.INCONCLUSIVE
    assert absent["macro_recall"].bounds[0].verdict is Verdict.PASS


def test_a_class_without_a_mistake_is_not_taken_for_one_that_never_is_mistaken() -> None:
    """All samples of 17 right rows are right; what 17 rows show is the exact interval."""
    happened = np.repeat([0, 1], [17, 40])
    sure = np.where(np.eye(2)[happened] > 0, 0.9, 0.1)
    found = found_in(Scored(happened, sure, sure, np.arange(57), "multiclass", ("a", "b")), recall=0.9, macro_f1=0.9)

    assert found["recall y=a"].candidate.low == pytest.approx(0.025 ** (1 / 17), rel=1e-4)
    assert found["recall y=a"].bounds[0].verdict is Verdict.INCONCLUSIVE
    assert found["recall y=b"].bounds[0].verdict is Verdict.PASS
    assert found["macro_f1"].bounds[0].verdict is Verdict.INCONCLUSIVE


def test_a_bias_is_judged_by_its_size_whichever_way_it_goes() -> None:
    for bias in (2.0, -2.0):
        found = found_in(amounts(1, bias=bias), bias=1.0)["bias"]
        assert found.bounds[0].verdict is Verdict.FAIL
        assert found.candidate.value == pytest.approx(2.0, abs=0.3)
    sound = found_in(amounts(1, bias=0.0), bias=1.0)["bias"]
    assert sound.bounds[0].verdict is Verdict.PASS
    assert sound.candidate.low is not None
    assert sound.candidate.low <= 0.1


def test_a_worse_arm_fails_its_margins_and_a_better_one_meets_them() -> None:
    better = amounts(1)
    worse = Scored(better.happened, better.incumbent, better.candidate, better.group, "regression")
    absolute = Margin(MarginKind.ABSOLUTE, 0.02)

    for scored, verdict in ((better, Verdict.PASS), (worse, Verdict.FAIL)):
        found = found_in(scored, mae=Margin(MarginKind.RELATIVE, 0.1), rmse=absolute, pinball=absolute, r2=absolute)
        assert {m: found[m].bounds[0].verdict for m in ("mae", "rmse", "pinball", "r2")} == dict.fromkeys(
            ("mae", "rmse", "pinball", "r2"), verdict
        )
    sharp = classified(1)
    swapped = Scored(sharp.happened, sharp.incumbent, sharp.candidate, sharp.group, "multiclass", CLASSES)
    assert found_in(sharp, log_loss=absolute)["log_loss"].bounds[0].verdict is Verdict.PASS
    assert found_in(swapped, log_loss=absolute)["log_loss"].bounds[0].verdict is Verdict.FAIL


def test_outcomes_that_do_not_vary_have_no_r2() -> None:
    scored = amounts(1)
    flat = Scored(np.full(600, 0.1), scored.candidate, scored.incumbent, scored.group, "regression")

    assert found_in(flat, r2=0.5)["r2"].candidate.value is None
    assert found_in(flat, r2=0.5)["r2"].bounds[0].verdict is Verdict.INCONCLUSIVE


def test_of_a_slice_without_rows_nothing_is_known() -> None:
    bounds = {"mae": [("limit", "1", 1.0)]}
    (mae, *_) = nothing("code=x", bounds, kind="regression")

    assert (mae.metric, mae.candidate.value, mae.bounds[0].verdict) == ("mae", None, Verdict.INCONCLUSIVE)


@pytest.mark.slow
@pytest.mark.parametrize("metric", ["mae", "rmse", "bias", "pinball", "r2"])
def test_intervals_of_numbers_hold_the_truth(metric: str) -> None:
    """At 95 %, of 200 runs with 60 groups whose rows depend on each other; a binomial scatter of 1.5 % and a little for few groups."""
    truth = found_in(amounts(10**6, rows=300_000, groups=30_000))[metric]
    held = {"candidate": 0, "difference": 0}
    for seed in range(200):
        found = found_in(amounts(seed), seed=seed)[metric]
        for name in held:
            figure = getattr(found, name)
            held[name] += figure.low <= getattr(truth, name).value <= figure.high

    assert min(held.values()) >= 0.89 * 200, held


def test_the_difference_of_two_biases_holds_though_they_go_opposite_ways() -> None:
    """Of 60 runs in which both arms' errors share their noise and the truth of one is none; as if independent it held in 84 %."""
    truth, held = 0.2, 0
    for seed in range(60):
        figure = found_in(amounts(seed), seed=seed)["bias"].difference
        assert figure.low is not None
        assert figure.high is not None
        held += figure.low <= truth <= figure.high

    assert held >= 55
