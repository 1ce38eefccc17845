"""A real Envoy keeps the promises of every driver."""

import pytest

from glideslope.testing.contracts.driver import DriverBench, DriverContract

pytestmark = pytest.mark.envoy


class TestEnvoyDriver(DriverContract):
    @pytest.fixture
    def bench(self, envoy_bench: DriverBench) -> DriverBench:
        return envoy_bench
