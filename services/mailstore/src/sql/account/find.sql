-- epoch and state of an account
SELECT epoch, purged FROM account_state WHERE account_id = $1 /* account */
