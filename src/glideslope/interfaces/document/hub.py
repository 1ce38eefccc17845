"""The YAML on top of a model card that the Hugging Face hub reads; it says only what is known."""

import json
from collections.abc import Mapping
from typing import Any, Final

from msgspec import UnsetType

from glideslope.domain.governing.facts import Facts
from glideslope.engine.version_record import VersionRecordView

_LICENCES: Final = frozenset(
    {
        *(
            "apache-2.0",
            "mit",
            "isc",
            "zlib",
            "unlicense",
            "openrail",
            "bsd-2-clause",
            "bsd-3-clause",
            "mpl-2.0",
            "epl-2.0",
        ),
        *("gpl-2.0", "gpl-3.0", "lgpl-2.1", "lgpl-3.0", "agpl-3.0", "eupl-1.2", "osl-3.0", "cc0-1.0", "odbl", "pddl"),
        *("cc-by-4.0", "cc-by-sa-4.0", "cc-by-nc-4.0", "cc-by-nd-4.0", "cc-by-nc-sa-4.0", "cc-by-nc-nd-4.0"),
        *("cdla-permissive-1.0", "cdla-permissive-2.0", "cdla-sharing-1.0"),
    }
)
"""Names that the hub knows; any other licence is `other` there, with its own name beside."""


def front_matter(known: VersionRecordView) -> str:
    """Return the YAML that the Hugging Face hub reads on top of a card; it says only what is known."""
    view = known.facts
    said: dict[str, Any] = {"model_name": f"{known.model} {known.version}", "tags": ["glideslope"]}
    if view is not None:
        facts = view.facts
        said |= _licence(facts)
        if not isinstance(facts.task, UnsetType):
            said["pipeline_tag"] = facts.task
        if not isinstance(facts.datasets, UnsetType) and facts.datasets:
            said["datasets"] = list(dict.fromkeys(each.name for each in facts.datasets))
        if results := _results(known, facts):
            said["metrics"] = list(dict.fromkeys(m["type"] for each in results for m in each["metrics"]))
            said["model-index"] = [{"name": known.model, "results": results}]
    # JSON's notation is YAML's too, and quoted nothing in it is read as another type.
    lines = [f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in said.items()]
    return "\n".join(["---", *lines, "---", ""])


def _licence(facts: Facts) -> Mapping[str, Any]:
    if isinstance(facts.licences, UnsetType) or not facts.licences:
        return {}
    lower = [each.lower() for each in facts.licences]
    if all(each in _LICENCES for each in lower):
        return {"license": lower[0] if len(lower) == 1 else lower}
    return {"license": "other", "license_name": " AND ".join(facts.licences)}


def _results(known: VersionRecordView, facts: Facts) -> list[dict[str, Any]]:
    task = "other" if isinstance(facts.task, UnsetType) else facts.task
    found: dict[str, list[dict[str, Any]]] = {}
    for each in () if isinstance(facts.evaluations, UnsetType) else facts.evaluations:
        if not isinstance(each.dataset, UnsetType):
            where = "" if each.slice == "all" else f" on {each.slice}"
            metric = {"type": each.metric, "value": each.value, "name": f"{each.metric}{where}"}
            found.setdefault(each.dataset, []).append(metric)
    for offline in known.evaluations:
        metric = {"type": offline.metric, "value": offline.candidate, "name": offline.metric}
        found.setdefault(offline.holdout, []).append(metric)
    return [
        {"task": {"type": task}, "dataset": {"name": name, "type": name}, "metrics": metrics}
        for name, metrics in found.items()
    ]
