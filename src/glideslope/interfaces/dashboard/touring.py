"""The guided tour: what is seen where, shown on one change of this server's own record, as it stood entry by entry.

Every stop is drawn from the record, so it is true for any run; a stop that the record has nothing for is left out.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from glideslope.domain.decision import Finding, Verdict
from glideslope.domain.ids import ModelName, RolloutId, VersionName
from glideslope.domain.plan import Evaluation
from glideslope.domain.reasons import Reason
from glideslope.engine.courses import LookView, ProposalView
from glideslope.engine.governing_views import IncidentView
from glideslope.engine.service import Service
from glideslope.engine.views import DecisionView, HappeningView, RolloutView
from glideslope.interfaces.dashboard.door import PageDoor
from glideslope.interfaces.dashboard.rendering import Pages, figure, share, signed

MOST: Final = 8


@dataclass(frozen=True, slots=True)
class Stop:
    """One thing to look at: what it is, why it is worth a look, and the page that shows it."""

    title: str
    text: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    fragment: str = ""

    def address(self, number: int) -> str:
        """Return the page as the stop with this number, from 1: it says so on top, and leads on."""
        asked = urlencode((*self.query, ("tour", str(number))))
        return f"{self.path}?{asked}{f'#{self.fragment}' if self.fragment else ''}"


class Tour:
    """The stops as they were drawn last; a page that is one of them shows where it stands among them."""

    def __init__(self) -> None:
        self._stops: tuple[Stop, ...] = ()

    def keep(self, stops: Sequence[Stop]) -> tuple[Stop, ...]:
        """Keep and return the stops."""
        self._stops = tuple(stops)
        return self._stops

    def at(self, number: str, path: str) -> tuple[int, tuple[Stop, ...]] | None:
        """Return the number of the stop that a page is asked for as, with all stops; None where it is none."""
        found = int(number) if number.isascii() and number.isdecimal() and len(number) <= 2 else 0
        if 1 <= found <= len(self._stops) and self._stops[found - 1].path == path:
            return found, self._stops
        return None


def routes(door: PageDoor, pages: Pages, tour: Tour) -> list[Route]:
    """Return the tour's routes."""

    async def show(request: Request) -> Response:
        visitor = door.visitor(request)
        return pages.page(request, "tour.html", visitor=visitor, stops=tour.keep(await stops(door.service)))

    async def stop(request: Request) -> Response:
        door.visitor(request)
        number, found = request.path_params["number"], tour.keep(await stops(door.service))
        return RedirectResponse(found[number - 1].address(number) if 1 <= number <= len(found) else "/tour")

    return [Route("/tour", show, methods=["GET"]), Route("/tour/{number:int}", stop, methods=["GET"])]


async def stops(service: Service) -> tuple[Stop, ...]:
    """Return the stops, at most MOST; none while no rollout was ever proposed."""
    fleet = await service.fleet()
    if not fleet.rollouts:
        return ()
    told = _most_telling(fleet.rollouts)
    about = await _about(service, told)
    course = sorted((*_live(about), *_held(about), *_end(about)), key=_entry)
    found = [_first(fleet.rollouts), _proposed(about), *_offline(about), *course]
    found += [_learned(each) for each in await service.incidents() if each.rollout == told.id]
    for view in fleet.rollouts:
        if lapse := _lapsed(await service.story(RolloutId(view.id)), view):
            found.append(lapse)
            break
    else:
        promoted = next((v for v in fleet.rollouts if v.phase == "promoted" and v.id != told.id), None)
        found += [] if promoted is None or promoted.last is None else [_promoted(promoted, promoted.last)]
    return (*found[: MOST - 1], _checked(fleet.entries))


def _entry(stop: Stop) -> int:
    return int(dict(stop.query)["as_of"])


@dataclass(frozen=True, slots=True)
class _About:
    """One rollout, with all that the stops are drawn from."""

    view: RolloutView
    proposal: ProposalView
    decisions: Sequence[DecisionView]
    looks: Sequence[LookView]
    evaluations: Sequence[Evaluation]
    story: Sequence[HappeningView]

    def then(self, title: str, text: str, entry: int, fragment: str = "") -> Stop:
        """Return a stop at this rollout as it stood right after an entry."""
        return Stop(title, text, f"/rollouts/{self.view.id}", (("as_of", str(entry)),), fragment)


