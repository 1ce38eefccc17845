"""Rollouts that are moved by hand, without engine, state or traffic: what the doors are tried against."""

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from itertools import count

import msgspec

from glideslope.domain.commands import (
    Approve,
    AskGlass,
    AskMore,
    BreakGlass,
    Halt,
    Judge,
    OrderRollback,
    Propose,
    Register,
    Reply,
    Resume,
    Retry,
    ReviewGlass,
    Withdraw,
)
from glideslope.domain.draft import Draft
from glideslope.domain.errors import (
    AlreadyRegistered,
    DigestChanged,
    JudgementOutdated,
    NotFound,
    NothingAsked,
    NotInPhase,
    RolloutEnded,
    RolloutInProgress,
    SelfApproval,
    TokenUnknown,
)
from glideslope.domain.events import Registered
from glideslope.domain.freeze import Baseline, freeze, plan_digest
from glideslope.domain.governing.dossier import Dossier
from glideslope.domain.governing.envelope import Envelope
from glideslope.domain.governing.query import read
from glideslope.domain.identity import Identity, Role
from glideslope.domain.ids import Actor, Digest, ModelName, RolloutId
from glideslope.domain.plan import Plan
from glideslope.engine.baselines import HourView, UsualView
from glideslope.engine.conflicts import grounds
from glideslope.engine.courses import CourseView, ExposedView, ProposalView, PulseView, ServedView
from glideslope.engine.governing_views import LaneView
from glideslope.engine.live import LiveArm, LiveSeries, LiveSlice, LiveView
from glideslope.engine.repository import Told
from glideslope.engine.self_check import InclusionView, VerifiedView
from glideslope.engine.telemetry import names
from glideslope.engine.telemetry.families import Family, Telling
from glideslope.engine.views import (
    BasisView,
    CheckpointView,
    CheckView,
    CosignedView,
    DecisionView,
    FleetView,
    FoundView,
    GuardrailView,
    HappeningView,
    JudgementView,
    ModelView,
    MoreView,
    PlanView,
    ReplayView,
    RolloutView,
    SearchView,
    SourceView,
    StepForecast,
    StepView,
    VersionView,
    Warning_,
)
from glideslope.engine.weighing import AnswerView, ReachView, WeighingView
from glideslope.interfaces.cli.shipped import DOSSIER_FILE, shipped
from glideslope.interfaces.document.policies import read_dossier
from glideslope.ledger import packfile

AT = "2013-12-10T09:14:00.000Z"

VKEY = "glideslope.example/ledger+c1f4ed0a+AQ0WGvKZZqVnNrjrbk3bdyA4nxH5yZvzDg2hPqLk7tHf"


def digest_of(letter: str) -> Digest:
    return Digest("sha256:" + letter * 64)


def guardrail(metric: str = "errors", *, word: str = "watching") -> GuardrailView:
    return GuardrailView(
        metric=metric,
        slice="all",
        kind="difference",
        incumbent=0.012,
        candidate=0.014,
        low=-0.004,
        estimate=0.002,
        high=0.008,
        margin=0.005,
        harm_wealth=1.2,
        harm_line=5.3,
        proof_wealth=2.0,
        proof_line=3.0,
        word=word,
        candidate_count=1204,
        incumbent_count=1199,
    )


