"""What a rollout's page says of each guardrail beside its figures: how fresh they are, what they are worth, and how they went."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from glideslope.domain.ids import WHOLE
from glideslope.domain.plan import Guardrail
from glideslope.engine.courses import LookView
from glideslope.engine.views import GuardrailView, RolloutView, SourceView
from glideslope.interfaces.dashboard.words import Word, urgency, verdict

UNKNOWN: Final = Word("unknown, its data is stale", "open", "warn")


@dataclass(frozen=True, slots=True)
class Tile:
    """One guardrail on the whole: its figures, its rule in the plan, where they come from and how old that is."""

    view: GuardrailView
    rule: Guardrail | None
    source: SourceView | None
    age_ms: int | None
    """Since its source last reported, up to now or to the end; None where it never did."""
    word: Word
    looks: tuple[LookView, ...]

    @property
    def worth(self) -> int:
        """As many subjects in each arm of an even split would tell as much: the harmonic mean of the arms' counts."""
        return worth(self.view.candidate_count, self.view.incumbent_count)


def worth(candidate: int, incumbent: int) -> int:
    """Return how many subjects per arm of an even split tell as much as these do."""
    return round(2 * candidate * incumbent / (candidate + incumbent)) if candidate and incumbent else 0


def tiles(
    view: RolloutView, rules: Mapping[str, Guardrail], looks: Sequence[LookView], *, until: str
) -> tuple[Tile, ...]:
    """Return a tile for each guardrail on the whole, what needs attention first."""
    found = [tile(view, each, rules, looks, until=until) for each in view.guardrails if each.slice == WHOLE]
    return tuple(sorted(found, key=lambda each: urgency(each.word)))


def tile(
    view: RolloutView, of: GuardrailView, rules: Mapping[str, Guardrail], looks: Sequence[LookView], *, until: str
) -> Tile:
    """Return one tile. While a rollout is under way, what rests on a stale source is unknown, whatever it showed."""
    rule = rules.get(of.metric)
    source = None if rule is None else next((s for s in view.sources if s.origin == rule.metric.origin.value), None)
    heard = source is not None and bool(source.last)
    age = max(0, round(1000 * (_instant(until) - _instant(source.last)))) if heard and source is not None else None
    stale = (
        not view.ended and source is not None and not source.fresh and of.word in ("proven", "watching", "no evidence")
    )
    return Tile(
        view=of,
        rule=rule,
        source=source,
        age_ms=None if age is None else age // 1000 * 1000,
        word=UNKNOWN if stale else verdict(of.word),
        looks=tuple(look for look in looks if look.metric == of.metric),
    )


def _instant(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
