"""Faults that somebody might make in the engine. Each must be caught by some seed; the page *how we test* keeps the score."""

from typing import Final

from glideslope.testing.simulator.planting import Mutant

_GOVERNOR: Final = "glideslope.engine.governor"
_RECONCILER: Final = "glideslope.engine.reconciler"
_RECORD: Final = "glideslope.engine.record"
_HANDLERS: Final = "glideslope.engine.handlers"
_OBSERVER: Final = "glideslope.engine.observer"
_OUTCOMES: Final = "glideslope.engine.outcomes"
_SCOPES: Final = "glideslope.engine.scopes"
_NOTARY: Final = "glideslope.engine.notary"
_DECIDE: Final = "glideslope.domain.decide"
_ROLLOUT: Final = "glideslope.domain.rollout"

_REFRESH: Final = "            await self._record.refresh()\n"
_EACH: Final = "            for rollout in self._record.open_rollouts():\n                await self._govern"
_LEASE: Final = (
    "            await self._driver.lease(model, wanted, token=token, ttl=timedelta(seconds=ttl))\n"
    "        if standing.granted"
)
_LOST: Final = "            # What the store holds counts: after a lost acknowledgement it is the first try's entry, not this one's.\n"

MUTANTS: Final = (
    Mutant(
        name="forgotten-fence",
        what="a decision is committed without asking whether we still govern",
        module=_GOVERNOR,
        before="await self._record.append((append, *opened, *examined), fence=fence, at=at)",
        after="await self._record.append((append, *opened, *examined), at=at)",
    ),
    Mutant(
        name="act-before-commit",
        what="the data plane is told before the decision is committed",
        module=_GOVERNOR,
        before="            await self._record.append((append, *opened, *examined), fence=fence, at=at)\n",
        after=(
            "            from glideslope.domain.rollout import apply\n"
            "            early = apply(rollout, event, at=at)\n"
            "            self._reconciler.committed(rollout.id)\n"
            "            if early.phase is Phase.RUNNING:\n"
            "                await self._reconciler._lease(early, fence)\n"
            "            await self._record.append((append, *opened, *examined), fence=fence, at=at)\n"
        ),
    ),
    Mutant(
        name="loser-renews",
        what="a governor that is refused the lease goes on with its old one",
        module=_GOVERNOR,
        before="            if self._lease is None or lease is None or lease.epoch != self._lease.epoch:\n",
        after=(
            "            lease = lease or self._lease\n"
            "            if self._lease is None or lease is None or lease.epoch != self._lease.epoch:\n"
        ),
    ),
    Mutant(
        name="governs-without-the-store",
        what="a governor that does not reach the store goes on renewing",
        module=_GOVERNOR,
        before=_REFRESH + _EACH,
        after=(
            "            import contextlib\n"
            "            self._held_until = self._clock.monotonic() + 1e9\n"
            "            with contextlib.suppress(StoreUnavailable):\n"
            "                await self._record.refresh()\n"
            f"{_EACH}"
        ),
    ),
    Mutant(
        name="deaf-to-others",
        what="a governor never reads what other servers recorded",
        module=_GOVERNOR,
        before=_REFRESH + _EACH,
        after=_EACH,
    ),
    Mutant(
        name="takeover-ignorant",
        what="a new governor does not read what the last one had counted",
        module=_GOVERNOR,
        before="        await self._observer.load()\n",
        after="",
    ),
    Mutant(
        name="lost-acknowledgement",
        what="what was recorded without an answer is never read back",
        module=_RECORD,
        before=_LOST + "            await self.refresh()\n",
        after="            pass\n",
    ),
    Mutant(
        name="keys-that-change",
        what="a command sent again comes under another key",
        module=_RECORD,
        before='key=f"{a.key}/{k}"))',
        after='key=f"{a.key}/{k}/{when}"))',
    ),
    Mutant(
        name="clock-believed",
        what="an entry takes the clock's time though its stream is further",
        module=_RECORD,
        before="return max([now, *(self._streams[s].history[-1].at for s in streams if s in self._streams)])",
        after="return now",
    ),
    Mutant(
        name="phase-unchecked",
        what="a command is recorded whatever phase the rollout is in",
        module=_HANDLERS,
        before="            require_phase(rollout, phases(rollout) if callable(phases) else phases)\n",
        after="",
    ),
    Mutant(
        name="withdrawal-forgotten",
        what="an exposure that must end is only no longer renewed",
        module=_RECONCILER,
        before=_LEASE,
        after=(
            "            if wanted is not None:\n"
            "                await self._driver.lease(model, wanted, token=token, ttl=timedelta(seconds=ttl))\n"
            "        if standing.granted"
        ),
    ),
    Mutant(
        name="lease-too-long",
        what="an exposure is granted for ten times as long as the plan says",
        module=_RECONCILER,
        before=_LEASE,
        after=_LEASE.replace("seconds=ttl", "seconds=10 * ttl"),
    ),
    Mutant(
        name="confirmed-unseen",
        what="traffic counts as obeying as soon as it was told",
        module=_RECONCILER,
        before="        standing.in_force = _matches(rollout, observed)\n",
        after="        standing.in_force = True\n",
    ),
    Mutant(
        name="in-force-by-hope",
        what="evidence says that the exposure is in force, whatever was seen",
        module=_RECONCILER,
        before="        if standing is None or not standing.in_force or standing.looked is None:\n            return False\n",
        after="        return True\n",
    ),
    Mutant(
        name="renewal-as-decision",
        what="a renewal bears the version of the newest entry, and so looks like a fresh decision",
        module=_RECONCILER,
        before="| rollout.order)",
        after="| rollout.version)",
    ),
    Mutant(
        name="two-transactions",
        what="a promotion and the new incumbent are recorded one after the other",
        module=_RECONCILER,
        before="        await self._record.append(appends, fence=fence, at=at)\n",
        after=("        for each in appends:\n            await self._record.append((each,), fence=fence, at=at)\n"),
    ),
    Mutant(
        name="halt-exposes",
        what="a halted rollout is still wanted in the traffic",
        module=_ROLLOUT,
        before="if rollout.phase not in (Phase.RUNNING, Phase.PROMOTING) or step is None",
        after="if rollout.phase not in (Phase.RUNNING, Phase.PROMOTING, Phase.HALTED) or step is None",
    ),
    Mutant(
        name="counts-own-twice",
        what="a server that reads totals back adds its own once more",
        module=_OBSERVER,
        before="                    if (total.source, total.epoch) != (self._own.source, self._own.epoch):\n",
        after="                    if True:\n",
    ),
    Mutant(
        name="unsaved-forgotten",
        what="counts that could not be saved are not tried again",
        module=_OBSERVER,
        before="                self._own.give_back(totals)\n",
        after="",
    ),
    Mutant(
        name="age-unknown",
        what="evidence is always called fresh",
        module=_OBSERVER,
        before="return -1 if heard is None else round(1000 * (self._now() - heard))",
        after="return 0",
    ),
    Mutant(
        name="each-request-counts",
        what="a subject counts with each of its requests",
        module=_SCOPES,
        before="        if key in self._seen:\n            return False\n",
        after="",
    ),
    Mutant(
        name="totals-added",
        what="a total that is sent again is added again",
        module=_SCOPES,
        before="                self._add(cell, growth)\n        return grown\n",
        after="                self._add(cell, counted[key])\n        return grown\n",
    ),
    Mutant(
        name="outcome-answered-unsaved",
        what="outcomes are acknowledged though the store did not take them",
        module=_OUTCOMES,
        before="                self._owed_batches = waiting[done:] if self._log.has_log else ()\n                raise\n",
        after="                return len(batch.keys)\n",
    ),
    Mutant(
        name="one-pass-suffices",
        what="a step ends well when one of its guardrails passes",
        module=_DECIDE,
        before="            if not (found and all(f.verdict is Verdict.PASS for f in found)):",
        after="            if not (found and any(f.verdict is Verdict.PASS for f in found)):",
    ),
    Mutant(
        name="silence-is-a-yes",
        what="missing and stale evidence does not hold a step",
        module=_DECIDE,
        before="    if not evidence.in_force:\n        return Reason.UNCONFIRMED\n",
        after="    return None\n",
    ),
    Mutant(
        name="checkpoint-ahead",
        what="a checkpoint is signed over one entry more than was read",
        module=_NOTARY,
        before="checkpoint.Checkpoint(origin=self._signer.name, size=size, root=self._frontier.root())",
        after="checkpoint.Checkpoint(origin=self._signer.name, size=size + 1, root=self._frontier.root())",
    ),
)
