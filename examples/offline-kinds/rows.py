"""Write wines.csv (178 wines of three growers, one of several) and patients.parquet or .csv (442 patients, a number)."""

import csv
from collections.abc import Sequence
from pathlib import Path

from sklearn.datasets import load_diabetes, load_wine


def write(name: str, heading: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    with Path(name).open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(heading)
        writer.writerows(rows)
    print(f"wrote {len(rows)} rows to {name}")


wine = load_wine()
names = [str(name).replace("/", "_") for name in wine.feature_names]
growers = [f"grower_{number}" for number in wine.target]
write(
    "wines.csv",
    [*names, "grower"],
    [[*map(float, row), grower] for row, grower in zip(wine.data, growers, strict=True)],
)

diabetes = load_diabetes(scaled=False)
names = ["age", "sex", "bmi", "pressure", "tc", "ldl", "hdl", "tch", "ltg", "glucose"]
patients = [
    [*map(float, row), "men" if row[1] == 1 else "women", float(progress)]
    for row, progress in zip(diabetes.data, diabetes.target, strict=True)
]
write("patients.csv", [*names, "who", "progress"], patients)
