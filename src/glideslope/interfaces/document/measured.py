"""`measured.json`: what an evaluation measured and checked, as facts. A machine writes it; `facts record` takes it in."""

import msgspec
from msgspec import UnsetType
from msgspec.structs import replace

from glideslope.domain.errors import FactsInvalid
from glideslope.domain.governing.facts import Facts, Measured, Validation, check_facts
from glideslope.domain.ids import ModelName, VersionName


class Measurements(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one report says about one version. Times are milliseconds since the epoch."""

    model: ModelName
    version: VersionName
    evaluations: tuple[Measured, ...]
    validations: tuple[Validation, ...]
    """Its checks; one that was left out is `skipped`, with the reason as its findings."""


def read(content: bytes, *, file: str) -> Measurements:
    """Read what `glideslope evaluate` wrote. Raises FactsInvalid."""
    try:
        return msgspec.json.decode(content, type=Measurements)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise FactsInvalid(
            f"{file}: {error}; expected `measured.json` as `glideslope evaluate` writes it", where="evaluations"
        ) from None


def joined(facts: Facts, found: Measurements, *, file: str) -> Facts:
    """Put what was measured after what people stated, so that neither hides the other. Raises FactsInvalid."""
    if (found.model, found.version) != (facts.model, facts.version):
        raise FactsInvalid(
            f"{file} measured {found.model} {found.version}; these facts are about {facts.model} {facts.version}",
            where="evaluations",
        )
    stated, checked = facts.evaluations, facts.validations
    whole = replace(
        facts,
        evaluations=(*(() if isinstance(stated, UnsetType) else stated), *found.evaluations),
        validations=(*(() if isinstance(checked, UnsetType) else checked), *found.validations),
    )
    check_facts(whole)
    return whole
