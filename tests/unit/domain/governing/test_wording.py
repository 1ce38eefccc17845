"""The organisation, calendars and threat models are said part by part, and an edit of one with the way in which it goes."""

from typing import Any

import msgspec
import pytest

from glideslope.domain.governing.edits import told
from glideslope.domain.governing.kinds import KINDS
from glideslope.domain.governing.organisation import Tier

DAY = 86_400_000

ORGANISATION: dict[str, Any] = {
    "people": [
        {"id": "ada", "functions": ["data-science"], "rights": ["propose", "administer"], "team": "fraud"},
        {"id": "pia", "functions": ["product"], "rights": ["review"]},
    ],
    "teams": [{"name": "fraud", "reach": "#fraud"}],
    "owned": [{"kind": "model", "name": "fraud", "owner": "fraud"}],
    "delegations": [{"who": "pia", "since": 0, "until": DAY, "to": "ada"}],
    "tiers": [
        {"name": "high", "approvals": [{"function": "product", "count": 1}], "alpha": 0.01, "drill_within": 90 * DAY}
    ],
    "models": {"fraud": "high"},
    "usual_tier": "high",
    "escalations": [{"after": DAY, "to": ["pia"]}],
    "agreements": {"policy": [{"function": "product", "count": 1}]},
    "reviews": {"access": 90 * DAY},
}
CALENDAR: dict[str, Any] = {
    "name": "releases",
    "zone": "Europe/Berlin",
    "freezes": [{"name": "weekend", "days": ["sat", "sun"]}, {"name": "year's end", "since": 0, "until": DAY}],
    "hours": {"days": ["mon", "tue"]},
    "holidays": {"country": "DE"},
    "at_once": 3,
    "first": ["fraud"],
}
THREATS: dict[str, Any] = {"name": "credit", "threats": [{"id": "probed", "what": "People probe.", "left": "Few."}]}
TIER: dict[str, Any] = {
    "name": "high",
    "approvals": [{"function": "product", "count": 1}],
    "valid_for": DAY,
    "alpha": 0.01,
    "alpha_pass": 0.05,
    "margin_scale": 0.5,
    "first_share": 100,
    "growth": 5.0,
    "minimum": 3_600_000,
    "stages": ["shadow"],
    "drill_within": 90 * DAY,
    "keep": 365 * DAY,
    "proving": {"within": 900_000, "by": ["passkey", "password"]},
}
WRITTEN = {"organisation": ORGANISATION, "calendar": CALENDAR, "threat-model": THREATS}


def changed(of: str, **edit: Any) -> list[str]:
    kind, before = KINDS[of], WRITTEN[of]
    after = {key: value for key, value in {**before, **edit}.items() if value is not None}
    return list(told(kind.changes(*(msgspec.convert(each, kind.type) for each in (before, after)))))


@pytest.mark.parametrize("of", WRITTEN)
def test_nothing_that_is_written_is_left_unsaid_and_no_edit_untold(of: str) -> None:
    kind = KINDS[of]
    found = msgspec.convert(WRITTEN[of], kind.type)
    whole = " ".join(f"{each.about} {each.sentence}" for each in kind.says(found))

    assert not {"UNSET", "{", "None"} & set(whole.split())
    assert changed(of) == []
    fields = {field.name: field for field in msgspec.structs.fields(kind.type)}
    for key in WRITTEN[of].keys() - {"name", "people", "zone", "threats"}:
        assert not fields[key].required
        assert changed(of, **{key: None}), key


@pytest.mark.parametrize(
    ("of", "edit", "expected"),
    [
        ("organisation", {"people": ORGANISATION["people"][:1]}, "stricter: pia is gone: may review as product"),
        (
            "organisation",
            {"people": [ORGANISATION["people"][0], {**ORGANISATION["people"][1], "rights": ["review", "operate"]}]},
            "looser: pia, rights: operate, which it did not",
        ),
        (
            "organisation",
            {"tiers": [{**ORGANISATION["tiers"][0], "approvals": [{"function": "product", "count": 2}]}]},
            "stricter: tier high: it needs the yes of 2 of product; it was 1",
        ),
        (
            "organisation",
            {"tiers": [{**ORGANISATION["tiers"][0], "alpha": 0.05}]},
            "looser: tier high: it has alpha 0.05; it was 0.01",
        ),
        (
            "organisation",
            {"tiers": [{**ORGANISATION["tiers"][0], "proving": {"within": 900_000, "by": ["passkey"]}}]},
            "stricter: tier high: whoever approves has proved who they are within 15 min, by passkey",
        ),
        ("organisation", {"reviews": {"access": 30 * DAY}}, "stricter: it asks for a review of access every 30 d; it was every 90 d"),
        ("organisation", {"reviews": None}, "looser: it asks for no review of access; it was every 90 d"),
        ("organisation", {"agreements": {}}, "looser: it asks for a change of the policy the yes of 0 of product; it was 1"),
        ("organisation", {"teams": [{"name": "fraud", "reach": "#f"}]}, "other: the team fraud is told at #f; it was told at #fraud"),
        ("calendar", {"at_once": 2}, "stricter: it allows rollouts at once: 2; it was 3"),
        (
            "calendar",
            {"freezes": CALENDAR["freezes"][1:]},
            "looser: the freeze weekend is gone: on sat and sun: nothing is begun or widened",
        ),
        (
            "calendar",
            {"hours": None},
            "looser: of hours it says nothing; it said mon and tue: 09:00 to 17:00; rollouts begin and widen then alone",
        ),
        ("threat-model", {"models": ["fraud"]}, "other: it is about fraud"),
    ],
)  # fmt: skip
def test_which_way_an_edit_goes(of: str, edit: dict[str, Any], expected: str) -> None:
    assert changed(of, **edit) == [expected]


@pytest.mark.parametrize("field", [field.name for field in msgspec.structs.fields(Tier) if field.name != "name"])
def test_no_edit_of_a_tier_is_left_untold(field: str) -> None:
    """Whoever answers an edit reads what it means: a demand that could be dropped unseen would be none."""
    kind, people = KINDS["organisation"], ORGANISATION["people"]
    less = {key: value for key, value in TIER.items() if key != field}
    whole, without = (msgspec.convert({"people": people, "tiers": [tier]}, kind.type) for tier in (TIER, less))

    found = [list(told(kind.changes(*edit))) for edit in ((whole, without), (without, whole))]

    assert [len(each) for each in found] == [1, 1]
    assert all(": tier high: " in sentence for (sentence,) in found)
