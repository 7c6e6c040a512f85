-- The secret of a record: no longer in its body, and encrypted with a key of the identity. Secrets in plaintext, 32 bytes
-- each, are kept in this column until the key is loaded.
ALTER TABLE record ADD COLUMN secret BLOB;

UPDATE record SET secret = unhex(json_extract(body, '$.secret')), body = json_remove(body, '$.secret')
WHERE kind IN ('invitation', 'received');
