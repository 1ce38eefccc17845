"""The report as a document: put together, counted, known by its digest, and in the forms in which versions and facts are recorded."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, TypeVar

import msgspec
from msgspec import UNSET, UnsetType

from glideslope.domain.decision import Verdict
from glideslope.domain.governing.facts import Ending, Measured, Validation
from glideslope.domain.ids import Digest, ModelName, VersionName
from glideslope.domain.plan import Evaluation as Registered
from glideslope.evaluate.declared import Evaluation, Served
from glideslope.evaluate.results import Comparison, Level, Quality, Report, Version
from glideslope.interfaces.document.measured import Measurements
from glideslope.interfaces.document.showing import DIALECT
from glideslope.ledger import canonical

UNMET: Final = "unmet"
"""The metric under which the whole is registered: how many bounds, checks and scenarios are no pass."""

_T = TypeVar("_T")

_RANK: Final = {Verdict.PASS: 0, Verdict.INVALID: 1, Verdict.INCONCLUSIVE: 1, Verdict.FAIL: 2}


def report_of(
    written: Evaluation,
    declared: Mapping[str, object],
    quality: Quality,
    levels: Sequence[Level],
    service: Sequence[Comparison],
    *,
    digests: Mapping[str, str],
    files: Mapping[str, str],
    measured_with: Mapping[str, str],
    began_at: str,
    ended_at: str,
) -> Report:
    """Put a report together. `digests` are those of the arms' folders, `files` those of the rows' files."""
    verdicts = list(_verdicts(quality, service))
    counts = {verdict: verdicts.count(verdict) for verdict in Verdict}
    return Report(
        model=written.model,
        holdout=written.holdout,
        candidate=_version(written.candidate, digests.get("candidate")),
        incumbent=_version(written.incumbent, digests.get("incumbent")),
        met=bool(verdicts) and counts[Verdict.PASS] == len(verdicts),
        failed=counts[Verdict.FAIL],
        inconclusive=counts[Verdict.INCONCLUSIVE] + counts[Verdict.INVALID],
        passed=counts[Verdict.PASS],
        confidence=written.confidence,
        seed=written.seed,
        quality=quality,
        quality_digest=digest_of(quality),
        service=tuple(levels),
        service_comparisons=tuple(service),
        files=dict(files),
        declared=dict(declared),
        measured_with=dict(measured_with),
        began_at=began_at,
        ended_at=ended_at,
    )


def content_of(part: msgspec.Struct) -> bytes:
    """Return canonical JSON (RFC 8785): whoever holds the bytes can check the digest with `sha256sum`."""
    return canonical.encode(msgspec.to_builtins(part))


def digest_of(part: msgspec.Struct) -> Digest:
    """Return the digest of the canonical JSON."""
    return Digest("sha256:" + hashlib.sha256(content_of(part)).hexdigest())


def schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of a report."""
    # Through JSON, since defaults come as the tuples that they are in Python.
    made: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(msgspec.json.schema(Report)))
    return {"$schema": DIALECT, **made, "title": "report.json"}


def registered(report: Report) -> tuple[Registered, ...]:
    """Return what is registered with the version, so that a plan's offline criteria can ask for it.

    First how many things are not met; then each metric on the whole, with its slices where something was asked of them. What has no
    value is left out, and a criterion that asks for it finds nothing.
    """
    digest = digest_of(report)
    verdict = Verdict.FAIL if report.failed else Verdict.INCONCLUSIVE if report.inconclusive else Verdict.PASS
    unmet = float(report.failed + report.inconclusive)
    found = [
        Registered(
            metric=UNMET,
            holdout=report.holdout,
            incumbent=0.0,
            candidate=unmet,
            count=report.quality.rows,
            low=unmet,
            high=unmet,
            verdict=verdict,
            report=digest,
        )
    ]
    for each in (*report.quality.comparisons, *report.service_comparisons):
        if each.candidate.value is None or each.incumbent.value is None:
            continue
        sliced = "=" in each.slice
        if sliced and not each.bounds:
            continue
        found.append(
            Registered(
                metric=each.metric,
                holdout=f"{report.holdout} {each.slice}" if sliced else report.holdout,
                incumbent=each.incumbent.value,
                candidate=each.candidate.value,
                count=each.count,
                lower_is_better=not each.higher_is_better,
                low=each.difference.low,
                high=each.difference.high,
                verdict=_worst(each),
                report=digest,
            )
        )
    return tuple(found)


def measured(report: Report) -> Measurements:
    """Return what the report says about the candidate as facts: each figure with the bytes of both arms, and each check.

    Bytes are named only where the folder is declared: of a server at an address nobody here knows what it serves.
    """
    digest, at = digest_of(report), round(datetime.fromisoformat(report.ended_at).timestamp() * 1000)
    return Measurements(
        model=ModelName(report.model),
        version=VersionName(report.candidate.version),
        evaluations=tuple(
            Measured(
                metric=each.metric,
                value=each.candidate.value,
                slice=each.slice,
                rows=each.count,
                low=_known(each.candidate.low),
                high=_known(each.candidate.high),
                dataset=report.holdout,
                of=_known(_digest(report.candidate)),
                against=_known(_digest(report.incumbent)),
                measured_at=at,
                report=digest,
                verdict=_worst(each),
            )
            for each in (*report.quality.comparisons, *report.service_comparisons)
            if each.candidate.value is not None
        ),
        validations=tuple(_validations(report.quality, at)),
    )


def _validations(quality: Quality, at: int) -> Iterator[Validation]:
    checks = [(f"leakage {leak.check}", leak.verdict, leak.skipped, leak.sentence) for leak in quality.leakage]
    checks += [
        (f"scenario {each.name}", each.verdict, each.skipped, each.why or f"expected: {each.expected}")
        for each in quality.scenarios
    ]
    for name, verdict, skipped, told in checks:
        # What could not be told is no pass.
        outcome = Ending.SKIPPED if skipped else Ending.PASSED if verdict is Verdict.PASS else Ending.FAILED
        yield Validation(name=name, outcome=outcome, validated_at=at, findings=told or UNSET)


def _worst(comparison: Comparison) -> Verdict | UnsetType:
    return max((b.verdict for b in comparison.bounds), key=_RANK.__getitem__) if comparison.bounds else UNSET


def _known(value: _T | None) -> _T | UnsetType:
    return UNSET if value is None else value


def _digest(version: Version) -> Digest | None:
    return None if version.digest is None else Digest(version.digest)


def _verdicts(quality: Quality, service: Sequence[Comparison]) -> Iterator[Verdict]:
    for comparison in (*quality.comparisons, *service):
        yield from (bound.verdict for bound in comparison.bounds)
    yield from (leak.verdict for leak in quality.leakage if not leak.skipped)
    yield from (scenario.verdict for scenario in quality.scenarios if not scenario.skipped)


def _version(served: Served, digest: str | None) -> Version:
    return Version(version=served.version, digest=digest, served=served.url or " ".join(served.command or ()))
