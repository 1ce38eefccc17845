"""
Sees that programs which tests drive are there: `python3 tools/ensure_debian.py psql=postgresql chromium=chromium`.

Installs what is missing from Debian where it may (root and apt-get). Where it may not, it says so and succeeds: the tests
that need the program are then skipped with that reason, and the rest still run.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence


def missing(wanted: Sequence[str], *, which: Callable[[str], str | None]) -> list[str]:
    """Return the Debian packages whose program is not on the path; each of *wanted* reads `program=package`."""
    pairs = [want.partition("=") for want in wanted]
    for program, equals, package in pairs:
        if not (program and equals and package):
            message = f"expected program=package, got {program + equals + package!r}"
            raise ValueError(message)
    return [package for program, _, package in pairs if which(program) is None]


def install(packages: Sequence[str]) -> bool:
    """Install *packages* with apt-get and say whether that worked."""
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    apt = ["apt-get", "-qq", "-o", "DPkg::Lock::Timeout=120"]
    steps = ([*apt, "update"], [*apt, "install", "--yes", "--no-install-recommends", *packages])
    return all(
        subprocess.run(step, env=environment, stdin=subprocess.DEVNULL, check=False).returncode == 0 for step in steps
    )


def main(wanted: Sequence[str]) -> None:
    """Install what is missing or say what will be skipped; never fails for a missing program."""
    packages = missing(wanted, which=shutil.which)
    if not packages:
        return
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        print(f"Not installed, and not ours to install: {' '.join(packages)}. Tests that need them are skipped.")
        print(f"To run them too: sudo apt-get install {' '.join(packages)}")
    elif not install(packages):
        print(f"apt-get could not install {' '.join(packages)}. Tests that need them are skipped.")


if __name__ == "__main__":
    main(sys.argv[1:])
