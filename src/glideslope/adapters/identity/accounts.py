"""Local accounts in one file of the state folder, changed by the server and by the command line beside it, each under a lock.

What is removed from the file is gone from it: it is written anew each time, whole. It holds hashes of passwords, public keys and
hashes of one-time codes; nobody signs in by reading it, but it is kept as a secret all the same (mode 0600).
"""

import fcntl
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec

from glideslope.adapters.secret_file import Followed, read_secret, write_secret
from glideslope.domain.account import Account
from glideslope.domain.errors import StoreCorrupt, StoreUnavailable
from glideslope.domain.ids import Actor

VERSION: Final = 1
"""Of the file, as it is written."""


class _Header(msgspec.Struct, frozen=True):
    version: int


class _File(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    version: int
    accounts: tuple[Account, ...]


class FileAccounts:
    """Keeps the port AccountBook in `accounts.json` of one folder.

    A change of the file is noticed at the next look. Every method may raise StoreUnavailable, also when others than the owner
    have rights on the file, and StoreCorrupt.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / "accounts.json"
        self._lock = folder / "accounts.lock"
        self._current: Followed[dict[Actor, Account]] = Followed(self._path, _read, absent={})
        self._current()

    def all(self) -> Sequence[Account]:
        """Return all accounts by name."""
        return tuple(self._current().values())

    def of(self, actor: Actor) -> Account | None:
        """Return somebody's account; None for nobody we know."""
        return self._current().get(actor)

    def change(self, actor: Actor, act: Callable[[Account | None], Account | None]) -> Account | None:
        """Put in place of an account what `act` makes of it, None for none, durably, while nobody else changes the file.

        Raises what `act` raises; then nothing is changed.
        """
        with self._locked():
            accounts = dict(_read(self._path))
            before = accounts.pop(actor, None)
            after = act(before)
            if after is not None:
                accounts[actor] = after
            if after != before:
                kept = tuple(accounts[name] for name in sorted(accounts))
                content = msgspec.json.format(msgspec.json.encode(_File(version=VERSION, accounts=kept)), indent=2)
                write_secret(self._path, content + b"\n")
            return after

    @contextmanager
    def _locked(self) -> Iterator[None]:
        try:
            # A file of its own: the other is replaced at each change, and a lock on it would be on what it was.
            descriptor = os.open(self._lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StoreUnavailable(f"{self._lock}: {error.strerror}") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


def _read(path: Path) -> dict[Actor, Account]:
    content = read_secret(path)
    if content is None:
        return {}
    try:
        version = msgspec.json.decode(content, type=_Header).version
        if version != VERSION:
            raise StoreCorrupt(path=str(path), why=f"it has version {version}, which a newer Glideslope wrote")
        file = msgspec.json.decode(content, type=_File)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise StoreCorrupt(path=str(path), why=str(error)) from error
    return {account.actor: account for account in file.accounts}
