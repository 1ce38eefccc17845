"""The reference of envelopes has every key of every part, and every clause in its order."""

import re
from pathlib import Path

import msgspec
import pytest
from tests.unit.domain.governing.test_envelope import ENVELOPE, STANDING, dossier

from glideslope.domain.governing.envelope import Envelope, classify, document

PARTS = [
    each
    for each in vars(document).values()
    if isinstance(each, type) and issubclass(each, msgspec.Struct) and each.__module__ == document.__name__
]


def cells(text: str, heading: str) -> list[str]:
    (found,) = re.findall(rf"^## {heading}\n(.*?)(?=^## |\Z)", text, flags=re.MULTILINE | re.DOTALL)
    return re.findall(r"^\| `(\w+)` \|", found, flags=re.MULTILINE)


@pytest.mark.parametrize("part", [each for each in PARTS if each.__struct_fields__], ids=lambda each: each.__name__)
def test_each_part_has_its_keys(part: type[msgspec.Struct], root: Path) -> None:
    page = (root / "docs" / "reference" / "envelope.md").read_text(encoding="utf-8")
    assert cells(page, "What it says" if part is Envelope else part.__name__) == list(part.__struct_fields__)


def test_each_clause_is_told_in_the_order_in_which_it_is_asked(root: Path) -> None:
    page = (root / "docs" / "reference" / "envelope.md").read_text(encoding="utf-8")
    asked = [answer.rule for answer in classify(ENVELOPE, STANDING, dossier()).answers]
    assert cells(page, "The clauses") == asked
