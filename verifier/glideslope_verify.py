#!/usr/bin/env python3
# Copyright 2026 The Glideslope authors
# SPDX-License-Identifier: Apache-2.0
"""Check a Glideslope evidence pack with nothing but the pack, a public key and Python's standard library (3.9 or newer).

    python glideslope_verify.py PACK --key KEY [--published FILE ...] [--witness KEY ... [--quorum N]] [--json]

This file stands alone on purpose: it imports nothing from the product, so that whoever distrusts us need only read it.
The formats are in docs/reference/pack-format.md; RFC 8032 (Ed25519), RFC 8785 (canonical JSON), RFC 6962 and RFC 9162
(Merkle tree), and C2SP signed-note, tlog-checkpoint, tlog-proof and tlog-cosignature.

Exit status: 0 all that can be shown is shown; 9 something is wrong, and is named; 2 the arguments cannot be used.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import io
import json
import math
import re
import struct
import sys
import zlib
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

TAGS = ("glideslope-pack/1", "glideslope-pack/2")  # what the first calls the change digest is the digest of the plan
COVERED = ("tier", "policy", "plan", "candidate", "evaluations", "contract")  # of a dossier, beside the change itself
LARGEST = (1 << 30) + (1 << 27)
MOST_MEMBERS = 60_001
DEEPEST, LARGEST_INTEGER = 64, 2**53 - 1
NAME = re.compile(r"[a-z0-9][a-z0-9-]*(?:\.[a-z0-9-]+)*(?:/[a-z0-9][a-z0-9-]*(?:\.[a-z0-9-]+)*)?")
FIRST = ("summary.html", "manifest.json", "manifest.note")
FIXED = ("manifest.json", "manifest.note", "checkpoint.note", "clauses.json", "summary.html")


class Bad(Exception):
    """Something is not as its format says; the text says what."""


class Finding(NamedTuple):
    """One thing that is wrong: a code that never changes meaning, where, and a sentence."""

    code: str
    where: str
    sentence: str


# ---- Ed25519, RFC 8032 section 5.1: verifying only, so nothing here is secret and nothing need be constant-time ----

P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
ROOT_OF_MINUS_ONE = pow(2, (P - 1) // 4, P)
Point = tuple[int, int, int, int]  # extended coordinates: x = X/Z, y = Y/Z, x*y = T/Z
NEUTRAL: Point = (0, 1, 1, 0)


def _add(a: Point, b: Point) -> Point:
    e, f = (a[1] - a[0]) * (b[1] - b[0]) % P, (a[1] + a[0]) * (b[1] + b[0]) % P
    g, h = 2 * a[3] * b[3] * D % P, 2 * a[2] * b[2] % P
    i, j, k, l = f - e, h - g, h + g, f + e
    return i * j % P, k * l % P, j * k % P, i * l % P


def _point(data: bytes) -> Point | None:
    y = int.from_bytes(data, "little")
    sign, y = y >> 255, y & (2**255 - 1)
    if y >= P:
        return None
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * ROOT_OF_MINUS_ONE % P
    if (x * x - square) % P or (x == 0 and sign):
        return None
    x = P - x if x & 1 != sign else x
    return x, y, 1, x * y % P


_GENERATOR = _point((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))
assert _GENERATOR is not None
GENERATOR: Point = _GENERATOR


def verify_ed25519(key: bytes, message: bytes, signature: bytes) -> bool:
    """Tell whether *signature* (64 bytes) is that of *key* (32 bytes) over *message*."""
    if len(key) != 32 or len(signature) != 64:
        return False
    public, s = _point(key), int.from_bytes(signature[32:], "little")
    if public is None or s >= ORDER:
        return False
    digest = hashlib.sha512(signature[:32] + key + message).digest()
    h = int.from_bytes(digest, "little") % ORDER
    minus = (P - public[0], public[1], public[2], P - public[3])
    both, result = _add(GENERATOR, minus), NEUTRAL
    for bit in range(252, -1, -1):  # s*B - h*A, bit by bit together
        result = _add(result, result)
        pair = (s >> bit & 1, h >> bit & 1)
        if pair != (0, 0):
            result = _add(result, {(1, 0): GENERATOR, (0, 1): minus, (1, 1): both}[pair])
    inverse = pow(result[2], P - 2, P)
    x, y = result[0] * inverse % P, result[1] * inverse % P
    return (y | (x & 1) << 255).to_bytes(32, "little") == signature[:32]


# ---- Canonical JSON, RFC 8785 ----

_ESCAPED = re.compile(r'[\x00-\x1f"\\]')
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r"}


def _string(text: str) -> str:
    return '"' + _ESCAPED.sub(lambda found: _ESCAPES.get(found[0]) or f"\\u{ord(found[0]):04x}", text) + '"'


def _number(value: float) -> str:
    """Lay out the shortest digits as ECMAScript does (ECMA-262, Number::toString)."""
    if not math.isfinite(value):
        raise Bad("a number is not finite")
    if value == 0:
        return "0"
    mantissa, _, exponent = f"{abs(value)!r}e0".partition("e")
    whole, _, part = mantissa.partition(".")
    point = len(whole) + int(exponent.partition("e")[0])
    digits = (whole + part).rstrip("0")
    point -= len(digits) - len(digits.lstrip("0"))
    digits = digits.lstrip("0")
    sign = "-" if value < 0 else ""
    if len(digits) <= point <= 21:
        return sign + digits.ljust(point, "0")
    if 0 < point <= 21:
        return f"{sign}{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return f"{sign}0.{'0' * -point}{digits}"
    rest = f".{digits[1:]}" if len(digits) > 1 else ""
    return f"{sign}{digits[0]}{rest}e{'+' if point > 0 else '-'}{abs(point - 1)}"


def canonical(value: Any, depth: int = 0) -> str:
    """Write a value read from JSON in its one canonical spelling. Raises Bad."""
    if depth > DEEPEST:
        raise Bad(f"it is nested deeper than {DEEPEST}")
    if value is None or value is True or value is False:
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, str):
        return _string(value)
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return _number(value)
    if isinstance(value, list):
        return "[" + ",".join(canonical(each, depth + 1) for each in value) + "]"
    keys = sorted(value, key=lambda key: key.encode("utf-16-be", "surrogatepass"))
    return "{" + ",".join(f"{_string(key)}:{canonical(value[key], depth + 1)}" for key in keys) + "}"


def read_json(data: bytes) -> Any:
    """Read canonical JSON and nothing else. Raises Bad."""

    def whole(text: str) -> Any:
        number = int(text) if len(text) <= 17 else None
        return number if number is not None and abs(number) <= LARGEST_INTEGER else float(text)

    try:
        value = json.loads(data.decode("utf-8"), parse_int=whole)
        written = canonical(value).encode("utf-8")
    except (ValueError, RecursionError, OverflowError) as error:
        raise Bad(f"it is not JSON: {str(error)[:100]}") from None
    if written != data:
        at = next((k for k, (a, b) in enumerate(zip(written, data)) if a != b), min(len(written), len(data)))
        raise Bad(f"it is not canonical JSON (RFC 8785): it differs at byte {at}")
    return value


def digest_of(value: Any) -> str:
    """Return SHA-256 over canonical bytes. Raises Bad."""
    return "sha256:" + hashlib.sha256(canonical(value).encode()).hexdigest()


def look(value: Any, pointer: str) -> Any:
    """Follow a JSON Pointer (RFC 6901). Raises Bad."""
    for token in pointer.split("/")[1:]:
        name = token.replace("~1", "/").replace("~0", "~")
        try:
            value = value[int(name)] if isinstance(value, list) else value[name]
        except (LookupError, TypeError, ValueError):
            raise Bad(f"nothing stands at {pointer}") from None
    return value


# ---- Signed notes, keys, checkpoints (C2SP) ----


_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f]")


def base64_of(text: str) -> bytes:
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError:
        raise Bad(f"{text[:60]!r} is not base64") from None
    if base64.b64encode(data).decode() != text:
        raise Bad(f"{text[:60]!r} is not the one spelling of its base64")
    return data


class Key(NamedTuple):
    """A public key: of the ledger (kind 1) or of a witness (kind 4)."""

    name: str
    kind: int
    public: bytes

    @property
    def id(self) -> bytes:
        return hashlib.sha256(self.name.encode() + b"\n" + bytes([self.kind]) + self.public).digest()[:4]


def read_key(text: str, kind: int) -> Key:
    """Read name+id+base64. Raises Bad."""
    parts = text.strip().split("+", 2)
    if len(parts) != 3:
        raise Bad(f"{text.strip()[:80]!r} is not a key: name+id+base64")
    material = base64_of(parts[2])
    key = Key(parts[0], material[0] if material else 0, material[1:])
    if any("\ud800" <= c <= "\udfff" for c in key.name):
        raise Bad(f"the name of the key {parts[0]!r} is not UTF-8")
    if key.kind != kind or len(key.public) != 32 or key.id.hex() != parts[1]:
        raise Bad(f"the key {parts[0]!r} is damaged, or of another kind than 0x{kind:02x}")
    return key


class Note(NamedTuple):
    text: str
    signatures: tuple[tuple[str, bytes], ...]

    def signed_by(self, key: Key) -> bool:
        """Tell whether a key of the ledger signed the text. Raises Bad when it says so and did not."""
        found = [material[4:] for name, material in self.signatures if (name, material[:4]) == (key.name, key.id)]
        if found and not verify_ed25519(key.public, self.text.encode(), found[0]):
            raise Bad(f"the signature of {key.name} is wrong")
        return bool(found)

    def cosigned_by(self, key: Key) -> int | None:
        """Return when a witness cosigned the text, in seconds since 1970. Raises Bad when it says so and did not."""
        found = [material[4:] for name, material in self.signatures if (name, material[:4]) == (key.name, key.id)]
        if not found:
            return None
        time = int.from_bytes(found[0][:8], "big")
        message = f"cosignature/v1\ntime {time}\n{self.text}".encode()
        if len(found[0]) != 72 or not verify_ed25519(key.public, message, found[0][8:]):
            raise Bad(f"the cosignature of {key.name} is wrong")
        return time


def read_note(data: bytes) -> Note:
    """Take a signed note apart. Raises Bad."""
    try:
        text, blank, tail = data.decode("utf-8").rpartition("\n\n")
    except UnicodeDecodeError:
        raise Bad("the note is not UTF-8") from None
    if not blank or not tail.endswith("\n") or _CONTROL.search(text):
        raise Bad("it is not a signed note: a text, an empty line, signature lines")
    signatures = []
    for line in tail[:-1].split("\n"):
        found = re.fullmatch("\u2014 ([^ +]+) ([A-Za-z0-9+/=]+)", line)
        material = base64_of(found[2]) if found else b""
        if found is None or len(material) <= 4:
            raise Bad(f"{line[:60]!r} is not a signature line")
        signatures.append((found[1], material))
    if len(signatures) > 64:
        raise Bad("the note has more than 64 signatures")
    return Note(text + "\n", tuple(signatures))


class Checkpoint(NamedTuple):
    origin: str
    size: int
    root: bytes
    note: Note


def read_checkpoint(data: bytes) -> Checkpoint:
    """Read a signed checkpoint, believing nothing. Raises Bad."""
    note = read_note(data)
    lines = note.text.split("\n")[:-1]
    if len(lines) < 3 or not all(lines) or not re.fullmatch(r"0|[1-9][0-9]{0,17}", lines[1]):
        raise Bad("its text is not a checkpoint: an origin, a size and a root")
    root = base64_of(lines[2])
    if len(root) != 32:
        raise Bad("its root has not 32 bytes")
    return Checkpoint(lines[0], int(lines[1]), root, note)


# ---- The Merkle tree of RFC 6962, proofs checked as RFC 9162 sections 2.1.3.2 and 2.1.4.2 say ----


def leaf_hash(data: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def root_of(leaves: Sequence[bytes]) -> bytes:
    """Return the root over leaf hashes."""
    if len(leaves) <= 1:
        return leaves[0] if leaves else hashlib.sha256().digest()
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return node_hash(root_of(leaves[:split]), root_of(leaves[split:]))


def included(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    if not 0 <= index < size:
        return False
    node, last, result = index, size - 1, leaf
    for step in proof:
        if last == 0:
            return False
        if node & 1 or node == last:
            result = node_hash(step, result)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            result = node_hash(result, step)
        node, last = node >> 1, last >> 1
    return last == 0 and result == root


def consistent(older: int, older_root: bytes, size: int, root: bytes, proof: Sequence[bytes]) -> bool:
    if older in (0, size):
        return not proof and older_root == (root if older == size else hashlib.sha256().digest())
    steps = [older_root, *proof] if older & (older - 1) == 0 else list(proof)
    if not 0 < older < size or not steps:
        return False
    node, last = older - 1, size - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    old = new = steps[0]
    for step in steps[1:]:
        if last == 0:
            return False
        if node & 1 or node == last:
            old, new = node_hash(step, old), node_hash(step, new)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            new = node_hash(new, step)
        node, last = node >> 1, last >> 1
    return last == 0 and old == older_root and new == root


def read_hashes(lines: Sequence[str]) -> list[bytes]:
    hashes = [base64_of(line) for line in lines]
    if len(hashes) > 128 or any(len(each) != 32 for each in hashes):
        raise Bad("a proof is a list of hashes of 32 bytes")
    return hashes


# ---- The container: a ZIP that can be written in one way only ----

LOCAL, CENTRAL, END = struct.Struct("<4s5H3I2H"), struct.Struct("<4s6H3I5H2I"), struct.Struct("<4s4H2IH")
Members = list[tuple[str, bytes]]


def write_zip(members: Members) -> bytes:
    """Write members as the format says: stored, 1 January 1980, nothing else."""
    whole, index = bytearray(), bytearray()
    for name, data in members:
        common = (0, 0, 0, 0x21, zlib.crc32(data), len(data), len(data), len(name), 0)
        index += CENTRAL.pack(b"PK\x01\x02", 10, 10, *common, 0, 0, 0, 0, len(whole)) + name.encode()
        whole += LOCAL.pack(b"PK\x03\x04", 10, *common) + name.encode() + data
    count, start = len(members), len(whole)
    return bytes(whole + index + END.pack(b"PK\x05\x06", 0, 0, count, count, len(index), start, 0))


def read_zip(data: bytes, findings: list[Finding]) -> Members:
    """Read members one after another, as far as they are laid out as the format says. Nothing is ever unpacked to disk."""
    members: Members = []
    at = 0
    if b"PK\x03\x04" not in data:
        what = "this is no ZIP file: only the pack itself proves anything, not its page, its PDF or a bundle"
        findings.append(Finding("container-malformed", "the container", what))
        return members
    while data[at : at + 4] != b"PK\x01\x02" and at + LOCAL.size <= len(data) and len(members) < MOST_MEMBERS:
        magic, _, flags, method, _, _, _, packed, size, length, extra = LOCAL.unpack_from(data, at)
        start = at + LOCAL.size + length
        name = data[at + LOCAL.size : start].decode("latin-1")
        before = members[-1][0] if members else "the start"
        if (
            magic != b"PK\x03\x04"
            or flags
            or method
            or extra
            or packed != size
            or length > 100
            or not NAME.fullmatch(name)
        ):
            here = f" (where {FIRST[len(members)]} stands in a pack)" if len(members) < len(FIRST) else ""
            what = f"the member {name[:60]!r} after {before}{here} has a name or header that no pack has (at byte {at})"
            findings.append(Finding("container-malformed", name[:60], what))
            return members
        if start + size > len(data):
            findings.append(
                Finding("truncated", name, f"the file ends inside {name}, or its header says so (at byte {at})")
            )
            return members
        members.append((name, data[start : start + size]))
        at = start + size
    written = write_zip(members)
    if written != data:
        at = next((k for k, (a, b) in enumerate(zip(written, data)) if a != b), min(len(written), len(data)))
        findings.append(
            Finding("container-malformed", _member_at(members, at), f"byte {at} is not as these members make it")
        )
    return members


def _member_at(members: Members, at: int) -> str:
    end = 0
    for name, data in members:
        end += LOCAL.size + len(name) + len(data)
        if at < end:
            return name
    return f"after {members[-1][0]}" if members else "the container"


# ---- The pack ----


class Verified:
    """Everything that one verification knows; `findings` are errors, `unproven` what nobody could tell from this file."""

    def __init__(self, key: Key) -> None:
        self.key = key
        self.findings: list[Finding] = []
        self.proven: list[str] = []
        self.unproven: list[str] = []
        self.files: dict[str, bytes] = {}
        self.entries: dict[int, Any] = {}
        self.leaves: dict[int, bytes] = {}
        self.manifest: dict[str, Any] = {}
        self.checkpoint: Checkpoint | None = None
        self.rotations: list[tuple[int, Key, Key]] = []
        self.change = ""

    def bad(self, code: str, where: str, sentence: str) -> None:
        self.findings.append(Finding(code, where, sentence))

    def in_force(self, size: int) -> set[Key]:
        """Return the keys that may sign a checkpoint over so many entries."""
        if not any(self.key in (old, new) for _, old, new in self.rotations):
            return {self.key}
        return {[self.rotations[0][1], *(new for at, _, new in self.rotations if at < size)][-1]}

    def believe(self, note: Note, size: int, what: str) -> bool:
        """Tell whether a key in force signed a note; otherwise say so."""
        try:
            if any(note.signed_by(key) for key in self.in_force(size)):
                return True
            why = "the key that you trust did not sign it"
        except Bad as error:
            why = str(error)
        self.bad("untrusted", what, f"{what} cannot be believed: {why}")
        return False

    # -- steps --

    def container(self, data: bytes) -> None:
        members = read_zip(data, self.findings)
        names = [name for name, _ in members]
        for name, times in sorted(Counter(names).items()):
            if times > 1:
                self.bad("duplicated", name, f"{name} is there {times} times")
        self.files = dict(reversed(members))
        listed = self._listing()
        wanted = list(listed)
        if wanted:
            wanted.insert(2, "manifest.note")
        for name in dict.fromkeys([*wanted, *(each for each in FIXED if each != "manifest.note")]):
            if name not in self.files:
                self.bad("missing", name, f"{name} is missing")
        signed, there = set(wanted), set(names)
        for name in dict.fromkeys(names):
            if name not in signed:
                self.bad("added", name, f"{name} is not one of the files that were signed")
            elif name in listed and hashlib.sha256(self.files[name]).hexdigest() != listed[name]:
                self.bad("changed", name, f"{name} is not as it was signed")
        common = [name for name in wanted if name in there]
        kept = [name for name in dict.fromkeys(names) if name in signed]
        if kept != common:
            name = next(a for a, b in zip(kept, common) if a != b)
            self.bad("reordered", name, f"{name} does not stand in its place")

    def _listing(self) -> dict[str, str]:
        """Return the signed digests by name."""
        if "manifest.note" not in self.files:
            self.bad(
                "missing", "manifest.note", "manifest.note is missing: nobody has signed what belongs into this pack"
            )
            return {}
        try:
            note = read_note(self.files["manifest.note"])
            head, lines = note.text.split("\n")[:4], note.text.split("\n")[4:-1]
            found = [re.fullmatch(r"([0-9a-f]{64})  (\S+)", line) for line in lines]
            if head[0] not in TAGS or len(head) < 4 or not all(found):
                raise Bad(f"it is not the list of a {TAGS[0]} or {TAGS[1]}")
        except Bad as error:
            self.bad("changed", "manifest.note", f"manifest.note: {error}")
            return {}
        self.note, self.head = note, head
        return {each[2]: each[1] for each in found if each}

    def read(self, name: str) -> Any:
        """Return a member's JSON, or None after saying what is wrong."""
        if name not in self.files:
            return None
        try:
            return read_json(self.files[name])
        except Bad as error:
            self.bad("malformed", name, f"{name}: {error}")
            return None

    def read_entries(self) -> None:
        for name in sorted(self.files):
            place = re.fullmatch(r"entries/([0-9]{9,18})\.json", name)
            if place is None:
                if name not in FIXED and not re.fullmatch(r"(records|proofs|consistency)/[a-z0-9.-]+", name):
                    self.bad("added", name, f"{name} is no part of a pack")
                continue
            entry = self.read(name)
            if entry is None:
                continue
            shape = {"at": str, "body": dict, "format": int, "kind": str, "stream": str, "version": int}
            if not isinstance(entry, dict) or {k: type(v) for k, v in entry.items()} != shape or entry["format"] != 1:
                self.bad("malformed", name, f"{name} is not an entry of a ledger")
                continue
            self.entries[int(place[1])] = entry
            self.leaves[int(place[1])] = leaf_hash(self.files[name])
        for at, entry in sorted(self.entries.items()):
            if entry["kind"] == "key-rotated" and entry["stream"] == "ledger":
                self._rotation(at, entry)

    def _rotation(self, at: int, entry: Any) -> None:
        try:
            note = read_note(str(entry["body"].get("note")).encode())
            lines = note.text.split("\n")
            old, new = read_key(lines[3], 1), read_key(lines[4], 1)
            text = f"glideslope-ledger/key-rotated/1\n{old.name}\n{entry['version']}\n{lines[3]}\n{lines[4]}\n"
            follows = not self.rotations or self.rotations[-1][2] == old
            if note.text != text or old.name != new.name or old == new or not follows:
                raise Bad("it does not hand over from the key in force")
            if not (note.signed_by(old) and note.signed_by(new)):
                raise Bad("both keys must sign it")
            self.rotations.append((at, old, new))
        except (Bad, IndexError) as error:
            self.bad("rotation-invalid", f"entry {at}", f"the key rotation in entry {at} is not valid: {error}")

    def signatures(self) -> None:
        try:
            found = read_checkpoint(self.files.get("checkpoint.note", b""))
        except Bad as error:
            self.bad("malformed", "checkpoint.note", f"checkpoint.note: {error}")
        else:
            if self.believe(found.note, found.size, "checkpoint.note"):
                if found.origin == self.key.name:
                    self.checkpoint = found
                else:
                    self.bad("untrusted", "checkpoint.note", f"checkpoint.note is of the ledger {found.origin}")
        if hasattr(self, "note") and self.believe(
            self.note, self.checkpoint.size if self.checkpoint else 0, "manifest.note"
        ):
            if self.head[1] != self.key.name:
                self.bad("untrusted", "manifest.note", f"manifest.note is of the ledger {self.head[1]}")
            self.proven.append(
                f"the holder of the key made this pack, of {len(self.files)} files, about {self.head[2]}"
            )

    def read_manifest(self) -> None:
        found = self.read("manifest.json")
        if found is None:
            return
        try:
            sizes = {each["name"]: (each["size"], each["sha256"]) for each in found["files"]}
            own = {"manifest.json", "manifest.note"}
            actual = {n: (len(d), hashlib.sha256(d).hexdigest()) for n, d in self.files.items() if n not in own}
            for name in sorted({n for n in {**sizes, **actual} if sizes.get(n) != actual.get(n)}):
                self.bad("manifest-differs", name, f"manifest.json says something else of {name} than what is there")
            if self.checkpoint and found["checkpoint"] != {
                "origin": self.checkpoint.origin,
                "root": base64.b64encode(self.checkpoint.root).decode(),
                "size": self.checkpoint.size,
            }:
                self.bad("manifest-differs", "manifest.json", "manifest.json names another checkpoint")
            said = [found["format"], found["rollout"], found["change_digest"]]
            if hasattr(self, "head") and said != [self.head[0], *self.head[2:4]]:
                self.bad("manifest-differs", "manifest.json", "manifest.json is about another change than was signed")
            streams = [(s["name"], s["entries"], s["versions"], s["closed"]) for s in found["streams"]]
            told = [(each["file"], each["number"], each["state"]) for each in found["records"]]
            names = [*said, found["model"], *(name for name, *_ in streams)]
            places = [place for _, entries, versions, _ in streams for place in [versions, *entries]]
            if not all(type(each) is str for each in names) or not all(type(each) is int for each in places):
                raise TypeError("the type of a name or of a number")
            self.manifest, self.streams, self.told = found, streams, told
        except (KeyError, TypeError) as error:
            self.bad("malformed", "manifest.json", f"manifest.json lacks or mistypes {error}")

    def inclusion(self) -> None:
        shown = 0
        for at, leaf in sorted(self.leaves.items()):
            name = f"proofs/{at:09d}.tlog-proof"
            try:
                head, _, tail = self.files.get(name, b"").partition(b"\n\n")
                lines = head.decode("ascii", "replace").split("\n")
                if lines[:2] != ["c2sp.org/tlog-proof@v1", f"index {at}"]:
                    raise Bad("it is missing, or not a proof of this entry")
                if tail != self.files.get("checkpoint.note"):
                    raise Bad("its checkpoint is not that of the pack")
                if self.checkpoint is None:
                    raise Bad("there is no checkpoint to believe")
                if not included(leaf, at, self.checkpoint.size, read_hashes(lines[2:]), self.checkpoint.root):
                    raise Bad("the entry is not the one in the ledger, or the proof was changed")
                shown += 1
            except Bad as error:
                self.bad(
                    "not-included", f"entry {at}", f"entry {at} is not proven to be in the ledger: {name}: {error}"
                )
        for name in self.files:
            place = re.fullmatch(r"proofs/([0-9]+)\.tlog-proof", name)
            if name.startswith("proofs/") and (not place or int(place[1]) not in self.leaves):
                self.bad(
                    "missing", f"entry {int(place[1]) if place else '?'}", f"{name} proves an entry that is not here"
                )
        if shown and self.checkpoint:
            self.proven.append(f"{shown} entries stand in the ledger of {self.checkpoint.size} entries that was signed")

    def stories(self) -> None:
        by_stream: dict[str, list[int]] = {}
        for at, entry in sorted(self.entries.items()):
            by_stream.setdefault(entry["stream"], []).append(at)
        for name, places in sorted(by_stream.items()):
            self._story(name, places)
        if self.manifest:
            told = {name: entries for name, entries, _, _ in self.streams}
            for name in sorted({n for n in {**told, **by_stream} if told.get(n) != by_stream.get(n)}):
                gone = sorted(set(told.get(name) or ()) ^ set(by_stream.get(name, [])))
                which = ", ".join(map(str, gone[:10]))
                self.bad(
                    "stream-differs",
                    f"stream {name}",
                    f"the stream {name} is not as manifest.json lists it: entries {which}",
                )
            for name, entries, versions, closed in self.streams:
                last = self.entries.get(entries[-1]) if entries else None
                if last and (versions, closed) != (last["version"], last["kind"] == "stream-closed"):
                    what = f"manifest.json says something else of the end of the stream {name} than is there"
                    self.bad("manifest-differs", "manifest.json", what)

    def _story(self, name: str, places: list[int]) -> None:
        expected, closed = 1, False
        for k, at in enumerate(places):
            entry = self.entries[at]
            if closed:
                self.bad("after-close", f"entry {at}", f"entry {at} stands after the end of its stream {name}")
            if entry["version"] != expected:
                what = f"entry {at} is version {entry['version']} of the stream {name}, where {expected} was expected"
                self.bad("version-gap", f"entry {at}", what + ": one is left out, repeated or moved")
            expected = entry["version"] + 1
            if entry["kind"] == "stream-closed":
                closed = True
                root = base64.b64encode(root_of([self.leaves[each] for each in places[:k]])).decode()
                if entry["body"] != {"count": k, "root": root}:
                    self.bad(
                        "closing-differs", f"entry {at}", f"the closing manifest of {name} was made over other entries"
                    )
        if closed:
            self.proven.append(f"the stream {name} is whole: {len(places)} entries, and it has ended")
        else:
            self.unproven.append(
                f"that nothing followed in the stream {name} after its {len(places)} entries: it is not closed"
            )

    def records(self) -> None:
        quoted = 0
        numbers = []
        for name in sorted(n for n in self.files if n.startswith("records/")):
            record = self.read(name)
            try:
                numbers.append(record["number"])
                for fact in record["facts"]:
                    if "entry" in fact:
                        entry = self.entries.get(fact["entry"])
                        if entry is None or canonical(look(entry, fact["pointer"])) != canonical(fact["value"]):
                            where = f"entry {fact['entry']} at {fact['pointer']}"
                            self.bad(
                                "quote-differs",
                                name,
                                f"{name} does not quote {where} as it stands there: {fact['name']}",
                            )
                        quoted += 1
            except Bad as error:
                self.bad("quote-differs", name, f"{name} quotes what is not there: {error}")
            except (KeyError, TypeError, AttributeError):
                if record is not None:
                    self.bad("malformed", name, f"{name} is not a record")
            if record is not None and self.manifest:
                stands = (name, *(record.get(key) for key in ("number", "state"))) if isinstance(record, dict) else ()
                if stands not in self.told:
                    self.bad("manifest-differs", name, f"manifest.json says something else of {name} than it does")
        for number in range(1, 31):
            if numbers.count(number) != 1:
                self.bad("missing", f"record {number}", f"record {number} is there {numbers.count(number)} times")
        if quoted:
            self.proven.append(f"{quoted} facts in the records are quoted from entries exactly")
        self.read("clauses.json")

    def digest_of_change(self) -> None:
        if not self.manifest:
            return
        rollout = self.manifest["rollout"]
        own = [(at, e) for at, e in sorted(self.entries.items()) if e["stream"] == rollout]
        dossiers = self._dossiers()
        try:
            proposed = next(e["body"] for _, e in own if e["kind"] == "rollout-proposed")
            plan = digest_of(proposed["plan"])
            if proposed["plan"]["model"] != self.manifest["model"]:
                self.bad("manifest-differs", "manifest.json", "manifest.json names another model than the plan")
            first = self.manifest["format"] == TAGS[0]
            if not plan == proposed["plan_digest"] == self.manifest["change_digest" if first else "plan_digest"]:
                raise Bad("it is not the digest of the plan that was proposed")
            self.proven.append(f"the plan's digest is that of the plan, with both models' digests in it: {plan}")
            permits = [e["body"]["evidence"].get("permit", {}) for _, e in own if e["kind"] == "decided"]
            changes = [permit["change"] for permit in permits if "change" in permit]
            if not first and self.manifest["change_digest"] != (changes[-1] if changes else plan):
                raise Bad("it is not the one that the newest decision names")
            for at, dossier in sorted(dossiers.items()):
                whole = {"change": {k: v for k, v in dossier["change"].items() if k != "digest"}}
                made = digest_of({**whole, **{block: dossier[block] for block in COVERED if block in dossier}})
                if made != dossier["change"]["digest"]:
                    self.bad("change-differs", f"entry {at}", f"the dossier in entry {at} is of another change: {made}")
                if changes[-1:] == [made] and not any("it covers" in line for line in self.proven):
                    covered = ", ".join(COVERED)
                    self.proven.append(
                        f"the change digest is {made}: it covers the change, {covered}, as in entry {at}"
                    )
            self._rest(permits, {digest_of(dossier) for dossier in dossiers.values()})
            if changes and not any("it covers" in line for line in self.proven):
                self.unproven.append("what the change digest covers: no policy was asked, so no dossier was recorded")
        except (StopIteration, KeyError, TypeError, AttributeError, Bad) as error:
            self.bad("change-differs", "manifest.json", f"the change digest does not hold: {error}")

    def _dossiers(self) -> dict[int, Any]:
        """Return what policies were shown, by the entry that says so."""
        found = {at: e["body"].get("dossier") for at, e in self.entries.items() if e["kind"] == "examined"}
        return {at: dossier for at, dossier in found.items() if isinstance(dossier, dict)}

    def _rest(self, permits: Sequence[Any], known: set[str]) -> None:
        """Say which decisions rest on a dossier that is here."""
        named = [permit["dossier"] for permit in permits if "dossier" in permit]
        here = sum(each in known for each in named)
        if here:
            self.proven.append(f"{here} decisions rest on dossiers that are here, and on the answers beside them")
        if here < len(named):
            what = f"what policies were shown before {len(named) - here} decisions: their dossiers are not here"
            self.unproven.append(what)

    def compare(self, published: Sequence[tuple[str, bytes]], witnesses: Sequence[Key], quorum: int) -> None:
        known: list[tuple[str, Checkpoint]] = [("checkpoint.note", self.checkpoint)] if self.checkpoint else []
        for name, data in published:
            try:
                found = read_checkpoint(data)
            except Bad as error:
                self.bad("published-malformed", name, f"{name}: {error}")
                continue
            if self.believe(found.note, found.size, name) and found.origin == self.key.name:
                known += [(name, found)] if self._follows(name, found, known) else []
            elif found.origin != self.key.name:
                self.bad("untrusted", name, f"{name} is of the ledger {found.origin}")
        if self.checkpoint and not published:
            self.unproven.append(
                "that others were shown the same ledger: compare checkpoints that were published (--published)"
            )
        seen: set[Key] = set()
        for key in witnesses:
            for name, found in known:
                try:
                    time = found.note.cosigned_by(key)
                except Bad as error:
                    self.bad("cosignature-invalid", name, f"{name}: {error}")
                    continue
                if time is not None:
                    seen.add(key)
                    self.proven.append(
                        f"the witness {key.name} saw {found.size} entries at {time} seconds since 1970, by its clock"
                    )
        counted = f"{len(seen)} of the {len(witnesses)} witnesses that you trust cosigned, and {quorum} are needed"
        if len(seen) < quorum:
            self.bad("witnesses-missing", "checkpoint.note", counted)
        elif witnesses:
            self.proven.append(f"the quorum is reached: {counted}")
        if not witnesses:
            self.unproven.append(
                "when the entries were written: no witness is trusted (--witness), so only the writer's clock tells"
            )

    def _follows(self, name: str, found: Checkpoint, known: Sequence[tuple[str, Checkpoint]]) -> bool:
        for other, seen in known:
            if seen.size == found.size and seen.root != found.root:
                self.bad(
                    "fork",
                    name,
                    f"{name} and {other} are both signed over {found.size} entries, and differ: two histories",
                )
                return False
        if self.checkpoint is None:
            return False
        own = self.checkpoint
        member = f"consistency/{found.size:09d}.txt"
        if found.size > own.size:
            what = f"{name} is over {found.size} entries, more than the pack's {own.size}: ask for a pack made later"
            self.bad("not-compared", name, what)
            return False
        proof: list[bytes] = []
        if found.size not in (0, own.size):
            lines = self.files.get(member, b"").decode("ascii", "replace").split("\n")
            head = ["glideslope-consistency/1", f"older {found.size}", f"size {own.size}"]
            if lines[:3] != head or lines[-1]:
                self.bad(
                    "not-compared",
                    name,
                    f"{name}: the pack has no proof for {found.size} entries ({member}): ask for it",
                )
                return False
            try:
                proof = read_hashes(lines[3:-1])
            except Bad as error:
                self.bad("changed", member, f"{member}: {error}")
                return False
        if not consistent(found.size, found.root, own.size, own.root, proof):
            self.bad(
                "fork",
                name,
                f"{name} is not a part of the pack's ledger by {member}: two histories, or the proof was changed",
            )
            return False
        self.proven.append(f"the ledger of {found.size} entries in {name} is a part of the pack's")
        return True


