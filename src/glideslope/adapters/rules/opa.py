"""Rules that an OPA server holds, asked over its REST data API (`POST /v1/data/PATH`, `{"input": ...}`, `{"result": ...}`).

A document that is undefined has no `result`, and a deny-list whose reference is undefined is an empty list: so only a document that
says `passes` in so many words is believed. Written after the API's documentation, and tried against a server that speaks it; a real OPA was
not at hand.
"""

import http.client
import json
import ssl
import time
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from glideslope.domain.errors import Invalid
from glideslope.domain.governing.dossier import Dossier
from glideslope.domain.governing.policy import Cel, Fail, NoEvidence, Opa, Outcome, Pass
from glideslope.domain.governing.policy.rule import milliseconds

LARGEST: Final = 1 << 20
"""Bytes of an answer."""
MOST_FINDINGS: Final = 1_000


class _Answer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a document must be."""

    passes: bool
    findings: tuple[str, ...]


class _Whole(msgspec.Struct, frozen=True):
    """What the server sends: of it only `result` is looked at."""

    result: Any = msgspec.UNSET


class OpaSource:
    """One OPA server. Blocks until it answers, or until the rule's time is over."""

    def __init__(self, url: str, *, token: str = "", monotonic: Callable[[], float] = time.monotonic) -> None:
        """Raise Invalid for what is no address."""
        parts = urlsplit(url)
        if (
            parts.scheme not in {"http", "https"}
            or not parts.hostname
            or parts.query
            or parts.fragment
            or parts.username
        ):
            raise Invalid(f"{url!r} is no address of an OPA server: expected http://host:8181, or https.")
        self._secure = parts.scheme == "https"
        self._place = (parts.hostname, parts.port or (443 if self._secure else 80))
        self._prefix = parts.path.rstrip("/")
        self._token = token
        self._monotonic = monotonic

    def answer(self, rule: Cel | Opa, dossier: Dossier) -> Outcome:
        """Return what the server says; silence, an error and anything unexpected are no evidence."""
        if not isinstance(rule, Opa):
            return NoEvidence(("an answer: OPA does not answer such a rule",))
        end = self._monotonic() + milliseconds(rule.within) / 1000
        try:
            status, body = self._post(rule.path, json.dumps({"input": msgspec.to_builtins(dossier)}).encode(), end)
        except (OSError, http.client.HTTPException) as error:
            late = isinstance(error, TimeoutError)
            said = f"nothing came within {rule.within}" if late else f"{type(error).__name__}: {error}".rstrip(": ")
            return NoEvidence((f"an answer of the OPA server: {said}",))
        if status != http.client.OK:
            return NoEvidence((f"an answer of the OPA server: it said {status}",))
        return _outcome(body, rule.path)

    def _post(self, path: str, body: bytes, end: float) -> tuple[int, bytes]:
        host, port = self._place
        wait = self._left(end)
        line: http.client.HTTPConnection
        if self._secure:
            line = http.client.HTTPSConnection(host, port, timeout=wait, context=ssl.create_default_context())
        else:
            line = http.client.HTTPConnection(host, port, timeout=wait)
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        try:
            line.request("POST", f"{self._prefix}/v1/data/{path}", body, headers)
            self._hurry(line, end)
            answer = line.getresponse()
            found = b""
            # Piece by piece: a server that sends a byte a second keeps no socket's time-out from starting anew.
            while len(found) <= LARGEST:
                self._hurry(line, end)
                piece = answer.read1(65_536)
                if not piece:
                    return answer.status, found
                found += piece
            raise http.client.HTTPException(f"the answer is longer than {LARGEST:,} bytes")
        finally:
            line.close()

    def _hurry(self, line: http.client.HTTPConnection, end: float) -> None:
        wait = self._left(end)
        if line.sock is not None:
            line.sock.settimeout(wait)

    def _left(self, end: float) -> float:
        left = end - self._monotonic()
        if left <= 0:
            raise TimeoutError
        return left


def _outcome(body: bytes, path: str) -> Outcome:
    try:
        whole = msgspec.json.decode(body, type=_Whole)
        if isinstance(whole.result, msgspec.UnsetType):
            return NoEvidence((f"a document at {path}: the OPA server has none, or it is undefined",))
        found = msgspec.convert(whole.result, _Answer)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        return NoEvidence((f'`{{"passes": ..., "findings": [...]}}` of the OPA server: {error}',))
    if found.findings:
        return Fail(tuple(each[:500] or "(no text)" for each in found.findings[:MOST_FINDINGS]))
    return Pass((f"{path} passes",)) if found.passes else Fail((f"{path} does not pass, and names nobody",))
