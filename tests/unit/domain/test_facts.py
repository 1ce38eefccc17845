"""Facts: what cannot be is refused, what is not said is unknown, and what is recorded says the same for ever."""

import msgspec
import pytest

from glideslope.domain.errors import FactsInvalid
from glideslope.domain.governing.facts import (
    TOPICS,
    Code,
    DataField,
    Dataset,
    Dependency,
    Ending,
    Facts,
    FailureMode,
    FairnessGap,
    Makers,
    Measured,
    Upstream,
    Use,
    check_facts,
    unknown,
)
from glideslope.domain.ids import Actor, Digest, ModelName, VersionName

DATA = Dataset(name="flights", use=Use.TRAINING)


def facts(**more: object) -> Facts:
    return Facts(model=ModelName("delays"), version=VersionName("v1"), **more)  # type: ignore[arg-type]  # any field


def test_of_nothing_said_everything_is_unknown() -> None:
    assert unknown(facts()) == TOPICS
    assert unknown(facts(datasets=(), seed=0)) == tuple(t for t in TOPICS if t not in {"datasets", "seed"})


def test_makers_are_known_only_when_every_kind_is_named() -> None:
    some = Makers(trained_by=(Actor("ada"),), data_by=(), evaluated_by=())

    assert not facts().makers_known
    assert not facts(makers=some).makers_known
    assert facts(makers=msgspec.structs.replace(some, code_by=(Actor("bob"),))).makers_known
    assert some.everybody() == {"ada"}


@pytest.mark.parametrize(
    ("wrong", "where"),
    [
        (facts(digest=Digest("sha256:12")), "digest"),
        (facts(code=Code(revision="main")), "code.revision"),
        (facts(intended_use="  "), "intended_use"),
        (facts(limitations=("a\x1b[2Jb",)), "limitations.0"),
        (facts(seed=1 << 60), "seed"),
        (facts(contract="late"), "contract"),
        (facts(configuration={"rate": float("nan")}), "configuration.rate"),
        (facts(datasets=(DATA, DATA)), "datasets.1"),
        (facts(datasets=(msgspec.structs.replace(DATA, rows=-1),)), "datasets.0.rows"),
        (facts(datasets=(msgspec.structs.replace(DATA, since=2, fresh_at=1),)), "datasets.0.since"),
        (facts(datasets=(msgspec.structs.replace(DATA, access=("All of it",)),)), "datasets.0.access.0"),
        (
            facts(datasets=(msgspec.structs.replace(DATA, fields=(DataField(name="x", upstream=()),)),)),
            "datasets.0.fields.0.upstream",
        ),
        (
            facts(
                datasets=(
                    msgspec.structs.replace(
                        DATA,
                        fields=(DataField(name="x", traced=1, upstream=(Upstream(dataset="r", field="y", hops=2),)),),
                    ),
                )
            ),
            "datasets.0.fields.0.upstream",
        ),
        (facts(failure_modes=(FailureMode(name="snow", result=Ending.PASSED),)), "failure_modes.0.test"),
        (facts(evaluations=(Measured(metric="auc", value=0.7, low=0.8),)), "evaluations.0.low"),
        (
            facts(fairness=(FairnessGap(metric="e", attribute="o", group="a", reference="b", gap=0.1, high=0.0),)),
            "fairness.0.low",
        ),
        (facts(dependencies=(Dependency(name="a", version="1"),) * 2), "dependencies.1"),
    ],
)
def test_what_cannot_be_is_refused_at_its_place(wrong: Facts, where: str) -> None:
    with pytest.raises(FactsInvalid) as refusal:
        check_facts(wrong)

    assert refusal.value.where == where


def test_settings_may_bear_any_name() -> None:
    check_facts(facts(configuration={"digest": "none", "tags": "A b", "revision": "main", "rows": -1}))


def test_facts_are_named_by_all_that_they_say() -> None:
    assert facts(seed=1).short == facts(seed=1).short
    assert len({facts(seed=1).short, facts(seed=2).short, facts().short, facts(configuration={}).short}) == 4
