"""Who decides: agreements, incidents, owners, and what comes round."""

from collections.abc import Sequence

from glideslope.domain.governing.dossier import Advisory
from glideslope.domain.governing.incident import Remedy
from glideslope.engine.access import AccessView
from glideslope.engine.advisories import AdvisoriesView
from glideslope.engine.agreement_record import AgreementRecordView
from glideslope.engine.drilling import DrillView
from glideslope.engine.dues import DueView
from glideslope.engine.explaining import ExplanationView
from glideslope.engine.governing_views import AgreementView, IncidentView, OwnedView
from glideslope.engine.incident_record import IncidentRecordView
from glideslope.engine.orphans import OrphanView
from glideslope.sdk.calls.making import ask, at, order
from glideslope.sdk.requests import Call


def agreements(*, limit: int | None = None) -> Call[tuple[AgreementView, ...]]:
    """Ask for all agreements."""
    return ask(tuple[AgreementView, ...], at("agreements"), {"limit": limit})


def agreement(of: str, name: str) -> Call[AgreementView]:
    """Ask for one."""
    return ask(AgreementView, at("agreements", of, name))


def agreement_record(of: str, name: str, *, as_of: int | None = None) -> Call[AgreementRecordView]:
    """Ask for all that is recorded about one."""
    return ask(AgreementRecordView, at("agreements", of, name, "record"), {"as_of": as_of})


def table(text: str, *, file: str, why: str, key: str = "") -> Call[AgreementView]:
    """Ask that a document be in force."""
    return order(AgreementView, at("agreements"), {"text": text, "file": file, "why": why}, key=key)


def answer(of: str, name: str, *, digest: str, granted: bool, why: str, key: str = "") -> Call[AgreementView]:
    """Say yes or no to exactly the document with this digest."""
    body = {"digest": digest, "granted": granted, "why": why}
    return order(AgreementView, at("agreements", of, name, "answers"), body, key=key)


def review(of: str, name: str, *, why: str, seen: str = "", key: str = "") -> Call[AgreementView]:
    """Stand by what is in force."""
    return order(AgreementView, at("agreements", of, name, "reviews"), {"why": why}, key=key, seen=seen)


def incidents(*, limit: int | None = None) -> Call[tuple[IncidentView, ...]]:
    """Ask for all incidents, newest first."""
    return ask(tuple[IncidentView, ...], at("incidents"), {"limit": limit})


def incident(rollout: str) -> Call[IncidentView]:
    """Ask for the one that a rollout opened."""
    return ask(IncidentView, at("incidents", rollout))


def incident_record(rollout: str, *, as_of: int | None = None) -> Call[IncidentRecordView]:
    """Ask for one with the course of its rollout."""
    return ask(IncidentRecordView, at("incidents", rollout, "record"), {"as_of": as_of})


def explanation(rollout: str) -> Call[ExplanationView]:
    """Ask policies about a change, rule by rule."""
    return ask(ExplanationView, at("rollouts", rollout, "explanation"))


def note_incident(
    rollout: str,
    *,
    why: str,
    gap: str | None = None,
    hypotheses: Sequence[str] | None = None,
    remedies: Sequence[Remedy] | None = None,
    seen: str = "",
    key: str = "",
) -> Call[IncidentView]:
    """Note what one makes of it; what is None stays as it was."""
    body = {"why": why, "gap": gap, "hypotheses": hypotheses, "remedies": remedies}
    return order(IncidentView, at("incidents", rollout, "notes"), body, key=key, seen=seen)


def close_incident(rollout: str, *, why: str, seen: str = "", key: str = "") -> Call[IncidentView]:
    """Close one that says all that it must."""
    return order(IncidentView, at("incidents", rollout, "close"), {"why": why}, key=key, seen=seen)


def owned(*, owner: str = "", kind: str = "", name: str = "", limit: int | None = None) -> Call[tuple[OwnedView, ...]]:
    """Ask who owns what."""
    return ask(tuple[OwnedView, ...], at("owned"), {"owner": owner, "kind": kind, "name": name, "limit": limit})


def orphans(*, limit: int | None = None) -> Call[tuple[OrphanView, ...]]:
    """Ask what nobody owns who can be reached."""
    return ask(tuple[OrphanView, ...], at("orphans"), {"limit": limit})


def access(
    *, who: str = "", right: str = "", function: str = "", limit: int | None = None
) -> Call[tuple[AccessView, ...]]:
    """Ask who may do what."""
    query = {"who": who, "right": right, "function": function, "limit": limit}
    return ask(tuple[AccessView, ...], at("access"), query)


def dues(*, limit: int | None = None) -> Call[tuple[DueView, ...]]:
    """Ask for reviews and drills with when each is due."""
    return ask(tuple[DueView, ...], at("dues"), {"limit": limit})


def drills(model: str, *, limit: int | None = None) -> Call[tuple[DrillView, ...]]:
    """Ask for a model's drills, newest first."""
    return ask(tuple[DrillView, ...], at("models", model, "drills"), {"limit": limit})


def begin_drill(model: str, *, drill: str, why: str, key: str = "") -> Call[tuple[DrillView, ...]]:
    """Practise going back."""
    return order(tuple[DrillView, ...], at("models", model, "drills"), {"drill": drill, "why": why}, key=key)


def tell_drill(
    model: str,
    *,
    drill: str,
    held_at: int,
    passed: bool,
    why: str,
    restored_in: int | None = None,
    key: str = "",
) -> Call[tuple[DrillView, ...]]:
    """Tell of an exercise that the machine did not measure; `held_at` and `restored_in` in milliseconds."""
    body = {"drill": drill, "held_at": held_at, "passed": passed, "why": why, "restored_in": restored_in}
    return order(tuple[DrillView, ...], at("models", model, "drills", "told"), body, key=key)


def advisories() -> Call[AdvisoriesView]:
    """Ask which advisories are known."""
    return ask(AdvisoriesView, at("advisories"))


def record_advisories(
    entries: Sequence[Advisory], *, source: str, as_of: int, why: str, key: str = ""
) -> Call[AdvisoriesView]:
    """Record known weaknesses of packages, in place of those before; `as_of` in milliseconds since the epoch."""
    body = {"source": source, "as_of": as_of, "entries": list(entries), "why": why}
    return order(AdvisoriesView, at("advisories"), body, key=key)
