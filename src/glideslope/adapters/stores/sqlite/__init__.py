"""The embedded store: SQLite with its own library, one writer, group commit."""

from glideslope.adapters.stores.sqlite.store import SqliteStore

__all__ = ["SqliteStore"]
