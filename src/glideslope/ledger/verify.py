"""Checks a bundle as a stranger would: from nothing but its lines and a key, naming the first entry that is not as signed."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from glideslope.ledger import bundle, checkpoint, merkle, note
from glideslope.ledger.checkpoint import Checkpoint
from glideslope.ledger.errors import BundleError, LedgerError, NoteError
from glideslope.ledger.findings import Code, Finding, Findings, Severity
from glideslope.ledger.walk import Walk


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a verification established.

    ``entries`` and ``streams`` are how many the bundle holds, ``checkpoints`` how many of its checkpoints are signed by
    a key that leads to a trusted one and match the entries, ``root`` the root over all entries as they stand, and
    ``closed`` the streams whose closing manifest is right: nothing is missing from those. ``findings`` name the first
    bad entry first; ``ok`` means that none is an error.
    """

    ok: bool
    entries: int
    streams: int
    checkpoints: int
    root: bytes
    closed: frozenset[str]
    findings: tuple[Finding, ...]


def verify(bundle_lines: Iterable[bytes], *, trusted: Iterable[note.Verifier], earlier: Sequence[bytes] = ()) -> Report:
    """Check every line of a bundle against its checkpoints, in one pass.

    *bundle_lines* are as a file yields them, each with its newline. *trusted* are keys that the auditor has from
    elsewhere: any one of the ledger's keys will do, since rotations link them both ways. *earlier* are checkpoints
    (signed notes) that the auditor kept: only they show that a tail was cut off or that history was rewritten by the
    holder of the key.

    Raises ValueError when *trusted* is empty; whatever is wrong with the bundle is a finding, not an exception.
    """
    keys = tuple(trusted)
    if not keys:
        raise ValueError("verifying needs at least one trusted key")
    findings = Findings()
    lines = iter(bundle_lines)
    try:
        head = bundle.read_head(lines)
    except BundleError as error:
        findings.add(Finding(code=Code.BUNDLE_MALFORMED, line=error.line, sentence=_sentence(error.message)))
        return Report(
            ok=False,
            entries=0,
            streams=0,
            checkpoints=0,
            root=merkle.EMPTY_ROOT,
            closed=frozenset(),
            findings=findings.ordered(),
        )
    claims = _read_claims(head, earlier=earlier, findings=findings)
    walk = Walk(sizes={claim.checkpoint.size for claim in claims}, first_line=head.first_line, findings=findings)
    try:
        walk.over(lines)
    except BundleError as error:
        findings.add(Finding(code=Code.BUNDLE_MALFORMED, line=error.line, sentence=_sentence(error.message)))
    signed = _signed(claims, chain=_key_chain(walk, trusted=keys, findings=findings), findings=findings)
    good = _judge(signed, walk=walk, findings=findings)
    found = findings.ordered()
    return Report(
        ok=all(finding.severity is not Severity.ERROR for finding in found),
        entries=walk.entries,
        streams=len(walk.streams),
        checkpoints=sum(claim.line is not None for claim in good),
        root=walk.root(),
        closed=frozenset(name for name, stream in walk.streams.items() if stream.closed_well),
        findings=found,
    )


@dataclass(frozen=True, slots=True)
class _Claim:
    """A checkpoint before anyone believes it; ``line`` is None for one that the auditor brought."""

    checkpoint: Checkpoint
    unverified: note.Unverified
    name: str
    line: int | None


def _read_claims(head: bundle.Head, *, earlier: Sequence[bytes], findings: Findings) -> list[_Claim]:
    """Take all checkpoints apart. Their sizes only say where to look; nothing is believed before its signature holds."""
    written = [(found.signed, f"The checkpoint on line {found.line}", found.line) for found in head.checkpoints]
    kept = [(signed, f"The earlier checkpoint {i}", None) for i, signed in enumerate(earlier, start=1)]
    claims: list[_Claim] = []
    for signed, name, line in (*written, *kept):
        try:
            unverified = note.parse(signed)
            claims.append(_Claim(checkpoint.parse(unverified.text), unverified, name, line))
        except LedgerError as error:
            findings.add(Finding(code=Code.CHECKPOINT_MALFORMED, line=line, sentence=f"{name} is malformed: {error}."))
    if not head.checkpoints:
        findings.add(
            Finding(
                code=Code.NO_CHECKPOINT,
                sentence="The bundle holds no checkpoint: nobody has signed that these are the entries.",
            )
        )
    in_bundle = [claim for claim in claims if claim.line is not None]
    for before, after in pairwise(in_bundle):
        if after.checkpoint.size <= before.checkpoint.size:
            findings.add(
                Finding(
                    code=Code.CHECKPOINT_ORDER,
                    line=after.line,
                    sentence=f"{after.name} covers {after.checkpoint.size} entries, no more than the one before it.",
                )
            )
    return claims


@dataclass(frozen=True, slots=True)
class _Era:
    """From this entry on (counted from 1), checkpoints are signed by one of ``keys``."""

    first_entry: int
    keys: frozenset[note.Verifier]


def _key_chain(walk: Walk, *, trusted: tuple[note.Verifier, ...], findings: Findings) -> list[_Era]:
    """Follow the rotations from key to key, in log order.

    Each link is signed by both its keys, so one trusted key anywhere vouches for the whole chain; a chain without a
    trusted key vouches for nothing.
    """
    if not walk.rotations:
        return [_Era(0, frozenset(trusted))]
    in_force = walk.rotations[0][1].old
    eras = [_Era(0, frozenset({in_force}))]
    for number, found in walk.rotations:
        if found.old != in_force:
            findings.add(
                Finding(
                    code=Code.ROTATION_INVALID,
                    entry=number,
                    line=walk.line_of(number),
                    sentence=f"The key was handed over by {found.old.vkey}, but {in_force.vkey} was in force.",
                )
            )
            continue
        in_force = found.new
        eras.append(_Era(number, frozenset({in_force})))
    if any(key in era.keys for era in eras for key in trusted):
        return eras
    return [_Era(0, frozenset())]


