"""Blocks of a dossier that are computed: how a data contract differs, and a file of advisories."""

from collections.abc import Callable
from itertools import product
from typing import Any

import msgspec
import pytest

from glideslope.domain.contract import Contract, FeatureRule, FeatureType, is_broken
from glideslope.domain.errors import DossierInvalid
from glideslope.domain.governing.advisories import advisories_of
from glideslope.domain.governing.compatibility import breaking, input_contract
from glideslope.domain.governing.dossier import Dossier, advisories_digest
from glideslope.domain.governing.policy import Fail, NoEvidence, Pass
from glideslope.domain.governing.policy.kinds.version import NoKnownAdvisory
from glideslope.domain.ids import ModelName

NUMBER, TEXT = FeatureType.NUMBER, FeatureType.TEXT


def contract(**rules: Any) -> Contract:
    return Contract(
        model=ModelName("m"), features=tuple(FeatureRule(name=name, **rule) for name, rule in rules.items())
    )


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ({"type": NUMBER}, {"type": TEXT}, "was number, and must be text"),
        ({"type": FeatureType.INTEGER}, {"type": NUMBER}, ""),
        ({"type": NUMBER}, {"type": FeatureType.INTEGER}, "must be integer"),
        ({"type": NUMBER, "low": 0.0}, {"type": NUMBER, "low": 1.0}, "at least 1, and might be 0"),
        ({"type": NUMBER, "low": 1.0}, {"type": NUMBER, "low": 0.0}, ""),
        ({"type": NUMBER}, {"type": NUMBER, "high": 9.0}, "at most 9, and had no upper end"),
        ({"type": NUMBER, "missing": 0.1}, {"type": NUMBER}, "missing in 10% of rows"),
        ({"type": TEXT, "categories": ("a", "b")}, {"type": TEXT, "categories": ("b", "c")}, "knows a no more"),
        ({"type": TEXT, "categories": ("a",)}, {"type": TEXT, "categories": ("a", "b")}, ""),
        ({"type": TEXT}, {"type": TEXT, "categories": ("b",)}, "any text, and must be one of a list"),
        ({"type": TEXT, "categories": ("a",), "tags": ("personal",)}, {"type": TEXT, "categories": ("b",)}, "some of its texts"),
    ],
)  # fmt: skip
def test_what_would_break_is_named(old: dict[str, Any], new: dict[str, Any], words: str) -> None:
    found = list(breaking(contract(x=old), contract(x=new)))

    assert (len(found) == 1 and words in found[0]) if words else found == []


def test_a_new_field_breaks_what_does_not_send_it_and_a_field_less_breaks_nothing() -> None:
    one, two = contract(x={"type": NUMBER}), contract(x={"type": NUMBER}, y={"type": NUMBER})

    assert list(breaking(one, two)) == ["y is new, and must be there"]
    assert list(breaking(two, one)) == []
    assert list(breaking(one, contract(x={"type": NUMBER}, y={"type": NUMBER, "missing": 1.0}))) == []
    assert input_contract(one, two).breaking == ("y is new, and must be there",)


RULES = [
    {"type": NUMBER},
    {"type": NUMBER, "low": 0.0},
    {"type": NUMBER, "low": 2.0, "high": 5.0},
    {"type": FeatureType.INTEGER, "high": 5.0},
    {"type": TEXT},
    {"type": TEXT, "categories": ("a", "b")},
    {"type": TEXT, "categories": ("a",)},
    {"type": FeatureType.BOOLEAN},
]
VALUES = [-1, 0, 0.5, 1, 3, 5, 6.5, "a", "b", "c", True, False]


@pytest.mark.parametrize(("old", "new"), list(product(RULES, RULES)))
def test_a_value_that_was_good_and_is_not_shows_in_what_breaks(old: dict[str, Any], new: dict[str, Any]) -> None:
    """By the contract's own placing of values: where nothing breaks, whatever was good stays good."""
    before, after = FeatureRule(name="x", **old), FeatureRule(name="x", **new)
    broken = [v for v in VALUES if not is_broken(before.placer()(v), before) and is_broken(after.placer()(v), after)]

    assert not broken or list(breaking(contract(x=old), contract(x=new)))


FILE: dict[str, Any] = {
    "as_of": "2026-11-19T06:00:00Z",
    "source": "osv.dev",
    "advisories": [
        {
            "id": "GHSA-1",
            "affected": [{"package": {"ecosystem": "PyPI", "name": "Scikit_Learn"}, "versions": ["1.7.2"]}],
            "database_specific": {"severity": "CRITICAL"},
        },
        {"id": "GHSA-2", "withdrawn": "2026-01-01T00:00:00Z", "affected": []},
        {"id": "GHSA-3", "affected": [{"package": {"name": "numpy"}, "ranges": []}]},
    ],
}


def test_a_file_of_advisories_is_a_block_of_a_dossier(made: Callable[..., Dossier]) -> None:
    found = advisories_of(FILE)
    rule = NoKnownAdvisory(id="A")

    assert (found.source, found.as_of) == ("osv.dev", 1763532000000 + 31536000000)
    assert [(e.id, e.package, e.versions, e.severity) for e in found.entries] == [
        ("GHSA-1", "Scikit_Learn", ("1.7.2",), "critical"),
        ("GHSA-3", "numpy", ("*",), "unknown"),
    ]
    assert found.digest == advisories_digest(found.entries)

    def answer(advisories: Any) -> Any:
        return rule.answer(msgspec.structs.replace(made(), advisories=advisories), ("high",))

    assert answer(found) == Fail(
        ("Scikit_Learn 1.7.2: GHSA-1, critical", "not known: how severe GHSA-3 of numpy 2.3.4 is")
    )
    unknown = advisories_of({**FILE, "advisories": FILE["advisories"][1:]})
    assert isinstance(answer(unknown), NoEvidence)
    assert isinstance(answer(advisories_of({**FILE, "advisories": []})), Pass)


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        {},
        {**FILE, "advisories": [{"id": "x"}]},
        {**FILE, "advisories": [{"id": "x", "affected": [{}]}]},
        {**FILE, "advisories": [{"id": "x", "affected": 7}]},
        {**FILE, "as_of": "yesterday"},
        {**FILE, "more": 1},
    ],
)
def test_what_is_no_file_of_advisories_is_refused(document: Any) -> None:
    with pytest.raises(DossierInvalid, match="no file of advisories"):
        advisories_of(document)
