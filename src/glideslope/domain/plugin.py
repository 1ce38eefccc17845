"""What a package provides that brings a metric of its own: a function, and the types of what it reads and returns.

A package names it in the entry-point group `glideslope.metrics`. The server calls it when an outcome arrives; what it returns falls into a
bin of the plan's and is counted as every other value. So whoever replays a rollout needs the counts and not the package.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from glideslope.domain.errors import PlanInvalid
from glideslope.domain.expression import Type, Undefined, Value, Why, as_type
from glideslope.domain.formula import HAPPENED, PREDICTION, Attribute, Moment, Plugin

GROUP: Final = "glideslope.metrics"
MOST_INPUTS: Final = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricPlugin:
    """The object that an entry point leads to.

    `compute` gets exactly the inputs that it declares and returns a number or, for an event, true where it is bad. It must return the same
    for the same inputs, keep nothing and wait for nothing: it runs in the server. What it raises is no value, and is told as such.
    """

    compute: Callable[[Mapping[str, Value]], float | bool]
    inputs: Mapping[str, str]
    """By name `number`, `boolean` or `text`: `prediction`, `happened`, `outcome`, a field of `slices`, or an attribute of the outcome."""
    returns: str
    """`number` or `boolean`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Provided:
    """A plug-in as it was found, checked, with the package that it is from."""

    name: str
    package: str
    version: str
    type: Type
    inputs: Mapping[str, Type]
    compute: Callable[[Mapping[str, Value]], object]


class Plugins(Protocol):
    """The plug-ins that are installed where the server runs."""

    def find(self, name: str) -> Provided:
        """Return one. Raises PlanInvalid for one that is not there, cannot be loaded or is not what it should be."""
        ...


class NoPlugins:
    """Nothing is installed."""

    def find(self, name: str) -> Provided:
        """Raise PlanInvalid."""
        raise unknown_plugin(name, ())


NO_PLUGINS: Final = NoPlugins()


def provided(found: object, *, name: str, package: str, version: str) -> Provided:
    """Check what an entry point led to. Raises PlanInvalid."""
    origin = f"the plug-in `{name}` of {package} {version}"
    if not isinstance(found, MetricPlugin):
        raise PlanInvalid(f"{origin} is no MetricPlugin, but a {type(found).__name__}")
    if not callable(found.compute):
        raise PlanInvalid(f"{origin} has nothing that computes")
    types = {each.value: each for each in Type}
    if found.returns not in (Type.NUMBER.value, Type.BOOLEAN.value):
        raise PlanInvalid(f"{origin} returns {found.returns!r}; expected `number` or `boolean`")
    if not isinstance(found.inputs, Mapping) or not 0 < len(found.inputs) <= MOST_INPUTS:
        raise PlanInvalid(f"{origin} declares no inputs, or more than {MOST_INPUTS}")
    for read, kind in found.inputs.items():
        if not isinstance(read, str) or kind not in types:
            raise PlanInvalid(
                f"{origin} declares the input {read!r} as {kind!r}; expected `number`, `boolean` or `text`"
            )
    fixed = {PREDICTION: Type.NUMBER, HAPPENED: Type.BOOLEAN}
    for read, wanted in fixed.items():
        if found.inputs.get(read, wanted.value) != wanted.value:
            raise PlanInvalid(f"{origin} declares `{read}` as {found.inputs[read]!r}; it is a {wanted.value}")
    return Provided(
        name=name,
        package=package,
        version=version,
        type=types[found.returns],
        inputs={read: types[kind] for read, kind in found.inputs.items()},
        compute=found.compute,
    )


def unknown_plugin(name: str, known: tuple[str, ...]) -> PlanInvalid:
    """Return the refusal of a name that nobody provides."""
    there = f"there are {', '.join(known)}" if known else "none is installed there"
    return PlanInvalid(f"no package on the server provides the metric `{name}` under {GROUP}; {there}")


def frozen(found: Provided, fields: Mapping[str, tuple[str, ...]]) -> Plugin:
    """Return what a plan remembers of it. `fields` are those by which the data is sliced. Raises PlanInvalid."""
    inputs = []
    for name in sorted(found.inputs):
        if name in fields and found.inputs[name] is not Type.TEXT:
            raise PlanInvalid(
                f"the plug-in `{found.name}` reads `{name}` as a {found.inputs[name].value}; a field of `slices` is a text"
            )
        comes = Moment.PREDICTION if name == PREDICTION or name in fields else Moment.OUTCOME
        inputs.append(Attribute(name=name, type=found.inputs[name], comes=comes))
    return Plugin(name=found.name, package=found.package, version=found.version, inputs=tuple(inputs))


def computed(plugin: Plugin, wanted: Type, inputs: Mapping[str, object], *, plugins: Plugins) -> Value | Undefined:
    """Evaluate a plug-in that was frozen in a plan, if it is still the one that is installed. Total."""
    try:
        found = plugins.find(plugin.name)
    except PlanInvalid:
        return Undefined(Why.PLUGIN_MISSING, plugin.name)
    if (found.package, found.version) != (plugin.package, plugin.version):
        return Undefined(Why.PLUGIN_MISSING, plugin.name)
    read: dict[str, Value] = {}
    for each in plugin.inputs:
        value = as_type(each.name, inputs.get(each.name), each.type)
        if isinstance(value, Undefined):
            return value
        read[each.name] = value
    try:
        made = found.compute(read)
    except Exception:  # noqa: BLE001 - the boundary to somebody else's code: whatever it raised, there is no value
        return Undefined(Why.PLUGIN_FAILED, plugin.name)
    checked = as_type(plugin.name, made, wanted)
    return Undefined(Why.PLUGIN_FAILED, plugin.name) if isinstance(checked, Undefined) else checked
