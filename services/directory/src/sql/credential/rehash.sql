-- credential/rehash
-- The same password under new parameters: the version stays, and a password changed meanwhile wins.
UPDATE credential SET secret = $3 /* secret */
WHERE id = $1 /* credential */ AND version = $2 /* version */
