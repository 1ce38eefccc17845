"""Public holidays come from a library; what it does not know is refused, with what it does."""

from datetime import date

import pytest

from glideslope.adapters.calendars.public import public_holidays
from glideslope.domain.errors import AgreementInvalid


@pytest.mark.parametrize(
    ("country", "part", "day", "free"),
    [
        ("DE", "", date(2026, 10, 3), True),
        ("DE", "BY", date(2026, 1, 6), True),
        ("DE", "HH", date(2026, 1, 6), False),
        ("US", "", date(2026, 11, 26), True),
        ("JP", "", date(2026, 2, 11), True),
    ],
)
def test_holidays_of_a_country_and_of_its_parts(country: str, part: str, day: date, free: bool) -> None:
    assert (day in public_holidays(country, part, 2026)) is free


@pytest.mark.parametrize(("country", "part"), [("XX", ""), ("DE", "ZZ")])
def test_a_place_that_nobody_knows_is_refused(country: str, part: str) -> None:
    with pytest.raises(AgreementInvalid, match="No public holidays are known"):
        public_holidays(country, part, 2026)
