"""Which plan lets the demo's sound version through on proof and stops its unsound one, on the real flights.

Simulates the router's coin per flight and the tests of `glideslope.stats`, looked at after every landing, over many
salts of the hash. The salts vary the coin, not the flights: models and plans were chosen on these same two months, so
rates say how the demo will go and nothing about other data.

Run: `python benchmarks/flights_study.py --folder DIR` (trains into DIR once; `--json`, `--quick`).
"""

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from fractions import Fraction
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import numpy.typing as npt
import xxhash

from glideslope.demo.flights import FEATURES, ORIGINS, Flights, clock, load_flights
from glideslope.demo.training import probabilities, score, train_all
from glideslope.stats.family import allot
from glideslope.stats.paired import PairedScoreHarm, PairedScorePass
from glideslope.stats.score import ScoreHarm, ScorePass
from glideslope.stats.wealth import Bets

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

TOTAL = 65_536
BINS = 32
PAIR_BINS = 64
PAIR_CLIP = 1.0
VERSIONS = ("v1", "v2", "v3")
HORIZON_DAYS = 30


@dataclass(frozen=True, slots=True)
class Step:
    """A step of the canary stage: shares in per cent, the margin (nats of capped log loss) to prove, the bake in days."""

    candidate: float
    control: float
    margin: float
    bake: float

    @property
    def weights(self) -> tuple[int, int]:
        return round(self.candidate * TOTAL / 100), round(self.control * TOTAL / 100)


@dataclass(frozen=True, slots=True)
class Plan:
    """What is tried on the flights. `harm_margin` is the loss tolerated before the candidate is rolled back."""

    steps: tuple[Step, ...]
    cap: float = 2.5
    alpha: float = 0.01
    alpha_pass: float = 0.05
    harm_margin: float = 0.0
    # The part of alpha that the loss guardrail has; half of that goes to its slices.
    loss_weight: float = 0.5
    # Whether a step's proof may rest on the earlier steps' outcomes too (each under its own coin).
    pooled: bool = True


@dataclass(frozen=True, slots=True)
class World:
    """The flights in order of departure and each version's log loss on them, in nats and not capped."""

    flights: Flights
    loss: dict[str, Floats]

    def bins(self, version: str, cap: float) -> Ints:
        return np.minimum(self.loss[version] / cap * BINS, BINS - 1).astype(np.int64)

    def usual(self, version: str, cap: float, month: int) -> tuple[float, tuple[int, ...]]:
        """Centre and histogram of an earlier month, as a planner would freeze them."""
        counts = np.bincount(self.bins(version, cap)[self.flights.month == month], minlength=BINS)
        return float(counts @ values(cap) / counts.sum()), tuple(map(int, counts))


@dataclass(frozen=True, slots=True)
class Stop:
    """When something was decided, and what had been spent until then."""

    what: str
    on: str
    day: date
    candidate: int
    counted: int
    requests: int


def values(cap: float) -> Floats:
    """The loss that each bin stands for: its middle."""
    return (np.arange(BINS) + 0.5) * cap / BINS


def pair_values() -> Floats:
    return ((np.arange(PAIR_BINS) + 0.5) / PAIR_BINS * 2 - 1) * PAIR_CLIP


def wealth_path(bets: Sequence[Bets], step: Ints, cell: Ints) -> Floats:
    """Log wealth after each outcome, given each outcome's step and cell: `log_wealth` at every prefix."""
    prior = np.array([row[0] for row in bets[0].rows])
    factors = np.array([[row[1:] for row in each.rows] for each in bets])
    scores = prior + np.cumsum(factors[step, :, cell], axis=0)
    top = scores.max(axis=1)
    path: Floats = top + np.log(np.exp(scores - top[:, None]).sum(axis=1))
    return path


def first(path: Floats, alpha: float) -> int | None:
    above = np.flatnonzero(path >= np.log(1 / alpha))
    return int(above[0]) if above.size else None


