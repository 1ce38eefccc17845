"""What people order: register, approve, stop, and pass what forbids it in an emergency."""

from collections.abc import Sequence

from glideslope.domain.contract import Contract
from glideslope.domain.plan import Evaluation
from glideslope.engine.views import ModelView, RolloutView
from glideslope.sdk.calls.making import at, order
from glideslope.sdk.requests import Call


def register(
    model: str,
    version: str,
    *,
    digest: str,
    url: str,
    why: str,
    evaluations: Sequence[Evaluation] = (),
    incumbent: bool = False,
    key: str = "",
) -> Call[ModelView]:
    """Make a version known."""
    body = {
        "version": version,
        "digest": digest,
        "url": url,
        "why": why,
        "evaluations": list(evaluations),
        "incumbent": incumbent,
    }
    return order(ModelView, at("models", model, "versions"), body, key=key)


def agree_contract(model: str, text: str, *, why: str, file: str = "contract.yaml", key: str = "") -> Call[Contract]:
    """Put a data contract in force."""
    return order(Contract, at("models", model, "contract"), {"text": text, "file": file, "why": why}, key=key)


def approve(
    rollout: str,
    *,
    plan_digest: str,
    why: str,
    granted: bool = True,
    version: int | None = None,
    change: str | None = None,
    seen: str = "",
    key: str = "",
) -> Call[RolloutView]:
    """Say yes or no to exactly the plan with this digest, as it was shown with a version of its stream and a change's digest.

    A yes is refused when what it would bind to has moved since `version`; with `seen` when anything has.
    """
    body = {"plan_digest": plan_digest, "why": why, "granted": granted, "seen": version, "change": change}
    return order(RolloutView, at("rollouts", rollout, "approvals"), body, key=key, seen=seen)


def judge(rollout: str, *, about: Sequence[str], why: str, key: str = "") -> Call[RolloutView]:
    """Judge what the machine cannot, and let it go on as it is."""
    return order(RolloutView, at("rollouts", rollout, "judgements"), {"about": list(about), "why": why}, key=key)


def ask_more(rollout: str, *, why: str, key: str = "") -> Call[RolloutView]:
    """Ask its proposer for more, before a yes."""
    return order(RolloutView, at("rollouts", rollout, "questions"), {"why": why}, key=key)


def reply(rollout: str, question: int, *, why: str, key: str = "") -> Call[RolloutView]:
    """Reply to what was asked for."""
    return order(RolloutView, at("rollouts", rollout, "questions", question, "reply"), {"why": why}, key=key)


def withdraw(rollout: str, *, why: str, key: str = "") -> Call[RolloutView]:
    """Take one's approval back."""
    return order(RolloutView, at("rollouts", rollout, "withdraw"), {"why": why}, key=key)


def halt(rollout: str, *, why: str, key: str = "") -> Call[RolloutView]:
    """Withdraw the exposure and freeze."""
    return order(RolloutView, at("rollouts", rollout, "halt"), {"why": why}, key=key)


def resume(rollout: str, *, why: str, seen: str = "", key: str = "") -> Call[RolloutView]:
    """Let a halted rollout go on."""
    return order(RolloutView, at("rollouts", rollout, "resume"), {"why": why}, key=key, seen=seen)


def roll_back(rollout: str, *, why: str, key: str = "") -> Call[RolloutView]:
    """Return all traffic to the incumbent, now and for good."""
    return order(RolloutView, at("rollouts", rollout, "rollback"), {"why": why}, key=key)


def ask_glass(
    rollout: str, *, emergency: str, minutes: int, why: str, seen: str = "", key: str = ""
) -> Call[RolloutView]:
    """Ask to pass what governance forbids, in an emergency."""
    body = {"emergency": emergency, "minutes": minutes, "why": why}
    return order(RolloutView, at("rollouts", rollout, "glass"), body, key=key, seen=seen)


def break_glass(rollout: str, *, why: str, seen: str = "", key: str = "") -> Call[RolloutView]:
    """Agree with whoever asked to."""
    return order(RolloutView, at("rollouts", rollout, "glass", "agree"), {"why": why}, key=key, seen=seen)


def review_glass(rollout: str, *, justified: bool, why: str, key: str = "") -> Call[RolloutView]:
    """Say afterwards whether it was justified."""
    body = {"justified": justified, "why": why}
    return order(RolloutView, at("rollouts", rollout, "glass", "review"), body, key=key)
