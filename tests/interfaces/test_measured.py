"""What an evaluation measured becomes facts: nothing that people stated is lost by it, and nothing else is taken for it."""

import json
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.interfaces.test_bom import FULL

from glideslope.domain.errors import FactsInvalid
from glideslope.domain.governing.facts import Ending, Facts, Measured, Validation
from glideslope.domain.ids import Digest, VersionName
from glideslope.interfaces.cli.exits import Exit
from glideslope.interfaces.document import facts as written_facts
from glideslope.interfaces.document.measured import Measurements, joined, read

FIGURE = Measured(
    metric="auc",
    value=0.71,
    slice="new_customer=yes",
    rows=2381,
    dataset="by-day",
    of=Digest("sha256:" + "2" * 64),
    against=Digest("sha256:" + "1" * 64),
    measured_at=1_795_661_271_000,
    report=Digest("sha256:" + "6" * 64),
)
CHECK = Validation(name="leakage future", outcome=Ending.SKIPPED, findings="no time")
FOUND = Measurements(model=FULL.model, version=FULL.version, evaluations=(FIGURE,), validations=(CHECK,))
BARE = Facts(model=FULL.model, version=FULL.version)


@pytest.mark.parametrize("facts", [FULL, BARE], ids=["full", "bare"])
def test_it_is_added_to_what_people_stated_and_can_be_recorded(facts: Facts) -> None:
    whole = joined(facts, FOUND, file="measured.json")
    assert whole.evaluations == (*(facts.evaluations or ()), FIGURE)
    assert whole.validations == (*(facts.validations or ()), CHECK)
    rest = msgspec.structs.replace(whole, evaluations=facts.evaluations, validations=facts.validations)
    assert rest == facts
    text = written_facts.show(whole)
    assert written_facts.read(text, file="facts.yaml", model=facts.model, version=facts.version).facts == whole


def test_measurements_of_another_version_are_refused() -> None:
    other = msgspec.structs.replace(FOUND, version=VersionName("another"))
    with pytest.raises(FactsInvalid, match=re.escape(f"measured {FULL.model} another")):
        joined(BARE, other, file="measured.json")


@pytest.mark.parametrize("content", [b"[]", b"{}", b"\xff", b'{"evaluations": [], "validations": []}'])
def test_what_is_no_such_file_is_refused(content: bytes) -> None:
    with pytest.raises(FactsInvalid, match=r"m\.json: .*; expected `measured\.json`"):
        read(content, file="m.json")


def test_the_command_line_sends_facts_and_figures_as_one_file(desk: Any) -> None:
    Path("facts.yaml").write_text("facts: 1\nseed: 7\n")
    Path("measured.json").write_bytes(msgspec.json.encode(FOUND))
    command = ("facts", "record", FULL.model, FULL.version, "-m", "by the pipeline", "--dry-run", "--json")
    result = desk.run(*command, "--measured", "measured.json")
    assert result.exit_code == Exit.DONE, result.stderr
    (text,) = re.findall(r'"text": ?("(?:[^"\\]|\\.)*")', result.stdout)
    sent = written_facts.read(json.loads(text), file="facts.yaml", model=FULL.model, version=FULL.version).facts
    assert sent == msgspec.structs.replace(BARE, seed=7, evaluations=(FIGURE,), validations=(CHECK,))
    assert desk.run(*command, "--measured", "nowhere.json").exit_code == Exit.INVALID
