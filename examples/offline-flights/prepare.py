"""Train v1 and, once for each way of holding out, v3; write what each holdout keeps and what v3 learned from.

v1 learned January to August, v3 September and October only: the demo's two versions. Held out are a third of the flights of
September and October, a third of their days, or the last third in time; of each some thousand flights, evenly taken, are asked about.
"""

import csv
import json
from datetime import date
from pathlib import Path

import joblib
import numpy as np

from glideslope.demo.flights import FEATURES, ORIGINS, Bools, Flights, clock, load_flights
from glideslope.demo.training import held_out, train

ASKED = 3_000
LAST_THIRD = date(2013, 10, 12)


def write_model(name: str, flights: Flights, learned: Bools) -> None:
    folder = Path("models", name)
    folder.mkdir(parents=True, exist_ok=True)
    joblib.dump(train(flights, learned), folder / "model.joblib")
    codes = {"carrier": flights.carriers, "origin": ORIGINS, "dest": flights.destinations}
    layout = {"order": FEATURES, "codes": codes, "missing": "nan"}
    (folder / "features.json").write_text(json.dumps(layout), encoding="utf-8")
    print(f"trained {name} on {int(learned.sum()):,} flights")


def write_rows(path: Path, flights: Flights, rows: Bools, *, most: int | None = None) -> None:
    chosen = np.flatnonzero(rows)
    if most is not None:
        chosen = chosen[:: max(1, len(chosen) // most)]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [*FEATURES, "at", "day", "late"])
        writer.writeheader()
        for row in chosen:
            at = clock(int(flights.departs[row])).isoformat()
            day = f"day {flights.day[row]}"
            writer.writerow({**flights.payload(row), "at": at, "day": day, "late": int(flights.late[row])})
    print(f"wrote {len(chosen):,} flights to {path}")


flights = load_flights()
recent = flights.months(9, 10)
later = flights.between(LAST_THIRD, date(2013, 10, 31))
write_model("v1", flights, flights.months(1, 8))
for name, held in (("random", held_out(flights, "random")), ("days", held_out(flights, "by-day")), ("time", later)):
    learned = recent & ~held
    write_model(f"v3-{name}", flights, learned)
    write_rows(Path(f"{name}-train.csv"), flights, learned)
    write_rows(Path(f"{name}-test.csv"), flights, held, most=ASKED)
