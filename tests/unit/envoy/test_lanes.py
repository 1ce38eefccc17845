"""What a gateway carries survives a restart whole, and what is damaged is refused."""

from dataclasses import replace
from pathlib import Path

import pytest

from glideslope.adapters.drivers.envoy.lanes import Lane, load, reshaped, save
from glideslope.domain.errors import DriverUnavailable
from glideslope.domain.ids import ModelName, RolloutId, StepName
from glideslope.domain.traffic import Route, Token
from glideslope.testing.contracts.driver import unserved

FRAUD = ModelName("fraud")
ROUTE = Route(FRAUD, incumbent=unserved("v7"), candidate=unserved("v8"), salt="s")
LANE = Lane(ROUTE, rollout=RolloutId("fraud-1"), step=StepName("s1"), slot="lease-00", token=Token(3, 4))


def test_lanes_are_read_as_they_were_kept(tmp_path: Path) -> None:
    lanes = {FRAUD: LANE, ModelName("spam"): Lane(Route(ModelName("spam"), incumbent=unserved("v1")))}

    save(tmp_path / "lanes.json", lanes)

    assert lanes == load(tmp_path / "lanes.json")


def test_nothing_was_kept_before_the_first_shape(tmp_path: Path) -> None:
    assert load(tmp_path / "lanes.json") == {}


@pytest.mark.parametrize(
    "text", ["", "{", "{}", '{"format":2,"lanes":[]}', '{"format":1,"lanes":[],"more":1}', '{"format":1,"lanes":[{}]}']
)
def test_what_cannot_be_understood_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "lanes.json"
    path.write_text(text)

    with pytest.raises(DriverUnavailable):
        load(path)


def test_a_moved_endpoint_keeps_the_step() -> None:
    moved = replace(ROUTE, candidate=replace(unserved("v8"), url="http://127.0.0.1:10"))

    assert {FRAUD: replace(LANE, route=moved)} == reshaped({FRAUD: LANE}, [moved])


@pytest.mark.parametrize(
    "route",
    [
        replace(ROUTE, candidate=None),
        replace(ROUTE, candidate=unserved("v9")),
        replace(ROUTE, incumbent=unserved("v6")),
        replace(ROUTE, salt="other"),
    ],
    ids=["candidate gone", "another candidate", "another incumbent", "another salt"],
)
def test_another_comparison_ends_the_step_but_not_the_order_of_tokens(route: Route) -> None:
    assert {FRAUD: Lane(route, token=LANE.token)} == reshaped({FRAUD: LANE}, [route])


@pytest.mark.parametrize(
    "content", [b"", b"{", b"\xff", b'{"format":1,"lanes":[{"route":{"model":"\xff"}}]}', b"[" * 100_000]
)
def test_a_damaged_file_is_said_to_be_damaged(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "lanes.json"
    path.write_bytes(content)

    with pytest.raises(DriverUnavailable, match="cannot be read"):
        load(path)
