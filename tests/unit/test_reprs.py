"""What holds a secret does not show it when it is printed, alone or in something else."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from glideslope.adapters.certificates import make_authority
from glideslope.adapters.identity.tokens import Secret
from glideslope.adapters.signers.file_key import FileKeySigner
from glideslope.domain.ids import ModelName
from glideslope.domain.observation import Briefing
from glideslope.domain.receipt import ReceiptKey
from glideslope.ledger.note import Signer
from glideslope.sdk.briefed import briefed
from glideslope.sdk.client import AsyncClient, Client
from glideslope.sdk.service import Service

SECRET = "sesame-sesame-sesame-sesame-3232"  # noqa: S105 - what must not be shown
KEY = SECRET.encode()
BRIEFING = Briefing(
    model=ModelName("fraud"), grant=None, rollouts={}, metrics=(), dimensions=(), key_id=2, key=KEY, tag="t1"
)
AUTHORITY = make_authority(now=datetime(2026, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize(
    ("holder", "secret"),
    [
        (Secret(SECRET), SECRET),
        (ReceiptKey(id=1, secret=KEY), SECRET),
        (ReceiptKey(id=1, secret=KEY, per_model=True).of(ModelName("fraud")), "secret"),
        (BRIEFING, SECRET),
        (briefed(BRIEFING), SECRET),
        (Client("http://127.0.0.1:1", SECRET), SECRET),
        (AsyncClient("http://127.0.0.1:1", SECRET), SECRET),
        (Service("fraud", server="http://127.0.0.1:1", token=SECRET), SECRET),
        (Signer("glideslope", KEY), SECRET),
        (AUTHORITY, "PRIVATE"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_secret_is_not_shown(holder: object, secret: str) -> None:
    for shown in (repr(holder), str(holder), f"{holder}", repr([holder]), repr({"a": holder})):
        assert secret not in shown
        assert shown


def test_a_signer_from_a_file_shows_its_public_key_only(tmp_path: Path) -> None:
    signer = FileKeySigner(tmp_path / "key", name="glideslope", random_bytes=lambda size: KEY[:size])

    assert signer.verifier.vkey in repr(signer)
    assert KEY.hex() not in repr(signer)