def verify(
    data: bytes,
    key: Key,
    published: Sequence[tuple[str, bytes]] = (),
    witnesses: Sequence[Key] = (),
    quorum: int | None = None,
) -> Verified:
    """Check a pack. Never raises on what it holds."""
    found = Verified(key)
    found.container(data)
    found.read_entries()
    found.signatures()
    found.read_manifest()
    found.inclusion()
    found.stories()
    found.records()
    found.digest_of_change()
    found.compare(published, witnesses, len(witnesses) if quorum is None else quorum)
    found.unproven += [
        "that what the entries say is true: they are what was recorded, and nothing was changed since",
        "that everything was recorded: what never became an entry leaves no trace",
        "that the decisions follow from their evidence: this program does not decide; `glideslope verify` on the ledger does",
        "what the records compute beyond their quotations, the clause map's wording, and the page: they are as their maker signed them",
        "who the people behind the names are",
    ]
    return found


def read_file(path: str, limit: int) -> bytes:
    with open(path, "rb") as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise Bad(f"{path} is longer than {limit:,} bytes")
    return data


def key_argument(text: str, kind: int) -> Key:
    try:
        return read_key(text, kind)
    except Bad:
        if "+" in text and "/" not in text.partition("+")[0]:
            raise
    return read_key(read_file(text, 1000).decode("utf-8", "replace"), kind)


