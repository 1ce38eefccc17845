"""A version's bill of materials as CycloneDX 1.6 or 1.7: the model, its data, its packages, its figures. Made from facts alone.

Written by hand, since the CycloneDX library has no model card and loses one that it reads. What nothing was said about stands
in the document as a property of its own: an absent field must not pass for an empty one.
"""

from collections.abc import Iterator, Mapping
from hashlib import sha256
from typing import Any, Final
from urllib.parse import quote

from msgspec import UnsetType

from glideslope import __version__
from glideslope.domain.events import rfc3339
from glideslope.domain.governing.facts import Dataset, Dependency, FairnessGap, Measured
from glideslope.engine.facts import FactsView

VERSIONS: Final = ("1.6", "1.7")
_PREFIX: Final = "glideslope:"


def bom(view: FactsView, *, version: str = "1.6") -> dict[str, Any]:
    """Return the document, the same for the same facts."""
    facts = view.facts
    datasets = () if isinstance(facts.datasets, UnsetType) else facts.datasets
    packages = () if isinstance(facts.dependencies, UnsetType) else facts.dependencies
    ref = f"model:{view.model}@{view.version}"
    return {
        "$schema": f"http://cyclonedx.org/schema/bom-{version}.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": version,
        "serialNumber": _serial(f"{version}/{view.digest}/{facts.short}"),
        "version": 1,
        "metadata": {
            "timestamp": view.at,
            "tools": {"components": [{"type": "application", "name": "glideslope", "version": __version__}]},
            "component": _model(view, ref),
        },
        "components": [*map(_data, datasets), *map(_package, packages)],
        "dependencies": [
            {"ref": ref, "dependsOn": [*map(_data_ref, datasets), *map(_package_ref, packages)]},
            *({"ref": each} for each in (*map(_data_ref, datasets), *map(_package_ref, packages))),
        ],
    }


def _model(view: FactsView, ref: str) -> dict[str, Any]:
    facts = view.facts
    found: dict[str, Any] = {
        "type": "machine-learning-model",
        "bom-ref": ref,
        "name": view.model,
        "version": view.version,
        "hashes": [{"alg": "SHA-256", "content": view.digest.removeprefix("sha256:")}],
        "modelCard": _card(view),
        "properties": [{"name": f"{_PREFIX}{name}", "value": value} for name, value in _properties(view)],
    }
    if licences := _licences(facts.licences):
        found["licenses"] = licences
    pedigree: dict[str, Any] = {}
    if not isinstance(facts.base, UnsetType):
        pedigree["ancestors"] = [{"type": "machine-learning-model", "name": view.model, "version": facts.base}]
    if not isinstance(facts.code, UnsetType):
        commit = {"uid": facts.code.revision}
        if not isinstance(facts.code.repository, UnsetType):
            commit["url"] = quote(facts.code.repository, safe=":/?#[]@!$&'()*+,;=%-._~")
        pedigree["commits"] = [commit]
    if pedigree:
        found["pedigree"] = pedigree
    return found


def _card(view: FactsView) -> dict[str, Any]:
    facts = view.facts
    parameters: dict[str, Any] = {}
    if not isinstance(facts.task, UnsetType):
        parameters["task"] = facts.task
    if not isinstance(facts.architecture, UnsetType):
        parameters["architectureFamily"] = facts.architecture
    if not isinstance(facts.datasets, UnsetType) and facts.datasets:
        parameters["datasets"] = [{"ref": _data_ref(each)} for each in facts.datasets]
    considerations: dict[str, Any] = {}
    if not isinstance(facts.intended_use, UnsetType):
        considerations["useCases"] = [facts.intended_use]
    limits = () if isinstance(facts.limitations, UnsetType) else facts.limitations
    outside = () if isinstance(facts.out_of_scope, UnsetType) else facts.out_of_scope
    if limits or outside:
        considerations["technicalLimitations"] = [*limits, *(f"Not for: {each}" for each in outside)]
    if not isinstance(facts.fairness, UnsetType) and facts.fairness:
        considerations["fairnessAssessments"] = [_gap(each) for each in facts.fairness]
    found: dict[str, Any] = {"bom-ref": f"card:{view.model}@{view.version}"}
    if parameters:
        found["modelParameters"] = parameters
    if not isinstance(facts.evaluations, UnsetType) and facts.evaluations:
        found["quantitativeAnalysis"] = {"performanceMetrics": [_figure(each) for each in facts.evaluations]}
    if considerations:
        found["considerations"] = considerations
    return found


