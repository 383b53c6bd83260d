-- budget/disown
DELETE FROM sending_budget WHERE account_id = $1 /* account */
