"""An envelope asked about a change: inside when every clause is shown to hold, else outside, with the clauses that were left.

Pure: the same envelope, standing and dossier, the same answers, on every machine and in every year.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Final

import msgspec

from glideslope.domain.errors import Invalid
from glideslope.domain.governing.dossier import Dossier
from glideslope.domain.governing.envelope import looking
from glideslope.domain.governing.envelope.document import Envelope
from glideslope.domain.governing.policy.answers import (
    Answer,
    Fail,
    NoEvidence,
    NotApplicable,
    Outcome,
    Pass,
    Sight,
    outcome,
)
from glideslope.domain.ids import Digest

ENGINE: Final = "glideslope-envelope/1"
"""By which a record of a classification names how it was made. A clause that would answer otherwise is another engine's."""
MOST_TOLD: Final = 20
"""Things that an answer names; a thousand fields that came need no thousand sentences."""


class Standing(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How an envelope stood when it was asked: what its own words do not say. Instants in milliseconds since the epoch, UTC."""

    envelope: Digest
    name: str
    reviewed_at: int
    """When somebody last stood by it."""
    others: tuple[str, ...] = ()
    """Which others speak for the model at that moment."""


class Classification(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an envelope answered about a change, with all that it takes to ask again, but for the dossier."""

    engine: str
    standing: Standing
    answers: tuple[Answer, ...]

    @property
    def left(self) -> tuple[Answer, ...]:
        """Return the clauses that were left, or not shown to hold; none for a change inside."""
        return tuple(answer for answer in self.answers if not isinstance(answer.outcome, Pass))

    @property
    def inside(self) -> bool:
        """Tell whether every clause was shown to hold."""
        return bool(self.answers) and not self.left


def classify(envelope: Envelope, standing: Standing, dossier: Dossier) -> Classification:
    """Ask every clause about a change."""
    answers = tuple(
        Answer(rule=clause, outcome=_few(outcome(sights))) for clause, sights in _asked(envelope, standing, dossier)
    )
    return Classification(engine=ENGINE, standing=standing, answers=answers)


CLASSIFIERS: Final[Mapping[str, Callable[[Envelope, Standing, Dossier], Classification]]] = {ENGINE: classify}
"""Every version of the clauses that ever classified, for ever importable."""


def again(recorded: Classification, envelope: Envelope, dossier: Dossier) -> Classification:
    """Classify as it was done for the record. Raises Invalid for clauses that this version does not have."""
    classifier = CLASSIFIERS.get(recorded.engine)
    if classifier is None:
        raise Invalid(f"It was classified by {recorded.engine}, which this version does not have.")
    return classifier(envelope, recorded.standing, dossier)


def _asked(envelope: Envelope, standing: Standing, dossier: Dossier) -> Iterator[tuple[str, Iterator[Sight]]]:
    yield "until", looking.until(envelope, dossier)
    yield "review", looking.review(envelope, standing.reviewed_at, dossier)
    yield "alone", looking.alone(standing.others)
    facts, lacking = looking.made(dossier)
    if facts is None:
        for clause in ("features", "architecture", "settings", "data", "rest"):
            yield clause, iter(lacking)
    else:
        ours, theirs = facts
        yield "features", looking.features(envelope.features, ours, theirs)
        yield "architecture", looking.architecture(envelope.architecture, ours, theirs)
        yield "settings", looking.settings(envelope.architecture, ours, theirs)
        yield "data", looking.data(envelope.data, ours, theirs, proposed_at=dossier.change.proposed_at)
        yield "rest", looking.rest(envelope.free, ours, theirs)
    yield "metrics", looking.metrics(envelope.metrics, dossier)
    yield "exposure", looking.exposure(envelope.exposure, dossier)
    yield "proof", looking.proof(envelope.proof, dossier)
    yield "use", looking.use(dossier)


def _few(found: Outcome) -> Outcome:
    match found:
        case Pass(seen=seen):
            return Pass(_cut(seen))
        case Fail(findings=findings):
            return Fail(_cut(findings))
        case NoEvidence(what=what):
            return NoEvidence(_cut(what))
        case NotApplicable():
            return found


def _cut(told: tuple[str, ...]) -> tuple[str, ...]:
    more = len(told) - MOST_TOLD
    return told if more <= 0 else (*told[:MOST_TOLD], f"and {more:,} more")
