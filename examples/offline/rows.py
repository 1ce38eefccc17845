"""Write cases.csv: 569 biopsies with 30 measurements each, the truth, and a size class by which they are looked at."""

import csv
from pathlib import Path

import numpy as np
from sklearn.datasets import load_breast_cancer

data = load_breast_cancer()
names = [str(name).replace(" ", "_") for name in data.feature_names]
classes = np.array(["small", "medium", "large"])[
    np.digitize(data.data[:, 0], np.quantile(data.data[:, 0], [1 / 3, 2 / 3]))
]
with Path("cases.csv").open("w", newline="", encoding="utf-8") as file:
    writer = csv.writer(file)
    writer.writerow([*names, "size", "malignant"])
    for measured, size, benign in zip(data.data, classes, data.target, strict=True):
        writer.writerow([*(repr(float(value)) for value in measured), size, int(benign == 0)])
print(f"wrote {len(data.target)} cases")
