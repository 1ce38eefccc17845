"""`glideslope backtest`: what a plan would have decided on rollouts that were. Reads a ledger, moves and records nothing."""

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import click
import msgspec

from glideslope.domain.backtest import Backtest, backtest, frozen_for, recorded_plan
from glideslope.domain.errors import Invalid, NotFound, PlanInvalid
from glideslope.domain.events import Event, event_of, instant, rfc3339
from glideslope.domain.ids import RolloutId
from glideslope.interfaces.cli.saying import say
from glideslope.interfaces.cli.session import Session, at, talks
from glideslope.interfaces.cli.verbs.files import PLAN, plan_text
from glideslope.interfaces.cli.words import table
from glideslope.interfaces.document import reading
from glideslope.ledger import bundle, entry
from glideslope.ledger.errors import LedgerError

Streams = dict[str, list[tuple[int, Event]]]


@click.command("backtest")
@click.argument("file", type=click.Path(path_type=Path), default=PLAN)
@click.option("--on", "rollouts", multiple=True, metavar="ROLLOUT", help="A recorded rollout; else all of the model.")
@click.option("--bundle", "saved", type=click.Path(path_type=Path), help="Read this ledger instead of the server's.")
@talks
def command(session: Session, *, file: Path, rollouts: tuple[str, ...], saved: Path | None) -> None:
    """Show what the plan in FILE would have decided on recorded rollouts, decision by decision.

    The evidence is the ledger's own. What was never counted, other splits and all after the recorded end are not known, and
    it says so.
    """
    written = plan_text(file)
    document = reading.read(written["text"], file=written["file"])
    with ExitStack() as stack:
        if saved is None:
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            saved = _fetched(session, Path(folder) / "ledger.bundle")
        streams = _streams(saved)
    found = []
    for name in rollouts or _of_model(streams, document.draft.model):
        events = streams.get(name)
        recorded = recorded_plan(events) if events else None
        if events is None or recorded is None:
            raise NotFound(what="recorded rollout", name=name)
        try:
            plan = frozen_for(document.draft, recorded)
        except PlanInvalid as error:
            raise document.located(error) from error
        found.append(backtest(plan, RolloutId(name), events))
    if session.as_json:
        session.say_json(msgspec.to_builtins(found))
    else:
        say("\n".join(line for each in found for line in backtest_lines(each)))


def backtest_lines(each: Backtest) -> list[str]:
    """Say decision by decision where the two differ, and what cannot be known."""
    rows = [["at", "recorded in", "recorded", "this plan in", "this plan", ""]]
    rows += [
        [
            rfc3339(m.at)[:19],
            m.recorded_step or "-",
            m.recorded,
            m.step or "-",
            m.decided,
            " ".join(word for word in ("differs" if m.differs and m.decided not in {"ended", "unknown"} else "", m.note) if word),
        ]
        for m in each.moments
    ]  # fmt: skip
    lines = [f"{each.rollout}: recorded {each.recorded_end}; this plan: {each.would_end}", *table(rows)]
    if each.stopped_at is not None:
        since = "" if each.stopped_after is None else f", and not yet at {rfc3339(each.stopped_after)[:19]}"
        what = f" for {each.broke}" if each.broke else ""
        lines.append(
            f"  stopped{what} by {rfc3339(each.stopped_at)[:19]}{since}: {each.exposed_then:,} subjects had met the candidate, "
            f"of {each.exposed:,} in the record"
        )
    return [*lines, *(f"  not known: {sentence}" for sentence in each.unknown), ""]


def _fetched(session: Session, path: Path) -> Path:
    with path.open("wb") as saved:
        for line in session.api.stream(at("ledger")):
            saved.write(line + b"\n")
    return path


def _of_model(streams: Streams, model: str) -> list[str]:
    found = [name for name, events in streams.items() if (plan := recorded_plan(events)) and plan.model == model]
    if not found:
        raise NotFound(what="recorded rollout of the model", name=model)
    return found


def _streams(path: Path) -> Streams:
    """Read a ledger's rollouts, in its order. Raises NotFound, Invalid. It is believed as it is: `verify` checks it."""
    streams: Streams = {}
    try:
        with path.open("rb") as raw:
            for position, each in enumerate(_entries(bundle.lines(raw.readline)), start=1):
                try:
                    event = event_of(each.kind, each.body)
                except Invalid as error:
                    raise Invalid(f"Entry {position} of {path.name} cannot be read: {error}") from error
                streams.setdefault(each.stream, []).append((instant(each.at), event))
    except FileNotFoundError:
        raise NotFound(what="ledger file", name=str(path), next_command="glideslope verify") from None
    except OSError as error:
        raise Invalid(f"The ledger file {str(path)!r} cannot be read: {error.strerror}.") from None
    except LedgerError as error:
        raise Invalid(
            f"{path.name} is no ledger that can be read: {error}.", next_command="glideslope verify --out ledger.bundle"
        ) from None
    return streams


def _entries(raw: Iterator[bytes]) -> Iterator[entry.Entry]:
    bundle.read_head(raw)
    for line in raw:
        yield entry.decode(line[bundle.HASH_LENGTH + 1 : -1])
