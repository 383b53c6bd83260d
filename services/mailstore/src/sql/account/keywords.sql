-- keywords of an account as first written
SELECT keywords FROM account_state WHERE account_id = $1 /* account */
