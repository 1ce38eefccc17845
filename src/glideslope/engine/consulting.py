"""Others asked, beforehand, about the rules that are theirs: at a decision their answers are there, or there is no evidence.

Whoever answers such a rule may be slow, hang, or be gone, and the governor waits for nobody. So each question is asked off its
loop, with bounded patience, and asked again while it matters. What was answered holds for the change that it was asked about,
for GOOD_FOR seconds; a change that has become another, and an answer that has grown old, are no evidence, which blocks. The
dossier that was sent is kept with the answers: together they are what the ledger records, and nobody is asked again at a replay.
"""

import asyncio
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Final, TypeVar

from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from glideslope.domain.governing.dossier import Dossier, dossier_digest
from glideslope.domain.governing.policy import Cel, NoEvidence, Opa, Outcome, Policy, policy_digest
from glideslope.domain.governing.policy.rule import milliseconds
from glideslope.domain.ids import Digest, RolloutId
from glideslope.engine.ports import Clock
from glideslope.engine.rule_sources import RuleSource, nobody, theirs

T = TypeVar("T")
Told = Mapping[str, Outcome]
"""What others answered, by the rule's id."""

GOOD_FOR: Final = 30.0
"""Seconds for which an answer counts, from the moment that its dossier tells of."""
AGAIN_AFTER: Final = 5.0
"""Seconds after which it is asked for anew, so that it is replaced before it is too old."""
PATIENCE: Final = 10
"""Seconds for one answer; a rule may allow less."""
AT_ONCE: Final = 4
"""Questions of one kind that are under way at once: one server that hangs keeps no other kind from being answered."""


@dataclass(frozen=True, slots=True)
class _Question:
    """What a rollout's policies ask others at this moment."""

    about: tuple[Digest, ...]
    """Digests of the dossier without its instant, and of each policy: while they stay, an answer stays about the same."""
    policies: tuple[Policy, ...]
    dossier: Dossier
    at: float


@dataclass(frozen=True, slots=True)
class Consulted:
    """What there is to examine at a moment: a dossier, and what others answered about exactly that one."""

    dossier: Dossier
    told: tuple[Told, ...]
    """By each policy in turn."""
    pending: bool = False
    """No answer is there, and one may still come in time."""


@dataclass(frozen=True, slots=True)
class _Held:
    question: _Question
    told: tuple[Told, ...]


class Consulting:
    """Keeps what others answered about each open rollout; `run` asks what `consult` found missing."""

    def __init__(self, sources: Mapping[str, RuleSource], *, clock: Clock, wake: Callable[[], None]) -> None:
        self._sources = sources
        self._clock = clock
        self._wake = wake
        self._held: dict[RolloutId, _Held] = {}
        self._wanted: dict[RolloutId, _Question] = {}
        self._since: dict[RolloutId, float] = {}
        """Since when there has been no answer."""
        self._under_way: dict[RolloutId, asyncio.Task[None]] = {}
        self._room = {kind: asyncio.Semaphore(AT_ONCE) for kind in sources}
        self._asked = asyncio.Event()
        self.answered = 0
        """How often answers came; what was computed with fewer of them may be out of date."""

    def consult(self, rollout: RolloutId, policies: Sequence[Policy], dossier: Dossier) -> Consulted:
        """Return what is known now, and never wait: where nothing that counts is held, the dossier is asked about."""
        nothing: tuple[Told, ...] = tuple({} for _ in policies)
        if not any(any(theirs(policy, dossier)) for policy in policies):
            return Consulted(dossier, nothing)
        now = self._clock.monotonic()
        question = _Question(_about(policies, dossier), tuple(policies), dossier, now)
        held = self._held.get(rollout)
        age = now - held.question.at if held is not None and held.question.about == question.about else GOOD_FOR
        if age >= AGAIN_AFTER:
            self._wanted[rollout] = question
            self._asked.set()
        if held is not None and age < GOOD_FOR:
            self._since.pop(rollout, None)
            return Consulted(held.question.dossier, held.told)
        return Consulted(dossier, nothing, pending=now - self._since.setdefault(rollout, now) < GOOD_FOR)

    def forget(self, rollout: RolloutId) -> None:
        """Drop what is known about a rollout that has ended."""
        self._held.pop(rollout, None)
        self._wanted.pop(rollout, None)
        self._since.pop(rollout, None)
        if rollout in self._under_way:
            self._under_way[rollout].cancel()

    async def run(self) -> None:
        """Ask what is wanted, until cancelled; of one rollout one question is under way at a time."""
        try:
            while True:
                await self._asked.wait()
                self._asked.clear()
                for rollout in [r for r in self._wanted if r not in self._under_way]:
                    task = asyncio.create_task(self._ask(rollout, self._wanted.pop(rollout)))
                    self._under_way[rollout] = task
                    task.add_done_callback(partial(self._ended, rollout))
        finally:
            for task in tuple(self._under_way.values()):
                task.cancel()

    async def settle(self) -> None:
        """Ask all that is wanted now, and return when it is answered: for whoever has no loop of its own to run."""
        await asyncio.gather(*(self._ask(r, self._wanted.pop(r)) for r in tuple(self._wanted)))

    def _ended(self, rollout: RolloutId, _: asyncio.Task[None]) -> None:
        self._under_way.pop(rollout, None)
        if self._wanted:
            self._asked.set()

    async def _ask(self, rollout: RolloutId, question: _Question) -> None:
        told = await asyncio.gather(*(self._answers(policy, question.dossier) for policy in question.policies))
        self._held[rollout] = _Held(question, tuple(told))
        self.answered += 1
        self._wake()

    async def _answers(self, policy: Policy, dossier: Dossier) -> Told:
        rules = tuple(theirs(policy, dossier))
        found = await asyncio.gather(*(self._answer(rule, dossier) for rule in rules))
        return {rule.id: outcome for rule, outcome in zip(rules, found, strict=True)}

    async def _answer(self, rule: Cel | Opa, dossier: Dossier) -> Outcome:
        source = self._sources.get(rule.kind())
        if source is None:
            return nobody(rule)
        if isinstance(rule, Opa) and milliseconds(rule.within) > PATIENCE * 1000:
            rule = replace(rule, within=f"{PATIENCE}s")
        async with self._room[rule.kind()]:
            try:
                return await _aside(lambda: source.answer(rule, dossier))
            except Exception as error:  # noqa: BLE001 - a source never raises, says its port; one that does has not answered
                return NoEvidence((f"an answer of {rule.kind()}: {type(error).__name__}: {error}"[:500],))


def _about(policies: Iterable[Policy], dossier: Dossier) -> tuple[Digest, ...]:
    incidents = dossier.incidents
    still = replace(
        dossier, now=0, incidents=UNSET if isinstance(incidents, UnsetType) else replace(incidents, as_of=0)
    )
    return dossier_digest(still), *map(policy_digest, policies)


async def _aside(act: Callable[[], T]) -> T:
    """Do what may block in a thread of its own, which keeps no process from ending: one of a pool is waited for."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def settle(found: T | None, error: Exception | None) -> None:
        if done.done():
            return
        if error is not None:
            done.set_exception(error)
        else:
            done.set_result(found)  # type: ignore[arg-type]  # without an error something was found

    def work() -> None:
        found, error = None, None
        try:
            found = act()
        except Exception as raised:  # noqa: BLE001 - handed on to whoever waits
            error = raised
        with suppress(RuntimeError):  # the loop has ended, and nobody waits
            loop.call_soon_threadsafe(settle, found, error)

    threading.Thread(target=work, name="rule source", daemon=True).start()
    return await done
