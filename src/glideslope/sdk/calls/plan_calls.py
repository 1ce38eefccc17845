"""From a written plan to a rollout."""

from glideslope.engine.views import BasisView, PlanView, RolloutView
from glideslope.sdk.calls.making import at, order, tell
from glideslope.sdk.requests import Call

FILE = "glideslope.yaml"


def plan(
    text: str, *, file: str = FILE, envelope: str | None = None, envelope_file: str | None = None
) -> Call[PlanView]:
    """Ask what a plan would do; changes nothing."""
    body = {"text": text, "file": file, "envelope": envelope, "envelope_file": envelope_file}
    return tell(PlanView, at("plan"), body)


def plan_basis(text: str, *, file: str = FILE) -> Call[BasisView]:
    """Ask for all that a forecast rests on; changes nothing."""
    return tell(BasisView, at("plan", "basis"), {"text": text, "file": file})


def plan_defaults(text: str, *, file: str = FILE) -> Call[str]:
    """Ask for the plan with every default written out, as YAML."""
    return tell(str, at("plan", "defaults"), {"text": text, "file": file})


def propose(text: str, *, file: str = FILE, plan_digest: str | None = None, key: str = "") -> Call[RolloutView]:
    """Propose a rollout; with `plan_digest` only if the plan is still the one that was looked at."""
    return order(RolloutView, at("rollouts"), {"text": text, "file": file, "plan_digest": plan_digest}, key=key)


def retry(rollout: str, *, why: str, text: str | None = None, file: str = FILE, key: str = "") -> Call[RolloutView]:
    """Try a rolled-back change again."""
    return order(RolloutView, at("rollouts", rollout, "retry"), {"why": why, "text": text, "file": file}, key=key)
