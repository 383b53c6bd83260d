-- epoch and state of an account, raising its epoch
WITH raised AS (
    UPDATE account_state SET epoch = $2 /* epoch */
    WHERE account_id = $1 /* account */ AND epoch < $2 AND NOT purged
)
SELECT greatest(epoch, CASE WHEN purged THEN epoch ELSE $2 END) AS epoch, purged FROM account_state WHERE account_id = $1
