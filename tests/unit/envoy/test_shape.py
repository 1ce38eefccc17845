"""Documents for Envoy follow from lanes alone: equal lanes, equal documents; no lease, no exposure."""

from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from glideslope.adapters.drivers.envoy.lanes import Lane
from glideslope.adapters.drivers.envoy.limits import Limits
from glideslope.adapters.drivers.envoy.observed import exposure_in_force, split_of
from glideslope.adapters.drivers.envoy.shape import compile_lanes, runtime_values
from glideslope.domain.ids import ModelName, RolloutId, StepName
from glideslope.domain.traffic import FULL, TOTAL, Route, Split
from glideslope.testing.contracts.driver import STEP, unserved

FRAUD = ModelName("fraud")
ROUTE = Route(FRAUD, incumbent=unserved("v7"), candidate=unserved("v8"), salt=r"a\1b")
LANE = Lane(ROUTE, rollout=RolloutId("fraud-1"), step=StepName("s1"), slot="lease-00")
SPLITS = st.integers(0, FULL).flatmap(
    lambda candidate: st.integers(0, FULL - candidate).map(lambda control: Split(candidate=candidate, control=control))
)


def weighted(lane: Lane) -> list[dict[str, Any]]:
    routes = compile_lanes({lane.route.model: lane}, limits=Limits()).routes["resources"][0]
    found = [route for route in routes["virtual_hosts"][0]["routes"] if "route" in route]
    return [cluster for route in found for cluster in route["route"]["weighted_clusters"]["clusters"]]


def test_without_a_lease_the_incumbent_has_all_the_weight() -> None:
    for lane in (Lane(ROUTE), LANE, Lane(replace(ROUTE, candidate=None))):
        assert {"fraud/v7/rest"} == {cluster["name"] for cluster in weighted(lane) if cluster["weight"]}
        assert {0, TOTAL} >= {cluster["weight"] for cluster in weighted(lane)}


def test_the_candidate_is_listed_first_as_the_coin_demands() -> None:
    names = [cluster["name"] for cluster in weighted(LANE)]

    assert names == ["fraud/v8/candidate", "fraud/v7/control", "fraud/v7/rest"] * 2


def test_equal_lanes_have_documents_of_equal_version() -> None:
    other = {ModelName("a"): Lane(Route(ModelName("a"), incumbent=unserved("v1")))}
    one = compile_lanes({FRAUD: LANE} | other, limits=Limits())

    assert one == compile_lanes(other | {FRAUD: LANE}, limits=Limits())
    assert one != compile_lanes({FRAUD: LANE}, limits=Limits())


def test_every_cluster_that_is_named_is_there() -> None:
    documents = compile_lanes({FRAUD: LANE}, limits=Limits())
    there = {cluster["name"] for cluster in documents.clusters["resources"]}
    aggregates = [
        c["cluster_type"]["typed_config"]["clusters"] for c in documents.clusters["resources"] if "cluster_type" in c
    ]

    assert {cluster["name"] for cluster in weighted(LANE)} <= there
    assert {name for members in aggregates for name in members} <= there


def test_a_lease_speaks_of_the_clusters_that_the_route_weighs() -> None:
    """Envoy silently ignores a key that fits nothing."""
    keys = {f"{LANE.prefix}.{cluster['name']}" for cluster in weighted(LANE)}

    assert keys == {key for key in runtime_values(LANE, STEP) if "/" in key}


@given(SPLITS)
def test_a_split_is_read_back_from_its_weights(split: Split) -> None:
    weights = split.weights()

    assert split == split_of(weights.candidate, weights.control)


@given(SPLITS, st.integers(0, FULL))
def test_an_exposure_is_read_back_from_its_layer(split: Split, mirror: int) -> None:
    exposure = replace(STEP, split=split, mirror=mirror)
    layer = {key: str(value) for key, value in runtime_values(LANE, exposure).items()}
    clusters = [cluster["name"] for cluster in weighted(LANE)][:3]

    assert exposure == exposure_in_force(
        layer, prefix=LANE.prefix, clusters=clusters, rollout=exposure.rollout, step=exposure.step
    )
    assert exposure_in_force({}, prefix=LANE.prefix, clusters=clusters, rollout=LANE.rollout, step=LANE.step) is None


def test_a_salt_is_taken_literally() -> None:
    routes = compile_lanes({FRAUD: LANE}, limits=Limits()).routes["resources"][0]["virtual_hosts"][0]["routes"]
    rewrite = routes[1]["route"]["hash_policy"][0]["header"]["regex_rewrite"]

    assert rewrite["substitution"] == r"a\\1b:\1"
