-- account/delete
-- Addresses, aliases' targets, credential and budget go with it.
DELETE FROM account WHERE id = $1 /* account */
