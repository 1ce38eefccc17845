"""Values that a plan does not list: numbered in receipts where the server knows numbers, named only where they are open."""

from typing import Any

import msgspec
import pytest

from glideslope.domain.contract import Contract, FeatureRule, FeatureType
from glideslope.domain.ids import ModelName, RolloutId, SliceName
from glideslope.domain.metric import Dimension
from glideslope.domain.observation import Briefing, Totals
from glideslope.domain.receipt import NO_SLICE, UNLISTED
from glideslope.sdk.briefed import briefed
from glideslope.sdk.contract import Tag, let_out, open_only, tags_of, with_data_contract
from glideslope.sdk.observe import Observer

TWO = (Dimension("origin", ("EWR", "JFK")), Dimension("carrier", ("AA",)))


def briefing(**more: Any) -> Briefing:
    return Briefing(
        model=ModelName("delays"),
        grant=None,
        rollouts={RolloutId("r-0001"): 1},
        metrics=(),
        dimensions=TWO,
        key_id=1,
        key=b"s" * 32,
        tag="a",
        **more,
    )


def test_only_a_server_that_knows_numbers_gets_them() -> None:
    fields = {"origin": "BOS", "carrier": "AA"}
    old, new = briefed(briefing()), briefed(briefing(numbered=True))

    assert old.slice_indices(fields) == (NO_SLICE, 0, NO_SLICE)
    place = new.slice_indices(fields)[0]
    assert 2 <= place < 2 + UNLISTED
    assert new.slice_indices({"origin": "JFK"}) == (1, NO_SLICE, NO_SLICE)
    assert new.unlisted(fields) == [("origin", str(place - 2), "BOS")]


def test_crosses_are_counted_by_services_too() -> None:
    ready = briefed(briefing(crosses=(("origin", "carrier"), ("origin", "tier"))))

    assert ready.slice_names({"carrier": "AA", "origin": "JFK"}) == [
        SliceName("carrier=AA"),
        SliceName("origin=JFK"),
        SliceName("origin=JFK & carrier=AA"),
    ]
    assert ready.slice_names({"origin": "JFK"}) == [SliceName("origin=JFK")]


@pytest.mark.parametrize(("numbered", "told"), [(True, {"origin"}), (False, set())])
def test_names_are_told_of_open_fields_to_a_server_that_wants_them(numbered: bool, told: set[str]) -> None:
    sent: list[Totals] = []
    observer = Observer(ModelName("delays"), source="a", epoch=1, send=sent.append)  # type: ignore[arg-type,func-returns-value]  # no answer
    tags = tags_of({"origin": "open", "carrier": "personal"})
    observer.follow(briefed(briefing(numbered=numbered)))

    observer.name_unlisted(open_only({"origin": "BOS", "carrier": "ZZ"}, tags))
    observer.send_totals()

    assert set(sent[0].unlisted or ()) == told
    assert ("unlisted" in msgspec.to_builtins(sent[0])) == bool(told)


def test_what_leaves_is_short_printable_and_bounded() -> None:
    tags = tags_of({f"f{k}": "open" for k in range(50)})
    found = let_out({f"f{k}": "x\x1b[2J" + "y" * 500 for k in range(50)}, tags)

    assert len(found) == 20
    assert all(len(value) == 100 and value.isprintable() for value in found.values())
    assert let_out({"f1": None, "f2": object(), "f3": True, "f4": 2.5}, tags) == {"f3": "True", "f4": "2.5"}
    assert let_out({"anything": 1}, tags_of(None)) == {}


def test_a_data_contract_opens_what_it_does_not_tag_and_a_service_has_the_last_word() -> None:
    rules = tuple(
        FeatureRule(name=name, type=FeatureType.TEXT, tags=tags)
        for name, tags in (
            ("carrier", ()),
            ("name", ("personal",)),
            ("card", ("secret", "personal")),
            ("note", ("checked",)),
        )
    )
    tags = with_data_contract(tags_of({"note": "secret"}), Contract(model=ModelName("delays"), features=rules))

    assert tags == {"carrier": Tag.OPEN, "name": Tag.PERSONAL, "card": Tag.SECRET, "note": Tag.SECRET}
