-- raise the epoch of an account
UPDATE account_state SET epoch = $2 /* epoch */ WHERE account_id = $1 /* account */ AND epoch < $2 AND NOT purged
