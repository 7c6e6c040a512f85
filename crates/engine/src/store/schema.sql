CREATE TABLE record (
    kind TEXT NOT NULL,
    id   TEXT NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (kind, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE receipt (
    number INTEGER PRIMARY KEY,
    at     INTEGER NOT NULL,
    deed   TEXT NOT NULL,
    hash   BLOB NOT NULL
) STRICT;

-- The last audit entry that retention has deleted: the hash chain goes on from its hash.
CREATE TABLE anchor (
    one    INTEGER PRIMARY KEY CHECK (one = 1),
    number INTEGER NOT NULL,
    hash   BLOB NOT NULL
) STRICT;

INSERT INTO anchor VALUES (1, 0, zeroblob(32));

-- Settings of the driver.
CREATE TABLE setting (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