def shown(text: str) -> str:
    """Let nothing in a file steer the terminal."""
    return "".join(c if c.isprintable() else "\ufffd" for c in text)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Check a Glideslope evidence pack, offline.")
    parser.add_argument("pack")
    parser.add_argument(
        "--key", required=True, help="the ledger's public key (name+id+base64), or a file that holds it"
    )
    parser.add_argument(
        "--published", action="append", default=[], metavar="FILE", help="a checkpoint that was published; repeatable"
    )
    parser.add_argument(
        "--witness", action="append", default=[], metavar="KEY", help="a witness's public key; repeatable"
    )
    parser.add_argument("--quorum", type=int, help="how many of the witnesses must have cosigned (default: all)")
    parser.add_argument("--json", action="store_true", help="write one JSON document")
    options = parser.parse_args(arguments)
    try:
        key = key_argument(options.key, 1)
        witnesses = list(dict.fromkeys(key_argument(each, 4) for each in options.witness))
        published = [(path, read_file(path, 1 << 20)) for path in options.published]
        data = read_file(options.pack, LARGEST)
        if options.quorum is not None and not 1 <= options.quorum <= len(witnesses):
            raise Bad(
                f"--quorum {options.quorum} cannot be asked of {len(witnesses)} witnesses (--witness): 1 to all can"
            )
    except (Bad, OSError) as error:
        print(f"error: {shown(str(error))}", file=sys.stderr)
        return 2
    found = verify(data, key, published, witnesses, options.quorum)
    count = len(found.findings)
    ok = not count
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a terminal or a pipe that cannot write every letter
    if options.json:
        keys = ("code", "where", "sentence")
        document = {
            "ok": ok,
            "rollout": found.manifest.get("rollout", ""),
            "change_digest": found.manifest.get("change_digest", ""),
            "entries": len(found.entries),
            "findings": [dict(zip(keys, each)) for each in found.findings],
            "proven": found.proven if ok else [],
            "not_proven": found.unproven,
        }
        print(json.dumps(document, ensure_ascii=True))
        return 0 if ok else 9
    print("OK: all that this pack can show is shown." if ok else f"FAILED: {count} finding{'s' * (count > 1)}.")
    for each in found.findings:
        print(f"  error[{each.code}] {shown(each.sentence)}.")
    for line in found.proven if ok else []:
        print(f"  proven: {shown(line)}.")
    for line in found.unproven:
        print(f"  NOT proven: {shown(line)}.")
    return 0 if ok else 9


if __name__ == "__main__":
    sys.exit(main())
