"""Train v1, a better v2 and v2-bad of both models, each on the rows that its evaluation does not hold out."""

import json
from collections.abc import Sequence
from pathlib import Path

import joblib
import numpy as np
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

Rows = Sequence[dict[str, float]]


def kept(model: str) -> Rows:
    lines = Path(f"split-{model}", "train.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def learn(
    name: str, learner: LogisticRegression | Ridge, rows: Rows, truth: Sequence[float | str], *, used: int
) -> None:
    names = [each for each in rows[0] if each not in ("grower", "progress", "who")]
    measured = np.array([[row[each] for each in names[:used]] for row in rows])
    fitted = make_pipeline(StandardScaler(), learner).fit(measured, truth)
    folder = Path("models", name)
    folder.mkdir(parents=True, exist_ok=True)
    joblib.dump((fitted, names, used), folder / "model.joblib")
    print(f"trained {name} on {len(rows)} rows")


wines, patients = kept("wine"), kept("progress")
growers = [row["grower"] for row in wines]
progress = [row["progress"] for row in patients]
# v2-bad learned from bottles of which every other of one grower carried another's label, and from a progress that a clinic had
# written down a third too large. Nobody noticed.
mixed = ["grower_1" if each == "grower_2" and k % 2 else each for k, each in enumerate(growers)]
large = [each * 4 / 3 for each in progress]

for version, labels, used in (("v1", growers, 2), ("v2", growers, 13), ("v2-bad", mixed, 13)):
    learn(f"wine-{version}", LogisticRegression(max_iter=1000), wines, labels, used=used)
for version, outcomes, used in (("v1", progress, 3), ("v2", progress, 10), ("v2-bad", large, 10)):
    learn(f"progress-{version}", Ridge(), patients, outcomes, used=used)
