"""Contract suites: subclass one, give it its fixture, and know that your adapter keeps the port's promises.

    class TestMyStore(StoreContract):
        @pytest.fixture
        async def store(self, tmp_path):
            async with MyStore(tmp_path / "state") as store:
                yield store

The suites need `pytest` and `pytest-asyncio`.
"""

import pytest

_SUITES = ("artifacts", "checkpoints", "counters", "driver", "leases", "prediction_log", "signer", "store")

# Name by name: pytest refuses to rewrite the package that is being imported just now.
pytest.register_assert_rewrite(*(f"glideslope.testing.contracts.{suite}" for suite in _SUITES))
