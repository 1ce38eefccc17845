"""Says what an SQLite error means to a caller: damaged, unavailable (the outcome is unknown), or not SQLite's fault."""

import apsw

from glideslope.domain.errors import GlideslopeError, StoreCorrupt, StoreUnavailable

CLOSED = "the store is closed"


def translated(error: apsw.Error, *, path: str) -> GlideslopeError:
    """Translate; the original is for `raise ... from`."""
    match error:
        case apsw.CorruptError() | apsw.NotADBError():
            return StoreCorrupt(path=path, why=str(error))
        case apsw.FullError():
            return StoreUnavailable(f"no space is left for {path}", next_command="df -h")
        case _:
            return StoreUnavailable(f"{path}: {type(error).__name__}: {error}")