def circle(subjects: Sequence[str], salt: str) -> Ints:
    """Where each subject falls on the router's circle, as Envoy and the assigner have it."""
    return np.array([xxhash.xxh64_intdigest(f"{salt}:{name}".encode()) % TOTAL for name in subjects], dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Outcomes:
    """What was counted, in order of landing: row of the flight, step, and whether the candidate answered."""

    row: Ints
    step: Ints
    candidate: Bools

    def cells(self, *, worn: Ints, other: Ints) -> Ints:
        """Cell of the table: the candidate's bins, then the incumbent's."""
        return np.where(self.candidate, worn[self.row], BINS + other[self.row])

    def up_to(self, count: int) -> "Outcomes":
        return Outcomes(self.row[:count], self.step[:count], self.candidate[:count])

    def and_then(self, more: "Outcomes") -> "Outcomes":
        return Outcomes(
            np.concatenate((self.row, more.row)),
            np.concatenate((self.step, more.step)),
            np.concatenate((self.candidate, more.candidate)),
        )


NOTHING = Outcomes(np.array([], dtype=np.int64), np.array([], dtype=np.int64), np.array([], dtype=np.bool_))


def run_canary(
    world: World, plan: Plan, *, candidate: str, incumbent: str, usual_month: int, start: float, places: Ints
) -> Iterator[Stop]:
    """Walk the canary's steps from the instant *start*; yields each PASS, and HARM with what saw it, or the end."""
    flights = world.flights
    worn, other = world.bins(candidate, plan.cap), world.bins(incumbent, plan.cap)
    centre, histogram = world.usual(incumbent, plan.cap, usual_month)
    loss = tuple(map(float, values(plan.cap)))
    harm = ScoreHarm(loss, centre=centre, margin=plan.harm_margin)
    harm_bets = [harm.bets(Fraction(c, c + i)) for c, i in (step.weights for step in plan.steps)]
    weights = {"loss": Fraction(plan.loss_weight), "else": 1 - Fraction(plan.loss_weight)}
    shares = {
        each.slice: each.alpha
        for each in allot(plan.alpha, weights=weights, slices={"loss": ORIGINS})
        if each.guardrail == "loss"
    }
    begin = int(np.searchsorted(flights.departs, start))
    seen, since, entered = NOTHING, begin, start
    for number, step in enumerate(plan.steps):
        walk = seen.and_then(_counted(flights, step, places=places, since=since, number=number))
        cells = walk.cells(worn=worn, other=other)
        proof = ScorePass(loss, centre=centre, margin=step.margin, reference=histogram)
        pass_bets = [proof.bets(Fraction(c, c + i)) for c, i in (each.weights for each in plan.steps)]
        skipped = 0 if plan.pooled else len(seen.row)
        passed = first(wealth_path(pass_bets, walk.step[skipped:], cells[skipped:]), plan.alpha_pass)
        ends = [
            (at, "HARM", where)
            for at, where in _harmed(flights, walk, cells=cells, bets=harm_bets, shares=shares)
        ]  # fmt: skip
        if passed is not None:
            baked = np.flatnonzero(flights.arrives[walk.row] >= entered + step.bake * 86_400)
            later = baked[baked >= max(passed + skipped, len(seen.row))]
            ends += [(int(later[0]), f"PASS {step.candidate:g} %", "all")] if later.size else []
        at, what, on = min(ends, default=(len(walk.row) - 1, "END", "all"))
        yield _stop(flights, walk, at, what=what, on=on, begin=begin)
        if not what.startswith("PASS"):
            return
        # Flights in the air when the step ends are left out, though the real counters would have them.
        seen = walk.up_to(at + 1)
        entered = float(flights.arrives[walk.row[at]])
        since = int(np.searchsorted(flights.departs, entered))


def _counted(flights: Flights, step: Step, *, places: Ints, since: int, number: int) -> Outcomes:
    """Every flight from row *since* that the step counts, if it lasted for ever."""
    to_candidate, to_control = step.weights
    rows = np.arange(since, np.searchsorted(flights.departs, flights.departs[since] + HORIZON_DAYS * 86_400))
    rows = rows[places[rows] < to_candidate + to_control]
    rows = rows[np.argsort(flights.arrives[rows], kind="stable")]
    return Outcomes(rows, np.full(len(rows), number), places[rows] < to_candidate)


def _harmed(
    flights: Flights, walk: Outcomes, *, cells: Ints, bets: Sequence[Bets], shares: Mapping[str | None, float]
) -> Iterator[tuple[int, str]]:
    """Where along the walk each test of the family sees harm, and what it looked at."""
    origin = flights.features[walk.row, FEATURES.index("origin")].astype(np.int64)
    for name, alpha in shares.items():
        inside = np.flatnonzero(np.ones(len(origin)) if name is None else origin == ORIGINS.index(name))
        at = first(wealth_path(bets, walk.step[inside], cells[inside]), alpha)
        if at is not None:
            yield int(inside[at]), name or "all"


def _stop(flights: Flights, walk: Outcomes, at: int, *, what: str, on: str, begin: int) -> Stop:
    now = int(flights.arrives[walk.row[at]])
    sent = int(np.searchsorted(flights.departs, now))
    known = walk.up_to(at + 1)
    return Stop(
        what=what,
        on=on,
        day=clock(now).date(),
        candidate=int(known.candidate.sum()),
        counted=len(known.row),
        requests=sent - begin,
    )


def run_shadow(
    world: World, *, candidate: str, incumbent: str, start: float, margin: float, cap: float, alpha: float, harm: bool
) -> Stop | None:
    """Pairs from *start* in order of landing until the test crosses; no coin, so no seed."""
    flights = world.flights
    begin = int(np.searchsorted(flights.departs, start))
    rows = np.arange(begin, len(flights))
    rows = rows[np.argsort(flights.arrives[rows], kind="stable")]
    capped = {name: np.minimum(world.loss[name], cap) for name in (candidate, incumbent)}
    difference = np.clip(capped[candidate] - capped[incumbent], -PAIR_CLIP, PAIR_CLIP)[rows]
    cells = np.clip((difference / PAIR_CLIP + 1) / 2 * PAIR_BINS, 0, PAIR_BINS - 1).astype(np.int64)
    spread = tuple(map(float, pair_values()))
    test = PairedScoreHarm(spread, margin=margin) if harm else PairedScorePass(spread, margin=margin)
    at = first(wealth_path([test.bets()], np.zeros(len(rows), dtype=np.int64), cells), alpha)
    if at is None:
        return None
    walk = Outcomes(rows, rows * 0, rows >= 0)
    return _stop(flights, walk, at, what="HARM" if harm else "PASS", on="pairs", begin=begin)


def midnight(flights: Flights, day: date) -> float:
    """The first departure of a day at the airport."""
    return float(flights.departs[np.searchsorted(flights.day, day.toordinal())])


def summary(stops: Sequence[Stop]) -> dict[str, Any]:
    """Median and range of what the salts gave."""
    candidates = sorted(stop.candidate for stop in stops)
    requests = sorted(stop.requests for stop in stops)
    dates = sorted(stop.day for stop in stops)
    on: dict[str, int] = {}
    for stop in stops:
        on[stop.on] = on.get(stop.on, 0) + 1
    middle = len(stops) // 2
    return {
        "runs": len(stops),
        "dates": [dates[0].isoformat(), dates[middle].isoformat(), dates[-1].isoformat()],
        "candidate": [candidates[0], candidates[middle], candidates[-1]],
        "requests": [requests[0], requests[middle], requests[-1]],
        "on": on,
    }


def canaries(
    world: World, plan: Plan, *, candidate: str, incumbent: str, usual_month: int, day: date, circles: Sequence[Ints]
) -> dict[str, Any]:
    """Every salt's walk, gathered by what happened."""
    happened: dict[str, list[Stop]] = {}
    for places in circles:
        walk = run_canary(
            world,
            plan,
            candidate=candidate,
            incumbent=incumbent,
            usual_month=usual_month,
            start=midnight(world.flights, day),
            places=places,
        )
        for stop in walk:
            happened.setdefault(stop.what, []).append(stop)
    return {what: summary(stops) for what, stops in happened.items()}


PLANS = {
    "tight": (Step(5, 95, 0.1, 1), Step(25, 75, 0.05, 7), Step(50, 50, 0.03, 3)),
    "recommended": (Step(5, 95, 0.3, 1), Step(25, 75, 0.05, 10), Step(50, 50, 0.05, 3)),
    "a week at 25 %": (Step(5, 95, 0.3, 1), Step(25, 75, 0.05, 7), Step(50, 50, 0.05, 3)),
    "ten first": (Step(10, 90, 0.2, 1), Step(25, 75, 0.05, 7), Step(50, 50, 0.05, 3)),
    "short bake": (Step(5, 95, 0.3, 1), Step(25, 75, 0.05, 4), Step(50, 50, 0.05, 2)),
    "control as small": (Step(5, 5, 0.3, 1), Step(25, 25, 0.05, 7), Step(50, 50, 0.05, 3)),
}
RECOMMENDED = "recommended"


def offline(folder: Path) -> list[dict[str, Any]]:
    """What `evaluation.json` says of each version."""
    documents = [json.loads((folder / version / "evaluation.json").read_text()) for version in VERSIONS]
    return [comparison for document in documents for comparison in document["comparisons"]]


def live(world: World, probability: Mapping[str, Floats], cap: float) -> list[dict[str, Any]]:
    """Each version on the months that came after."""
    rows = []
    for month in (11, 12):
        inside = world.flights.month == month
        for version in VERSIONS:
            scored = score(probability[version][inside], world.flights.late[inside])
            capped = float(np.minimum(world.loss[version][inside], cap).mean())
            rows.append({"month": month, "version": version, **asdict(scored), "capped": capped})
    return rows


def shadows(world: World) -> list[dict[str, Any]]:
    """How many pairs prove or disprove, whatever the salt."""
    rows = []
    for candidate, incumbent, day in (
        ("v2", "v1", date(2013, 11, 1)),
        ("v3", "v2", date(2013, 12, 1)),
        ("v3", "v1", date(2013, 12, 1)),
    ):
        for harm, margin in ((False, 0.02), (False, 0.05), (True, 0.0), (True, 0.02), (True, 0.05)):
            stop = run_shadow(
                world,
                candidate=candidate,
                incumbent=incumbent,
                start=midnight(world.flights, day),
                margin=margin,
                cap=2.5,
                alpha=0.0025 if harm else 0.05,
                harm=harm,
            )
            rows.append({
                "pair": f"{candidate} v {incumbent}",
                "from": day.isoformat(),
                "test": "HARM" if harm else "PASS",
                "margin": margin,
                "pairs": stop.counted if stop else None,
                "day": stop.day.isoformat() if stop else None,
            })  # fmt: skip
    return rows


def study(world: World, salts: int) -> dict[str, Any]:
    """The canary stage of both rollouts under each plan, then of v3 from several days and with other settings."""
    subjects = [world.flights.subject(row) for row in range(len(world.flights))]
    circles = [circle(subjects, f"s{salt}") for salt in range(salts)]
    found: dict[str, Any] = {}

    def v2(name: str, plan: Plan) -> None:
        found[f"v2 v v1 from 2 Nov: {name}"] = canaries(
            world, plan, candidate="v2", incumbent="v1", usual_month=10, day=date(2013, 11, 2), circles=circles
        )

    def v3(name: str, plan: Plan, *, day: date, incumbent: str = "v2") -> None:
        found[f"v3 v {incumbent} from {day:%-d %b}: {name}"] = canaries(
            world, plan, candidate="v3", incumbent=incumbent, usual_month=11, day=day, circles=circles
        )

    for name, steps in PLANS.items():
        v2(name, Plan(steps))
        v3(name, Plan(steps), day=date(2013, 12, 2))
    chosen = Plan(PLANS[RECOMMENDED])
    v2("recommended, each step by itself", replace(chosen, pooled=False))
    for cap in (2.0, 3.0):
        v2(f"recommended, cap {cap:g}", replace(chosen, cap=cap))
        v3(f"recommended, cap {cap:g}", replace(chosen, cap=cap), day=date(2013, 12, 2))
    for margin in (0.01, 0.02):
        v3(f"recommended, harm beyond {margin:g}", replace(chosen, harm_margin=margin), day=date(2013, 12, 2))
    v3("recommended, loss has all of alpha", replace(chosen, loss_weight=0.999), day=date(2013, 12, 2))
    v3("recommended", chosen, day=date(2013, 12, 2), incumbent="v1")
    for day in (date(2013, 11, 17), date(2013, 11, 25)):
        v3("recommended", chosen, day=day)
    for share in (10, 25):
        held = replace(chosen, steps=(Step(share, 100 - share, 0.001, 60),))
        for incumbent in ("v2", "v1"):
            v3(f"held at {share} %", held, day=date(2013, 12, 1), incumbent=incumbent)
    return found


def world_of(folder: Path) -> tuple[World, dict[str, Floats]]:
    """Load or train, and score October to December; earlier months are not replayed."""
    flights = load_flights(folder)
    if not all((folder / version / "evaluation.json").exists() for version in VERSIONS):
        train_all(flights, folder)
    flights = flights.select(flights.months(10, 12))
    probability = {v: probabilities(joblib.load(folder / v / "model.joblib"), flights.features) for v in VERSIONS}
    loss = {v: -np.log(np.where(flights.late, p, 1 - p)) for v, p in probability.items()}
    return World(flights, loss), probability


def shown(found: Mapping[str, Any]) -> None:
    for name, happened in found.items():
        print(name)
        for what, s in happened.items():
            days = " ".join(f"{day[5:]:>5}" for day in s["dates"])
            print(f"    {what:10} {s['runs']:3} runs  on {days}  candidate {s['candidate']}  requests {s['requests']}"
                  f"  {s['on']}")  # fmt: skip


def main() -> None:
    """Run the study and print it, as text or as one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="where versions and parsed flights are kept")
    parser.add_argument("--salts", type=int, default=20)
    parser.add_argument("--quick", action="store_true", help="three salts")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    chosen = parser.parse_args()
    world, probability = world_of(chosen.folder)
    report: dict[str, Any] = {
        "offline": offline(chosen.folder),
        "live": live(world, probability, 2.5),
        "shadow": shadows(world),
        "canary": study(world, 3 if chosen.quick else chosen.salts),
    }
    if chosen.json:
        print(json.dumps(report, indent=2))
        return
    for section in ("offline", "live", "shadow"):
        print(section)
        for row in report[section]:
            print("   ", json.dumps(row))
    shown(report["canary"])


if __name__ == "__main__":
    main()
