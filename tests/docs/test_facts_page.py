"""`facts.yaml`: what is read is what was written, and every mistake is pointed at."""

import json
import re
from pathlib import Path

import jsonschema
import pytest

from glideslope.domain.ids import ModelName, VersionName
from glideslope.interfaces.document import facts as facts_file
from glideslope.interfaces.document.facts import FactsRefused
from glideslope.interfaces.document.text import Source
from glideslope.interfaces.document.tree import read as tree_of

MODEL, VERSION = ModelName("late-arrival"), VersionName("v3")


def page(root: Path) -> str:
    text = (root / "docs" / "how-to" / "say-how-a-version-was-made.md").read_text("utf-8")
    (written,) = re.findall(r"^```yaml\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    return str(written)


def read(text: str) -> facts_file.FactsDocument:
    return facts_file.read(text, file="facts.yaml", model=MODEL, version=VERSION)


def test_the_page_is_read_and_written_again(root: Path) -> None:
    facts = read(page(root)).facts

    assert read(facts_file.show(facts)).facts == facts
    assert facts.datasets[0].fresh_at == 1_383_177_600_000  # type: ignore[index,union-attr]  # the page says it


def test_the_schema_takes_the_page_and_what_is_shown_of_it(root: Path) -> None:
    schema = json.loads(json.dumps(facts_file.schema()))
    jsonschema.Draft202012Validator.check_schema(schema)
    for text in (page(root), facts_file.show(read(page(root)).facts)):
        jsonschema.validate(tree_of(Source(text=text, file="facts.yaml")).value, schema)


@pytest.mark.parametrize(
    ("written", "wrong", "says"),
    [
        ("  trained_by", "  traned_by", "`traned_by` is not known here"),
        ('"2013"', "2013", "text that looks like a number or a word of YAML is quoted"),
        ("use: training", "use: trainig", "this is one of training, validation, evaluation"),
        ("2013-10-31", "lately", "'lately' is no time"),
        ("2026-11-01T09:00:00Z", "2026-11-01T09:00:00", "a time says its zone"),
        ("hops: 1", "hops: 2", "an origin lies further upstream"),
        ("4b5a1c0d9e8f7a6b5c4d3e2f1a0b9c8d7e6f5a4b", "main", "a revision is a whole commit"),
        ("facts: 1", "facts: 2", "this reads facts of format 1"),
        ("facts: 1", "facts: 1\nversion: v2", "these facts are to be recorded about late-arrival v3"),
    ],
)
def test_a_mistake_is_pointed_at(root: Path, written: str, wrong: str, says: str) -> None:
    before = page(root)
    line = before[: before.index(written)].count("\n") + 1 + wrong.count("\n")
    with pytest.raises(FactsRefused, match=re.escape(says)) as refusal:
        read(before.replace(written, wrong, 1))

    assert refusal.value.code == "facts-invalid"
    assert refusal.value.line == line
    assert refusal.value.column > 0
