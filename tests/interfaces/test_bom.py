"""The bill of materials is valid CycloneDX, says what the facts say, and says what they do not."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from glideslope.domain.governing.facts import Facts, unknown
from glideslope.domain.ids import Actor, Digest, ModelName, VersionName
from glideslope.engine.facts import FactsView
from glideslope.interfaces.document.bom import bom
from glideslope.ledger import entry

GOLDEN = Path(__file__).parents[1] / "golden" / "domain" / "v3-facts" / "000-facts-recorded.json"
SCHEMAS = {"1.6": SchemaVersion.V1_6, "1.7": SchemaVersion.V1_7}


def view(facts: Facts) -> FactsView:
    return FactsView(
        model=facts.model,
        version=facts.version,
        digest=Digest("sha256:" + "2" * 64),
        facts=facts,
        unknown=unknown(facts),
        by=Actor("ada"),
        why="trained",
        at="2026-01-31T09:00:00.000Z",
        entry=7,
        superseded=(),
    )


FULL = msgspec.convert(entry.decode(GOLDEN.read_bytes()).body["facts"], Facts)
NOTHING = Facts(model=ModelName("delays"), version=VersionName("v1"))


@pytest.mark.parametrize("version", ["1.6", "1.7"])
@pytest.mark.parametrize("facts", [FULL, NOTHING], ids=["all-known", "nothing-known"])
def test_it_is_valid_by_the_official_schema(facts: Facts, version: str) -> None:
    found = bom(view(facts), version=version)

    error = JsonStrictValidator(SCHEMAS[version]).validate_str(json.dumps(found))

    assert error is None, error
    assert bom(view(facts), version=version) == found


@pytest.mark.parametrize("version", ["1.6", "1.7"])
def test_the_schema_would_find_a_mistake(version: str) -> None:
    found = bom(view(FULL), version=version)
    found["metadata"]["component"]["modelCard"]["quantitativeAnalysis"]["performanceMetrics"][0]["rows"] = 7

    assert JsonStrictValidator(SCHEMAS[version]).validate_str(json.dumps(found)) is not None


def test_what_is_known_stands_in_it_and_what_is_not_is_named() -> None:
    model = bom(view(FULL))["metadata"]["component"]
    card = model["modelCard"]

    assert model["hashes"] == [{"alg": "SHA-256", "content": "2" * 64}]
    assert model["pedigree"]["commits"] == [{"uid": "4b" * 20, "url": "https://example.org/arrivals"}]
    assert card["quantitativeAnalysis"]["performanceMetrics"] == [
        {"type": "auc", "value": "0.69", "slice": "origin=JFK", "confidenceInterval": {"lowerBound": "0.67", "upperBound": "0.71"}}
    ]  # fmt: skip
    assert {p["name"]: p["value"] for p in model["properties"]}["glideslope:unknown"] == "none"
    nothing = bom(view(NOTHING))["metadata"]["component"]
    assert "licenses" not in nothing
    said = {p["name"]: p["value"] for p in nothing["properties"]}["glideslope:unknown"]
    assert said.split() == list(unknown(NOTHING))


def test_a_field_that_nobody_looked_at_is_not_called_harmless() -> None:
    (data,) = [c for c in bom(view(FULL))["components"] if c["type"] == "data"]
    assert data["data"][0]["sensitiveData"] == ["none"]

    plain = json.loads(msgspec.json.encode(FULL))
    del plain["datasets"][0]["fields"][0]["tags"]
    (data,) = [c for c in bom(view(msgspec.convert(plain, Facts)))["components"] if c["type"] == "data"]
    assert "sensitiveData" not in data["data"][0]


def test_the_verb_prints_it_and_writes_it(desk: Any, tmp_path: Path) -> None:
    desk.run("register", "late-arrival", "v3", "--url", "http://m:1", "--digest", "sha256:" + "2" * 64, "-m", "x")
    (tmp_path / "facts.yaml").write_text("facts: 1\nseed: 7\n")
    recorded = desk.run("facts", "record", "late-arrival", "v3", "-m", "trained")
    assert recorded.exit_code == 0, recorded.stderr
    assert "Nothing is said about: makers" in recorded.stdout

    printed = desk.run("bom", "late-arrival", "v3", "--format", "cyclonedx-1.7", "--json")
    written = desk.run("bom", "late-arrival", "v3", "-o", "bom.json")

    assert json.loads(printed.stdout)["specVersion"] == "1.7"
    assert "Wrote bom.json" in written.stdout
    assert json.loads((tmp_path / "bom.json").read_text())["specVersion"] == "1.6"
    shown = desk.run("facts", "show", "late-arrival", "v3")
    assert "seed: 7" in shown.stdout