async def _about(service: Service, view: RolloutView) -> _About:
    id_ = RolloutId(view.id)
    record = await service.version(ModelName(view.model), VersionName(view.candidate))
    return _About(
        view=view,
        proposal=await service.proposal(id_),
        decisions=await service.decisions(id_),
        looks=(await service.course(id_)).looks,
        evaluations=record.evaluations,
        story=await service.story(id_),
    )


def _most_telling(rollouts: Sequence[RolloutView]) -> RolloutView:
    """Return the newest rollout that was withdrawn for harm, else one that was withdrawn, else that ended, else the newest."""

    def rank(view: RolloutView) -> int:
        harm = view.last is not None and Reason.BREACHED.value in view.last.reasons
        return (
            0 if view.phase == "rolled-back" and harm else 1 if view.phase == "rolled-back" else 2 if view.ended else 3
        )

    return min(rollouts, key=rank)


def _first(rollouts: Sequence[RolloutView]) -> Stop:
    open_ = sum(not view.ended for view in rollouts)
    return Stop(
        "All at a glance",
        f"The first page says what is asked of you, what is under way ({open_} now) and what ended ({len(rollouts) - open_}), what needs "
        "attention first.",
        "/",
    )


def _proposed(about: _About) -> Stop:
    view, plan = about.view, about.proposal.plan
    entry = about.story[0].entry
    yes = [who for who in view.approved_by if who != view.proposed_by]
    agreed = f" Then {', '.join(yes)} said yes to exactly this plan." if yes else ""
    return about.then(
        "The promises, before anything moved",
        f"{view.proposed_by} asked to replace {view.incumbent} by {view.candidate}: “{view.why}” Steps, margins and the largest "
        f"chance of a wrong rollback ({100 * plan.alpha:g} %) were fixed here.{agreed}",
        entry,
        "stages",
    )


def _offline(about: _About) -> Iterator[Stop]:
    view = about.view
    better = [each for each in about.evaluations if _is_better(each)]
    worse = [each for each in about.evaluations if not _is_better(each) and each.candidate != each.incumbent]
    if not about.evaluations:
        return
    parts = [f"{_measured(each)}, better" for each in better[:1]] + [f"{_measured(each)}, worse" for each in worse[:1]]
    title = f"Offline, {view.candidate} looked {'better' if better else 'no better'}"
    if better and worse:
        title += " on one holdout and worse on another"
    yield Stop(
        title,
        f"Measured before anybody met it: {'; '.join(parts)}. The page compares the two versions, and marks what differs."
        if parts
        else "Measured before anybody met it, and the same. The page compares the two versions, and marks what differs.",
        f"/models/{quote(view.model)}/compare",
        (("a", view.incumbent), ("b", view.candidate)),
    )


def _measured(each: Evaluation) -> str:
    return f"{each.metric} {figure(each.candidate)} against {figure(each.incumbent)} on the holdout “{each.holdout}”"


def _is_better(each: Evaluation) -> bool:
    return each.candidate < each.incumbent if each.lower_is_better else each.candidate > each.incumbent


def _live(about: _About) -> Iterator[Stop]:
    """Yield the look at which what broke in the end looked best."""
    broken = next((f.subject for f in _failed(about)), "")
    looks = [
        look
        for look in about.looks
        if look.metric == broken and look.estimate is not None and (look.low is not None or look.high is not None)
    ]
    if not looks:
        return
    best = min(looks[:-1] or looks, key=lambda look: (look.kind == "paired", _badness(look)))
    view, better = about.view, _badness(best) < 0
    left = any(d.entry == best.entry and d.decision == "advance" for d in about.decisions)
    narrower = "It was enough to go on; the page holds it against the margin of the step after. " if left else ""
    yield Stop(
        f"Here {view.candidate} looked {'better' if better else 'good enough'}",
        f"In step {best.step}, {best.metric} stood at {signed(best.estimate, best.kind)} [{signed(best.low, best.kind)}, "
        f"{signed(best.high, best.kind)}] against {view.incumbent}, where that step's margin was "
        f"{signed(best.margin, best.kind)}. {narrower}The interval says how far that can be trusted, and what may still be hidden in it.",
        f"/rollouts/{view.id}/guardrails/{quote(best.metric)}",
        (("as_of", str(best.entry)),),
    )


