"""What services are told: which rollout asks what of them, how to count it, what they may expose, and when that changes."""

import asyncio
from collections.abc import Mapping
from hashlib import blake2b

import msgspec

from glideslope.domain.ids import ModelName, RolloutId, VersionName
from glideslope.domain.metric import BUILT_IN
from glideslope.domain.observation import Briefing
from glideslope.domain.plan import thresholds
from glideslope.domain.receipt import ReceiptKey
from glideslope.domain.rollout import ENDED, Phase, Rollout, exposure
from glideslope.engine.ports import Clock, Grants
from glideslope.engine.record import Record, rollout_number

TAGS_JOINED = "~"
"""Stands between the data plane's tag of what is granted and the hash of all else."""


class Briefings:
    """Briefings of models, as the record stands and as the data plane grants; `grants` is None with a data plane of its own."""

    def __init__(
        self, *, record: Record, clock: Clock, keys: Mapping[int, ReceiptKey], grants: Grants | None, has_log: bool
    ) -> None:
        self._record = record
        self._clock = clock
        self._keys = keys
        self._grants = grants
        self._has_log = has_log

    async def briefing(self, model: ModelName, *, seen: str, wait: float, source: str = "") -> Briefing:
        """Return what a service needs, as `Service.briefing` says. Raises NotFound."""
        grants = self._grants
        granted = seen.rpartition(TAGS_JOINED)[0]
        if grants is not None:
            grants.acknowledge(model, seen=granted, source=source)
        deadline = self._clock.monotonic() + wait
        while True:
            briefing = self._now(model)
            left = deadline - self._clock.monotonic()
            if briefing.tag != seen or left <= 0:
                grant = None if grants is None else grants.grant(model, source=source)
                return msgspec.structs.replace(briefing, grant=grant)
            await self._news(model, granted=granted, within=left)

    async def _news(self, model: ModelName, *, granted: str, within: float) -> None:
        """Wait until something was recorded or granted, for so many seconds at most."""
        waiting = [
            asyncio.ensure_future(self._record.grown(self._record.size())),
            asyncio.ensure_future(self._clock.sleep(within)),
        ]
        if self._grants is not None:
            waiting.append(asyncio.ensure_future(self._grants.changed(model, seen=granted)))
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in waiting:
                task.cancel()

    def _now(self, model: ModelName) -> Briefing:
        """Return what there is to say now, but for the grant, whose handing out is noted."""
        known = self._record.model(model)
        open_ = self._record.open_rollout_of(known.name)
        promoting = open_ is not None and open_.phase is Phase.PROMOTING
        key = self._keys[max(self._keys)].of(known.name)
        briefing = Briefing(
            model=model,
            grant=None,
            rollouts={
                r.id: rollout_number(r.id)
                for r in self._record.rollouts()
                if r.plan.model == model and r.phase not in ENDED
            },
            # What is compared in a shadow is the server's to know, and no service of an older release knows the word.
            metrics=tuple(msgspec.structs.replace(m, paired=msgspec.UNSET) for m in open_.plan.counted)
            if open_
            else tuple(BUILT_IN.values()),
            dimensions=open_.plan.dimensions if open_ else (),
            crosses=(open_.plan.crosses or ()) if open_ else (),
            numbered=True,
            usage=True,
            shadow=open_.id if open_ and _mirrors(open_) else RolloutId(""),
            key_id=key.id,
            key=key.secret,
            tag="",
            incumbent=open_.plan.candidate if open_ and promoting else known.incumbent or VersionName(""),
            candidate=open_.plan.candidate if open_ and not promoting else VersionName(""),
            contract=known.contract.short if known.contract else "",
            in_process=self._grants is not None,
            tolerances=open_.plan.tolerances if open_ else {},
            logged=((open_.plan.logged or ()) if open_ else ()) if self._has_log else msgspec.UNSET,
            thresholds=(thresholds(open_.plan) or msgspec.UNSET) if open_ else msgspec.UNSET,
        )
        tag = _tag(briefing)
        if self._grants is not None:
            tag = f"{self._grants.tag(model)}{TAGS_JOINED}{tag}"
        return msgspec.structs.replace(briefing, tag=tag)


def _tag(briefing: Briefing) -> str:
    """Hash the content; the grant is not in it, whose tag is the data plane's to make."""
    content = msgspec.json.encode(briefing, order="deterministic")
    return blake2b(content, digest_size=8).hexdigest()


def _mirrors(rollout: Rollout) -> bool:
    wanted = exposure(rollout)
    return wanted is not None and wanted.mirror > 0
