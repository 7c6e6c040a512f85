-- The secret of a record: no longer in its body, and sealed with a key of the identity. Those that stood in clear wait here,
-- 32 bytes each, until the key is there.
ALTER TABLE record ADD COLUMN secret BLOB;

UPDATE record SET secret = unhex(json_extract(body, '$.secret')), body = json_remove(body, '$.secret')
WHERE kind IN ('invitation', 'received');
