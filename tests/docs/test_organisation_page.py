"""The reference of organisation, calendars and threat models has every key of every part, and its examples can be read."""

import re
from pathlib import Path

import msgspec
import pytest

from glideslope.domain.governing import calendar, organisation, threats
from glideslope.domain.governing.calendar import Calendar, Open
from glideslope.domain.governing.governed import Freeze
from glideslope.domain.governing.organisation import ArtifactKind, Organisation, Right
from glideslope.domain.governing.threats import ThreatModel
from glideslope.interfaces.document import agreements

FILES = {Organisation: "organisation.yaml", Calendar: "calendar.yaml", ThreatModel: "threats.yaml"}
PARTS = [
    each
    for module in (organisation, calendar, threats)
    for each in vars(module).values()
    if isinstance(each, type)
    and issubclass(each, msgspec.Struct)
    and each.__module__ == module.__name__
    and each is not Open
]


@pytest.fixture(scope="module")
def page(root: Path) -> str:
    return (root / "docs" / "reference" / "organisation.md").read_text(encoding="utf-8")


def section(page: str, heading: str) -> str:
    (found,) = re.findall(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", page, flags=re.MULTILINE | re.DOTALL)
    return str(found)


def cells(text: str) -> list[str]:
    return re.findall(r"^\| `([\w-]+)` \|", text, flags=re.MULTILINE)


@pytest.mark.parametrize("part", PARTS, ids=lambda each: each.__name__)
def test_each_part_has_its_keys(part: type[msgspec.Struct], page: str) -> None:
    assert cells(section(page, FILES.get(part, part.__name__))) == list(part.__struct_encode_fields__)


def test_there_is_no_part_that_the_code_does_not_have(page: str) -> None:
    headings = set(re.findall(r"^## (.+)$", page, flags=re.MULTILINE))
    assert headings == {FILES.get(part, part.__name__) for part in PARTS} | {"Right", "Freeze"}


def test_each_word_of_a_closed_set_is_told(page: str) -> None:
    assert cells(section(page, "Right")) == [right.value for right in Right]
    assert cells(section(page, "Freeze")) == [freeze.value for freeze in Freeze]
    assert set(re.findall(r"`([a-z]+)`", section(page, "Owned"))) >= {kind.value for kind in ArtifactKind}


@pytest.mark.parametrize("number", [0, 1, 2])
def test_the_examples_can_be_read(number: int, page: str) -> None:
    examples = re.findall(r"^```yaml\n(.*?)^```", page, flags=re.MULTILINE | re.DOTALL)

    assert len(examples) == 3
    assert agreements.read(examples[number], file="a.yaml").of == ("organisation", "calendar", "threat-model")[number]
