-- remove an empty mailbox and its journal (the account is locked)
WITH a AS (DELETE FROM expunged WHERE account_id = $1 /* account */ AND mailbox_id = $2 /* mailbox */),
     b AS (DELETE FROM recent WHERE account_id = $1 AND mailbox_id = $2)
DELETE FROM mailbox WHERE account_id = $1 AND id = $2
