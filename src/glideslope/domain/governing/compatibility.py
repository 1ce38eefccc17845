"""Whether whoever calls a model today could go on calling it under another data contract, feature by feature."""

from collections.abc import Iterator

from glideslope.domain.contract import Contract, FeatureRule, FeatureType
from glideslope.domain.governing.dossier import InputContract


def input_contract(in_force: Contract, candidate: Contract) -> InputContract:
    """Return how a candidate's contract differs from the one in force, for a dossier."""
    return InputContract(
        in_force=in_force.short, candidate=candidate.short, breaking=tuple(breaking(in_force, candidate))
    )


def breaking(before: Contract, after: Contract) -> Iterator[str]:
    """Yield what of today's rows would break the new contract. A field that is not asked for any more breaks nothing: it is passed over."""
    known = {rule.name: rule for rule in before.features}
    for rule in after.features:
        old = known.get(rule.name)
        if old is not None:
            yield from _narrower(old, rule)
        elif rule.missing < 1.0:
            yield f"{rule.name} is new, and must be there"


def _narrower(old: FeatureRule, new: FeatureRule) -> Iterator[str]:
    name = new.name
    if new.type is not old.type and (old.type, new.type) != (FeatureType.INTEGER, FeatureType.NUMBER):
        yield f"{name} was {old.type.value}, and must be {new.type.value}"
        return
    if new.missing < old.missing:
        yield f"{name} might be missing in {old.missing:.0%} of rows, and may be in {new.missing:.0%}"
    if new.low is not None and (old.low is None or new.low > old.low):
        yield f"{name} must be at least {new.low:g}, and {'had no lower end' if old.low is None else f'might be {old.low:g}'}"
    if new.high is not None and (old.high is None or new.high < old.high):
        yield f"{name} must be at most {new.high:g}, and {'had no upper end' if old.high is None else f'might be {old.high:g}'}"
    gone = [category for category in old.categories if category not in new.categories]
    if new.categories and (gone or not old.categories):
        # Of what is tagged personal or secret no value is shown to anybody.
        shown = "some of its texts" if old.hidden or new.hidden else ", ".join(gone[:5])
        yield f"{name} knows {shown} no more" if gone else f"{name} might be any text, and must be one of a list"
