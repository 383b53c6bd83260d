-- use of quota of some accounts
SELECT account_id, used_bytes, used_messages
FROM account_state
WHERE account_id = ANY($1 /* accounts */) AND NOT purged
