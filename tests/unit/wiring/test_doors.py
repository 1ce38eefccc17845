"""Beyond loopback nothing is said in the clear, unless somebody says so; addresses carry names that certificates are for."""

from pathlib import Path

import pytest

from glideslope.domain.errors import NameInvalid, TlsRequired
from glideslope.settings import Doors, Settings, Tls, own_ca, own_tls
from glideslope.wiring import tls

ANYWHERE = ("0.0.0.0", "::", "192.0.2.1", "2001:db8::1")  # noqa: S104 - what must be refused


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.1", "::1"])
def test_on_loopback_tls_is_a_choice(host: str) -> None:
    assert Doors(host=host, gateway_host=host).tls is None


@pytest.mark.parametrize("host", ANYWHERE)
@pytest.mark.parametrize("door", ["host", "gateway_host"])
def test_beyond_loopback_it_is_none_unless_told_so(host: str, door: str) -> None:
    with pytest.raises(TlsRequired, match=host) as refused:
        Doors(**{door: host})  # type: ignore[arg-type]  # only hosts
    assert refused.value.next_command == f"glideslope up --{door.replace('_', '-')} {host} --tls"

    Doors(**{door: host}, insecure=True)  # type: ignore[arg-type]  # as above
    Doors(**{door: host}, tls=Tls(Path("c"), Path("k")))  # type: ignore[arg-type]  # as above


@pytest.mark.parametrize("host", ["", "localhost", "models.example", "127.1", "0", "1.2.3.4:80"])
def test_a_host_is_an_address(host: str) -> None:
    with pytest.raises(NameInvalid):
        Doors(host=host, insecure=True)


def test_a_certificate_is_made_once_and_its_ca_is_kept(tmp_path: Path) -> None:
    settings = Settings(tmp_path, doors=Doors(host="127.0.0.7", tls=own_tls(tmp_path)))
    tls.ready(settings)
    first, ca = own_tls(tmp_path).cert.read_bytes(), own_ca(tmp_path).read_bytes()
    tls.ready(settings)
    assert own_tls(tmp_path).cert.read_bytes() == first
    assert "127.0.0.7" in names(tmp_path)

    made = tls.create(tmp_path, names=("a.example",))
    assert (own_ca(tmp_path).read_bytes(), settings.trusted_ca.read_bytes()) == (ca, ca)
    assert (made.names[:2], own_tls(tmp_path).cert.read_bytes() == first) == (("a.example", "localhost"), False)
    assert "a.example" in tls.create(tmp_path, names=()).names, "without names those of before"
    assert {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "tls").iterdir()} == dict.fromkeys(
        ("ca.pem", "ca.key", "cert.pem", "key.pem"), 0o600
    )

    tls.ready(Settings(tmp_path))
    assert not settings.trusted_ca.exists(), "nobody is told to trust what is not shown"


def names(state: Path) -> tuple[str, ...]:
    return tls.read_pair(own_tls(state).cert, own_tls(state).key).names()


def test_a_door_on_another_address_gets_a_certificate_that_names_it_too(tmp_path: Path) -> None:
    tls.ready(Settings(tmp_path, doors=Doors(tls=own_tls(tmp_path))))
    tls.create(tmp_path, names=("a.example",))
    tls.ready(Settings(tmp_path, doors=Doors(gateway_host="127.0.0.9", tls=own_tls(tmp_path))))

    assert {"127.0.0.9", "a.example", "127.0.0.1"} <= set(names(tmp_path))


def test_an_address_of_another_machine_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NameInvalid, match="an address of this machine"):
        tls.ready(Settings(tmp_path, doors=Doors(host="192.0.2.1", insecure=True)))


def test_a_state_folder_that_it_makes_is_its_owners(tmp_path: Path) -> None:
    tls.create(tmp_path / "state", names=())

    assert (tmp_path / "state").stat().st_mode & 0o777 == 0o700


def test_an_address_carries_a_name_that_the_certificate_is_for(tmp_path: Path) -> None:
    own = own_tls(tmp_path)
    tls.create(tmp_path, names=())
    assert tls.url("0.0.0.0", 1, tls=None) == "http://127.0.0.1:1"  # noqa: S104 - only spoken of
    assert tls.url("::", 1, tls=own) == "https://[::1]:1"
    assert tls.url("192.0.2.1", 1, tls=own) == "https://localhost:1"
    authority = tls.make_authority(now=tls.SystemClock().now())
    other = tls.make_certificate(("*.example", "models.example"), authority=authority, now=tls.SystemClock().now())
    tls.write_secret(own.cert, other.chain)
    tls.write_secret(own.key, other.key)
    assert tls.url("127.0.0.1", 1, tls=own) == "https://models.example:1"
    own.cert.unlink()
    assert tls.url("127.0.0.1", 1, tls=own) == "https://127.0.0.1:1"


def test_a_certificate_that_ends_soon_is_told_and_ours_is_renewed_at_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(tmp_path, doors=Doors(tls=own_tls(tmp_path)))
    tls.ready(settings)
    before = own_tls(tmp_path).cert.read_bytes()
    assert tls.check(own_tls(tmp_path)).ok

    later = tls.SystemClock().now() + tls.RENEW_BEFORE * 6
    monkeypatch.setattr(tls.SystemClock, "now", lambda _: later + tls.RENEW_BEFORE / 2)
    assert not tls.check(own_tls(tmp_path)).ok
    tls.ready(settings)
    assert own_tls(tmp_path).cert.read_bytes() != before
    assert tls.check(own_tls(tmp_path)).ok
