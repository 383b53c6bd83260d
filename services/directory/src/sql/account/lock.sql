-- account/lock
SELECT state FROM account WHERE id = $1 /* account */ FOR UPDATE
