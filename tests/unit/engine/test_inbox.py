"""What is asked of whom: a yes that would not count is never asked for, and of everything it is said since when, until when and why."""

from typing import Any

import pytest
from msgspec.structs import replace

from glideslope.engine.access import AccessView
from glideslope.engine.conflicts import conflict, disagreement
from glideslope.engine.dues import DueView
from glideslope.engine.governing_views import (
    AgreementView,
    EditionView,
    GovernedView,
    GrantView,
    IncidentView,
    NeedView,
    RemedyView,
)
from glideslope.engine.inbox import Reader, inbox, why_not_approve
from glideslope.engine.inbox_views import InboxView
from glideslope.engine.views import (
    DecisionView,
    GuardrailView,
    JudgementView,
    MoreView,
    RolloutView,
    SignalView,
    StandingView,
)

AT = "2026-03-01T09:14:05.250Z"
LATER = "2026-03-02T09:00:00.000Z"


def reader(
    name: str = "grace",
    functions: tuple[str, ...] | None = None,
    *,
    rights: tuple[str, ...] = ("review",),
    may_act: bool = True,
    team: str = "",
) -> Reader:
    if functions is None:
        return Reader(actor=name, may_act=may_act)
    access = AccessView(
        actor=name, team=team, rights=rights, functions=functions, reviews_as=functions, delegations=(), owns=()
    )
    return Reader(actor=name, may_act=may_act, access=access, governed=True)


def governed(*missing: str, **more: Any) -> GovernedView:
    known: dict[str, Any] = {
        "tier": "high", "needs": (), "missing": tuple(NeedView(function=m, count=1) for m in missing), "approvals": (),
        "makers": (), "withdrawn": (), "after_breach": "", "glass": "", "blocks": (), "policy": "",
    }  # fmt: skip
    return GovernedView(**{**known, **more})


def grant(by: str, *functions: str) -> GrantView:
    return GrantView(by=by, functions=functions, at=AT, until=LATER)


def rollout(**changes: Any) -> RolloutView:
    known: dict[str, Any] = {
        "id": "r-0001", "model": "fraud", "incumbent": "v1", "candidate": "v2", "phase": "proposed", "stage": "", "step": "",
        "share": 0, "confirmed": True, "reasons": (), "sentences": (), "next": "", "owner": "o", "why": "w",
        "proposed_by": "ada", "proposed_at": AT, "changed_at": AT, "ended": False, "approvals_needed": 1, "approved_by": (),
        "denied_by": (), "plan_digest": "", "attempt_of": "", "version": 1, "steps": (), "guardrails": (),
        "candidate_subjects": 0, "rescued": 0, "last": None, "confirmation_ms": None,
    }  # fmt: skip
    return RolloutView(**{**known, **changes})


def held(*reasons: str, **changes: Any) -> RolloutView:
    last = DecisionView(
        rollout="r-0001", version=3, entry=9, at=AT, by="", decision="hold", step="s1", stage="canary", reasons=reasons,
        sentences=("So it is.",), findings=(),
    )  # fmt: skip
    return rollout(phase="running", step="s1", last=last, reasons=reasons, sentences=("So it is.",), **changes)


def guardrail(metric: str, *, harm: float, word: str = "watching") -> GuardrailView:
    return GuardrailView(
        metric=metric, slice="all", kind="difference", incumbent=0.1, candidate=0.1, low=-0.1, estimate=0.0, high=0.1,
        margin=0.05, harm_wealth=harm, harm_line=5.0, proof_wealth=0.0, proof_line=3.0, word=word, candidate_count=9,
        incumbent_count=9,
    )  # fmt: skip


def agreement(*, by: str = "op", granted: tuple[str, ...] = (), need: str = "compliance") -> AgreementView:
    tabled = EditionView(
        digest="d", text="", by=by, why="new limits", at=LATER, granted=tuple(grant(g) for g in granted), denied=()
    )
    return AgreementView(
        of="policy", name="bank", in_force=None, since="", reviewed_at="", tabled=tabled,
        needs=(NeedView(function=need, count=1),), former=(),
    )  # fmt: skip


