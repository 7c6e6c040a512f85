-- Whether an audit entry's hash is an HMAC with a key of the identity; those from before are plain SHA-256.
ALTER TABLE receipt ADD COLUMN keyed INTEGER NOT NULL DEFAULT 0;