class FakeRollouts:
    """Keeps rollouts as views. `move` changes one as the governor would; `fail` makes the next call raise."""

    def __init__(self) -> None:
        self.tokens = {
            "gs_admin": Identity(Actor("ada"), Role.ADMIN),
            "gs_member": Identity(Actor("mia"), Role.MEMBER),
            "gs_source": Identity(Actor("svc"), Role.SOURCE),
            "gs_reader": Identity(Actor("rob"), Role.READER),
            "gs_fraud": Identity(Actor("fraud-svc"), Role.SOURCE, models=frozenset({ModelName("fraud")})),
        }
        self.models: dict[str, dict[str, Register]] = {}
        self.cosignatures: list[str] = []
        self.packs: list[tuple[int | None, tuple[int, ...]]] = []
        self.questions: list[tuple[str, int, int | None, bool]] = []
        self.asked_as_of: int | None = None
        self.plans: dict[str, Plan] = {}
        self.rollouts: dict[str, RolloutView] = {}
        self.stories: dict[str, list[HappeningView]] = {}
        self.keys: dict[str, object] = {}
        self.bundle: list[bytes] = [b"glideslope-ledger/1\n", b"entries\n"]
        self.vkey = VKEY
        self.checks = [CheckView(name="state", ok=True, sentence="The state is whole.")]
        self.same = True
        self.governs = True
        self.covered = 40
        self.lane: LaneView | None = None
        self.forbidden: tuple[str, ...] = ()
        self.classified_by: tuple[Actor | None, Envelope | None] = (None, None)
        self.fail: Exception | None = None
        self.ended: int | None = None
        self.followed: tuple[int | None, ModelName | None, frozenset[str]] | None = None
        self.told: list[FoundView | None] = []
        self._changed: dict[str, asyncio.Event] = {}
        self._numbers = count(1)

    def _begin(self) -> None:
        if self.fail is not None:
            error, self.fail = self.fail, None
            raise error

    async def ready(self) -> bool:
        self._begin()
        return self.governs

    async def telemetry(self) -> Telling:
        self._begin()
        requests = Family(names.REQUESTS)
        requests.add(90, "late-arrival", "late-arrival-1", "incumbent")
        requests.add(10, "late-arrival", "late-arrival-1", "candidate")
        return (requests,)

    def identify(self, token: str) -> Identity:
        if token not in self.tokens:
            raise TokenUnknown
        return self.tokens[token]

    async def register(self, command: Register, *, key: str) -> ModelView:
        self._begin()
        self.keys[key] = command
        versions = self.models.setdefault(command.model, {})
        known = versions.get(command.version)
        if known is not None and known.digest != command.digest:
            raise AlreadyRegistered(model=command.model, version=command.version)
        versions[command.version] = command
        return await self.model(command.model)

    async def plan(self, draft: Draft, *, by: Actor | None = None, envelope: Envelope | None = None) -> PlanView:
        self.classified_by = (by, envelope)
        self._begin()
        plan = self._freeze(draft)
        return PlanView(
            plan=plan,
            digest=plan_digest(plan),
            forecast=tuple(
                StepForecast(
                    name=step.name,
                    stage=step.stage.value,
                    share=step.candidate,
                    control=step.control,
                    guardrail="errors",
                    detects=0.0123,
                    subjects_to_proof=4200,
                    seconds_to_proof=840.0,
                    subjects_at_risk=310,
                )
                for step in plan.steps
                if step.has_coin
            ),
            warnings=(Warning_(code="W-HOLDOUT", sentence="The holdout shares days with the training."),),
            traffic_per_second=12.5,
            earliest_seconds=3600.0,
            lane=self.lane,
            blocks=self.forbidden,
        )

    async def basis(self, draft: Draft) -> BasisView:
        self._begin()
        plan = self._freeze(draft)
        baseline = Baseline(subjects_per_second=20.0, outcomes_per_second=20.0)
        return BasisView(plan=plan, digest=plan_digest(plan), baseline=baseline, starts=0.0)

    def _freeze(self, draft: Draft) -> Plan:
        versions = self.models.get(draft.model)
        if versions is None:
            raise NotFound(what="model", name=draft.model)
        incumbent = next(v for v in versions.values() if v.incumbent)
        if draft.candidate not in versions:
            raise NotFound(what="version", name=draft.candidate, next_command=f"glideslope show {draft.model}")

        def fact(of: Register) -> Registered:
            return Registered(
                model=of.model,
                version=of.version,
                digest=of.digest,
                url=of.url,
                by=of.by,
                why=of.why,
                evaluations=of.evaluations,
            )

        return freeze(draft, incumbent=fact(incumbent), candidate=fact(versions[draft.candidate]), baseline=Baseline())

    async def propose(self, command: Propose, *, key: str) -> RolloutView:
        self._begin()
        if key in self.keys:
            found = self.keys[key]
            assert isinstance(found, str)
            return self.rollouts[found]
        plan = self._freeze(command.draft)
        if command.plan_digest not in (None, plan_digest(plan)):
            raise DigestChanged(rollout="the proposal", seen=str(command.plan_digest), current=plan_digest(plan))
        for view in self.rollouts.values():
            if view.model == plan.model and not view.ended:
                raise RolloutInProgress(model=plan.model, rollout=view.id)
        view = self._started(plan, by=command.by, attempt_of="")
        self.keys[key] = view.id
        return view

    def _started(self, plan: Plan, *, by: str, attempt_of: str) -> RolloutView:
        id_ = f"{plan.model}-{next(self._numbers)}"
        waiting = plan.approvals > 0
        view = RolloutView(
            id=id_,
            model=plan.model,
            incumbent=plan.incumbent,
            candidate=plan.candidate,
            phase="proposed" if waiting else "running",
            stage="" if waiting else plan.steps[0].stage.value,
            step="" if waiting else "s1",
            share=0 if waiting else plan.steps[0].candidate,
            confirmed=True,
            reasons=("awaiting-approval",) if waiting else (),
            sentences=("Approvals are missing.",) if waiting else (),
            next="25% no earlier than 09:24.",
            owner=plan.owner,
            why=plan.why,
            proposed_by=by,
            proposed_at=AT,
            changed_at=AT,
            ended=False,
            approvals_needed=plan.approvals,
            approved_by=(),
            denied_by=(),
            plan_digest=plan_digest(plan),
            attempt_of=attempt_of,
            version=1,
            steps=tuple(
                StepView(
                    name=step.name,
                    stage=step.stage.value,
                    candidate=step.candidate,
                    control=step.control,
                    mirror=step.mirror,
                    minimum=step.minimum,
                    maximum=step.maximum,
                    state="now" if k == 0 and not waiting else "ahead",
                )
                for k, step in enumerate(plan.steps)
            ),
            guardrails=(guardrail(), guardrail("latency", word="proven")),
            candidate_subjects=1204,
            rescued=0,
            last=None,
            confirmation_ms=None,
        )
        self.plans[id_] = plan
        self.rollouts[id_] = view
        self._tell(view, "rollout-proposed", f"{by} proposed to replace {plan.incumbent} by {plan.candidate}.", by=by)
        return view

    def _tell(self, view: RolloutView, kind: str, sentence: str, *, by: str) -> None:
        story = self.stories.setdefault(view.id, [])
        story.append(
            HappeningView(version=view.version, entry=len(story) + 7, at=AT, by=by, kind=kind, sentence=sentence)
        )

    def move(self, id_: str, sentence: str = "Something happened.", **changes: object) -> RolloutView:
        view = self.rollouts[id_]
        view = msgspec.structs.replace(view, version=view.version + 1, **changes)
        self.rollouts[id_] = view
        self._tell(view, "decided", sentence, by="glideslope")
        if id_ in self._changed:
            self._changed[id_].set()
        return view

    def _open(self, id_: str) -> RolloutView:
        self._begin()
        view = self._known(id_)
        if view.ended:
            raise RolloutEnded(rollout=id_, phase=view.phase)
        return view

    def _known(self, id_: str) -> RolloutView:
        if id_ not in self.rollouts:
            raise NotFound(what="rollout", name=id_)
        return self.rollouts[id_]

    async def approve(self, command: Approve, *, key: str) -> RolloutView:
        view = self._open(command.rollout)
        self.keys[key] = command
        if command.by == view.proposed_by:
            raise SelfApproval(rollout=view.id, actor=command.by)
        if command.plan_digest != view.plan_digest:
            raise DigestChanged(rollout=view.id, seen=command.plan_digest, current=view.plan_digest)
        if not command.granted:
            return self.move(view.id, f"{command.by} denied it.", denied_by=(*view.denied_by, command.by))
        approved = (*view.approved_by, command.by)
        phase = "running" if len(approved) >= view.approvals_needed else "proposed"
        return self.move(
            view.id, f"{command.by} approved it.", approved_by=approved, phase=phase, stage="canary", step="s1"
        )

    async def withdraw(self, command: Withdraw, *, key: str) -> RolloutView:
        view = self._open(command.rollout)
        self.keys[key] = command
        left = tuple(who for who in view.approved_by if who != command.by)
        return self.move(view.id, f"{command.by} takes the approval back.", approved_by=left)

    async def weigh(self, rollout: RolloutId) -> WeighingView:
        view = self._known(rollout)
        halt = AnswerView(act="halt", possible=True, share=0, then="The candidate goes to 0 %.")
        again = AnswerView(act="resume", possible=False, share=0, then="It would be halted again at once.")
        seen = StepForecast(
            name="s1", stage="canary", share=1_000, control=1_000, guardrail="errors", detects=0.0123,
            subjects_to_proof=4200, seconds_to_proof=840.0, subjects_at_risk=310,
        )  # fmt: skip
        return WeighingView(
            rollout=view.id,
            forecast=(seen,),
            warnings=(Warning_(code="holdouts-disagree", sentence="Two holdouts disagree."),),
            traffic_per_second=12.5,
            reach=(ReachView(step="s1", stage="canary", share=1_000, subjects=150),),
            answers=() if view.ended else (again if view.phase == "halted" else halt,),
        )

    async def ask_more(self, command: AskMore, *, key: str) -> RolloutView:
        view = self._open(command.rollout)
        self.keys[key] = command
        if command.by == view.proposed_by:
            raise SelfApproval(rollout=view.id, actor=command.by)
        more = MoreView(
            question=view.version + 1, by=command.by, at=AT, why=command.why, replied_by="", replied_at="", reply=""
        )
        return self.move(view.id, f"{command.by} asks for more: {command.why}", asked=(*view.asked, more))

    async def reply(self, command: Reply, *, key: str) -> RolloutView:
        view = self._open(command.rollout)
        self.keys[key] = command
        if all(more.question != command.question or more.replied_by for more in view.asked):
            raise NothingAsked(rollout=view.id, question=command.question)
        asked = tuple(
            msgspec.structs.replace(more, replied_by=command.by, replied_at=AT, reply=command.why)
            if more.question == command.question
            else more
            for more in view.asked
        )
        return self.move(view.id, f"{command.by} replies: {command.why}", asked=asked)

    async def judge(self, command: Judge, *, key: str) -> RolloutView:
        view = self._open(command.rollout)
        self.keys[key] = command
        if set(command.about) != set(grounds(view, ())):
            raise JudgementOutdated(rollout=view.id, about=grounds(view, ()))
        judged = JudgementView(by=command.by, at=AT, step=view.step, about=command.about, why=command.why)
        return self.move(view.id, f"{command.by} judges: {command.why}", judged=(*view.judged, judged))

    async def ask_glass(self, command: AskGlass, *, key: str) -> RolloutView:
        self.keys[key] = command
        return self.move(self._open(command.rollout).id, f"{command.by} asks to break the glass.")

    async def break_glass(self, command: BreakGlass, *, key: str) -> RolloutView:
        self.keys[key] = command
        return self.move(self._open(command.rollout).id, f"{command.by} agrees.")

    async def review_glass(self, command: ReviewGlass, *, key: str) -> RolloutView:
        self.keys[key] = command
        return self.move(self._known(command.rollout).id, f"{command.by} reviewed it.")

    async def halt(self, command: Halt, *, key: str) -> RolloutView:
        self._open(command.rollout)
        self.keys[key] = command
        return self.move(command.rollout, f"{command.by} halted it: {command.why}", phase="halted", share=0)

    async def resume(self, command: Resume, *, key: str) -> RolloutView:
        view = self._open(command.rollout)
        if view.phase != "halted":
            raise NotInPhase(rollout=view.id, phase=view.phase, needs="halted")
        self.keys[key] = command
        return self.move(command.rollout, f"{command.by} resumed it.", phase="running")

    async def roll_back(self, command: OrderRollback, *, key: str) -> RolloutView:
        self._open(command.rollout)
        self.keys[key] = command
        return self.move(
            command.rollout,
            f"{command.by} ordered a rollback.",
            phase="rolled-back",
            ended=True,
            share=0,
            confirmation_ms=3.2,
        )

    async def retry(self, command: Retry, *, key: str) -> RolloutView:
        self._begin()
        view = self._known(command.rollout)
        if view.phase != "rolled-back":
            raise NotInPhase(rollout=view.id, phase=view.phase, needs="rolled-back")
        self.keys[key] = command
        plan = self.plans[view.id] if command.draft is None else self._freeze(command.draft)
        return self._started(plan, by=command.by, attempt_of=view.id)

    async def listed(
        self,
        *,
        model: ModelName | None = None,
        below: int | None = None,  # noqa: ARG002 - the service's
        limit: int,
    ) -> Sequence[RolloutView]:
        self._begin()
        found = [view for view in self.rollouts.values() if model in (None, view.model)]
        return [msgspec.structs.replace(view, guardrails=()) for view in reversed(found)][:limit]

    def entries(self, *, start: int | None, model: ModelName | None, kinds: Collection[str]) -> AsyncIterator[Told]:
        self.followed = (start, model, frozenset(kinds))
        return self._entries(start)

    async def _entries(self, start: int | None) -> AsyncIterator[Told]:
        first = 40 if start is None else start
        yield Told(first - 1, None)
        for position, entry in enumerate(self.told, first):
            yield Told(position, entry)

    async def fleet(self, *, ended: int | None = None) -> FleetView:
        self.ended = ended
        self._begin()
        return FleetView(
            models=tuple([await self.model(ModelName(name)) for name in self.models]),
            rollouts=tuple(msgspec.structs.replace(v, guardrails=()) for v in reversed(self.rollouts.values())),
            entries=42,
            gateway="ready",
            time=AT,
        )

    async def model(self, name: ModelName, *, as_of: int | None = None) -> ModelView:
        self.asked_as_of = as_of
        self._begin()
        if name not in self.models:
            raise NotFound(what="model", name=name)
        versions = self.models[name].values()
        return ModelView(
            name=name,
            incumbent=next((v.version for v in versions if v.incumbent), ""),
            rollout=next((v.id for v in self.rollouts.values() if v.model == name and not v.ended), ""),
            versions=tuple(
                VersionView(
                    version=v.version,
                    digest=v.digest,
                    url=v.url,
                    by=v.by,
                    at=AT,
                    state="incumbent" if v.incumbent else "registered",
                )
                for v in versions
            ),
            requests_per_second=12.5,
            signals={"incumbent": {"requests_per_second": 12.5, "error_rate": 0.01}},
        )

    async def rollout(self, rollout: RolloutId, *, as_of: int | None = None) -> RolloutView:
        self.asked_as_of = as_of
        self._begin()
        return self._known(rollout)

    async def decisions(self, rollout: RolloutId, *, as_of: int | None = None) -> Sequence[DecisionView]:
        self.asked_as_of = as_of
        view = self._known(rollout)
        return [
            DecisionView(
                rollout=view.id,
                version=2,
                entry=8,
                at=AT,
                by="glideslope",
                decision="advance",
                step="s1",
                stage="canary",
                reasons=("guardrails-passed",),
                sentences=("Every guardrail is proven to be within its margin.",),
                findings=(),
            )
        ]

    async def story(self, rollout: RolloutId, *, after: int = 0, as_of: int | None = None) -> Sequence[HappeningView]:
        self.asked_as_of = as_of
        self._known(rollout)
        return [each for each in self.stories[rollout] if each.version > after]

    async def proposal(self, rollout: RolloutId) -> ProposalView:
        view, plan = self._known(rollout), self.plans[rollout]
        return ProposalView(
            rollout=view.id, plan=plan, digest=plan_digest(plan), by=view.proposed_by, at=AT, attempt_of="", learned=""
        )

    async def course(self, rollout: RolloutId, *, as_of: int | None = None) -> CourseView:
        self.asked_as_of = as_of
        view = self._known(rollout)
        exposed = ExposedView(at=AT, share=view.share, mirror=0, step=view.step, entry=8)
        return CourseView(rollout=view.id, until=AT, exposed=(exposed,), looks=())

    async def served(self, model: ModelName) -> Sequence[ServedView]:
        self._begin()
        if model not in self.models:
            raise NotFound(what="model", name=model)
        first = ServedView(version="v1", since=AT, until="", by="ada", rollout="", why="first", entry=3)
        return (first,)

    async def usual(self, model: ModelName) -> Sequence[UsualView]:
        self._begin()
        if model not in self.models:
            raise NotFound(what="model", name=model)
        hour = HourView(at=AT, seen=3.0, low=1.0, usual=2.0, high=4.0, flagged=True)
        return (UsualView(series="requests", arm="", unit="per minute", weeks=2, hours=(hour, hour)),)

    async def live(self, model: ModelName) -> LiveView:
        shown = await self.model(model)
        arms = tuple(
            LiveArm(arm=arm, points=(None, 0.5, 0.25), value=0.4, count=90) for arm in ("candidate", "incumbent")
        )
        usual = {"usual": 0.3, "low": 0.1, "high": 0.35, "weeks": 2, "standing": "above"}
        series = LiveSeries(
            name="errors", unit="share", arms=arms, flagged=("errors is above what is usual.",), **usual
        )  # type: ignore[arg-type]  # as named above
        return LiveView(
            model=model,
            incumbent=shown.incumbent,
            candidate="v2",
            rollout="late-arrival-1",
            now=AT,
            at=(AT, AT, AT),
            since=AT,
            heard=0.4,
            series=(series,),
            slices=(LiveSlice(metric="log_loss", slice="origin=JFK", arms=arms),),
            left_out=2,
            sources=(SourceView(origin="gateway", last=AT, fresh=True, dropped=0),),
            usage={"incumbent": {"cpu_cores": 0.5}, "candidate": {}},
            flags=(),
        )

    async def pulse(self) -> PulseView:
        return PulseView(entries=40, under_way=tuple(self.rollouts))

    async def functions(self, actor: Actor) -> Sequence[str] | None:  # noqa: ARG002 - the service's
        return None

    async def follow(self, rollout: RolloutId) -> AsyncIterator[RolloutView]:
        self._begin()
        yield self._known(rollout)
        while True:
            changed = self._changed[rollout] = asyncio.Event()
            await changed.wait()
            yield self._known(rollout)

    async def replay(self, rollout: RolloutId, version: int) -> ReplayView:
        self._known(rollout)
        return ReplayView(
            rollout=rollout, version=version, recorded="{}", recomputed="{}" if self.same else '{"a":1}', same=self.same
        )

    async def ledger(self) -> AsyncIterator[bytes]:
        self._begin()
        return self._lines()

    async def _lines(self) -> AsyncIterator[bytes]:
        for line in self.bundle:
            yield line

    async def verifier(self) -> str:
        return self.vkey

    async def verified(self) -> VerifiedView:
        self._begin()
        return VerifiedView(
            ok=self.same,
            entries=42,
            streams=3,
            closed=1,
            checkpoints=2,
            root="ab" * 32,
            rollouts=1,
            decisions=9,
            orders=1,
            findings=() if self.same else ("Entry 7 was changed.",),
            seconds=0.1,
        )

    async def inclusion(self, entry: int) -> InclusionView:
        self._begin()
        if entry >= self.covered:
            raise NotFound(what="ledger entry under a checkpoint", name=str(entry))
        return InclusionView(
            entry=entry,
            leaf="cd" * 32,
            size=self.covered,
            root="ab" * 32,
            hashes=("ef" * 32,),
            holds=True,
            proof="proof\n",
            sha256="0",
        )

    async def pack(self, rollout: RolloutId, *, size: int | None = None, published: Sequence[int] = ()) -> bytes:
        self._known(rollout)
        self.packs.append((size, tuple(published)))
        return packfile.write({"summary.html": b"<p>the page</p>"})

    async def dossier(self, rollout: RolloutId) -> Dossier:
        self._known(rollout)
        return read_dossier(shipped(f"policies/{DOSSIER_FILE}"), file=DOSSIER_FILE)

    async def checkpoint(self, *, size: int | None = None, cosigned: int = 0) -> CheckpointView:
        self._begin()
        if size == 4:
            raise NotFound(what="checkpoint", name=f"over {size} entries")
        seen = tuple(CosignedView(witness=line, at=AT) for line in self.cosignatures)
        if len(seen) < cosigned:
            raise NotFound(what="checkpoint", name="cosigned")
        return CheckpointView(origin="l", size=3, root="AA==", note="l\n3\nAA==\n", cosigned=seen, witnesses=2)

    async def witness_request(self, *, older: int, size: int | None = None) -> str:
        return f"old {older}\n\n{(await self.checkpoint(size=size)).note}"

    async def cosign(self, *, size: int, lines: str) -> CheckpointView:
        await self.checkpoint(size=size)
        self.cosignatures.append(lines)
        return await self.checkpoint(size=size)

    async def search(
        self, question: str, *, limit: int = 50, below: int | None = None, whole: bool = False
    ) -> SearchView:
        read(question)
        self.questions.append((question, limit, below, whole))
        entry = '{"kind":"approval-given"}' if whole else ""
        found = FoundView(
            entry=12 if below is None else 3,
            stream="r-0001",
            version=2,
            at=AT,
            kind="approval-given",
            by="grace",
            sentence="grace approves: fine",
            link="/v1/rollouts/r-0001?as_of=12",
            whole=entry,
        )
        return SearchView(question=question, entries=40, found=(found,), next=12 if below is None else None)

    async def doctor(self) -> Sequence[CheckView]:
        self._begin()
        return self.checks