def incident(**changes: Any) -> IncidentView:
    known: dict[str, Any] = {
        "rollout": "r-0009", "model": "fraud", "incumbent": "v1", "candidate": "v3", "opened_at": AT, "sentences": (),
        "breaches": (), "step": "s1", "exposed": 3, "lasted_seconds": 1.0, "gap": "", "hypotheses": (), "remedies": (),
        "lacking": ("a hypothesis",), "closed_by": "", "closed_at": "",
    }  # fmt: skip
    return IncidentView(**{**known, **changes})


def found(*rollouts: RolloutView, who: Reader | None = None, **more: Any) -> InboxView:
    parts: dict[str, Any] = {"agreements": (), "incidents": (), "dues": (), "flags": (), **more}
    return inbox(rollouts, *parts.values(), reader=who, at=AT)


@pytest.mark.parametrize(
    ("view", "who", "told"),
    [
        (rollout(), reader(), ""),
        (rollout(), reader("ada"), "You proposed it"),
        (rollout(), reader(may_act=False), "only looks"),
        (rollout(approvals_needed=2, approved_by=("grace",)), reader(), "have approved"),
        (rollout(governed=governed("security")), reader(functions=("security",)), ""),
        (rollout(governed=governed("security")), reader(functions=("product",)), "It waits for security; you approve as product."),
        (rollout(governed=governed("security")), reader(functions=()), "no function"),
        (rollout(governed=governed("security", makers=("grace",))), reader(functions=("security",)), "a part in making it"),
        # One person's yes counts once, whatever else they could say it as.
        (
            rollout(governed=governed("security", approvals=(grant("grace", "product"),)), approved_by=("grace",)),
            reader(functions=("product", "security")),
            "have approved",
        ),
        # What the plan asks for comes on top of what its tier asks.
        (rollout(governed=governed()), reader(functions=("security",)), ""),
        (rollout(governed=governed(), approvals_needed=2, approved_by=("grace",)), reader(functions=("security",)), "have approved"),
        # A yes that counts no more is asked for again.
        (rollout(governed=governed("security"), approved_by=("grace",)), reader(functions=("security",)), ""),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)  # fmt: skip
def test_a_yes_that_would_not_count_is_not_asked_for(view: RolloutView, who: Reader, told: str) -> None:
    reason = why_not_approve(view, who)

    assert told in reason
    assert bool(told) == bool(reason)
    inbox_ = found(view, who=who)
    asked, others = inbox_.items, inbox_.others
    assert ([each.page for each in asked], [each.why_not for each in others]) == (
        ([], [reason]) if told else (["/approvals#r-0001"], [])
    )


@pytest.mark.parametrize(
    "view",
    [
        rollout(approved_by=("mia",)),
        rollout(phase="running"),
        rollout(ended=True, phase="promoted", governed=governed("security")),
        rollout(phase="rolling-back", governed=governed("security")),
        rollout(governed=governed(), approvals_needed=0),
        rollout(governed=governed(), approved_by=("mia",)),
        rollout(approvals_needed=0),
    ],
)
def test_nothing_is_asked_where_nothing_is_missing(view: RolloutView) -> None:
    assert found(view).items == ()


@pytest.mark.parametrize(
    ("reasons", "asked"),
    [
        (("deadline-passed-hold", "not-enough-evidence"), True),
        (("source-not-credible",), True),
        (("not-enough-evidence",), False),
        (("minimum-time-not-reached",), False),
    ],
)
def test_what_the_machine_cannot_judge_is_asked_of_people(reasons: tuple[str, ...], asked: bool) -> None:
    standing = StandingView(since=AT, deadline=LATER, at_deadline="Then it is rolled back.")
    items = found(held(*reasons, standing=standing), who=reader()).items

    assert [(each.asks, each.until, each.then, each.allowed) for each in items] == (
        [("judgement", LATER, "Then it is rolled back.", ("judge", "halt", "rollback"))] if asked else []
    )


def test_measures_that_disagree_are_for_a_person_to_judge_and_the_sentence_names_both() -> None:
    well, bad = guardrail("log_loss", harm=0.1, word="proven"), guardrail("errors", harm=3.1)
    pair = conflict([well, bad])

    assert pair == (well, bad)
    assert disagreement(pair) == (
        "Measures disagree: log_loss is proven to be within its margin, and errors is 62% of the way to harm."
    )
    assert conflict([well, guardrail("errors", harm=2.4)]) is None
    assert conflict([bad, guardrail("auc", harm=3.0)]) is None
    (item,) = found(held("not-enough-evidence", guardrails=(well, bad))).items
    assert disagreement(pair) in item.sentence


def test_one_rollout_is_judged_once_whatever_speaks_for_a_look_at_it() -> None:
    flag = SignalView(
        id="f-1", model="fraud", series="requests", arm="candidate", rollout="r-0001", first=LATER, last=LATER, expected=1.0,
        seen=2.0, unit="share", baseline="hour of week", evidence=9.0, line=5.0, sentence="Twice as many requests.",
    )  # fmt: skip
    other = replace(flag, id="f-2", rollout="r-0002")
    (item,) = found(held("split-not-as-asked"), flags=(flag, other)).items

    assert (item.asks, item.sentence.count("Twice as many")) == ("judgement", 1)
    assert item.id == "judgement/r-0001/s1/split-not-as-asked+f-1"


def test_what_was_judged_is_not_asked_again_in_the_same_step_and_what_comes_anew_is() -> None:
    judged = JudgementView(by="grace", at=AT, step="s1", about=("deadline-passed-hold",), why="looked")
    view = held("deadline-passed-hold", "not-enough-evidence", judged=(judged,))

    assert found(view).items == ()
    (item,) = found(held("deadline-passed-hold", "recomputation-differs", judged=(judged,))).items
    assert item.grounds == ("recomputation-differs",)
    (item,) = found(replace(view, step="s2")).items
    assert item.grounds == ("deadline-passed-hold",)


def test_what_was_asked_waits_for_whoever_answers_for_the_change_until_they_reply() -> None:
    more = MoreView(question=4, by="sam", at=LATER, why="the slice?", replied_by="", replied_at="", reply="")
    view = rollout(owner="owners", governed=governed("security", makers=("lin",)), asked=(more,))

    def questions(who: Reader, of: RolloutView = view) -> list[str]:
        return [each.asks for each in found(of, who=who).items if each.asks == "question"]

    assert questions(reader("ada", ())) == questions(reader("lin", ())) == ["question"]
    assert questions(reader("olaf", (), team="owners")) == ["question"]
    assert questions(reader("sam", ("security",))) == []
    (approval,) = found(view, who=reader("sam", ("security",))).items
    assert approval.sentence.endswith("You asked for more, and ada has not replied yet.")
    replied = replace(view, asked=(replace(more, replied_by="ada", replied_at=LATER, reply="it is there now"),))
    assert questions(reader("ada", ()), replied) == []
    (approval,) = found(replied, who=reader("sam", ("security",))).items
    assert approval.sentence.endswith("ada replied to you: it is there now")


def test_each_sees_what_they_can_do_today_and_of_the_rest_why_not() -> None:
    change = rollout(
        governed=governed("security", approvals=(grant("pia", "product"),), makers=("lin",)), proposed_at=LATER
    )
    failed = rollout(id="r-0009", ended=True, phase="rolled-back", proposed_by="ada")
    cases = {
        "sam": (reader("sam", ("security",)), ["incident", "approval"]),
        "pia": (reader("pia", ("product", "security")), ["incident"]),
        "lin": (reader("lin", ("security",)), ["incident"]),
        "cleo": (reader("cleo", ("compliance",)), ["incident", "agreement"]),
        "op": (reader("op", ("compliance",)), ["incident"]),
        "olaf": (reader("olaf", (), rights=("operate",)), []),
        "zoe": (Reader(actor="zoe", governed=True), []),
    }
    for name, (who, expected) in cases.items():
        seen = found(change, failed, who=who, agreements=(agreement(),), incidents=(incident(),))
        assert [each.asks for each in seen.items] == expected, name
        assert len(seen.items) + len(seen.others) == 3
        assert all(each.why_not for each in seen.others)
        assert all(each.why_me and not each.why_not for each in seen.items)
    everybody = found(change, failed, agreements=(agreement(),), incidents=(incident(),)).items
    assert [each.asks for each in everybody] == ["incident", "agreement", "approval"]
    assert all(not each.why_me for each in everybody)


def test_glass_waits_for_a_second_and_then_for_somebody_who_did_not_break_it() -> None:
    def waits(who: Reader, **glass: object) -> list[str]:
        return [each.asks for each in found(rollout(approvals_needed=0, governed=governed(**glass)), who=who).items]

    both = ("operate", "review")
    assert waits(reader("cleo", (), rights=both), glass_asked_by="ada") == ["glass"]
    assert waits(reader("ada", (), rights=both), glass_asked_by="ada") == []
    assert waits(reader("sam", ()), glass_owed_by=("ada", "cleo")) == ["glass-review"]
    assert waits(reader("cleo", (), rights=both), glass_owed_by=("ada", "cleo")) == []


def test_an_incident_is_closed_by_who_may_and_did_not_propose_what_failed() -> None:
    failed, whole = rollout(id="r-0009", ended=True, proposed_by="ada"), incident(lacking=())
    remedy = RemedyView(what="ship it", owner="ops", due="2026-03-05", done=False)

    def of(who: Reader, about: IncidentView) -> list[tuple[str, ...]]:
        return [each.allowed for each in found(failed, who=who, incidents=(about,)).items]

    assert of(reader("sam", ("security",)), whole) == [("note", "close")]
    assert of(reader("ada", ("security",)), whole) == []
    assert of(reader("sam", ("security",)), incident()) == [("note",)]
    assert of(reader("olaf", (), rights=("operate",), team="ops"), incident(remedies=(remedy,))) == [("note",)]
    (item,) = found(
        failed, who=reader("olaf", (), rights=(), team="ops"), incidents=(incident(remedies=(remedy,)),)
    ).items
    assert (item.until, item.why_me) == ("2026-03-05T23:59:59.999Z", "It is yours to ship it.")


def test_an_escalation_is_for_whom_it_was_told_and_ends_with_the_last_approval() -> None:
    standing = StandingView(escalated_at=LATER, escalated_to=("heads", "sam"), escalates_at="", escalates_to=())
    late = rollout(governed=governed("security"), standing=standing)

    def asked(who: Reader, view: RolloutView = late) -> list[str]:
        return [each.asks for each in found(view, who=who).items if each.asks == "escalation"]

    assert asked(reader("hal", (), rights=(), team="heads")) == ["escalation"]
    assert asked(reader("sam", ("product",))) == ["escalation"]
    assert asked(reader("cleo", ("product",))) == []
    assert asked(reader("sam", ("product",)), replace(late, governed=governed(), approvals_needed=0)) == []


def test_a_halt_waits_for_whoever_may_resume_it_and_a_due_for_whoever_may_do_it() -> None:
    halted = rollout(phase="halted", standing=StandingView(since=LATER))
    drill = DueView(
        what="drill", of="rollback", name="fraud", last="", by="", due="", overdue=True,
        next_command="glideslope drill run fraud -m WHY",
    )  # fmt: skip
    review = replace(drill, what="review", of="access", name="organisation", due=AT, next_command="review")
    ahead = replace(drill, name="not-yet", overdue=False)
    everything = found(halted, dues=(drill, review, ahead))

    assert [(each.asks, each.since) for each in everything.items] == [("due", AT), ("halt", LATER), ("due", "")]
    operator = found(halted, dues=(drill, review), who=reader("olaf", (), rights=("operate",)))
    assert [(each.asks, each.allowed) for each in operator.items] == [
        ("halt", ("resume", "rollback")),
        ("due", ("drill",)),
    ]
    administrator = found(halted, dues=(drill, review), who=reader("mia", (), rights=("administer",)))
    assert [(each.asks, each.why_me) for each in administrator.items] == [("due", "You may administer.")]


def test_the_same_thing_keeps_its_id_and_another_has_another() -> None:
    first, again = found(rollout()).items[0], found(rollout(approvals_needed=3, version=4)).items[0]
    assert first.id == again.id == "approval/r-0001"
    halts = [found(rollout(phase="halted", standing=StandingView(since=at))).items[0].id for at in (AT, LATER)]
    assert len(set(halts)) == 2
