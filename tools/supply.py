"""
Checks without a network what we take from others: `python tools/supply.py`, as `make lint` does.

Locks are hashed and name no place, every package that a user may get has a licence that goes with ours, files of others in our
tree are exactly what they published, and no advisory in requirements/advisories.toml applies. That list is only as good as its
date: `make audit` asks those who know.
"""

import re
import sys
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path
from typing import Any

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from locks import LOCKS, ROOT, RUNTIME, LockUnreadable, Pin, canonical, lock

COMPATIBLE = frozenset(
    {
        "0BSD",
        "Apache-2.0",
        "BSD-2-Clause",
        "BSD-3-Clause",
        "CC0-1.0",
        "ISC",
        "MIT",
        "MIT-0",
        "MPL-2.0",  # its files stay under it; ours do not come under it
        "PSF-2.0",
        "Unlicense",
        "Zlib",
    }
)
"""Licences under which a dependency of an Apache-2.0 program may come."""

VENDORED = ("src/glideslope/interfaces/dashboard/static/vendor", "tests/browser/vendor")
"""Folders with files that others wrote and published, each with a list of them."""

CLASSIFIERS = {
    "MIT License": {"MIT"},
    "BSD License": {"BSD-2-Clause", "BSD-3-Clause"},
    "Apache Software License": {"Apache-2.0"},
    "Mozilla Public License 2.0 (MPL 2.0)": {"MPL-2.0"},
    "Python Software Foundation License": {"PSF-2.0"},
}


class AdvisoriesUnreadable(ValueError):
    """The file says something that is not understood; nothing in it is passed over."""


@dataclass(frozen=True, slots=True)
class Ignored:
    """An advisory that somebody looked at and found harmless here, for a time."""

    id: str
    reason: str
    until: date


@dataclass(frozen=True, slots=True)
class Advisories:
    """What was known on a day."""

    dated: date
    listed: tuple[tuple[str, str, SpecifierSet], ...]
    """Id, package, affected versions."""
    ignored: tuple[Ignored, ...]


def check_locks(root: Path) -> list[str]:
    """Return what is wrong with the locks themselves."""
    found: list[str] = []
    for name in LOCKS:
        text = (root / "requirements" / f"{name}.txt").read_text(encoding="utf-8")
        found += [
            f"{name}.txt names a place: {line}" for line in text.splitlines() if re.search(r"://|file:|^[-/]", line)
        ]
        try:
            lock(name, root=root)
        except LockUnreadable as error:
            found.append(f"{name}.txt: {error}")
    return found


def check_licences(pins: Sequence[Pin], licences: dict[str, str]) -> list[str]:
    """Return which packages have no licence that goes with ours, or another than they say themselves."""
    locked = {pin.name for pin in pins}
    found = [f"licences.toml: {name} is not locked any more" for name in sorted(licences.keys() - locked)]
    for name in sorted(locked):
        expression = licences.get(name)
        if expression is None:
            found.append(f"licences.toml: {name} has no licence")
        elif not compatible(expression):
            found.append(f"{name} comes under {expression}, which does not go with Apache-2.0")
        elif contradicted := _contradiction(name, expression):
            found.append(f"licences.toml: {name} comes under {expression}, but says {contradicted}")
    return found


def compatible(expression: str) -> bool:
    """Tell whether an SPDX expression without brackets lets us: one side of each OR, both of each AND."""
    return any(all(part.strip() in COMPATIBLE for part in choice.split(" AND ")) for choice in expression.split(" OR "))


def check_vendored(root: Path) -> list[str]:
    """Return what is wrong with the files of others that lie in our tree: other content, no licence, a wrong one."""
    found: list[str] = []
    for folder in VENDORED:
        entries: list[dict[str, str]] = tomllib.loads((root / folder / "VENDORED.toml").read_text(encoding="utf-8"))[
            "file"
        ]
        for entry in entries:
            path, named = root / folder / entry["path"], f"{entry['name']} {entry['version']}"
            if sha256(path.read_bytes()).hexdigest() != entry["sha256"]:
                found.append(f"{folder}/{entry['path']} is not what was published as {named}")
            if not compatible(entry["licence"]):
                found.append(f"{named} comes under {entry['licence']}, which does not go with Apache-2.0")
            if not (root / folder / entry["licence_file"]).is_file():
                found.append(f"{named} lies here without its licence")
        known = {name for entry in entries for name in (entry["path"], entry["licence_file"])} | {"VENDORED.toml"}
        found += [
            f"{folder}/{each.name} is written down nowhere"
            for each in (root / folder).iterdir()
            if each.name not in known
        ]
    return found


