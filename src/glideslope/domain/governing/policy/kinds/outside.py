"""Rules that something else answers: CEL, or a policy of an OPA server. Without its answer there is no evidence."""

from collections.abc import Iterator
from typing import Annotated, Any

import msgspec

from glideslope.domain.governing.dossier import Dossier
from glideslope.domain.governing.policy.answers import Missing, Sight
from glideslope.domain.governing.policy.forms import of_form
from glideslope.domain.governing.policy.rule import Duration, Rule, Text, spoken

Member = Annotated[str, of_form(r"[a-z_]+(\.[a-z_]+)*", "a member of the dossier, like evaluations.results")]


def _there(value: Any, path: list[str]) -> bool:  # noqa: ANN401 - JSON
    if isinstance(value, (list, tuple)):
        return bool(value) and all(_there(each, path) for each in value)
    if not path:
        return not (isinstance(value, (dict, str)) and not value)
    return isinstance(value, dict) and path[0] in value and _there(value[path[0]], path[1:])


class Cel(Rule, frozen=True, kw_only=True, tag="cel"):
    """An expression in the Common Expression Language that returns the list of what is wrong. It sees the dossier's members by name."""

    says: Text
    """What it asks, in words: an expression is none."""
    findings: Annotated[str, msgspec.Meta(min_length=1, max_length=4_000)]
    """A list of texts: empty is a pass, an error is no evidence."""
    needs: Annotated[tuple[Member, ...], msgspec.Meta(min_length=1)]
    """Members that must be there and not be empty, since of nothing nothing is wrong: `plan`, `evaluations.results`. Of a list each."""

    def look(self, dossier: Dossier) -> Iterator[Sight]:
        yield from self.unmet(dossier)
        yield Missing("an answer of CEL")

    def unmet(self, dossier: Dossier) -> Iterator[Missing]:
        """Yield the members that it needs and that are not there."""
        whole = msgspec.to_builtins(dossier)
        for path in self.needs:
            if not _there(whole, path.split(".")):
                yield Missing(f"`{path}`")

    def asks(self) -> str:
        return f"{self.says.rstrip('.')} (by an expression in CEL)."

    def mend(self) -> str:
        return f"See what it asks for: {self.findings}"


class Opa(Rule, frozen=True, kw_only=True, tag="opa"):
    """A policy of an OPA server, asked over its REST data API with the dossier as input."""

    says: Text
    """What it asks, in words."""
    path: Annotated[str, of_form(r"[A-Za-z0-9_]+(/[A-Za-z0-9_]+)*", "the path of a document, like glideslope/credit")]
    """Of the document that answers: `glideslope/credit`. It is `{"passes": true, "findings": [...]}`."""
    within: Duration = "5s"
    """How long to wait; no answer in time is no evidence."""

    def look(self, dossier: Dossier) -> Iterator[Sight]:  # noqa: ARG002 - answered outside, or not at all
        yield Missing("an answer of the OPA server")

    def asks(self) -> str:
        return f"{self.says.rstrip('.')} (by {self.path} of the OPA server, within {spoken(self.within)})."

    def mend(self) -> str:
        return f"Ask those who keep {self.path}."


__all__ = ["Cel", "Opa"]
