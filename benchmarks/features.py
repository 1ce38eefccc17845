"""What checking and counting a row of features costs in the model server: ns per feature, CPU time.

python benchmarks/features.py [--quick] [--json]
"""

import argparse
import json
import random
import time

from glideslope.domain.ids import ModelName, RolloutId, StepName
from glideslope.domain.infer import infer
from glideslope.sdk.features import FeatureCounter
from glideslope.sdk.stamps import Stamps


def rows(features: int, count: int) -> list[dict[str, object]]:
    """Return rows of 60 % numbers, 30 % texts and 10 % booleans; one value in fifty is missing."""
    chance = random.Random(1)
    found: list[dict[str, object]] = []
    for _ in range(count):
        row: dict[str, object] = {}
        for k in range(features):
            value: object = (chance.gauss(100, 20), chance.choice(("EWR", "JFK", "LGA")), chance.random() < 0.3)[
                0 if k % 10 < 6 else 1 if k % 10 < 9 else 2
            ]
            row[f"f{k}"] = None if chance.random() < 0.02 else value
        found.append(row)
    return found


def measure(features: int, *, count: int, times: int) -> dict[str, float | int]:
    """Return the least CPU time of some passes, for a row outside any step and for one that is compared and has a score."""
    sample = rows(features, count)
    contract = infer(ModelName("bench"), {name: [row[name] for row in sample] for name in sample[0]}, tags={})
    counter = FeatureCounter(contract.model, source="bench", epoch=1, send=lambda _: None, every=3_600)
    counter.follow(contract)
    counter._started = True  # noqa: SLF001 - the thread that sends is not what is measured
    best = {"plain": 1e9, "compared": 1e9}
    for _ in range(times):
        for what in ("plain", "compared"):
            began = time.process_time()
            for number, row in enumerate(sample):
                if what == "plain":
                    counter.check(row, Stamps())
                else:
                    stamps = Stamps(rollout=RolloutId("r-0001"), step=StepName("s1"), subject=f"{number}-{_}")
                    counter.check(row, stamps, score=0.3)
            best[what] = min(best[what], (time.process_time() - began) / count)
    began = time.process_time()
    counter.send_totals()
    return {
        "features": features,
        "plain_ns_per_feature": round(best["plain"] / features * 1e9),
        "compared_ns_per_feature": round(best["compared"] / features * 1e9),
        "us_per_row": round(best["plain"] * 1e6, 1),
        "message_ms": round((time.process_time() - began) * 1e3, 2),
        "integers": sum(rule.places for rule in contract.features),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    count, times = (500, 3) if args.quick else (2_000, 7)
    figures = [measure(features, count=count, times=times) for features in (10, 100)]
    if args.json:
        print(json.dumps(figures))
        return
    for row in figures:
        print(
            f"{row['features']} features: {row['plain_ns_per_feature']} ns each, {row['us_per_row']} us a row; compared and scored "
            f"{row['compared_ns_per_feature']} ns each; {row['integers']} integers per arm and day"
        )


if __name__ == "__main__":
    main()
