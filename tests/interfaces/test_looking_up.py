"""What people look up: fields, words, suggestions, versions beside each other, lineage, and freshness. Values in, values out."""

from typing import Any

import pytest
from tests.interfaces.fake_rollouts import AT, digest_of, guardrail

from glideslope.domain.governing.facts import TOPICS, DataField, Dataset, Dependency, Facts, Measured, Pipeline, Use
from glideslope.domain.governing.query import FIELDS
from glideslope.domain.ids import Actor, MetricName, ModelName, VersionName
from glideslope.domain.metric import BUILT_IN
from glideslope.domain.plan import Guardrail, HarmNull, Margin, MarginKind
from glideslope.engine.facts import FactsView
from glideslope.engine.version_record import EntryView, VersionRecordView
from glideslope.engine.views import FleetView, ModelView, RolloutView, SourceView, VersionView
from glideslope.interfaces.dashboard import comparing, lineage
from glideslope.interfaces.dashboard.fields import EXAMPLES, TOLD
from glideslope.interfaces.dashboard.guardrails import UNKNOWN, tile, worth
from glideslope.interfaces.dashboard.suggesting import MOST, people_called, suggestions

MODEL = ModelName("late-arrival")


def version(name: str, facts: Facts | None = None, *, letter: str = "1") -> VersionRecordView:
    view = None
    if facts is not None:
        view = FactsView(
            model=MODEL,
            version=VersionName(name),
            digest=digest_of(letter),
            facts=facts,
            unknown=(),
            by=Actor("ada"),
            why="",
            at=AT,
            entry=7,
            superseded=(),
        )
    return VersionRecordView(
        model=MODEL,
        version=name,
        digest=digest_of(letter),
        registered=EntryView(entry=1, at=AT, by="ada", what="trained"),
        evaluations=(),
        installed=(),
        facts=view,
        attempts=(),
        incumbent="v1",
    )


def facts(name: str, **more: Any) -> Facts:
    return Facts(model=MODEL, version=VersionName(name), **more)


def test_every_field_that_can_be_asked_is_explained_and_every_example_can_be_asked() -> None:
    assert set(TOLD) == {*FIELDS, "after", "before"}
    for question, _ in EXAMPLES:
        assert all(part.partition(":")[0] in TOLD for part in question.split())


def test_every_fact_has_its_place_in_a_comparison() -> None:
    placed = {name for _, names in comparing._TOPICS for name in names}

    assert placed | {"evaluations"} == set(TOPICS)


def fleet() -> FleetView:
    shown = VersionView(version="v7", digest=digest_of("7"), url="", by="grace", at=AT, state="candidate")
    model = ModelView(
        name="fraud", incumbent="v6", rollout="r-0012", versions=(shown,), requests_per_second=0.0, signals={}
    )
    return FleetView(models=(model,), rollouts=(rollout("r-0012"),), entries=40, gateway="ready", time=AT)


def rollout(id_: str, **more: Any) -> RolloutView:
    fields = dict.fromkeys(RolloutView.__struct_fields__, ())
    plain: dict[str, Any] = {
        **fields,
        **dict.fromkeys(
            ("id", "model", "incumbent", "candidate", "phase", "stage", "step", "next", "owner", "why"), ""
        ),
        **dict.fromkeys(("proposed_by", "proposed_at", "changed_at", "plan_digest", "attempt_of"), ""),
        "id": id_,
        "model": "fraud",
        "candidate": "v7",
        "incumbent": "v6",
        "phase": "running",
        "proposed_by": "mia",
        "owner": "owners",
        "ended": False,
    }
    return RolloutView(**{**plain, **more})


@pytest.mark.parametrize(
    ("typed", "first"),
    [
        ("r-00", ("rollout", "/rollouts/r-0012")),
        ("fraud", ("rollout", "/rollouts/r-0012")),
        ("v7", ("rollout", "/rollouts/r-0012")),
        ("sha256:77", ("version", "/models/fraud/versions/v7")),
        ("gra", ("person", "/ledger?q=author%3Agrace")),
        ("12", ("entry", "/ledger/12")),
        ("#39", ("entry", "/ledger/39")),
        ("evening dec", ("field", "/search?q=evening+decision%3A")),
    ],
)
def test_what_is_meant_comes_first(typed: str, first: tuple[str, str]) -> None:
    found = suggestions(fleet(), typed, entries=40)

    assert (found[0].kind, found[0].href) == first
    assert len(found) <= MOST


