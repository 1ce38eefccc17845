"""`python -m glideslope.testing.simulate`: run seeds, say what happened, and of a seed that fails the least that it takes.

    python -m glideslope.testing.simulate --seeds 1000
    python -m glideslope.testing.simulate --seed 4711 --only lost#3,kill#1
    python -m glideslope.testing.simulate --seeds 2000 --mutant forgotten-fence

Exit status: 0 when every promise held, 1 when one was broken, 2 for a call that makes no sense.
"""

import argparse
import os
import sys
import time
from collections.abc import Sequence
from importlib import import_module

from glideslope.testing.simulator.mutants import MUTANTS
from glideslope.testing.simulator.planting import plant


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what the command line asks for; return the exit status."""
    options = _options(arguments)
    if options.mutant and not _planted(options.mutant):
        return 2
    # Only now: what is imported before a fault is planted does not have it.
    exploring = import_module("glideslope.testing.simulator.exploring")
    return int(exploring.explore(options) if options.seed is None else exploring.replay(options))


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m glideslope.testing.simulate", description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, default=1_000, metavar="N", help="how many (default: %(default)s)")
    parser.add_argument("--from", type=int, default=0, metavar="SEED", dest="first", help="the first of them")
    parser.add_argument("--fresh", action="store_true", help="begin at a seed that nobody has tried")
    parser.add_argument("--steps", type=int, default=0, metavar="N", help="go on until so many steps were taken")
    parser.add_argument("--seed", type=int, metavar="SEED", help="run one, and tell its story")
    parser.add_argument(
        "--only", metavar="STRIKES", help="with --seed: let only these faults through, as kind#number,..."
    )
    parser.add_argument("--trouble", type=float, metavar="SECONDS", help="how long things go wrong (the seed's choice)")
    parser.add_argument("--mutant", metavar="NAME", help="plant a fault in the product first; `list` names them")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes (default: %(default)s)")
    parser.add_argument("--stop", action="store_true", help="stop at the first violation")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args(arguments)
    if options.seeds < 1 or options.jobs < 1:
        parser.error("there must be at least one seed and one process")
    if options.only is not None and options.seed is None:
        parser.error("--only needs the --seed that it is about")
    if options.fresh:
        options.first = time.time_ns() % 10**12
    return options


def _planted(name: str) -> bool:
    known = {mutant.name: mutant for mutant in MUTANTS}
    if name not in known:
        for mutant in MUTANTS:
            print(f"{mutant.name:32} {mutant.what}", file=sys.stderr)
        return False
    plant(known[name])
    return True


if __name__ == "__main__":
    sys.exit(main())
