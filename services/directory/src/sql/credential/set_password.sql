-- credential/set_password
UPDATE credential SET secret = $2 /* secret */, version = version + 1, changed_at = $3 /* now */
WHERE account_id = $1 /* account */ AND kind = 1
