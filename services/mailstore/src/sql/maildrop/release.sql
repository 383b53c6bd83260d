-- give a maildrop lease back
DELETE FROM maildrop_lease WHERE account_id = $1 /* account */ AND token = $2 /* token */