@pytest.mark.parametrize("typed", ["", "  ", "#40", "no such thing at all", "decision:hold"])
def test_nothing_is_suggested_where_nothing_is_meant(typed: str) -> None:
    assert suggestions(fleet(), typed, entries=40) == ()


def test_people_are_those_whom_the_record_names() -> None:
    assert people_called(fleet(), "") == ["grace", "mia", "owners"]
    assert people_called(fleet(), "A") == ["grace", "mia"]


def test_versions_differ_in_what_is_said_and_not_in_its_order() -> None:
    packages = (Dependency(name="numpy", version="2.0"), Dependency(name="scipy", version="1.0"))
    a = version("v1", facts("v1", seed=1, dependencies=packages, licences=()))
    b = version("v2", facts("v2", seed=2, dependencies=packages[::-1]), letter="2")
    found = {topic.title: topic for topic in comparing.topics(a, b)}

    assert {row.name for row in found["Identity"].differing} == {"content"}
    assert found["Packages"].differing == ()
    assert [row.b for row in found["Code and environment"].differing] == ["2"]
    # That there are none is a statement, and nothing said is not.
    assert found["Licences"].differing == (comparing.Row("licences", "none", comparing.UNSAID),)


def test_figures_stand_beside_each_other_by_metric_data_and_part() -> None:
    one = Measured(metric="auc", value=0.7, slice="origin=LGA")
    both = Measured(metric="auc", value=0.8)
    a, b = version("v1", facts("v1", evaluations=(both, one))), version("v2", facts("v2", evaluations=(both,)))
    found = comparing.figures(a, b)

    assert [(each.slice, each.a, each.b) for each in found] == [("all", both, both), ("origin=LGA", one, None)]


def test_lineage_leads_from_the_data_to_the_version_and_says_what_nobody_said() -> None:
    made = facts(
        "v2",
        datasets=(Dataset(name="flights", use=Use.TRAINING, fields=(DataField(name="carrier"),)),),
        pipelines=(Pipeline(name="joins"),),
    )
    found = lineage.lineage(version("v2", made), {})
    chart = lineage.drawn(found)

    assert [node.name for node in found.column("data")] == ["flights"]
    assert [node.name for node in found.into(found.column("features")[0])] == ["flights"]
    assert {node.column for node in found.into(found.column("training")[0])} == {"features", "code"}
    assert not found.column("code")[0].said
    assert all(
        start in {n.id for n in found.nodes} and end in {n.id for n in found.nodes} for start, end in found.edges
    )
    assert chart.count("<title>") == len(found.nodes)
    assert {node.column for node in lineage.lineage(version("v1"), {}).nodes if not node.said} == {
        "data",
        "code",
        "training",
    }


def test_lineage_stays_small_however_much_it_was_made_from() -> None:
    many = tuple(Dataset(name=f"table-{number}", use=Use.TRAINING) for number in range(300))
    found = lineage.lineage(version("v2", facts("v2", datasets=many)), {})

    assert lineage.drawn(found).count("<title>data") == lineage.MOST
    assert len(list(lineage.told(found))) == 300 + 3


@pytest.mark.parametrize(
    ("fresh", "ended", "word", "unknown"),
    [
        (True, False, "proven", False),
        (False, False, "proven", True),
        (False, False, "watching", True),
        (False, False, "harm", False),
        (False, True, "proven", False),
    ],
)
def test_what_rests_on_a_stale_source_is_unknown_and_harm_stays_harm(
    fresh: bool, ended: bool, word: str, unknown: bool
) -> None:
    of = guardrail("errors", word=word)
    source = SourceView(origin="gateway", last="2013-12-10T09:13:48.000Z", fresh=fresh, dropped=0)
    margin = Margin(MarginKind.ABSOLUTE, 0.05)
    rule = Guardrail(metric=BUILT_IN[MetricName("errors")], margin=margin, harm=next(iter(HarmNull)), base_rate=0.01)
    view = rollout("r-0001", ended=ended, sources=(source,))
    found = tile(view, of, {"errors": rule}, (), until=AT)

    assert (found.word is UNKNOWN) == unknown
    assert found.age_ms == 12_000


def test_what_is_rare_limits_what_can_be_seen() -> None:
    assert [worth(90, 10), worth(500, 500), worth(0, 10)] == [18, 500, 0]
