"""Public holidays by the package `holidays` (extra `calendar`), which knows some 150 countries and their parts."""

from collections.abc import Collection
from datetime import date
from functools import lru_cache

import holidays

from glideslope.domain.errors import AgreementInvalid


@lru_cache(maxsize=256)
def public_holidays(country: str, part: str, year: int) -> Collection[date]:
    """Return a year's public holidays of a country (ISO 3166-1), or of a part of it. Raises AgreementInvalid."""
    try:
        found = holidays.country_holidays(country, subdiv=part or None, years=year)
    except NotImplementedError:
        known = holidays.list_supported_countries()
        place = f"{country}-{part}" if part else country
        parts = f"; its parts are {', '.join(known[country])}" if known.get(country) else ""
        raise AgreementInvalid(f"No public holidays are known for {place!r}{parts}.", where="holidays") from None
    return frozenset(found)
