"""Write the golden entry that data contracts brought, once: `python tests/golden/domain/write_v3_contract.py`."""

import sys
from pathlib import Path

from write_v1 import NINE, Writer, write

from glideslope.domain.contract import Contract, FeatureRule, FeatureType
from glideslope.domain.events import ContractAgreed
from glideslope.domain.ids import ModelName
from glideslope.ledger.entry import Entry
from glideslope.testing.examples import MINUTE, OWNER

FOLDER = Path(__file__).parent / "v3-contract"

CONTRACT = Contract(
    model=ModelName("arrivals"),
    features=(
        FeatureRule(
            name="distance (miles)",
            type=FeatureType.NUMBER,
            low=0.0,
            high=5_000.5,
            missing=0.01,
            edges=(250.0, 1_000.25),
            reference=(3, 0, 0, 0, 40, 41, 39),
        ),
        FeatureRule(name="stops", type=FeatureType.INTEGER, low=0.0),
        FeatureRule(
            name="origin", type=FeatureType.TEXT, categories=("EWR", "São Paulo"), reference=(0, 0, 1, 0, 70, 52)
        ),
        FeatureRule(name="name", type=FeatureType.TEXT, missing=1.0, tags=("personal",)),
        FeatureRule(name="night", type=FeatureType.BOOLEAN, reference=(0, 0, 0, 0, 100, 23)),
    ),
)


def entries() -> list[Entry]:
    """Return the golden entry."""
    found: list[Entry] = []
    model = Writer("model.arrivals", found, at=NINE + 400 * MINUTE, decider=2)
    model.add(ContractAgreed(contract=CONTRACT, by=OWNER, why="Agreed with the flights team ✈"))
    return found


if __name__ == "__main__":
    sys.exit(write(FOLDER, entries()))
