-- Contacts have their whole key history, and the key that they were verified for. Contacts of before have neither: the history is
-- filled in when they are met, and their words are to be compared again. An earlier Postern would drop both and call a contact
-- verified whose key has changed, so it must not open the file.
UPDATE record SET body = json_remove(body, '$.history', '$.verified_key') WHERE kind = 'contact';
