-- give a maildrop lease back if it is still held
DELETE FROM maildrop_lease WHERE account_id = $1 /* account */ AND token = $2 /* token */ AND expires_at > $3 /* now */
