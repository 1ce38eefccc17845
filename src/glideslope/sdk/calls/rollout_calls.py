"""Rollouts: how they stand, what was decided and why."""

from glideslope.engine.announcing import AnnouncementView
from glideslope.engine.courses import CourseView, ProposalView
from glideslope.engine.views import (
    DecisionView,
    DisagreementView,
    HappeningView,
    RecomputationView,
    ReplayView,
    RolloutView,
    SlicesView,
)
from glideslope.engine.weighing import WeighingView
from glideslope.sdk.calls.making import ask, at
from glideslope.sdk.requests import Call, Stream


def rollouts(*, model: str = "", limit: int | None = None) -> Call[tuple[RolloutView, ...]]:
    """Ask for rollouts (of a model), newest first."""
    return ask(tuple[RolloutView, ...], at("rollouts"), {"model": model, "limit": limit})


def rollout(rollout: str, *, as_of: int | None = None) -> Call[RolloutView]:
    """Ask how a rollout stands."""
    return ask(RolloutView, at("rollouts", rollout), {"as_of": as_of})


def proposal(rollout: str) -> Call[ProposalView]:
    """Ask for the plan as it was frozen."""
    return ask(ProposalView, at("rollouts", rollout, "plan"))


def announcement(rollout: str, *, as_of: int | None = None) -> Call[AnnouncementView]:
    """Ask for what is said of a change to the people affected."""
    return ask(AnnouncementView, at("rollouts", rollout, "announcement"), {"as_of": as_of})


def weighing(rollout: str) -> Call[WeighingView]:
    """Ask what its plan can tell, whom it reaches, and what each answer would do to traffic."""
    return ask(WeighingView, at("rollouts", rollout, "weighing"))


def course(rollout: str, *, as_of: int | None = None) -> Call[CourseView]:
    """Ask whom it exposed when, and what its guardrails showed."""
    return ask(CourseView, at("rollouts", rollout, "course"), {"as_of": as_of})


def decisions(rollout: str, *, as_of: int | None = None, limit: int | None = None) -> Call[tuple[DecisionView, ...]]:
    """Ask for its decisions, oldest first."""
    return ask(tuple[DecisionView, ...], at("rollouts", rollout, "decisions"), {"as_of": as_of, "limit": limit})


def story(
    rollout: str, *, after: int | None = None, as_of: int | None = None, limit: int | None = None
) -> Call[tuple[HappeningView, ...]]:
    """Ask what happened, entry by entry, after a version."""
    query = {"after": after, "as_of": as_of, "limit": limit}
    return ask(tuple[HappeningView, ...], at("rollouts", rollout, "story"), query)


def slices(rollout: str) -> Call[SlicesView]:
    """Ask for the parts of its data, worst first."""
    return ask(SlicesView, at("rollouts", rollout, "slices"))


def disagreements(rollout: str, *, slice_: str = "") -> Call[tuple[DisagreementView, ...]]:
    """Ask for the requests that the arms answered most differently."""
    return ask(tuple[DisagreementView, ...], at("rollouts", rollout, "disagreements"), {"slice": slice_})


def recomputation(rollout: str) -> Call[RecomputationView]:
    """Ask that it be counted again from the prediction log."""
    return ask(RecomputationView, at("rollouts", rollout, "recomputation"))


def replay(rollout: str, version: int) -> Call[ReplayView]:
    """Ask that a decision be made again from the record."""
    return ask(ReplayView, at("rollouts", rollout, "decisions", version, "replay"))


def rollout_events(rollout: str) -> Stream[RolloutView]:
    """Follow a rollout: how it stands now, and after each change, until it has ended."""
    return Stream(call=ask(RolloutView, at("rollouts", rollout, "events")), ends=lambda view: view.ended)
