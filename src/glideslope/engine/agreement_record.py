"""All that the ledger says about one agreement: each edition in words, what it changed, who answered, whom it binds, what passed by it."""

from collections.abc import Iterator, Sequence
from typing import Final

import msgspec
from msgspec import UnsetType

from glideslope.domain.errors import NotFound
from glideslope.domain.events import rfc3339
from glideslope.domain.governing.agreement import (
    Agreement,
    AgreementAnswered,
    AgreementInForce,
    AgreementReviewed,
    AgreementTabled,
)
from glideslope.domain.governing.calendar import Calendar
from glideslope.domain.governing.edits import Said
from glideslope.domain.governing.envelope import Envelope
from glideslope.domain.governing.examined import Examined
from glideslope.domain.governing.kinds import kind_of, restored
from glideslope.domain.governing.organisation import Organisation
from glideslope.domain.governing.policy import Policy
from glideslope.domain.governing.policy.rule import listed
from glideslope.domain.governing.policy.wording import because, word
from glideslope.domain.governing.threats import ThreatModel
from glideslope.domain.ids import Digest, ModelName, RolloutId
from glideslope.engine.governing_views import AgreementView, ClauseView
from glideslope.engine.record import (
    AGREEMENT_PREFIX,
    EXAMINATION_PREFIX,
    MODEL_PREFIX,
    Record,
    Recorded,
    agreement_stream,
)

MOST_PASSED: Final = 50
"""Changes that are told of, the newest first."""


