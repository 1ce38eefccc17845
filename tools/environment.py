"""
Makes `.venv` hold what a locked list says: `python3 tools/environment.py demo` or `... dev`.

Runs on the machine's own Python before anything is installed, so it imports the standard library only and keeps to
syntax that an old Python can read far enough to be told that it is too old.
"""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
UV = VENV / "bin" / "uv"
LOCKS = ("demo", "dev")


def run(*command: object) -> bool:
    """Run *command* in the checkout and say whether it succeeded; its output goes to the terminal."""
    return (
        subprocess.run([str(part) for part in command], cwd=ROOT, stdin=subprocess.DEVNULL, check=False).returncode == 0
    )


def make_venv() -> None:
    """Create `.venv`, or leave the one that works."""
    if (
        PYTHON.exists()
        and subprocess.run([str(PYTHON), "-m", "pip", "--version"], capture_output=True, check=False).returncode == 0
    ):
        return
    print(f"Making {VENV.name} with Python {sys.version.split()[0]}", flush=True)
    if not run(sys.executable, "-m", "venv", "--clear", VENV):
        sys.exit("`python3 -m venv` failed. On Debian and Ubuntu: apt install python3-venv")


def install(lock: str) -> None:
    """
    Install every file of the lock by its hash, then this checkout itself.

    uv does it in a fifth of the time; pip does it where uv cannot, for instance where only pip knows the mirror.
    """
    locked = ("--require-hashes", "-r", f"requirements/{lock}.txt")
    ourselves = ("--no-deps", "--no-build-isolation", "-e", ".")
    pip = (PYTHON, "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    uv = (UV, "pip", "install", "--quiet", "--compile-bytecode", "--python", PYTHON)
    if run(*pip, "--require-hashes", "-r", "requirements/uv.txt") and run(*uv, *locked):
        done = run(*uv, *ourselves)
    else:
        print("uv could not install the lock; using pip, which takes about a minute", flush=True)
        done = run(*pip, *locked) and run(*pip, *ourselves)
    if not done:
        sys.exit(f"Could not install requirements/{lock}.txt; the reason is above. Is a package index reachable?")


def main() -> None:
    """Check the interpreter, then make the environment; a failure ends with one line that says what to do."""
    if len(sys.argv) != 2 or sys.argv[1] not in LOCKS:
        sys.exit(f"usage: python3 tools/environment.py {'|'.join(LOCKS)}")
    if sys.version_info < (3, 11):  # noqa: UP036 - this is the check that tells an older Python so
        sys.exit(
            f"Glideslope needs Python 3.11 or newer, this is {sys.version.split()[0]}. Try: make PYTHON=python3.12 ..."
        )
    # A package made for another environment must not answer for ours.
    os.environ.pop("PYTHONPATH", None)
    make_venv()
    print(f"Installing requirements/{sys.argv[1]}.txt", flush=True)
    install(sys.argv[1])


if __name__ == "__main__":
    main()
