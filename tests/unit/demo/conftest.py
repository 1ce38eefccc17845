"""The real flights, parsed once, and small versions trained on a few of them."""

from pathlib import Path

import numpy as np
import pytest

from glideslope.demo.flights import Flights, load_flights
from glideslope.demo.training import Versions, train_all


@pytest.fixture(scope="session")
def kept_in(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("flights")


@pytest.fixture(scope="session")
def flights(kept_in: Path) -> Flights:
    return load_flights(kept_in)


@pytest.fixture(scope="session")
def few(flights: Flights) -> Flights:
    """Every eightieth flight: enough for models that answer, not for models that are good."""
    return flights.select(np.arange(len(flights)) % 80 == 0)


@pytest.fixture(scope="session")
def versions(few: Flights, tmp_path_factory: pytest.TempPathFactory) -> Versions:
    return train_all(few, tmp_path_factory.mktemp("versions"), processes=1)


@pytest.fixture
def folder(versions: Versions) -> Path:
    return versions.folders["v1"]