class SaidView(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that a document says."""

    part: str
    """`rules`, `people`, `clauses`, ...; empty for what is about the whole."""
    about: str
    sentence: str


class EditView(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that an edition changed about what was in force when it was tabled."""

    way: str
    """`stricter`, `looser` or `other`."""
    sentence: str


class AgreementAnswerView(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody's yes or no, as it was recorded."""

    entry: int
    at: str
    by: str
    granted: bool
    functions: tuple[str, ...]
    why: str


class EditionRecordView(msgspec.Struct, frozen=True, kw_only=True):
    """A document as it was tabled, and what became of it."""

    entry: int
    state: str
    """`in force`, `tabled`, `was in force`, or `never in force` where another was tabled in its place."""
    digest: str
    text: str
    by: str
    at: str
    why: str
    since: str
    """From when on it was in force; empty where it never was."""
    until: str
    """Until when; empty where it is, or never was."""
    says: tuple[SaidView, ...]
    changes: tuple[EditView, ...]
    """Against what was in force when it was tabled; empty for the first."""
    answers: tuple[AgreementAnswerView, ...]


class BoundView(msgspec.Struct, frozen=True, kw_only=True):
    """A model that what is in force is about."""

    model: str
    tier: str
    how: str


class PassedView(msgspec.Struct, frozen=True, kw_only=True):
    """A change that an envelope was asked about, as it was recorded last."""

    rollout: str
    model: str
    candidate: str
    entry: int
    at: str
    inside: bool
    left: tuple[ClauseView, ...]


class ReviewedView(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody stood by what was in force."""

    entry: int
    at: str
    by: str
    why: str


class AgreementRecordView(msgspec.Struct, frozen=True, kw_only=True):
    """An agreement as the ledger knows it."""

    agreement: AgreementView
    editions: tuple[EditionRecordView, ...]
    """The newest first."""
    reviews: tuple[ReviewedView, ...]
    """The newest first."""
    binds: str
    """Whom it binds, in a sentence."""
    bound: tuple[BoundView, ...]
    """Which of the models that there are."""
    passed: tuple[PassedView, ...]
    """Of an envelope, the changes that it was asked about."""


def agreement_record(record: Record, shown: AgreementView, organisation: Organisation | None) -> AgreementRecordView:
    """Return all that a record says about the agreement that is `shown`."""
    history = record.history(agreement_stream(shown.of, shown.name))
    found = record.agreement(shown.of, shown.name)
    if found is None:
        raise NotFound(what=shown.of, name=shown.name, next_command="glideslope agree ls")
    document = None if found.in_force is None else restored(found.of, found.in_force.document)
    models = tuple((str(m.name), _tier(organisation, m.name)) for m in record.models())
    return AgreementRecordView(
        agreement=shown,
        editions=tuple(reversed(tuple(_editions(found, history)))),
        reviews=tuple(
            ReviewedView(entry=r.entry, at=rfc3339(r.at), by=r.event.by, why=r.event.why)
            for r in reversed(history)
            if isinstance(r.event, AgreementReviewed)
        ),
        binds=_binds(document) if document is not None else "Nobody, as long as it is not in force.",
        bound=tuple(_bound(document, models)) if document is not None else (),
        passed=tuple(_passed(record, found)) if found.of == "envelope" else (),
    )


def streams(record: Record) -> Sequence[str]:
    """Return the streams from which an agreement of the past is told: which models there were, what was agreed and examined."""
    return [name for name in record.streams() if name.startswith((AGREEMENT_PREFIX, MODEL_PREFIX, EXAMINATION_PREFIX))]


def _editions(found: Agreement, history: Sequence[Recorded]) -> Iterator[EditionRecordView]:
    """Yield the editions oldest first: each from its tabling up to what took its place."""
    tabled = [k for k, r in enumerate(history) if isinstance(r.event, AgreementTabled)]
    spans: list[tuple[Recorded, AgreementTabled, Recorded | None]] = []
    for k in tabled:
        event = history[k].event
        assert isinstance(event, AgreementTabled)  # noqa: S101 - as it was chosen
        later = [j for j in tabled if j > k]
        mine = history[k : later[0]] if later else history[k:]
        spans.append((history[k], event, next((r for r in mine if isinstance(r.event, AgreementInForce)), None)))
    for number, (at, event, began) in enumerate(spans):
        before = next((each for each in reversed(spans[:number]) if each[2] is not None), None)
        after = next((each[2] for each in spans[number + 1 :] if each[2] is not None), None)
        ended = None if began is None else after
        kind, document = kind_of(found.of), restored(found.of, event.document)
        yield EditionRecordView(
            entry=at.entry,
            state=_state(found, event.digest, began, ended),
            digest=event.digest,
            text=event.text,
            by=event.by,
            at=rfc3339(at.at),
            why=event.why,
            since="" if began is None else rfc3339(began.at),
            until="" if ended is None else rfc3339(ended.at),
            says=tuple(map(_said, kind.says(document))),
            changes=()
            if before is None
            else tuple(
                EditView(way=way.value, sentence=sentence)
                for way, sentence in kind.changes(restored(found.of, before[1].document), document)
            ),
            answers=tuple(_answers(history, at, event.digest)),
        )


def _state(found: Agreement, digest: Digest, began: Recorded | None, ended: Recorded | None) -> str:
    if began is not None:
        return "in force" if ended is None else "was in force"
    return "tabled" if found.tabled is not None and found.tabled.digest == digest else "never in force"


def _answers(history: Sequence[Recorded], tabled: Recorded, digest: Digest) -> Iterator[AgreementAnswerView]:
    for r in history:
        if isinstance(r.event, AgreementAnswered) and r.event.digest == digest and r.entry > tabled.entry:
            yield AgreementAnswerView(
                entry=r.entry,
                at=rfc3339(r.at),
                by=r.event.by,
                granted=r.event.granted,
                functions=r.event.functions,
                why=r.event.why,
            )


def _said(said: Said) -> SaidView:
    return SaidView(part=said.part, about=said.about, sentence=said.sentence)


def _tier(organisation: Organisation | None, model: ModelName) -> str:
    tier = None if organisation is None else organisation.tier_of(model)
    return "" if tier is None else tier.name


def _binds(document: msgspec.Struct) -> str:
    match document:
        case Policy():
            return (
                f"Every change of every model: it begins and widens only when each rule is shown to hold. A change of a tier "
                f"other than {listed(document.tiers, last='or')} is blocked."
            )
        case Calendar():
            return (
                "The changes of the models below: they begin and widen when it lets them. A rollback asks no calendar."
            )
        case Envelope():
            return "Nobody more than before: a change inside it need not be approved by those who agreed to it once."
        case Organisation():
            return "Everybody, and every change of every model."
        case ThreatModel():
            return "Nobody by itself; a rule may ask that it was reviewed in time."
        case _:
            return ""


def _bound(document: msgspec.Struct, models: Sequence[tuple[str, str]]) -> Iterator[BoundView]:
    for model, tier in models:
        how = _how(document, model, tier)
        if how:
            yield BoundView(model=model, tier=tier, how=how)


def _how(document: msgspec.Struct, model: str, tier: str) -> str:
    match document:
        case Policy():
            if tier not in document.tiers:
                return "blocked: the policy does not know its tier"
            asked = sum(isinstance(rule.tiers, UnsetType) or tier in rule.tiers for rule in document.rules)
            return f"{asked} of {len(document.rules)} rules speak of its tier"
        case Calendar():
            return "keeps to it" if document.covers(ModelName(model), tier) else ""
        case Envelope():
            return "it speaks for its changes" if document.speaks_for(ModelName(model), tier) else ""
        case Organisation():
            found = document.tier_of(ModelName(model))
            return f"tier {found.name}" if found is not None else "no tier, so a plan's own approvals count"
        case ThreatModel():
            return "it is about it" if document.concerns(ModelName(model)) else ""
        case _:
            return ""


def _passed(record: Record, found: Agreement) -> Iterator[PassedView]:
    """Yield what the last examination of each change said of it, where one of its editions was asked."""
    editions = {e.digest for e in (*found.former, *((found.in_force,) if found.in_force else ()))}
    last = [record.history(name)[-1] for name in record.streams() if name.startswith(EXAMINATION_PREFIX)]
    told = 0
    for r in sorted(last, key=lambda r: r.entry, reverse=True):
        event = r.event
        if not isinstance(event, Examined) or isinstance(event.classified, UnsetType):
            continue
        if event.classified.standing.envelope in editions and told < MOST_PASSED:
            told += 1
            yield PassedView(
                rollout=RolloutId(event.rollout),
                model=event.dossier.change.model,
                candidate=event.dossier.change.candidate,
                entry=r.entry,
                at=rfc3339(r.at),
                inside=event.classified.inside,
                left=tuple(
                    ClauseView(clause=a.rule, answer=word(a.outcome), why="; ".join(because(a.outcome)))
                    for a in event.classified.left
                ),
            )
