-- unsubscribe a name
DELETE FROM subscription WHERE account_id = $1 /* account */ AND name = $2 /* name */
