"""The page that strangers implement from says what the code does."""

from pathlib import Path

import pytest

from glideslope.ledger import bundle, entry, note, rotation
from glideslope.ledger.findings import Code
from glideslope.ledger.verify import verify

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "reference" / "ledger-format.md").read_text()
GOLDEN = ROOT / "tests" / "golden" / "ledger" / "v1"


def fence(text: str) -> str:
    return f"```text\n{text}```\n"


@pytest.mark.parametrize("code", list(Code))
def test_every_finding_is_explained_under_its_name(code: Code) -> None:
    assert f"\n### {code.value}\n" in PAGE


def test_no_finding_is_explained_that_does_not_exist() -> None:
    section = PAGE.partition("## Findings\n")[2].partition("\n## ")[0]

    assert {line[4:] for line in section.splitlines() if line.startswith("### ")} == {code.value for code in Code}


def test_the_keys_on_the_page_are_the_golden_ones() -> None:
    assert fence((GOLDEN / "keys.txt").read_text()) in PAGE


def test_the_entry_on_the_page_is_the_golden_one() -> None:
    data = (GOLDEN / "entry-plain.json").read_bytes()

    assert fence(f"{data.decode()}\n{bundle.entry_line(data).decode()}") in PAGE


def test_the_manifest_on_the_page_is_the_golden_one() -> None:
    assert fence((GOLDEN / "entry-manifest.json").read_text() + "\n") in PAGE


def test_the_checkpoint_on_the_page_is_the_golden_one() -> None:
    assert fence((GOLDEN / "checkpoint.note").read_text()) in PAGE


def test_the_rotation_on_the_page_is_the_golden_one() -> None:
    found = entry.decode((GOLDEN / "entry-rotation.json").read_bytes())
    text = note.parse(str(found.body["note"]).encode()).text

    assert rotation.read(found.body, version=1).version == 1
    assert fence(text) in PAGE


def test_the_root_on_the_page_is_that_of_the_golden_bundle() -> None:
    keys = [note.Verifier.parse(vkey) for vkey in (GOLDEN / "keys.txt").read_text().splitlines()]
    with (GOLDEN / "bundle.txt").open("rb") as lines:
        root = verify(lines, trusted=keys).root

    assert fence(f"{root.hex()}\n") in PAGE
