"""What policies and an envelope were asked about a change, and what they answered, as it is recorded."""

import msgspec

from glideslope.domain.governing.dossier import Dossier
from glideslope.domain.governing.envelope import Classification
from glideslope.domain.governing.policy import Answer
from glideslope.domain.ids import Digest, RolloutId


class Examined(msgspec.Struct, frozen=True, kw_only=True, tag="examined", tag_field="kind", forbid_unknown_fields=True):
    """What is in force was asked. Whoever has the texts can ask again, and must get the same answers."""

    rollout: RolloutId
    policy: Digest | msgspec.UnsetType = msgspec.UNSET
    """Absent where no policy is in force."""
    dossier: Dossier
    answers: tuple[Answer, ...]
    classified: Classification | msgspec.UnsetType = msgspec.UNSET
    """What the envelope answered that speaks for the change; absent where none does."""
