"""How many megabytes an installation takes on disk, without compiled caches: core, what the server adds, what Envoy adds.

Run: `python benchmarks/install.py` (`--json`; `--quick` measures the core only). Installs from the hashed locks into scratch
environments, and counts what a fresh environment does not hold.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
GOALS = {"core": 25.0, "server": 60.0}


def megabytes(folder: Path) -> float:
    """Return the size of all files but compiled caches, in millions of bytes."""
    return sum(p.stat().st_size for p in folder.rglob("*") if p.is_file() and p.suffix != ".pyc") / 1e6


def installed(lock: str) -> tuple[float, int]:
    """Return megabytes and distributions of one lock with Glideslope itself, less an empty environment."""
    with tempfile.TemporaryDirectory() as folder:
        python = Path(folder) / "bin" / "python"
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
        site = next(Path(folder).glob("lib/python*/site-packages"))
        before = megabytes(site)
        pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-compile"]
        subprocess.run([*pip, "--require-hashes", "-r", str(ROOT / "requirements" / f"{lock}.txt")], check=True)
        subprocess.run([*pip, "--no-deps", str(ROOT)], check=True)
        return megabytes(site) - before, len(list(site.glob("*.dist-info")))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--quick", action="store_true")
    chosen = parser.parse_args()
    core, core_count = installed("core")
    rows = {"core": {"mb": round(core, 1), "distributions": core_count, "goal_mb": GOALS["core"]}}
    if not chosen.quick:
        server, server_count = installed("server")
        rows["server adds"] = {"mb": round(server - core, 1), "distributions": server_count, "goal_mb": GOALS["server"]}
    if chosen.json:
        print(json.dumps(rows, indent=2))
        return
    for name, row in rows.items():
        print(f"{name:12} {row['mb']:7.1f} MB  {row['distributions']:3} distributions  goal <= {row['goal_mb']:g} MB")


if __name__ == "__main__":
    main()
