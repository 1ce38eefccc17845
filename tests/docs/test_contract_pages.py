"""The data contract on the page is one, and what the page does with it works as written."""

import re
from pathlib import Path

from glideslope.domain.contract import Contract
from glideslope.interfaces.document import contracts
from glideslope.sdk.features import FeatureCounter
from glideslope.sdk.stamps import NO_STAMPS


def on_the_page(root: Path) -> Contract:
    text = (root / "docs" / "how-to" / "watch-features.md").read_text("utf-8")
    (written,) = [
        b for b in re.findall(r"^```yaml\n(.*?)^```", text, re.MULTILINE | re.DOTALL) if b.startswith("contract:")
    ]
    return contracts.read(written, file="contract.yaml").contract


def test_the_contract_on_the_page_can_be_read_and_written_again(root: Path) -> None:
    contract = on_the_page(root)

    assert contracts.read(contracts.show(contract), file="contract.yaml").contract == contract
    assert [rule.name for rule in contract.features if rule.hidden] == ["tail_number"]


def test_rows_are_held_against_it(root: Path) -> None:
    contract = on_the_page(root)
    counter = FeatureCounter(contract.model, source="page", epoch=1, send=lambda _: None, every=3_600)
    counter.follow(contract)
    good = {"distance": 733, "carrier": "AA", "tail_number": None, "international": False}

    assert counter.check(good, NO_STAMPS) is False
    assert counter.check({**good, "distance": 0}, NO_STAMPS) is True
    assert counter.check({**good, "carrier": "ZZ"}, NO_STAMPS) is True
