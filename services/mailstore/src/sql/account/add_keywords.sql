-- remember new keywords (the account is locked)
UPDATE account_state SET keywords = keywords || $2 /* new */ WHERE account_id = $1 /* account */
