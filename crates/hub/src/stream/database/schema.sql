CREATE TABLE stream (
    id INTEGER PRIMARY KEY,
    service TEXT NOT NULL,
    name TEXT NOT NULL,
    owner BLOB,
    -- Seconds since 1970: when it was last used, as of the last sweep.
    used INTEGER NOT NULL,
    UNIQUE (service, name)
) STRICT;

CREATE TABLE share (
    stream INTEGER NOT NULL REFERENCES stream ON DELETE CASCADE,
    identity BLOB NOT NULL,
    PRIMARY KEY (stream, identity)
) STRICT, WITHOUT ROWID;

-- The log of one partition.
CREATE TABLE log (
    id INTEGER PRIMARY KEY,
    stream INTEGER NOT NULL REFERENCES stream ON DELETE CASCADE,
    partition INTEGER NOT NULL,
    -- Index that the next record gets; it stays when all records are deleted.
    next INTEGER NOT NULL DEFAULT 0,
    UNIQUE (stream, partition)
) STRICT;

-- The id is the log's, times 2^40, plus the index: records of a log lie together and in order, and need no second index.
CREATE TABLE record (
    id INTEGER PRIMARY KEY,
    stored INTEGER NOT NULL,
    data BLOB NOT NULL
) STRICT;

-- Where clients have stopped. No identity is an empty one, no partition is -1.
CREATE TABLE place (
    identity BLOB NOT NULL,
    client TEXT NOT NULL,
    stream TEXT NOT NULL,
    partition INTEGER NOT NULL,
    next INTEGER NOT NULL,
    saved INTEGER NOT NULL,
    PRIMARY KEY (identity, client, stream, partition)
) STRICT, WITHOUT ROWID;

CREATE INDEX place_by_age ON place (saved);
