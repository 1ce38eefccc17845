"""Train three versions of one model: v1, a sound v2, and v2-bad, which learned from a mistake."""

import json
from pathlib import Path

import joblib
import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

data = load_breast_cancer()
malignant = data.target == 0  # in this data 0 means malignant, 1 means benign
shuffled = np.random.default_rng(7).permutation(len(malignant))
past, future = shuffled[:285], shuffled[285:]

# The last 100 cases came from a clinic that writes the label the other way round. Nobody noticed.
mixed = malignant.copy()
mixed[past[185:]] = ~mixed[past[185:]]

versions = {
    "v1": (malignant, slice(0, 2)),  # two of the 30 measurements
    "v2": (malignant, slice(0, 30)),  # all of them
    "v2-bad": (mixed, slice(0, 30)),  # all of them, on the mixed labels
}
for version, (labels, columns) in versions.items():
    folder = Path("models", version)
    folder.mkdir(parents=True, exist_ok=True)
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    model.fit(data.data[past, columns], labels[past])
    joblib.dump((model, columns), folder / "model.joblib")
    print(f"trained {version} on {len(past)} cases")

cases = [
    {"features": features.tolist(), "malignant": bool(truth)}
    for features, truth in zip(data.data[future], malignant[future], strict=True)
]
Path("cases.json").write_text(json.dumps(cases), encoding="utf-8")
print(f"kept {len(cases)} cases that no version has seen")
