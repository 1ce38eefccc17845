"""Classifications made again from a record: each envelope as it was tabled, asked once more about the recorded dossier."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from glideslope.domain.errors import Invalid
from glideslope.domain.governing.dossier import Dossier, dossier_digest
from glideslope.domain.governing.envelope.classifying import Classification, again
from glideslope.domain.governing.envelope.document import Envelope
from glideslope.ledger import canonical

KIND = "examined"
TABLED = "agreement-tabled"


@dataclass(slots=True)
class Reclassifying:
    """Walks a ledger in its order. Raises nothing: what cannot be read, differs."""

    made_again: int = 0
    _documents: dict[str, Mapping[str, Any]] = field(default_factory=dict)

    def take(self, kind: str, body: Mapping[str, Any]) -> str:
        """Take an entry into account; return in what its classification differs, empty when it has none or comes out the same."""
        if kind == TABLED and body.get("of") == "envelope" and isinstance(body.get("document"), Mapping):
            self._documents[str(body.get("digest"))] = body["document"]
        if kind != KIND or "classified" not in body:
            return ""
        try:
            differs = self._differs(body)
        except (msgspec.ValidationError, ArithmeticError, ValueError, Invalid, TypeError) as error:
            return f"The classification cannot be made again: {error}"
        self.made_again += not differs
        return differs

    def _differs(self, body: Mapping[str, Any]) -> str:
        recorded = msgspec.convert(body["classified"], Classification)
        document = self._documents.get(recorded.standing.envelope)
        if document is None:
            return f"It was classified by {recorded.standing.envelope}, which nobody tabled as an envelope before."
        dossier = msgspec.convert(body["dossier"], Dossier)
        found = again(recorded, msgspec.convert(document, Envelope), dossier)
        if canonical.encode(msgspec.to_builtins(found)) == canonical.encode(dict(body["classified"])):
            return ""
        return f"Recorded: {_said(recorded)}. The dossier {dossier_digest(dossier)[:19]} gives: {_said(found)}."


def _said(found: Classification) -> str:
    return "inside" if found.inside else f"outside, by {', '.join(answer.rule for answer in found.left) or 'nothing'}"
