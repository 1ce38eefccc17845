"""A package brings a metric under the entry-point group `glideslope.metrics`: found, checked, counted, and not needed to replay."""

import shutil
import sys
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from random import Random

import msgspec
import pytest

from glideslope.adapters.metrics.installed import InstalledPlugins
from glideslope.domain.draft import Draft, GuardrailDraft, MetricDraft
from glideslope.domain.errors import PlanInvalid
from glideslope.domain.formula import Plugin
from glideslope.domain.ids import MetricName
from glideslope.domain.metric import Kind
from glideslope.domain.observation import Outcome
from glideslope.domain.plan import Margin, MarginKind
from glideslope.domain.plugin import NO_PLUGINS
from glideslope.testing.traffic import SOUND, Behaviour
from glideslope.testing.world import World, draft

EXAMPLE = Path(__file__).parents[2] / "examples" / "metric_package"


class Site:
    """A folder on the import path, in which packages are installed as pip leaves them behind."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.modules: list[str] = []

    def install(self, name: str, *, version: str, entries: Mapping[str, str]) -> None:
        info = self.folder / f"{name.replace('-', '_')}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.3\nName: {name}\nVersion: {version}\n")
        lines = (f"{key} = {value}\n" for key, value in entries.items())
        (info / "entry_points.txt").write_text("[glideslope.metrics]\n" + "".join(lines))
        self.modules += [value.partition(":")[0] for value in entries.values()]

    def write(self, module: str, text: str) -> None:
        (self.folder / f"{module}.py").write_text(text)

    def example(self) -> None:
        """Install the package of `examples/`, by what its pyproject.toml says."""
        project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text())["project"]
        shutil.copy(EXAMPLE / "rebooking_metric.py", self.folder)
        entries = project["entry-points"]["glideslope.metrics"]
        self.install(project["name"], version=project["version"], entries=entries)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.syspath_prepend(tmp_path)
    made = Site(tmp_path)
    yield made
    for module in made.modules:
        sys.modules.pop(module, None)


def plan(*, plugin: str = "rebooking", kind: Kind = Kind.MEAN, cap: float | None = 600.0) -> Draft:
    guardrails = (
        GuardrailDraft(metric=MetricName("errors"), margin=Margin(MarginKind.ABSOLUTE, 0.05)),
        GuardrailDraft(metric=MetricName("cost"), margin=Margin(MarginKind.ABSOLUTE, 10.0), base_rate=25.0),
    )
    metric = MetricDraft(name=MetricName("cost"), kind=kind, cap=cap, plugin=plugin)
    return msgspec.structs.replace(draft("delays", "v2", guardrails=guardrails), metrics=(metric,))


def a_delay(outcome: Outcome, random: Random) -> Outcome:
    """Whoever was late was so by up to ten hours; one fare in a hundred is one that the package has never heard of."""
    delay = random.uniform(30, 600) if outcome.happened else 0.0
    fare = "premium" if random.random() < 0.01 else random.choice(["economy", "business"])
    return msgspec.structs.replace(outcome, outcome=delay, attributes={"fare": fare})


async def given(candidate: Behaviour, *, seed: int) -> World:
    world = World(seed=seed, plugins=InstalledPlugins())
    traffic = await world.serves("delays", v1=SOUND, v2=candidate)
    traffic.brings = a_delay
    await world.run(3)
    return world


async def test_the_example_is_found_by_name_and_judges(site: Site) -> None:
    """A candidate that warns at random costs rebookings; the plan remembers which package said so."""
    site.example()
    world = await given(Behaviour(noise=1.5), seed=91)
    rollout = await world.propose(plan())
    await world.until(rollout, phase="rolled-back", within=300)

    last = world.app.record.rollout(rollout).last
    assert last is not None
    assert {f.subject for f in last.findings} == {"cost"}
    metric = world.app.record.rollout(rollout).plan.guardrails[1].metric
    assert isinstance(metric.formula, Plugin)
    assert (metric.formula.package, metric.formula.version) == ("rebooking-metric", "1.0.0")
    failed = {(one.metric, one.code) for taken in world.taken for one in taken.undefined}
    assert failed == {("cost", "plugin-failed")}


async def test_a_stranger_replays_without_the_package(site: Site) -> None:
    site.example()
    world = await given(SOUND, seed=92)
    rollout = await world.propose(plan())
    await world.until(rollout, step="s2", within=60)
    sys.modules["rebooking_metric"] = None  # type: ignore[assignment]  # whoever imports it now fails
    world.kill(world.app)
    world.plugins = NO_PLUGINS
    await world.start()

    decided = [d.version for d in await world.app.decisions(rollout)]
    assert decided
    assert all([(await world.app.replay(rollout, version)).same for version in decided])


async def test_outcomes_are_refused_by_name_where_the_package_is_another_than_the_plans(site: Site) -> None:
    """What was frozen with version 1.0.0 is not counted by 2.0.0, and nothing is counted in its place."""
    site.example()
    world = await given(SOUND, seed=93)
    rollout = await world.propose(plan())
    await world.until(rollout, step="s1", within=10)
    shutil.rmtree(next(site.folder.glob("*.dist-info")))
    site.install("rebooking-metric", version="2.0.0", entries={"rebooking": "rebooking_metric:REBOOKING"})
    world.kill(world.app)
    world.plugins = InstalledPlugins()
    await world.start()
    world.taken.clear()
    await world.run(10)

    codes = {one.code for taken in world.taken for one in taken.undefined}
    assert codes == {"plugin-missing"}
    assert (await world.app.rollout(rollout)).phase in ("running", "lapsed")


@pytest.mark.parametrize(
    ("module", "sentence"),
    [
        ("OWN = 5", "is no MetricPlugin, but a int"),
        ("raise RuntimeError('not today')", "cannot be loaded: RuntimeError('not today')"),
        ("", "cannot be loaded: AttributeError"),
        ("OWN = MetricPlugin(compute=5, inputs={'happened': 'boolean'}, returns='boolean')", "nothing that computes"),
        ("OWN = MetricPlugin(compute=max, inputs={'happened': 'boolean'}, returns='text')", "returns 'text'"),
        ("OWN = MetricPlugin(compute=max, inputs={}, returns='number')", "declares no inputs"),
        ("OWN = MetricPlugin(compute=max, inputs={'a': 'int'}, returns='number')", "'a' as 'int'"),
        ("OWN = MetricPlugin(compute=max, inputs={'happened': 'number'}, returns='number')", "`happened` as 'number'"),
        ("OWN = MetricPlugin(compute=max, inputs={'happened': 'boolean'}, returns='boolean')", "its kind is event"),
    ],
)
async def test_a_package_that_is_not_what_it_should_be_is_refused(site: Site, module: str, sentence: str) -> None:
    site.write("own_metric", f"from glideslope.domain.plugin import MetricPlugin\n{module}\n")
    site.install("own-metric", version="0.1", entries={"rebooking": "own_metric:OWN"})
    world = World(plugins=InstalledPlugins())
    await world.serves("delays", v1=SOUND, v2=SOUND)

    with pytest.raises(PlanInvalid) as caught:
        await world.propose(plan())

    assert sentence in caught.value.sentence
    assert caught.value.where.startswith("metrics.cost")


@pytest.mark.parametrize(
    ("returned", "code"),
    [
        ("float('nan')", "plugin-failed"),
        ("'5'", "plugin-failed"),
        ("None", "plugin-failed"),
        ("True", "plugin-failed"),
        ("7", ""),
    ],
)
async def test_what_a_package_returns_is_believed_only_when_it_is_a_value(site: Site, returned: str, code: str) -> None:
    text = f"OWN = MetricPlugin(compute=lambda _: {returned}, inputs={{'happened': 'boolean'}}, returns='number')"
    site.write("own_metric", f"from glideslope.domain.plugin import MetricPlugin\n{text}\n")
    site.install("own-metric", version="0.1", entries={"rebooking": "own_metric:OWN"})
    world = await given(SOUND, seed=94)
    rollout = await world.propose(plan())
    await world.until(rollout, step="s1", within=10)
    world.taken.clear()
    await world.run(3)

    assert {one.code for taken in world.taken for one in taken.undefined} == ({code} if code else set())


async def test_a_name_that_nobody_provides_is_refused_with_those_that_are(site: Site) -> None:
    site.example()
    world = World(plugins=InstalledPlugins())
    await world.serves("delays", v1=SOUND, v2=SOUND)

    with pytest.raises(PlanInvalid, match=r"`rebookings` under glideslope\.metrics; there are rebooking"):
        await world.propose(plan(plugin="rebookings"))


async def test_two_packages_under_one_name_are_refused(site: Site) -> None:
    site.example()
    site.install("other-metric", version="3", entries={"rebooking": "rebooking_metric:REBOOKING"})
    world = World(plugins=InstalledPlugins())
    await world.serves("delays", v1=SOUND, v2=SOUND)

    with pytest.raises(
        PlanInvalid, match="several packages provide the metric `rebooking`: other-metric, rebooking-metric"
    ):
        await world.propose(plan())
