"""Credentials of gateways: good ones load, any other is refused with the reason, and no secret is ever shown."""

import stat
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from glideslope.adapters.drivers.envoy.credentials import (
    SERVER,
    SERVER_LIVES,
    Authority,
    Credentials,
    CredentialsInvalid,
)
from glideslope.adapters.drivers.envoy.remote import RemoteDoor
from glideslope.domain.errors import NameInvalid, StoreCorrupt, StoreUnavailable

NOW = datetime(2026, 11, 25, tzinfo=UTC)
YEAR = timedelta(days=365)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority.at(tmp_path / "authority.pem", now=NOW)


@pytest.fixture
def ours(authority: Authority, tmp_path: Path) -> Credentials:
    return authority.gateway("edge-1", tmp_path / "edge-1", now=NOW, lifetime=YEAR)


def test_they_are_private_files_with_a_stated_end(ours: Credentials, tmp_path: Path) -> None:
    assert Credentials.load(ours.folder) == ours
    assert (ours.name, ours.ends) == ("edge-1", NOW + YEAR)
    secret = [ours.key, tmp_path / "authority.pem"]
    assert [stat.S_IMODE(path.stat().st_mode) for path in secret] == [0o600, 0o600]
    assert stat.S_IMODE(ours.folder.stat().st_mode) == 0o700


def test_they_say_themselves_when_they_have_ended(ours: Credentials) -> None:
    assert ours.trouble(NOW + YEAR - timedelta(seconds=1)) == ""
    assert ours.trouble(NOW + YEAR) == "they ended on 2027-11-25"


def test_new_ones_take_the_place_of_the_old(authority: Authority, ours: Credentials) -> None:
    again = authority.gateway("edge-1", ours.folder, now=NOW + YEAR, lifetime=YEAR)

    assert again.serial != ours.serial
    assert again.ends == NOW + 2 * YEAR


def test_the_authority_is_made_once(authority: Authority, tmp_path: Path) -> None:
    assert Authority.at(tmp_path / "authority.pem", now=NOW + YEAR).pem == authority.pem


def test_nothing_outlives_the_authority(authority: Authority, tmp_path: Path) -> None:
    late = authority.gateway("edge-9", tmp_path / "late", now=NOW + timedelta(days=3600), lifetime=YEAR)

    assert late.ends == authority.certificate.not_valid_after_utc


@pytest.mark.parametrize("name", ["", "Edge", "edge_1", "-edge", "edge-", "a" * 64, "a/b", "ä", SERVER])
def test_a_name_that_cannot_be_is_refused(authority: Authority, tmp_path: Path, name: str) -> None:
    with pytest.raises(NameInvalid):
        authority.gateway(name, tmp_path / "x", now=NOW, lifetime=YEAR)

    assert not (tmp_path / "x").exists()


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:40])


SPOILT: dict[str, tuple[Callable[[Credentials, Credentials], object], str]] = {
    "a missing file": (lambda ours, _: ours.certificate.unlink(), "there is no gateway.pem"),
    "a damaged certificate": (lambda ours, _: _cut(ours.certificate), "a file in it is damaged"),
    "a damaged key": (lambda ours, _: _cut(ours.key), "a file in it is damaged"),
    "a key that others may read": (lambda ours, _: ours.key.chmod(0o644), "others have rights on it"),
    "another's key": (
        lambda ours, other: ours.key.write_bytes(other.key.read_bytes()),
        "certificate and key do not belong together",
    ),
    "another authority": (
        lambda ours, other: ours.authority.write_bytes(other.authority.read_bytes()),
        "certificate and authority do not belong together",
    ),
}


@pytest.mark.parametrize("what", SPOILT)
def test_what_cannot_be_used_is_refused_with_the_reason(ours: Credentials, tmp_path: Path, what: str) -> None:
    other = Authority.at(tmp_path / "other.pem", now=NOW).gateway("edge-1", tmp_path / "o", now=NOW, lifetime=YEAR)
    key = ours.key.read_text().splitlines()[1]
    spoil, why = SPOILT[what]
    spoil(ours, other)

    with pytest.raises(CredentialsInvalid, match=why) as refused:
        Credentials.load(ours.folder)

    assert key not in str(refused.value)
    assert "goes on with its incumbents" in refused.value.traffic


def test_an_authority_that_is_damaged_or_open_is_not_used(authority: Authority, tmp_path: Path) -> None:
    path = tmp_path / "authority.pem"
    path.chmod(0o644)
    with pytest.raises(StoreUnavailable, match="others have rights"):
        Authority.at(path, now=NOW)
    path.chmod(0o600)
    path.write_bytes(authority.pem)  # the certificate alone
    with pytest.raises(StoreCorrupt):
        Authority.at(path, now=NOW)


def test_no_secret_is_shown(authority: Authority, ours: Credentials, tmp_path: Path) -> None:
    pair = authority.server(now=NOW)
    shown = repr((authority, ours, pair))

    assert "PRIVATE" not in shown
    for key in (pair.key, ours.key.read_bytes(), (tmp_path / "authority.pem").read_bytes()):
        assert key.decode().splitlines()[1] not in shown


def test_the_server_makes_itself_a_new_certificate_when_half_its_life_is_over(authority: Authority) -> None:
    clock = [NOW]
    door = RemoteDoor("127.0.0.1", 0, authority=authority, now=lambda: clock[0])
    lives = x509.load_pem_x509_certificate(authority.server(now=NOW).certificate).not_valid_after_utc - NOW

    clock[0] = NOW + SERVER_LIVES / 2 - timedelta(seconds=1)
    assert door._renewed() is None
    clock[0] = NOW + SERVER_LIVES / 2
    assert door._renewed() is not None
    assert door._renewed() is None, "once"
    assert lives == SERVER_LIVES
