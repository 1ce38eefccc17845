"""What `init` writes: a plan by kind and tier of model, and the organisation that goes with a policy. Texts in, texts out."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from glideslope.interfaces.cli.shipped import shipped


@dataclass(frozen=True, slots=True)
class Kind:
    """What a model does, and by what its plan is judged: as `files/templates/KIND.judged.yaml` says it."""

    title: str
    metrics: tuple[str, ...]
    """The guardrails of that file."""
    benefit: str
    """Of these, the one by which a benefit shows."""
    offline: str
    """The criterion of an offline stage."""
    shadow: str = ""
    """What the plan says besides where it has a shadow: how differently the arms may answer."""


KINDS: Final[Mapping[str, Kind]] = {
    "classifier": Kind(
        title="A classifier, whose score is the probability that something happens",
        metrics=("errors", "latency", "log_loss"),
        benefit="log_loss",
        offline="{log_loss: {holdout: by-day, margin: 0.0}}",
    ),
    "regressor": Kind(
        title="A regressor, whose score is an amount divided by 100",
        metrics=("errors", "latency", "absolute_error"),
        benefit="absolute_error",
        offline="{absolute_error: {holdout: by-day, margin: 0.0, lower_is_better: true}}",
        shadow="pairs: {shift: 0.02, slower: 50%}       # how differently the arms may answer in the shadow\n",
    ),
    "ranker": Kind(
        title="A ranker, whose higher scores should happen more often",
        metrics=("errors", "latency", "auc", "log_loss"),
        benefit="auc",
        offline="{auc: {holdout: by-day, margin: 0.0, lower_is_better: false}}",
    ),
    "generator": Kind(
        title="A generator, whose answers people rate",
        metrics=("errors", "latency", "unhappy", "tokens"),
        benefit="unhappy",
        offline="{win_rate: {holdout: prompts, margin: 0.0, lower_is_better: false}}",
        shadow="pairs: {shift: 0.1, slower: 50%}        # how differently the arms may answer in the shadow\n",
    ),
}
"""Of models, the usual one first."""

TIERS: Final[Mapping[str, tuple[str, ...]]] = {
    "": ("low", "medium", "high"),
    "regulated-bank": ("low", "medium", "high"),
    "product-team": ("low", "medium", "high"),
    "lab": ("sandbox", "trial"),
}
"""By policy, the least careful first; without one those that most know."""

TEAM: Final = "my-team"
NOBODY: Final = "you@example.com"


@dataclass(frozen=True, slots=True)
class Asked:
    """What a new service is to be. `policy` is empty for none."""

    model: str
    kind: str
    tier: str
    policy: str

    @property
    def owner(self) -> str:
        """Return who can be reached about it; with an organisation that is a team of it."""
        return TEAM if self.policy else NOBODY


def plan(asked: Asked) -> str:
    """Return a plan as careful as the tier asks, judged by what the kind is judged by."""
    kind, stages = KINDS[asked.kind], shipped(f"templates/{asked.tier}.stages.yaml")
    judged = shipped(f"templates/{asked.kind}.judged.yaml")
    words = {
        "stages": stages.replace("@offline@", kind.offline),
        "judged": judged + (kind.shadow if "shadow:" in stages else ""),
        "title": kind.title,
        "benefit": kind.benefit,
    }
    return _filled(shipped("templates/plan.yaml"), asked, words)


def organisation(asked: Asked) -> str:
    """Return the organisation that goes with the policy, in which the team owns the model and the metrics that judge it."""
    owned = "\n".join(f"  - {{kind: metric, name: {name}, owner: {TEAM}}}" for name in KINDS[asked.kind].metrics)
    return _filled(shipped(f"templates/{asked.policy}.organisation.yaml"), asked, {"metrics": owned})


def threats(asked: Asked) -> str:
    """Return a threat model to start from."""
    return _filled(shipped("templates/threats.yaml"), asked, {})


def _filled(text: str, asked: Asked, more: Mapping[str, str]) -> str:
    words = {"model": asked.model, "tier": asked.tier, "owner": asked.owner, **more}
    for word, value in words.items():
        text = text.replace(f"@{word}@", value)
    return text
