"""
Asks an advisory service about everything that is locked: `python tools/audit.py [--service pypi|osv]`, as `make audit` does.

Ends with 0 only when every pin was looked up and nothing is known against it, with 1 when something is, with 2 when the locks
cannot be read, and with 3 when anything was not audited: pip-audit by itself says "no known vulnerabilities" of packages
that it could not look up.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from enum import IntEnum
from typing import Any

from locks import LOCKS, ROOT, Pin, canonical, lock
from supply import Advisories, read_advisories


class Exit(IntEnum):
    """How it ends."""

    CLEAN = 0
    VULNERABLE = 1
    UNREADABLE = 2
    NOT_AUDITED = 3


@dataclass(slots=True)
class Result:
    """What is known after asking."""

    audited: set[tuple[str, str]] = field(default_factory=set)
    skipped: dict[str, str] = field(default_factory=dict)
    found: dict[tuple[str, str], set[str]] = field(default_factory=dict)
    silent: list[str] = field(default_factory=list)
    """Why there was no answer at all."""


def take(result: Result, report: Any) -> None:  # noqa: ANN401 - JSON is anything until it is looked into
    """Add what pip-audit wrote as JSON. Raises KeyError, TypeError for another form."""
    for each in report["dependencies"]:
        key = (canonical(each["name"]), str(each.get("version") or ""))
        if "skip_reason" in each:
            result.skipped[key[0]] = str(each["skip_reason"])
            continue
        result.audited.add(key)
        for known in each["vulns"]:
            result.found.setdefault(key, set()).add(str(known["id"]))


def judge(result: Result, pins: Sequence[Pin], known: Advisories, *, today: date) -> tuple[Exit, list[str]]:
    """Return how to end, and what to say."""
    ignored = {each.id: each for each in known.ignored if each.until >= today}
    said: list[str] = []
    for (name, version), ids in sorted(result.found.items()):
        for id_ in sorted(ids):
            if id_ in ignored:
                said.append(f"ignored until {ignored[id_].until}: {name} {version} {id_} ({ignored[id_].reason})")
            else:
                said.append(f"VULNERABLE: {name} {version} is affected by {id_}")
    vulnerable = any(line.startswith("VULNERABLE") for line in said)
    wanted = {(pin.name, pin.version) for pin in pins}
    missing = sorted(wanted - result.audited)
    if missing:
        why = sorted({*result.silent, *(result.skipped.get(name, "") for name, _ in missing)} - {""})
        names = ", ".join(f"{name} {version}" for name, version in missing[:5])
        more = f" and {len(missing) - 5} more" if len(missing) > 5 else ""
        said.append(f"NOT AUDITED: {len(missing)} of {len(wanted)} pins ({names}{more}).")
        said += [f"  {each}" for each in why[:3]]
    else:
        said.append(f"{len(wanted)} of {len(wanted)} pins audited.")
    if vulnerable:
        return Exit.VULNERABLE, said
    return (Exit.NOT_AUDITED if missing else Exit.CLEAN), said


def ask(name: str, *, service: str, result: Result) -> None:
    """Let pip-audit look one lock up. What it does not answer stays unaudited."""
    command = [
        *(sys.executable, "-m", "pip_audit", "--requirement", str(ROOT / "requirements" / f"{name}.txt")),
        *("--require-hashes", "--disable-pip", "--format", "json", "--progress-spinner", "off"),
        *("--vulnerability-service", service, "--timeout", "20"),
    ]
    run = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    try:
        take(result, json.loads(run.stdout))
    except (ValueError, KeyError, TypeError):
        last = run.stderr.strip().splitlines()[-1:] or ["it said nothing"]
        result.silent.append(f"{name}.txt: pip-audit ended with {run.returncode}: {last[0][:300]}")


def main() -> None:
    """Ask about every lock."""
    parser = argparse.ArgumentParser(description="Asks an advisory service about everything that is locked.")
    parser.add_argument("--service", choices=("pypi", "osv"), default="pypi")
    service = parser.parse_args().service
    result = Result()
    try:
        known = read_advisories((ROOT / "requirements" / "advisories.toml").read_text(encoding="utf-8"))
        pins = [pin for name in LOCKS for pin in lock(name)]
    except ValueError as error:
        print(error)
        sys.exit(Exit.UNREADABLE)
    for name in ("dev", "uv"):  # the smaller locks are parts of `dev`, which a test holds them to
        ask(name, service=service, result=result)
    status, said = judge(result, pins, known, today=datetime.now(UTC).date())
    print("\n".join(said))
    sys.exit(status)


if __name__ == "__main__":
    main()
