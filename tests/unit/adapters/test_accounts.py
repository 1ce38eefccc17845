"""Accounts are kept whole, for their owner's eyes, and changed by one at a time whoever changes them."""

import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from glideslope.adapters.identity.accounts import FileAccounts
from glideslope.adapters.identity.argon2 import Argon2, common_passwords
from glideslope.domain.account import Account, Passkey, Setup, code_hash, opened
from glideslope.domain.errors import NotFound, StoreCorrupt, StoreUnavailable
from glideslope.domain.identity import Role
from glideslope.domain.ids import Actor

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
GRACE = Actor("grace")
GOLDEN = Path(__file__).parents[2] / "golden" / "accounts"
CHEAP = Argon2(memory=64)


def account(actor: str = "grace") -> Account:
    return opened(
        Actor(actor),
        role=Role.MEMBER,
        at=NOON,
        handle=bytes(range(16)),
        setup=Setup(sha256=code_hash("code"), until=NOON.replace(day=4)),
    )


def test_an_account_outlives_a_restart_and_is_seen_by_whoever_has_the_file_open(tmp_path: Path) -> None:
    first, second = FileAccounts(tmp_path), FileAccounts(tmp_path)
    first.change(GRACE, lambda _: account())

    assert second.of(GRACE) == account() == FileAccounts(tmp_path).of(GRACE)
    second.change(GRACE, lambda _: None)
    assert first.of(GRACE) is None
    assert list(first.all()) == []


def test_the_file_is_for_its_owner_alone_and_holds_no_code(tmp_path: Path) -> None:
    FileAccounts(tmp_path).change(GRACE, lambda _: account())

    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}
    assert '"code"' not in (tmp_path / "accounts.json").read_text()


def test_a_change_that_is_refused_changes_nothing(tmp_path: Path) -> None:
    kept = FileAccounts(tmp_path)
    kept.change(GRACE, lambda _: account())
    before = (tmp_path / "accounts.json").read_bytes()

    def refuse(_: Account | None) -> Account:
        raise NotFound(what="account", name="x")

    with pytest.raises(NotFound):
        kept.change(GRACE, refuse)
    assert (tmp_path / "accounts.json").read_bytes() == before
    kept.change(Actor("ada"), lambda _: account("ada"))
    assert [each.actor for each in kept.all()] == ["ada", "grace"]


def test_what_is_removed_is_in_no_file(tmp_path: Path) -> None:
    kept = FileAccounts(tmp_path)
    kept.change(Actor("somebody-rare"), lambda _: account("somebody-rare"))
    kept.change(Actor("somebody-rare"), lambda _: None)

    assert all(b"somebody-rare" not in path.read_bytes() for path in tmp_path.iterdir())


def test_processes_that_change_it_at_once_lose_nothing(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from tests.unit.adapters.test_accounts import account, FileAccounts\n"
        "kept = FileAccounts(Path(sys.argv[1]))\n"
        "for k in range(15): kept.change(account(f'{sys.argv[2]}{k}').actor, lambda _: account(f'{sys.argv[2]}{k}'))"
    )
    root = str(Path(__file__).parents[3])
    started = [
        subprocess.Popen([sys.executable, "-c", program, str(tmp_path), name], cwd=root, env=_env(root))
        for name in ("a", "b")
    ]
    assert [process.wait(60) for process in started] == [0, 0]

    assert len(FileAccounts(tmp_path).all()) == 30


def _env(root: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": f"{root}/src:{root}"}


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"{", "truncated"),
        (b'{"version": 2, "accounts": []}', "a newer Glideslope"),
        (b'{"version": 1, "accounts": [], "more": 1}', "unknown field"),
        (b'{"version": 1, "accounts": [{"actor": "a"}]}', "missing required field"),
    ],
)
def test_what_is_not_understood_is_said_and_nothing_is_repaired(tmp_path: Path, content: bytes, why: str) -> None:
    path = tmp_path / "accounts.json"
    path.write_bytes(content)
    path.chmod(0o600)

    with pytest.raises(StoreCorrupt, match=why):
        FileAccounts(tmp_path)


def test_a_file_that_others_may_read_is_not_taken(tmp_path: Path) -> None:
    FileAccounts(tmp_path).change(GRACE, lambda _: account())
    (tmp_path / "accounts.json").chmod(0o640)

    with pytest.raises(StoreUnavailable, match="others have rights"):
        FileAccounts(tmp_path)


def test_accounts_as_they_were_first_written_are_read_for_ever(tmp_path: Path) -> None:
    shutil.copy(GOLDEN / "accounts-1.json", tmp_path / "accounts.json")
    (tmp_path / "accounts.json").chmod(0o600)
    first, second = FileAccounts(tmp_path).all()

    assert first.role is Role.ADMIN
    assert CHEAP.matches("correct horse battery staple", first.password)
    assert first.passkeys == (
        Passkey(id=b"id", key=b"key", site="localhost", count=3, name="laptop", added_at=NOON, used_at=NOON),
    )
    assert (second.actor, second.disabled, second.edition) == ("grace", True, 4)
    assert second.setup is not None


def test_a_hash_says_how_it_was_made_and_fits_its_password_alone() -> None:
    hashed = CHEAP.hash("correct horse battery staple", salt=bytes(16))

    assert hashed.startswith("$argon2id$v=19$m=64,t=1,p=1$")
    assert CHEAP.matches("correct horse battery staple", hashed)
    assert not CHEAP.matches("correct horse battery stapler", hashed)
    for broken in ("", "$argon2id$", "$2b$12$abc", hashed[:-4], "ä"):
        assert not CHEAP.matches("correct horse battery staple", broken)


@pytest.mark.parametrize(
    ("stronger", "weak"),
    [
        (Argon2(memory=64), False),
        (Argon2(memory=128), True),
        (Argon2(memory=64, rounds=2), True),
        (Argon2(memory=32), False),
    ],
)
def test_a_hash_is_weak_once_more_is_asked(stronger: Argon2, weak: bool) -> None:
    assert stronger.is_weak(CHEAP.hash("x", salt=bytes(16))) is weak


def test_the_list_is_of_what_everybody_tries() -> None:
    assert {"password", "123456", "qwerty", "1qaz2wsx3edc4rfv"} <= common_passwords()
    assert all(word == word.lower() and not word.startswith("# ") for word in common_passwords())
    assert not any("zxcvbn 4.5.0" in word for word in common_passwords())
