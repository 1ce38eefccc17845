-- Outcomes that count in many cells at once: one row each, with what tells in which. Small rows, since most of what a batch
-- costs is the pages that it touches.
CREATE TABLE told (
    key  BLOB NOT NULL PRIMARY KEY,
    note BLOB NOT NULL
) STRICT, WITHOUT ROWID;