def _signed(claims: list[_Claim], *, chain: list[_Era], findings: Findings) -> list[_Claim]:
    """Keep the claims that the key in force signed for the one ledger this is; the others are findings."""
    known = frozenset[note.Verifier]().union(*(era.keys for era in chain))
    signed: list[_Claim] = []
    for claim in claims:
        origin, size = claim.checkpoint.origin, claim.checkpoint.size
        in_force = next(era.keys for era in reversed(chain) if era.first_entry <= size)
        try:
            signed_by = claim.unverified.verify([key for key in known if key.name == origin])
        except NoteError as error:
            problem = str(error)
        else:
            if not in_force.isdisjoint(signed_by):
                if not signed or origin == signed[0].checkpoint.origin:
                    signed.append(claim)
                    continue
                problem = f"it is of the ledger {origin}, not {signed[0].checkpoint.origin}"
            else:
                problem = f"{signed_by[0].vkey} was not the key in force at entry {size}"
        findings.add(
            Finding(
                code=Code.CHECKPOINT_UNTRUSTED,
                line=claim.line,
                sentence=f"{claim.name} over {size} entries cannot be believed: {problem}.",
            )
        )
    return sorted(signed, key=lambda claim: claim.checkpoint.size)


def _judge(signed: list[_Claim], *, walk: Walk, findings: Findings) -> list[_Claim]:
    """Hold the signed claims against the entries; return those that match."""
    reached = [claim for claim in signed if claim.checkpoint.size <= walk.entries]
    good = [claim for claim in reached if _matches(claim, walk=walk)]
    _find_truncation(signed, walk=walk, findings=findings)
    _find_mismatched_lines(reached, walk=walk, findings=findings)
    explained = False
    for claim in reached:
        if claim in good:
            explained = False
        elif not explained:
            # The claims after it, up to the next good one, are wrong for the same reason.
            explained = True
            findings.add(_root_finding(claim, good=good, walk=walk))
    covered = max((claim.checkpoint.size for claim in signed), default=None)
    if covered is not None and covered < walk.entries:
        findings.add(
            Finding(
                code=Code.NOT_COVERED,
                entry=covered + 1,
                through=walk.entries,
                line=walk.line_of(covered + 1),
                sentence=f"Entries {covered + 1} to {walk.entries} are under no checkpoint: nobody has signed them.",
            )
        )
    return good


def _matches(claim: _Claim, *, walk: Walk) -> bool:
    roots = walk.roots[claim.checkpoint.size]
    return claim.checkpoint.root in (roots.recorded, roots.computed)


def _find_truncation(signed: list[_Claim], *, walk: Walk, findings: Findings) -> None:
    beyond = [claim for claim in signed if claim.checkpoint.size > walk.entries]
    if not beyond:
        return
    furthest = beyond[-1]
    size = furthest.checkpoint.size
    findings.add(
        Finding(
            code=Code.TRUNCATED,
            entry=walk.entries + 1,
            through=size,
            line=walk.line_of(walk.entries + 1),
            sentence=f"{furthest.name} covers {size} entries, the bundle holds {walk.entries}: "
            f"{size - walk.entries} are missing.",
        )
    )


def _root_finding(claim: _Claim, *, good: list[_Claim], walk: Walk) -> Finding:
    """Say between which two checkpoints the entries stop being those that were signed."""
    size = claim.checkpoint.size
    last_good = max((other.checkpoint.size for other in good if other.checkpoint.size < size), default=0)
    rewritten = any(other.checkpoint.size >= size for other in good)
    where = f"entry {size}" if last_good + 1 == size else f"at least one of the entries {last_good + 1} to {size}"
    why = (
        "the holder of the key has signed two different histories"
        if rewritten
        else "it was changed, inserted, moved or removed, and its leaf hash with it"
    )
    return Finding(
        code=Code.HISTORY_REWRITTEN if rewritten else Code.ROOT_MISMATCH,
        entry=last_good + 1 if size else None,
        through=size or None,
        line=walk.line_of(last_good + 1) if size else claim.line,
        sentence=f"{claim.name} was signed over other entries: {where} is not as signed; {why}.",
    )


def _find_mismatched_lines(reached: list[_Claim], *, walk: Walk, findings: Findings) -> None:
    """Name each line whose entry and leaf hash disagree, and say which of them was signed where a checkpoint tells."""
    for number in walk.mismatches:
        claim = next(
            (claim for claim in reached if claim.checkpoint.size >= number and _matches(claim, walk=walk)), None
        )
        verdict = "one of them was changed"
        if claim is not None:
            roots = walk.roots[claim.checkpoint.size]
            changed, kept = ("entry", "hash") if claim.checkpoint.root == roots.recorded else ("hash", "entry")
            verdict = (
                f"the {changed} was changed, since {claim.name[0].lower()}{claim.name[1:]} was signed over the {kept}"
            )
        findings.add(
            Finding(
                code=Code.LEAF_HASH_MISMATCH,
                entry=number,
                line=walk.line_of(number),
                sentence=f"Entry {number} does not match the leaf hash on its line: {verdict}.",
            )
        )


def _sentence(message: str) -> str:
    return f"{message[0].upper()}{message[1:]}."
