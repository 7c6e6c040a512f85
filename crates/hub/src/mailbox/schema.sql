CREATE TABLE mail (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    recipient BLOB NOT NULL,
    digest BLOB NOT NULL,
    depositor BLOB NOT NULL,
    deposited INTEGER NOT NULL,
    expires INTEGER NOT NULL,
    sealed BLOB NOT NULL,
    UNIQUE (recipient, digest)
) STRICT;

CREATE INDEX mail_by_recipient ON mail (recipient, id);
CREATE INDEX mail_by_expiry ON mail (expires);