def _figure(measured: Measured) -> dict[str, Any]:
    # The format has no place for the number of rows: it stands in the ledger entry that the properties name.
    found: dict[str, Any] = {"type": measured.metric, "value": f"{measured.value:g}", "slice": measured.slice}
    ends = {}
    if not isinstance(measured.low, UnsetType):
        ends["lowerBound"] = f"{measured.low:g}"
    if not isinstance(measured.high, UnsetType):
        ends["upperBound"] = f"{measured.high:g}"
    if ends:
        found["confidenceInterval"] = ends
    return found


def _gap(gap: FairnessGap) -> dict[str, Any]:
    return {
        "groupAtRisk": f"{gap.attribute}={gap.group}",
        "harms": f"{gap.metric} differs by {gap.gap:g} from {gap.attribute}={gap.reference}",
    }


def _data(dataset: Dataset) -> dict[str, Any]:
    part: dict[str, Any] = {"type": "dataset", "name": dataset.name}
    if not isinstance(dataset.fields, UnsetType):
        tags = [each.tags for each in dataset.fields]
        sensitive = sorted({tag for each in tags if not isinstance(each, UnsetType) for tag in each})
        if sensitive:
            part["sensitiveData"] = sensitive
        elif not any(isinstance(each, UnsetType) for each in tags):
            part["sensitiveData"] = ["none"]
    if not isinstance(dataset.owner, UnsetType):
        part["governance"] = {"owners": [{"organization": {"name": dataset.owner}}]}
    found: dict[str, Any] = {"type": "data", "bom-ref": _data_ref(dataset), "name": dataset.name, "data": [part]}
    if not isinstance(dataset.version, UnsetType):
        found["version"] = dataset.version
    if not isinstance(dataset.digest, UnsetType):
        found["hashes"] = [{"alg": "SHA-256", "content": dataset.digest.removeprefix("sha256:")}]
    if not isinstance(dataset.licence, UnsetType):
        found["licenses"] = [{"expression": dataset.licence}]
    found["properties"] = [{"name": f"{_PREFIX}{name}", "value": value} for name, value in _of_data(dataset)]
    return found


def _of_data(dataset: Dataset) -> Iterator[tuple[str, str]]:
    yield "use", dataset.use.value
    for name in ("residency", "access"):
        listed = getattr(dataset, name)
        if not isinstance(listed, UnsetType):
            yield name, " ".join(listed)
    if not isinstance(dataset.fresh_at, UnsetType):
        yield "fresh-at", rfc3339(dataset.fresh_at)
    if not isinstance(dataset.rows, UnsetType):
        yield "rows", str(dataset.rows)


def _package(package: Dependency) -> dict[str, Any]:
    found: dict[str, Any] = {
        "type": "library",
        "bom-ref": _package_ref(package),
        "name": package.name,
        "version": package.version,
        "purl": f"pkg:pypi/{quote(package.name.lower().replace('_', '-'), safe='')}@{quote(package.version, safe='')}",
    }
    if not isinstance(package.licence, UnsetType):
        found["licenses"] = [{"expression": package.licence}]
    if not isinstance(package.digest, UnsetType):
        found["hashes"] = [{"alg": "SHA-256", "content": package.digest.removeprefix("sha256:")}]
    return found


def _properties(view: FactsView) -> Iterator[tuple[str, str]]:
    facts = view.facts
    yield "ledger-entry", str(view.entry)
    yield "facts", facts.short
    yield "unknown", " ".join(view.unknown) or "none"
    if not isinstance(facts.seed, UnsetType):
        yield "seed", str(facts.seed)
    if not isinstance(facts.environment, UnsetType):
        for name in ("lock", "python", "platform"):
            value = getattr(facts.environment, name)
            if not isinstance(value, UnsetType):
                yield f"environment:{name}", value
    for name, value in (facts.configuration or {}).items():
        yield f"configuration:{name}", str(value)


def _licences(listed: tuple[str, ...] | UnsetType) -> list[Mapping[str, Any]]:
    if isinstance(listed, UnsetType):
        return []
    if len(listed) == 1:
        return [{"expression": listed[0]}]
    return [{"license": {"name": each}} for each in listed]


def _data_ref(dataset: Dataset) -> str:
    return f"data:{dataset.name}:{dataset.use.value}"


def _package_ref(package: Dependency) -> str:
    return f"package:{package.name}@{package.version}"


def _serial(text: str) -> str:
    """Return a UUID of version 8 (RFC 9562): the same for the same content."""
    digits = sha256(text.encode()).hexdigest()[:32]
    digits = f"{digits[:12]}8{digits[13:16]}{(int(digits[16], 16) & 3) | 8:x}{digits[17:]}"
    return f"urn:uuid:{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
