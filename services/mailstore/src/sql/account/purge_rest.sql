-- remove what is left of a purged account but its state, which refuses it for ever
WITH a AS (DELETE FROM expunged WHERE account_id = $1 /* account */),
     b AS (DELETE FROM recent WHERE account_id = $1),
     c AS (DELETE FROM subscription WHERE account_id = $1),
     d AS (DELETE FROM delivery_key WHERE account_id = $1),
     e AS (DELETE FROM write_key WHERE account_id = $1),
     f AS (DELETE FROM maildrop_lease WHERE account_id = $1),
     g AS (UPDATE account_state SET keywords = '{}' WHERE account_id = $1)
DELETE FROM mailbox WHERE account_id = $1
