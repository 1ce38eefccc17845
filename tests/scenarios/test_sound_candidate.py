"""A sound candidate walks the whole ladder and becomes the incumbent, on proof."""

from glideslope.domain.draft import SECOND, StageDraft
from glideslope.domain.ids import ModelName, VersionName
from glideslope.domain.plan import Criterion, Evaluation, StageKind
from glideslope.testing.traffic import SOUND
from glideslope.testing.world import SHADOW, STAGES, World, draft

BETTER = Evaluation(metric="log_loss", holdout="days", incumbent=0.46, candidate=0.455, count=5_000)


async def test_a_sound_candidate_walks_from_offline_to_promoted() -> None:
    """Offline, shadow on pairs, canary, full, bake; then the route's incumbent is the candidate and the story is closed."""
    world = World(seed=11)
    traffic = await world.serves("delays", v1=SOUND, v2=SOUND, evaluations=[BETTER])
    await world.run(30)
    offline = StageDraft(stage=StageKind.OFFLINE, maximum=60 * SECOND)
    criterion = Criterion(metric="log_loss", holdout="days", margin=0.01, lower_is_better=True)
    change = draft("delays", "v2", stages=(offline, SHADOW, *STAGES), offline=(criterion,))

    rollout = await world.propose(change)
    shadow = await world.until(rollout, step="s2", within=5)
    assert shadow.stage == "shadow"
    await world.until(rollout, step="s3", within=120)
    assert traffic.truth.by_candidate == 0
    await world.until(rollout, step="s5", within=400)
    view = await world.until(rollout, phase="promoted", within=120)

    assert view.ended
    model = await world.app.model(ModelName("delays"))
    assert (model.incumbent, model.rollout) == ("v2", "")
    observed = await world.driver.observe(ModelName("delays"))
    assert (observed.incumbent, observed.candidate, observed.exposure) == (VersionName("v2"), None, None)
    assert (await world.story(rollout))[-1] == "stream-closed"
    await world.run(5)
