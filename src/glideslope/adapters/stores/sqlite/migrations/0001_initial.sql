-- Events are stored once, as ledger entries. Positions are dense from 0 because one writer assigns them.
CREATE TABLE entry (
    position INTEGER PRIMARY KEY CHECK (position >= 0),
    stream   TEXT    NOT NULL,
    version  INTEGER NOT NULL CHECK (version >= 1),
    key      TEXT    NOT NULL UNIQUE,
    data     BLOB    NOT NULL,
    UNIQUE (stream, version)
) STRICT;

-- `until` is microseconds since 1970 in UTC; an empty holder means given back, and the epoch stays so that it can only grow.
CREATE TABLE lease (
    name   TEXT    NOT NULL PRIMARY KEY,
    holder TEXT    NOT NULL,
    epoch  INTEGER NOT NULL CHECK (epoch >= 1),
    until  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The cell leads the key: reading one rollout's evidence is one range. Counts stay exact in every JSON reader (2^53 - 1).
CREATE TABLE total (
    cell   TEXT    NOT NULL,
    source TEXT    NOT NULL,
    epoch  INTEGER NOT NULL CHECK (epoch >= 0),
    count  INTEGER NOT NULL CHECK (count BETWEEN 0 AND 9007199254740991),
    PRIMARY KEY (cell, source, epoch)
) STRICT, WITHOUT ROWID;

CREATE TABLE seen (
    key TEXT NOT NULL PRIMARY KEY
) STRICT, WITHOUT ROWID;

CREATE TABLE checkpoint (
    size INTEGER PRIMARY KEY CHECK (size >= 0),
    note BLOB NOT NULL
) STRICT;
