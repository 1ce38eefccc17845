"""What is served is not what was registered, both arms fail alike, the split is not the one asked for."""

from dataclasses import replace

from glideslope.domain.draft import GuardrailDraft
from glideslope.domain.ids import Digest, MetricName, ModelName, VersionName
from glideslope.domain.observation import Totals
from glideslope.domain.plan import Margin, MarginKind
from glideslope.testing.traffic import SOUND
from glideslope.testing.world import World, content, draft

DELAYS = ModelName("delays")


def saying(source: str, *, digest: Digest, version: str = "v2") -> Totals:
    return Totals(source=source, epoch=1, model=DELAYS, counts={}, version=VersionName(version), digest=digest)


async def test_one_server_with_other_content_rolls_the_candidate_back() -> None:
    """Though all other servers of that version say the right digest, before and after it."""
    world = World(seed=31)
    await world.serves("delays", v1=SOUND, v2=SOUND)
    await world.run(5)
    rollout = await world.propose(draft("delays", "v2"))
    await world.until(rollout, step="s1", within=5)
    right = content("delays", "v2")
    for source in ("a", "b", "c"):
        await world.app.observe(saying(source, digest=right))
    await world.run(2)
    assert (await world.app.rollout(rollout)).phase == "running"

    await world.app.observe(saying("b", digest=Digest("sha256:" + "0" * 64)))
    await world.app.observe(saying("c", digest=right))
    view = await world.until(rollout, phase="rolled-back", within=1)

    assert view.reasons == ("served-digest-differs",)
    assert world.exposed("delays") == 0


async def test_content_known_to_be_wrong_is_never_exposed() -> None:
    """The server said so before anybody proposed: not one subject need meet it."""
    world = World(seed=35)
    traffic = await world.serves("delays", v1=SOUND, v2=SOUND)
    await world.run(5)
    await world.app.observe(saying("b", digest=Digest("sha256:" + "0" * 64)))

    rollout = await world.propose(draft("delays", "v2"))
    view = await world.until(rollout, phase="rolled-back", within=2)

    assert view.reasons == ("served-digest-differs",)
    assert traffic.truth.by_candidate == 0


async def test_a_server_that_was_replaced_does_not_haunt_the_next_attempt() -> None:
    """What a source said counts while it speaks; minutes later it is no evidence."""
    world = World(seed=32)
    await world.serves("delays", v1=SOUND, v2=SOUND)
    await world.run(5)
    first = await world.propose(draft("delays", "v2"))
    await world.until(first, step="s1", within=5)
    await world.app.observe(saying("bad", digest=Digest("sha256:" + "0" * 64)))
    await world.until(first, phase="rolled-back", within=1)
    await world.run(10)

    second = await world.propose(draft("delays", "v2"))
    await world.run(5)

    assert (await world.app.rollout(second)).phase == "running"


async def test_harm_to_both_arms_pauses_and_blames_nobody() -> None:
    """An absolute limit that both arms break withdraws the exposure and waits for a person."""
    world = World(seed=33)
    traffic = await world.serves("delays", v1=SOUND, v2=SOUND)
    await world.run(5)
    errors = GuardrailDraft(metric=MetricName("errors"), margin=Margin(MarginKind.ABSOLUTE, 0.05), limit=0.1)
    rollout = await world.propose(draft("delays", "v2", guardrails=(errors,)))
    await world.until(rollout, step="s1", within=5)
    for version, behaviour in list(traffic.versions.items()):
        traffic.versions[version] = replace(behaviour, errors=0.5)

    view = await world.until(rollout, phase="halted", within=30)

    assert view.reasons == ("absolute-limit-breached",)
    await world.run(5)
    assert world.exposed("delays") == 0
    assert (await world.app.rollout(rollout)).phase == "halted"


async def test_a_broken_split_pauses() -> None:
    """A data plane that serves half of the candidate's subjects from the incumbent makes every comparison void."""
    world = World(seed=34)
    traffic = await world.serves("delays", v1=SOUND, v2=SOUND)
    await world.run(5)
    rollout = await world.propose(draft("delays", "v2"))
    traffic.demand.lying = 0.6

    view = await world.until(rollout, phase="halted", within=60)

    assert view.reasons == ("split-not-as-asked",)
    assert world.exposed("delays") == 0
