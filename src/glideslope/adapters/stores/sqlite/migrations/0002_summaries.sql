-- What was counted long ago, made small: one row per name, written anew by the one server that owns the file.
CREATE TABLE summary (
    name TEXT NOT NULL PRIMARY KEY,
    data BLOB NOT NULL
) STRICT;
