"""Signatures of webhooks by the rules of Standard Webhooks (github.com/standard-webhooks/standard-webhooks, spec/standard-webhooks.md).

What is signed is `id.timestamp.body`; a header may hold several signatures, so a receiver checks the kind that it knows.
"""

import base64
import binascii
import hashlib
import hmac
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

SECRET: Final = "whsec_"  # noqa: S105 - a prefix
KEY: Final = "whsk_"


class SecretUnusable(Exception):
    """A secret is not what signs; it is not said here."""


def headers(body: bytes, *, id_: str, at: int, secret: str, key: str | None = None) -> dict[str, str]:
    """Return the three headers. `at` in seconds since the epoch. Raises SecretUnusable."""
    text = f"{id_}.{at}.".encode() + body
    digest = hmac.new(_decoded(secret, SECRET, least=24, most=64), text, hashlib.sha256).digest()
    signatures = [f"v1,{base64.b64encode(digest).decode()}"]
    if key is not None:
        seed = Ed25519PrivateKey.from_private_bytes(_decoded(key, KEY, least=32, most=32))
        signatures.append(f"v1a,{base64.b64encode(seed.sign(text)).decode()}")
    return {"webhook-id": id_, "webhook-timestamp": str(at), "webhook-signature": " ".join(signatures)}


def _decoded(text: str, prefix: str, *, least: int, most: int) -> bytes:
    try:
        found = base64.b64decode(text.removeprefix(prefix), validate=True)
    except (binascii.Error, ValueError):
        found = b""
    if not text.startswith(prefix) or not least <= len(found) <= most:
        size = f"{least}" if least == most else f"{least} to {most}"
        raise SecretUnusable(f"expected {prefix} and the base64 of {size} bytes")
    return found
