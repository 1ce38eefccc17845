"""`glideslope simulate`: rollouts of a plan that never happen, by the hundred, on this machine. Moves and records nothing."""

import os
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from random import Random
from typing import Final

import click
import msgspec

from glideslope.domain.errors import Conflict, Invalid
from glideslope.domain.freeze import Baseline
from glideslope.domain.plan import DeclaredHarm, Plan
from glideslope.domain.simulation import Fate
from glideslope.domain.supposed import harm_name
from glideslope.domain.trials import Trials, course_of, summed, suppositions
from glideslope.engine.views import BasisView
from glideslope.interfaces.cli.foreseeing import trial_lines
from glideslope.interfaces.cli.saying import say
from glideslope.interfaces.cli.session import Session, read, talks
from glideslope.interfaces.cli.verbs.files import PLAN, plan_text

PORTION: Final = 10
"""Runs between two steps of the progress bar."""


@click.command("simulate")
@click.argument("file", type=click.Path(path_type=Path), default=PLAN)
@click.option("--runs", type=click.IntRange(1, 100_000), default=200, show_default=True, help="Of each supposition.")
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True, help="The same gives the same.")
@click.option(
    "--traffic", type=click.FloatRange(min=0.0, min_open=True), metavar="RATE",
    help="Suppose so many subjects a second instead of what was seen.",
)  # fmt: skip
@click.option(
    "--jobs", type=click.IntRange(1, 64), help="Processes; else one per core. The figures do not depend on it."
)
@talks
def command(session: Session, *, file: Path, runs: int, seed: int, traffic: float | None, jobs: int | None) -> None:
    """Simulate the rollout written in FILE: once with a sound candidate, and once with each harm.

    The server tells what it knows of traffic, rates and delays; all else happens here. The decisions are made by the rules
    that would make them. Nothing is changed anywhere.
    """
    basis = read(session.post("/v1/plan/basis", plan_text(file)), BasisView, exact=True)
    baseline = basis.baseline
    if traffic is not None:
        quiet = msgspec.structs.replace(baseline.experience, requests=(), watched=())
        baseline = msgspec.structs.replace(
            baseline, subjects_per_second=traffic, outcomes_per_second=traffic, experience=quiet
        )
    found: list[Trials] = []
    skipped: list[str] = []
    with _pool(jobs or os.cpu_count() or 1) as pool:
        for harm in suppositions(basis.plan):
            name = "healthy" if harm is None else harm_name(harm)
            try:
                course_of(basis.plan, baseline, harm, starts=basis.starts)
            except ValueError as error:
                if harm is None:
                    raise _unknown(str(error)) from None
                skipped.append(f"{name} cannot be simulated: {error}.")
                continue
            asked = [
                _Asked(basis.plan, baseline, harm, basis.starts, seed, at, min(at + PORTION, runs))
                for at in range(0, runs, PORTION)
            ]
            with click.progressbar(
                length=runs, label=name.ljust(22), file=sys.stderr, hidden=session.as_json or not sys.stderr.isatty()
            ) as bar:
                fates: list[Fate] = []
                for portion in pool.map(_portion, asked) if pool else map(_portion, asked):
                    fates += portion
                    bar.update(len(portion))
            found.append(summed(name, fates))
    if session.as_json:
        session.say_json(
            {"digest": basis.digest, "seed": seed, "trials": msgspec.to_builtins(found), "skipped": skipped}
        )
    else:
        say("\n".join(trial_lines(basis.plan, found, seed=seed, skipped=skipped)))


def _unknown(why: str) -> Conflict | Invalid:
    return Conflict(
        f"Nothing can be simulated: {why}. Suppose some traffic.", next_command="glideslope simulate --traffic 10"
    )


class _Asked(msgspec.Struct, frozen=True, array_like=True):
    """One portion of the work, as it travels to another process."""

    plan: Plan
    baseline: Baseline
    harm: DeclaredHarm | None
    starts: float
    seed: int
    first: int
    stop: int


def _portion(asked: _Asked) -> list[Fate]:
    course = course_of(asked.plan, asked.baseline, asked.harm, starts=asked.starts)
    name = "healthy" if asked.harm is None else harm_name(asked.harm)
    return [course.run(Random(f"{asked.seed}/{name}/{k}")) for k in range(asked.first, asked.stop)]  # noqa: S311 - no secret


@contextmanager
def _pool(jobs: int) -> Iterator[ProcessPoolExecutor | None]:
    if jobs == 1:
        yield None
        return
    # Not a copy of this process, which may have threads.
    with ProcessPoolExecutor(jobs, mp_context=get_context("forkserver")) as pool:
        yield pool
