"""A threat model as people agree on it: what may go wrong on purpose, what is done against it, and what is left."""

import msgspec
from msgspec import UNSET, UnsetType

from glideslope.domain.errors import AgreementInvalid
from glideslope.domain.ids import ModelName


class Threat(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Something that somebody may do, and what stands against it."""

    id: str
    what: str
    against: tuple[str, ...] = ()
    """What is done about it. Nothing done is said by what is left."""
    left: str | UnsetType = UNSET
    """The risk that is known and borne."""


class ThreatModel(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Threats to some models, or to all of them."""

    name: str
    threats: tuple[Threat, ...]
    models: tuple[ModelName, ...] = ()
    """Those that it is about; all of them when none is named."""

    def concerns(self, model: ModelName) -> bool:
        """Tell whether it is about a model."""
        return not self.models or model in self.models


def check_threat_model(found: ThreatModel) -> None:
    """Refuse what says nothing. Raises AgreementInvalid with the path of what is wrong."""
    if not found.name.strip() or not found.name.isprintable():
        raise AgreementInvalid("a name is missing, or cannot be printed", where="name")
    if not found.threats:
        raise AgreementInvalid("a threat model without a threat was not thought about", where="threats")
    seen: set[str] = set()
    for number, threat in enumerate(found.threats):
        for field in ("id", "what"):
            if not getattr(threat, field).strip():
                raise AgreementInvalid("a text is missing", where=f"threats.{number}.{field}")
        if threat.id in seen:
            raise AgreementInvalid(f"{threat.id!r} is there twice", where=f"threats.{number}.id")
        seen.add(threat.id)
        if not threat.against and isinstance(threat.left, UnsetType):
            raise AgreementInvalid(
                "say what is done `against` it, or what is `left` of it and borne", where=f"threats.{number}"
            )
