"""Cards and other documents: each figure names its entry, what is missing is named, and nothing in a text is markup."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from glideslope.domain.commands import RecordFacts
from glideslope.domain.governing.card import missing
from glideslope.domain.governing.facts import Ending, Facts, FailureMode
from glideslope.domain.ids import Actor, ModelName, RolloutId, VersionName
from glideslope.engine.version_record import VersionRecordView, version_record
from glideslope.interfaces.document import papers
from glideslope.interfaces.document.hub import front_matter
from glideslope.interfaces.document.paper import Items, Lacks, Paper, Section, Table, Text, markdown, page
from glideslope.ledger import entry
from glideslope.testing.traffic import Behaviour
from glideslope.testing.world import World, draft

GOLDEN = Path(__file__).parents[1] / "golden" / "domain" / "v3-facts" / "000-facts-recorded.json"
FULL = msgspec.convert(entry.decode(GOLDEN.read_bytes()).body["facts"], Facts)
HOSTILE = '</style><script>alert(1)</script> **bold** [x](javascript:y) \u202eback & "q" | cell'


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.targets: list[str] = []
        self.ids: set[str] = set()
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for name, value in attrs:
            assert name in {"href", "id", "class", "scope", "lang", "charset", "content", "name", "http-equiv"}
            if name == "href":
                self.targets.append(str(value).removeprefix("#"))
            if name == "id":
                self.ids.add(str(value))

    def handle_data(self, data: str) -> None:
        self.text += data


def parsed(text: str) -> Tags:
    found = Tags()
    found.feed(text)
    return found


async def known(facts: Facts | None = None) -> VersionRecordView:
    """A version that was tried on live traffic and taken back by a person."""
    world = World()
    await world.serves("arrivals", per_second=8, v1=Behaviour(), v2=Behaviour())
    if facts is not None:
        facts = msgspec.structs.replace(facts, digest=msgspec.UNSET)
        await world.app.record_facts(RecordFacts(facts=facts, by=Actor("ada"), why="trained"), key="f")
    await world.propose(draft("arrivals", "v2"))
    await world.run(8)
    from glideslope.domain.commands import OrderRollback

    await world.app.roll_back(OrderRollback(rollout=RolloutId("r-0001"), by=Actor("ada"), why="enough"), key="r")
    await world.run(2)
    return version_record(world.app.record, ModelName("arrivals"), VersionName("v2"))


async def test_every_figure_of_a_card_names_an_entry_that_the_card_lists() -> None:
    found = await known(FULL)
    shown = parsed(page(papers.card(found)))

    assert found.facts is not None
    assert f"entry-{found.facts.entry}" in shown.targets
    assert set(shown.targets) <= shown.ids
    for figure in (
        "0.69",
        "0.67 to 0.71",
        "5,000",
        "327,346",
        "Snow",
        "tests/test_snow.py::test_a_storm",
        "pii (2 upstream)",
    ):
        assert figure in shown.text
    assert "NO: of other content" in shown.text, "the golden facts measured other bytes than those registered"


async def test_a_rollback_plan_says_whither_and_how_long_it_took() -> None:
    found = await known()
    text = markdown(papers.rollback_plan(found))

    assert found.attempts[0].phase == "rolled-back"
    assert found.attempts[0].returned_in_ms is not None
    assert f"{found.attempts[0].returned_in_ms:.0f} ms" in text
    assert "Everybody returns to v1" in text
    assert "glideslope rollback r-0001 -m WHY" in text


async def test_without_facts_a_card_says_that_it_lacks_them() -> None:
    text = markdown(papers.card(await known()))

    assert "facts about arrivals v2: none are recorded" in text
    assert "nobody says how figures differ" in markdown(papers.evaluation(await known()))


def test_what_a_complete_card_lacks_is_named() -> None:
    bare = Facts(model=ModelName("m"), version=VersionName("v"))

    assert missing(FULL) == ()
    assert "intended_use: nothing is said" in missing(bare)
    empty = msgspec.structs.replace(FULL, datasets=(), failure_modes=(), fairness=())
    assert missing(empty) == ("datasets: there are none", "failure_modes: there are none")


@pytest.mark.parametrize("topic", [t for t in Facts.__struct_fields__ if t not in {"format", "model", "version"}])
def test_taking_any_topic_away_never_completes_a_card_and_most_are_missed(topic: str) -> None:
    optional = {
        "digest",
        "configuration",
        "seed",
        "base",
        "contract",
        "pipelines",
        "dependencies",
        "validations",
        "signature",
    }
    lacks = missing(msgspec.structs.replace(FULL, **{topic: msgspec.UNSET}))

    assert bool(lacks) == (topic not in optional)


@pytest.mark.parametrize(
    ("mode", "why"),
    [
        (FailureMode(name="x"), "no test"),
        (FailureMode(name="x", test="t"), "no result"),
        (FailureMode(name="x", test="t", result=Ending.FAILED, tested_at=1), "failed"),
        (FailureMode(name="x", test="t", result=Ending.SKIPPED, tested_at=1), "skipped"),
        (FailureMode(name="x", test="t", result=Ending.PASSED), "when"),
    ],
)
async def test_a_failure_mode_that_no_test_covers_is_named(mode: FailureMode, why: str) -> None:
    found = await known(msgspec.structs.replace(FULL, failure_modes=(mode,)))
    (section,) = papers.failure_modes(found).sections
    (lacks,) = [block for block in section.blocks if isinstance(block, Lacks)]

    assert why in lacks.what[0]


def test_no_text_is_markup() -> None:
    paper = Paper(
        title=HOSTILE,
        subtitle=HOSTILE,
        sections=[
            Section(HOSTILE, [Text(HOSTILE, 3), Items([Text(HOSTILE)]), Lacks([HOSTILE]), Table([HOSTILE], [((HOSTILE,), 4)])])
        ],
        records=[],
    )  # fmt: skip
    shown, plain = parsed(page(paper)), markdown(paper)

    assert "script" not in shown.tags
    assert "\u202e" not in shown.text + plain
    assert "<script" not in plain.replace("\\<script", "")
    assert not re.search(r"(?<!\\)\*\*bold", plain)
    assert all(line.count("|") - line.count("\\|") in {0, 3} for line in plain.splitlines())


async def test_the_front_matter_is_yaml_that_says_what_is_known() -> None:
    found = yaml.safe_load(front_matter(await known(FULL)).strip("-\n"))

    assert found["license"] == "apache-2.0"
    assert found["pipeline_tag"] == "tabular-classification"
    (results,) = [r for r in found["model-index"][0]["results"] if r["dataset"]["name"] == "flights/2013"]
    assert results["metrics"] == [{"type": "auc", "value": 0.69, "name": "auc on origin=JFK"}]
    odd = msgspec.structs.replace(FULL, licences=("LicenseRef-ours",))
    assert yaml.safe_load(front_matter(await known(odd)).strip("-\n"))["license_name"] == "LicenseRef-ours"
    assert set(yaml.safe_load(front_matter(await known()).strip("-\n"))) == {"model_name", "tags"}


def test_what_people_wrote_is_part_of_the_card_and_said_to_be(desk: Any, tmp_path: Path) -> None:
    digest = "sha256:" + "2" * 64
    desk.run("register", "late-arrival", "v3", "--url", "http://m:1", "--digest", digest, "-m", "x")
    (tmp_path / "people.md").write_text("## Ethics\n\nThink of <b>others</b>.\n\n- one\n- two\n")

    result = desk.run(
        "card", "late-arrival", "v3", "--with", "people.md", "--html", "-o", "card.html", "--check", "--json"
    )

    assert result.exit_code == 3
    assert json.loads(result.stdout)["missing"] == ["facts: none are recorded"]
    shown = parsed((tmp_path / "card.html").read_text())
    assert "Think of <b>others</b>." in shown.text
    assert "b" not in shown.tags
    assert "people.md, sha256:" in shown.text
    printed = desk.run("card", "late-arrival", "v3")
    assert printed.stdout.startswith("---\nmodel_name:")
    refused = desk.run("document", "failure-modes", "late-arrival", "v3")
    assert refused.exit_code == 2
    assert "glideslope facts record" in refused.stderr