def _badness(look: LookView) -> float:
    """Return how far a look is on its way from no difference to the margin; below 0 the candidate looks better."""
    none = 1.0 if look.kind == "ratio" else 0.0
    return (look.estimate - none) / (look.margin - none) if look.estimate is not None and look.margin != none else 0.0


def _held(about: _About) -> Iterator[Stop]:
    holds = [each for each in about.decisions if each.decision == "hold"]
    telling = [each for each in holds if set(each.reasons) - {Reason.MINIMUM_TIME.value}]
    if found := (telling or holds)[-1:]:
        yield about.then(
            "Here it was held",
            f"{' '.join(found[0].sentences)} Missing evidence is never a yes: {about.view.candidate} got no larger share until "
            "there was enough.",
            found[0].entry,
            "happened",
        )


def _end(about: _About) -> Iterator[Stop]:
    view, last = about.view, about.view.last
    if last is None or not view.ended:
        return
    if last.decision == "promote":
        yield _promoted(view, last)
        return
    broken = [f"{f.subject}{'' if f.slice == 'all' else f' on {f.slice}'}" for f in _failed(about)]
    step = next((s for s in view.steps if s.name == last.step), None)
    at_most = f", at most {share(step.candidate)} at a time" if step is not None and step.candidate else ""
    withdrawn = last.decision == "roll-back"
    yield about.then(
        f"Here it was {'withdrawn' if withdrawn else 'ended'}, and why",
        f"{' '.join(last.sentences)}{f' It was {broken[0]}.' if broken else ''} {view.candidate_subjects:,} subjects had met "
        f"{view.candidate}{at_most}; {view.incumbent} serves everybody again.",
        _confirmed(about, last.entry) if withdrawn else last.entry,
    )


def _confirmed(about: _About, decided: int) -> int:
    """Return the entry by which the data plane confirmed a decision; that of the decision where none did."""
    return min((h.entry for h in about.story if h.kind == "traffic-confirmed" and h.entry > decided), default=decided)


def _learned(incident: IncidentView) -> Stop:
    state = f"{incident.closed_by} closed it" if incident.closed_by else f"still lacking: {', '.join(incident.lacking)}"
    return Stop(
        "What people make of it",
        f"The withdrawal opened an incident by itself: how far it went and what was declared, from the record; why, and what is done about "
        f"it, from people. {state[0].upper()}{state[1:]}.",
        f"/incidents/{incident.rollout}",
    )


def _failed(about: _About) -> Iterator[Finding]:
    last = about.view.last
    yield from (f for f in last.findings if f.verdict is Verdict.FAIL) if last is not None else ()


def _promoted(view: RolloutView, last: DecisionView) -> Stop:
    return Stop(
        f"Here {view.candidate} was promoted, on proof",
        f"{' '.join(last.sentences)} It had passed {len(view.steps)} steps, each with its margins.",
        f"/rollouts/{view.id}",
        (("as_of", str(last.entry)),),
    )


def _lapsed(story: Sequence[HappeningView], view: RolloutView) -> Stop | None:
    found = next((each for each in story if each.kind == "lease-lapsed"), None)
    if found is None:
        return None
    return Stop(
        "Here the lease lapsed, and nobody was left exposed",
        f"{found.sentence} The permission to expose {view.candidate} is a lease of seconds. Whatever became of who renews "
        "it, it ends by itself, and comes back only by a fresh decision.",
        f"/rollouts/{view.id}",
        (("as_of", str(found.entry)),),
        f"e{found.entry}",
    )


def _checked(entries: int) -> Stop:
    return Stop(
        "Check all of it",
        f"The {entries:,} entries stand in an append-only ledger under signed checkpoints. The server recomputes it here while you watch; "
        "one command does it elsewhere, without this server.",
        "/ledger",
        (),
        "check",
    )
