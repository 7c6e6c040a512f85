-- Identities that may be written to, and when they last subscribed. Those that have mail were here before this was recorded.
CREATE TABLE recipient (
    identifier BLOB PRIMARY KEY,
    subscribed INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX recipient_by_time ON recipient (subscribed);

INSERT INTO recipient (identifier, subscribed) SELECT recipient, MAX(deposited) FROM mail GROUP BY recipient;

-- Where a message came from, as a pseudonym that ends with the process. Of older messages the depositor.
ALTER TABLE mail ADD COLUMN source BLOB NOT NULL DEFAULT x'';

UPDATE mail SET source = substr(depositor, 1, 8);

CREATE INDEX mail_by_source ON mail (source, id);
