"""The reference of policies knows every kind of rule with its parameters, and every block of a dossier with its members."""

import inspect
import re
from pathlib import Path

import msgspec
import pytest

from glideslope.domain.governing import dossier
from glideslope.domain.governing.policy import KINDS, AnyRule, Cel, Opa
from glideslope.interfaces.document import policies
from glideslope.interfaces.document.text import Source
from glideslope.interfaces.document.tree import read

BLOCKS = [
    each
    for name, each in vars(dossier).items()
    if isinstance(each, type)
    and issubclass(each, msgspec.Struct)
    and each.__module__ == dossier.__name__
    and not name.startswith("_")
]
COMMON = {"id", "tiers", "says"}


@pytest.fixture(scope="module")
def page(root: Path) -> str:
    return (root / "docs" / "reference" / "policy.md").read_text(encoding="utf-8")


def section(page: str, heading: str) -> str:
    (found,) = re.findall(rf"^### {heading}\n(.*?)(?=^##|\Z)", page, flags=re.MULTILINE | re.DOTALL)
    return str(found)


def first_cells(text: str) -> list[str]:
    return re.findall(r"^\| `(\w+)` \|", text, flags=re.MULTILINE)


def test_every_kind_and_no_other_has_a_heading_in_the_order_of_the_code(page: str) -> None:
    headings = re.findall(r"^### (\w+)$", page, flags=re.MULTILINE)

    assert headings[: len(KINDS)] == [kind.kind() for kind in KINDS]
    assert set(headings[len(KINDS) :]) == {block.__name__ for block in BLOCKS}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.kind())
def test_a_kind_says_what_its_code_says_and_has_its_parameters(kind: type[AnyRule], page: str) -> None:
    text = section(page, kind.kind())
    skipped = COMMON - {"says"} if kind in {Cel, Opa} else COMMON
    own = [name for name in kind.__struct_fields__ if name not in skipped]

    assert (inspect.getdoc(kind) or "") in text
    assert first_cells(text.split("Each of `limits`")[0]) == own


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.__name__)
def test_a_block_of_the_dossier_has_its_members(block: type[msgspec.Struct], page: str) -> None:
    assert first_cells(section(page, block.__name__)) == list(block.__struct_fields__)


def test_the_policy_on_the_page_can_be_read(page: str) -> None:
    (example,) = re.findall(r"^```yaml\n(.*?)^```", page, flags=re.MULTILINE | re.DOTALL)

    assert len(policies.read(example, file="policy.yaml").policy.rules) == 2


def test_the_rules_and_cases_of_the_how_to_can_be_read(root: Path) -> None:
    text = (root / "docs" / "how-to" / "write-and-test-a-policy.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```yaml\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)
    rules = "".join(block for block in blocks if not block.startswith("cases"))
    cases = "".join(block for block in blocks if block.startswith("cases"))

    found = policies.read(f"policy: 1\nname: p\ntiers: [low, medium, high]\nrules:\n{rules}{cases}", file="policy.yaml")

    assert len(found.policy.rules) == 4
    assert len(found.cases) == 1
    assert read(Source(text=cases, file="c")).value["cases"]
