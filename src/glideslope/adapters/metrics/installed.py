"""Metrics that installed packages provide by entry points of the group `glideslope.metrics`.

Packages are looked through once, when a plan first names a plug-in; one is loaded when a plan names it, and never before.
"""

from importlib.metadata import EntryPoint, entry_points

from glideslope.domain.errors import PlanInvalid
from glideslope.domain.plugin import GROUP, Provided, provided, unknown_plugin


class InstalledPlugins:
    """Keeps the port Plugins."""

    def __init__(self) -> None:
        self._known: tuple[EntryPoint, ...] | None = None
        self._found: dict[str, Provided] = {}

    def find(self, name: str) -> Provided:
        """Return one, loaded and checked. Raises PlanInvalid."""
        found = self._found.get(name)
        if found is None:
            found = self._found[name] = self._load(name)
        return found

    def _load(self, name: str) -> Provided:
        if self._known is None:
            self._known = tuple(entry_points(group=GROUP))
        entries = [each for each in self._known if each.name == name and each.dist is not None]
        if not entries:
            raise unknown_plugin(name, tuple(sorted({each.name for each in self._known})))
        if len(entries) > 1:
            packages = ", ".join(sorted(each.dist.name for each in entries if each.dist))
            raise PlanInvalid(f"several packages provide the metric `{name}`: {packages}; uninstall all but one")
        (entry,) = entries
        if entry.dist is None:
            raise unknown_plugin(name, ())
        package, version = entry.dist.name, entry.dist.version
        try:
            loaded = entry.load()
        except Exception as error:
            raise PlanInvalid(f"the plug-in `{name}` of {package} {version} cannot be loaded: {error!r}") from error
        return provided(loaded, name=name, package=package, version=version)
