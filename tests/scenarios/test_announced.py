"""What the people affected are told is what is recorded, at each transition; what is not recorded is said to be missing."""

from msgspec.structs import replace
from tests.scenarios.test_drills import begin, drilled
from tests.scenarios.test_governed import PIA, SAM, approve, change, given

from glideslope.domain.commands import Halt, RecordFacts
from glideslope.domain.governing.facts import Facts, FailureMode
from glideslope.domain.ids import ModelName, VersionName
from glideslope.domain.plan import Rationale
from glideslope.interfaces.document.announcing import announcement
from glideslope.interfaces.document.paper import Items, Lacks, Paper, Text, markdown, page
from glideslope.testing.traffic import Behaviour
from glideslope.testing.world import ADA, GRACE

FACTS = Facts(
    model=ModelName("delays"),
    version=VersionName("v2"),
    intended_use="Tell passengers early.",
    limitations=("No data of winters.",),
    failure_modes=(FailureMode(name="snow", effect="too few alarms"),),
)


def missing(paper: Paper) -> list[str]:
    return [each for s in paper.sections for b in s.blocks if isinstance(b, Lacks) for each in b.what]


async def test_it_says_at_each_transition_how_it_stands() -> None:
    world = await given(921)
    await begin(world)
    await drilled(world)
    await world.app.record_facts(RecordFacts(facts=FACTS, by=ADA, why="trained"), key=world.key())
    said = Rationale(benefit="fewer late alarms", risks=("slower in winter",), rollback_plan="Tell the desk.")
    rollout = await world.propose(change(proposal=said))
    proposed = await world.app.announcement(rollout)
    text = markdown(announcement(proposed))
    for words in (
        "Nothing has changed yet: v1 serves everybody.",
        "Expected benefit, as proposed: fewer late alarms",
        "slower in winter",
        "No data of winters.",
        "snow: too few alarms",
        "Tell the desk.",
        "Going back was last practised on 2026-01-01",
        "errors: worse at all; it goes on to more people only once that is shown to be at most 5 percentage points",
    ):
        assert words in text.replace("\\", ""), words
    assert missing(announcement(proposed)) == []

    await approve(world, rollout, PIA, SAM)
    await world.until(rollout, step="s1", within=5)
    running = await world.app.announcement(rollout)
    assert running.stands.endswith("v2 serves 10 % of the subjects; v1 serves the others.")
    assert [each.state for each in running.affected] == ["now", "ahead", "ahead", "ahead"]
    await world.app.halt(Halt(rollout=rollout, by=GRACE, why="a look"), key=world.key())
    halted = await world.app.announcement(rollout)
    assert halted.stands == "v1 serves everybody. The change is halted until somebody resumes it."
    assert [each.kind for each in halted.happened][-1] == "halted"
    as_it_was = await world.app.announcement(rollout, as_of=running.entry)
    assert replace(as_it_was, subjects=None, subjects_entry=None) == replace(
        running, subjects=None, subjects_entry=None
    )


async def test_a_candidate_that_went_back_is_said_to_have_and_no_step_to_be_ahead() -> None:
    world = await given(922, v2=Behaviour(errors=0.4))
    rollout = await world.propose(change(proposal=Rationale(benefit="b", risks=())))
    await approve(world, rollout, PIA, SAM)
    await world.until(rollout, phase="rolled-back", within=200)
    view = await world.app.announcement(rollout)
    assert view.stands == "It was rolled back: all traffic returned to v1."
    assert "ahead" not in {each.state for each in view.affected}
    assert view.subjects is not None
    assert view.subjects > 0
    assert missing(announcement(view)) == [
        "what is done besides returning the traffic: the proposal does not say",
        "a drill of going back that passed: none is recorded",
    ]


async def test_every_claim_about_the_change_names_the_entry_that_it_rests_on() -> None:
    world = await given(923)
    await world.app.record_facts(RecordFacts(facts=FACTS, by=ADA, why="trained"), key=world.key())
    rollout = await world.propose(change())
    paper = announcement(await world.app.announcement(rollout))
    bare = [
        text.text
        for section in paper.sections
        for block in section.blocks
        for text in ((block,) if isinstance(block, Text) else block.items if isinstance(block, Items) else ())
        if text.entry is None and not text.text.endswith(":")
    ]
    assert bare == [], "what names no entry only leads to a list whose lines do"
    assert "<script" not in page(paper)