def check_advisories(pins: Sequence[Pin], known: Advisories, *, today: date) -> list[str]:
    """Return which advisories apply to what is pinned, and which were ignored for too long."""
    found = [
        f"{each.id} was ignored until {each.until} ({each.reason}): look again"
        for each in known.ignored
        if each.until < today
    ]
    ignored = {each.id for each in known.ignored}
    found += [
        f"{pin.name} {pin.version} is affected by {id_}"
        for id_, package, affected in known.listed
        for pin in pins
        if pin.name == package and affected.contains(pin.version, prereleases=True) and id_ not in ignored
    ]
    return sorted(set(found))


def read_advisories(text: str) -> Advisories:
    """Read requirements/advisories.toml. Raises AdvisoriesUnreadable, saying where."""
    try:
        content: dict[str, Any] = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise AdvisoriesUnreadable(f"advisories.toml: {error}") from error
    strange = content.keys() - {"dated", "advisory", "ignored"}
    strange |= {key for each in content.get("advisory", []) for key in each} - {"id", "package", "affected"}
    strange |= {key for each in content.get("ignored", []) for key in each} - {"id", "reason", "until"}
    if strange:
        raise AdvisoriesUnreadable(f"advisories.toml: unknown {', '.join(sorted(strange))}")
    dated = content.get("dated")
    if not isinstance(dated, date):
        raise AdvisoriesUnreadable("advisories.toml: dated is to be a day, like 2026-11-25")
    listed: list[tuple[str, str, SpecifierSet]] = []
    for each in content.get("advisory", []):
        try:
            listed.append((str(each["id"]), canonical(each["package"]), SpecifierSet(each["affected"])))
        except (KeyError, InvalidSpecifier) as error:
            raise AdvisoriesUnreadable(
                f"advisories.toml: an advisory needs id, package and affected ({error})"
            ) from error
    ignored: list[Ignored] = []
    for each in content.get("ignored", []):
        reason, until = each.get("reason"), each.get("until")
        if not each.get("id") or not reason or not isinstance(until, date):
            raise AdvisoriesUnreadable("advisories.toml: what is ignored needs an id, a reason and a day until when")
        ignored.append(Ignored(id=str(each["id"]), reason=str(reason), until=until))
    return Advisories(dated=dated, listed=tuple(listed), ignored=tuple(ignored))


def _contradiction(name: str, expression: str) -> str:
    """Return what the installed package says of itself, if it is something else."""
    try:
        told = metadata(name)
    except PackageNotFoundError:
        return ""
    if "License-Expression" in told:
        own = str(told["License-Expression"])
        return "" if own == expression else own
    parts = set(re.split(r" (?:AND|OR) ", expression))
    for classifier in told.get_all("Classifier", []):
        short = str(classifier).rpartition(" :: ")[2]
        if short in CLASSIFIERS and not parts & CLASSIFIERS[short]:
            return short
    return ""


def main() -> None:
    """Check all; a failure ends with one line for each thing that is wrong."""
    folder = ROOT / "requirements"
    licences: dict[str, str] = tomllib.loads((folder / "licences.toml").read_text(encoding="utf-8"))["licences"]
    try:
        known = read_advisories((folder / "advisories.toml").read_text(encoding="utf-8"))
        pins = [pin for name in LOCKS for pin in lock(name)]
        wrong = [
            *check_locks(ROOT),
            *check_licences(lock(RUNTIME), licences),
            *check_vendored(ROOT),
            *check_advisories(pins, known, today=datetime.now(UTC).date()),
        ]
    except ValueError as error:
        sys.exit(str(error))
    if wrong:
        sys.exit("\n".join(wrong))
    print(
        f"{len(set(pins))} pins: hashed, from no named place, licences compatible. Of the {len(known.listed)} advisories "
        f"noted up to {known.dated} none applies; that is no audit (make audit)."
    )


if __name__ == "__main__":
    main()
