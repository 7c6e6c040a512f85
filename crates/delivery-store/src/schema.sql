-- What is kept of the messages to a peer, without the messages.
CREATE TABLE outgoing_peer (
    id INTEGER PRIMARY KEY,
    peer BLOB NOT NULL UNIQUE,
    epoch BLOB NOT NULL,
    base INTEGER NOT NULL,
    acknowledged INTEGER NOT NULL,
    acknowledged_stamp BLOB NOT NULL
) STRICT;

-- The outstanding messages. The id is outgoing_peer.id × 2^40 + sequence: those of a peer lie together, in order.
CREATE TABLE outgoing (
    id INTEGER PRIMARY KEY,
    stamp BLOB NOT NULL,
    sealed BLOB NOT NULL
) STRICT;

-- How far the messages of each sender and epoch were handled.
CREATE TABLE incoming (
    id INTEGER PRIMARY KEY,
    peer BLOB NOT NULL,
    epoch BLOB NOT NULL,
    last INTEGER NOT NULL,
    stamp BLOB NOT NULL,
    begun INTEGER NOT NULL,
    UNIQUE (peer, epoch)
) STRICT;

-- Written to sync the file.
CREATE TABLE synced (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    syncs INTEGER NOT NULL
) STRICT;

INSERT INTO synced VALUES (1, 0);
