"""What policies were asked about a change, and what they answered, as it is recorded."""

import msgspec

from glideslope.domain.governing.dossier import Dossier
from glideslope.domain.governing.policy import Answer
from glideslope.domain.ids import Digest, RolloutId


class Examined(msgspec.Struct, frozen=True, kw_only=True, tag="examined", tag_field="kind", forbid_unknown_fields=True):
    """The policies in force were asked. Whoever has their texts can ask again, and must get the same answers."""

    rollout: RolloutId
    policy: Digest
    dossier: Dossier
    answers: tuple[Answer, ...]
